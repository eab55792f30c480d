import numpy as np
import pytest

from emojax.data.labels import Label
from emojax.data.masks import stability
from emojax.opencv import cv2


def _picture(shift=0, size=128):
    """A textured picture and its labels, moved to the right."""
    noise = np.random.default_rng(0).uniform(0, 255, (size, size + 32, 3)).astype(np.float32)
    image = np.clip((cv2.GaussianBlur(noise, (0, 0), 3) - 127) * 6 + 127, 0, 255).astype(np.uint8)
    labels = np.zeros((size, size + 32), np.uint8)
    labels[20:80, 50:110] = Label.FACE
    labels[10:20, 50:110] = Label.HAIR
    labels[80:90, 70:90] = Label.NECK
    labels[90:, 40:120] = Label.TORSO
    window = np.s_[:, 16 - shift : 16 - shift + size]
    return np.ascontiguousarray(image[window]), np.ascontiguousarray(labels[window])


def test_motion_is_no_flicker():
    before, labels_before = _picture()
    after, labels_after = _picture(5)
    scores = stability.warped_iou(labels_before, labels_after, before, after)
    assert set(scores) == {"person", "face", "hair", "neck", "torso", "changed"}
    assert scores["changed"] < 0.002
    assert min(scores[name] for name in stability.REGIONS) > 0.95


def test_flicker_is_seen_and_measured():
    image, labels = _picture()
    flickering = labels.copy()
    flickering[20:32][labels[20:32] == Label.FACE] = Label.HAIR  # a fifth of the face
    scores = stability.warped_iou(labels, flickering, image, image)
    assert scores["face"] == pytest.approx(0.8)
    assert scores["hair"] == pytest.approx(10 / 22)
    assert scores["person"] == scores["torso"] == 1
    assert scores["changed"] == pytest.approx(12 * 60 / 128**2)


def test_an_opening_mouth_is_no_flicker_and_absence_is_steady():
    image, labels = _picture()
    labels[labels == Label.NECK] = Label.TORSO
    speaking = labels.copy()
    speaking[60:70, 60:70] = Label.MOUTH
    speaking[60:62, 60:70] = Label.TEETH
    scores = stability.warped_iou(labels, speaking, image, image)
    assert scores == {"person": 1, "face": 1, "hair": 1, "neck": 1, "torso": 1, "changed": 0}

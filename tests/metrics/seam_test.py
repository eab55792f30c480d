"""Seams: none where the truth has the same edge, or one a pixel beside it; lines are seen."""

import numpy as np
import pytest

from emojax.data.labels import Label
from emojax.metrics import seam

SIZE = 128


@pytest.fixture
def labels():
    labels = np.full((SIZE, SIZE), Label.BACKGROUND, np.uint8)
    labels[20:80, 30:100] = Label.FACE
    labels[80:, 40:90] = Label.NECK
    return labels


@pytest.fixture
def truth(labels):
    return np.array([0.2, 0.6, 0.6, 0.6, 0.6, 0.5, 0.3])[labels][..., None] * np.ones(3)


def test_the_band_follows_the_border(labels):
    band = seam.border(labels)
    assert band[20, 50]
    assert band[79, 60]
    assert not band[50, 60]
    assert not band[5, 5]
    body = seam.border(labels, body=True)
    assert body[80, 60]
    assert not body[20, 50]
    assert not seam.border(np.zeros_like(labels)).any()


def test_the_true_edges_are_no_seam(labels, truth):
    band = seam.border(labels)
    assert seam.seam(truth, truth, band) == 0
    assert np.isnan(seam.seam(truth, truth, np.zeros_like(band)))


def test_a_line_between_head_and_neck_is_seen_and_a_displaced_edge_hardly(labels, truth):
    line = truth.copy()
    line[79:81, 40:90] = 0
    found = seam.seam(line, truth, seam.border(labels, body=True))
    displaced = seam.seam(np.roll(truth, 1, axis=0), truth, seam.border(labels, body=True))
    assert found > 20
    assert displaced < 0.2 * found
    assert seam.seam(line, truth, seam.border(labels)) < found


def test_what_lies_inside_the_head_is_no_seam(labels, truth):
    inside = truth.copy()
    inside[45:55, 60:70] = 0
    assert seam.seam(inside, truth, seam.border(labels)) == 0

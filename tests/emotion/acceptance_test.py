import numpy as np
import pytest

from emojax.emotion import acceptance, displacement, warp
from tests.emotion import faces

PICTURE, LANDMARKS = faces.picture(), faces.landmarks()


def test_a_warped_face_keeps_lips_and_likeness():
    for point in ((0.74, 0.31), (-0.31, 0.74), (-0.74, -0.31)):
        point = np.array(point)
        done = warp.warp(PICTURE, LANDMARKS, point, displacement.units_of(point))
        verdict = acceptance.judge(PICTURE, done.picture, LANDMARKS, done.landmarks)
        assert verdict.accepted, verdict
        assert verdict.lips < 0.02
        assert verdict.likeness > 0.93


def test_lips_that_open_are_rejected():
    moved = faces.landmarks(gap=8.0)
    assert acceptance.lip_change(LANDMARKS, moved) > 0.1
    verdict = acceptance.judge(PICTURE, faces.picture(gap=8.0), LANDMARKS, moved)
    assert verdict.reason == "lips"
    assert not verdict.accepted


def test_a_gap_is_measured_in_eye_distances():
    small, large = (
        acceptance.lip_change(LANDMARKS * s, faces.landmarks(gap=8.0) * s) for s in (1, 3)
    )
    assert small == pytest.approx(large)


def test_another_face_and_noise_are_rejected():
    other = np.array(PICTURE)[::-1]
    verdict = acceptance.judge(PICTURE, other, LANDMARKS, LANDMARKS)
    assert verdict.reason == "identity"
    noise = np.uint8(np.random.default_rng(0).integers(0, 255, PICTURE.shape))
    assert acceptance.judge(PICTURE, noise, LANDMARKS, LANDMARKS).reason == "identity"
    assert acceptance.judge(PICTURE, np.zeros_like(PICTURE), LANDMARKS, LANDMARKS).reason


def test_likeness_knows_a_face_in_another_place_and_size():
    moved = {"size": 384, "roll": 0.3, "shift": (12.0, -8.0)}
    alike = acceptance.likeness(
        PICTURE, faces.picture(**moved), LANDMARKS, faces.landmarks(**moved)
    )
    assert alike > 0.9
    assert acceptance.likeness(PICTURE, PICTURE, LANDMARKS, LANDMARKS) == pytest.approx(1, abs=1e-5)


def test_no_face_is_a_reason():
    assert acceptance.judge(PICTURE, PICTURE, LANDMARKS, None).reason == "no face found"
    lost = np.full((68, 2), np.nan)
    assert acceptance.judge(PICTURE, PICTURE, LANDMARKS, lost).reason == "no face found"


def test_a_face_out_of_the_picture_is_alike_to_nothing():
    assert acceptance.likeness(PICTURE, PICTURE, LANDMARKS, LANDMARKS + 5000) == 0


def test_a_given_network_has_the_last_word():
    limits = acceptance.Limits(identity=0.5)
    for value, reason in ((0.9, ""), (0.2, "identity")):
        verdict = acceptance.judge(
            PICTURE, PICTURE, LANDMARKS, LANDMARKS, limits=limits, identity=lambda a, b, v=value: v
        )
        assert verdict.reason == reason

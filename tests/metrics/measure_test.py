"""A film against the truth: perfect, spoilt in one way each, of the wrong length."""

import dataclasses

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.metrics import catalogue, measure


@pytest.fixture(scope="module")
def truth(talk, exam):
    return np.stack([talk.images[int(row)] / 255 for row in exam.rows])


@pytest.fixture(scope="module")
def perfect(exam, truth):
    return measure.measure(exam, truth)


def test_the_truth_is_perfect_in_every_metric(perfect):
    best = {"psnr": 100, "psnr_head": 100, "psnr_mouth": 100, "ssim": 1}
    for name, values in perfect.frames.items():
        known = values[np.isfinite(values)]
        if name in ("silent_motion", "lpips"):
            continue
        assert len(known) or name.startswith("silent"), name
        np.testing.assert_allclose(known, best.get(name, 0), atol=1e-6, err_msg=name)
    assert perfect.film["lip_correlation"] == pytest.approx(1)
    assert set(perfect.frames) | set(perfect.film) == {m.name for m in catalogue.METRICS}


def test_another_order_of_frames_spoils_lips_and_steadiness(exam, truth, perfect):
    order = np.random.default_rng(0).permutation(len(truth))
    scores = measure.measure(exam, truth[order])
    for name in ("lmd", "jitter", "flicker", "aue_lower"):
        assert np.nanmean(scores.frames[name]) > np.nanmean(perfect.frames[name]) + 0.1, name
    assert scores.film["lip_correlation"] < 0.7


def test_a_mouth_painted_over_is_seen_in_the_mouth(exam, truth, perfect):
    spoilt = truth.copy()
    for picture, (top, left, bottom, right) in zip(spoilt, exam.boxes, strict=True):
        picture[top:bottom, left:right] = 0.5
    few = dataclasses.replace(exam, judge=None)
    scores = measure.measure(few, iter(spoilt))
    assert (scores.frames["psnr_mouth"] < 25).all()
    assert (scores.frames["psnr_head"] > scores.frames["psnr_mouth"]).all()
    assert np.isnan(scores.frames["lmd"]).all(), "nobody judged"
    assert np.isnan(scores.film["lip_correlation"])


def test_too_few_too_many_or_too_small_pictures_are_refused(exam, truth):
    few = dataclasses.replace(exam, judge=None)
    with pytest.raises(ValueError, match="2 pictures for 30 rows"):
        measure.measure(few, truth[:2])
    with pytest.raises(ValueError, match="more than 30 pictures"):
        measure.measure(few, np.concatenate([truth, truth[:1]]))
    with pytest.raises(ValueError, match="pictures are"):
        measure.measure(few, truth[:, ::2, ::2])


def test_rows_left_out_are_cuts(talk):
    exam = measure.prepare(talk, np.array([3, 4, 9, 10]))
    np.testing.assert_array_equal(exam.cuts, [2])
    assert "lpips" in exam.missing


def test_no_rows_are_refused(talk):
    with pytest.raises(DataError, match="frames to examine"):
        measure.prepare(talk, np.zeros(0, int))


def test_without_a_face_the_rest_is_measured(talk, monkeypatch):
    def nobody(frames, **options):
        raise DataError(expected="a face", got="none", fix="Use another video.")

    monkeypatch.setattr(measure.judges, "appoint", nobody)
    exam = measure.prepare(talk, np.arange(3))
    assert set(catalogue.JUDGED) <= set(exam.missing)
    scores = measure.measure(exam, (talk.images[row] / 255 for row in range(3)))
    np.testing.assert_allclose(scores.frames["psnr"], 100)

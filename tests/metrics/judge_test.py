"""The judge sees lips move, and does not mind noise."""

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.metrics import judge, lips


def test_the_judge_finds_the_features(film, talk, exam):
    rows = exam.rows
    error = np.linalg.norm(exam.points - film.landmarks[rows], axis=-1)
    assert np.median(error) < 0.05 * 30  # 5 % of the eyes' distance
    assert lips.opening_correlation(exam.points, film.landmarks[rows]) > 0.9


def test_noise_moves_the_judge_less_than_speech_does(talk, exam):
    rng = np.random.default_rng(0)
    true = [talk.images[int(row)] / 255 for row in exam.rows[:8]]
    noisy = np.stack(
        [exam.judge.look(x + rng.normal(0, 2 / 255, x.shape), i) for i, x in enumerate(true)]
    )
    spoken = lips.lmd(exam.points[:8][::-1], exam.points[:8])
    assert lips.lmd(noisy, exam.points[:8]).mean() < 0.5 * spoken.mean()


def test_frames_without_a_face_get_no_points(exam):
    absent = judge.Judge(exam.judge.boxes, np.zeros(len(exam.rows), bool), exam.judge.predict)
    assert np.isnan(absent.look(np.zeros((128, 128, 3)), 0)).all()


def test_no_face_at_all_is_said(judged):
    with pytest.raises(DataError, match="a face"):
        judge.appoint(np.zeros((3, 64, 64, 3), np.uint8))

"""V/A-RMSE, V/A-SA, top-3 accuracy: by hand, and what a judge without eyes gets."""

import types

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex
from emojax.experts import emonet, registry
from emojax.metrics import emotion


def _seen(points, logits=None, judge="emonet_8, weights 0"):
    points = np.asarray(points, float)
    logits = np.zeros((len(points), 8)) if logits is None else np.asarray(logits, float)
    return emotion.Seen(points, logits, judge)


def test_errors_and_signs_are_those_of_the_paper():
    seen = [[0.5, -0.5], [1.5, 0.5]]
    np.testing.assert_allclose(emotion.rmse((0.5, 0.5), seen), [np.sqrt(0.5), np.sqrt(0.5)])
    np.testing.assert_allclose(emotion.sign_agreement((0.5, 0.5), seen), [1, 0.5])
    np.testing.assert_allclose(emotion.sign_agreement((0.0, 0.5), [[0, 1], [0.1, 1]]), [0.5, 1])


def test_a_class_counts_among_the_three_likeliest():
    logits = np.array([[5, 4, 3, 2, 0, 0, 0, 0.0], [5, 1, 4, 3, 2, 0, 0, 0.0]])
    assert emotion.top_accuracy(logits, "happy") == 0.5
    assert emotion.top_accuracy(logits, "happy", count=1) == 0
    assert emotion.top_accuracy(logits, "neutral") == 1


def test_a_judge_that_sees_nothing_gets_the_floor_of_the_layout():
    """A predictor that ignores the emotion has a mean RMSE of 0.466 on these 12 points."""
    films = {point: _seen([[0, 0]]) for point in circumplex.POINTS}
    found = emotion.score(films)
    np.testing.assert_allclose(found.rmse, 0.466, atol=2e-3)
    np.testing.assert_allclose(found.sign_agreement, 0)
    always = emotion.score({point: _seen([[0.1, 0.1]]) for point in circumplex.POINTS})
    np.testing.assert_allclose(always.sign_agreement, 0.5)


def test_the_truth_gets_full_marks():
    def logits(label):
        return np.eye(8)[[circumplex.CLASSES.index(label)]]

    films = {
        point: _seen([point], logits(label))
        for point, label in zip(circumplex.POINTS, emotion.LABELS, strict=True)
    }
    found = emotion.score(films)
    np.testing.assert_allclose(found.rmse, 0)
    np.testing.assert_allclose(found.sign_agreement, 1)
    assert found.top_accuracy == 1
    assert found.num_frames == (1,) * 12
    assert found.judge == "emonet_8, weights 0"


def test_classes_are_in_one_order_everywhere():
    assert emonet.CLASSES == circumplex.CLASSES
    assert set(emotion.LABELS) <= set(circumplex.CLASSES)
    assert len(emotion.LABELS) == len(circumplex.POINTS)


def test_a_judge_looks_in_batches_of_one_size():
    shapes = []

    def apply(params, images, *, outputs):
        shapes.append(images.shape)
        mean = images.mean((1, 2, 3))
        return {"valence": mean, "arousal": -mean, "expression": np.zeros((len(images), 8))}

    judge = types.SimpleNamespace(spec=registry.get("emonet_8"), params={}, apply=apply)
    faces = [np.full((256, 256, 3), i, np.uint8) for i in range(11)]
    found = emotion.look(judge, faces)
    assert shapes == [(8, 3, 256, 256)] * 2
    np.testing.assert_allclose(found.valence_arousal[:, 0], np.arange(11))
    assert found.judge.startswith("emonet_8, weights ")
    with pytest.raises(DataError, match="at least one face"):
        emotion.look(judge, [])


def test_the_judges_own_error_is_measured_against_the_truth():
    true = np.array([[0.1, 0.2], [0.5, -0.4], [-0.3, 0.6]])
    found = emotion.own_error(_seen(true + np.array([0.1, 0])), true)
    assert found["valence_rmse"] == pytest.approx(0.1)
    assert found["arousal_rmse"] == pytest.approx(0)
    assert found["valence_correlation"] == pytest.approx(1)
    assert np.isnan(emotion.own_error(_seen([[0, 0]]), [[0, 0]])["valence_correlation"])
    with pytest.raises(DataError, match="for each judged face"):
        emotion.own_error(_seen(true), true[:2])


def test_mixed_judges_and_other_networks_are_refused():
    films = {(0.5, 0.5): _seen([[0, 0]]), (0.1, 0.5): _seen([[0, 0]], judge="other")}
    with pytest.raises(DataError, match="one judge"):
        emotion.score(films)
    with pytest.raises(DataError, match="no film"):
        emotion.score({})
    with pytest.raises(DataError, match="EmoNet as the judge"):
        emotion.look(types.SimpleNamespace(spec=registry.get("fan")), [])


def test_faces_are_a_square_around_landmarks_at_one_size():
    image = np.zeros((100, 120, 3), np.uint8)
    image[:, 60:] = 200
    points = np.array(
        [[50.0, 40], [70, 40], [60, 60], [60, 50]]
    )  # a box of 20 x 20 around (60, 50)
    face = emotion.crop(image, points)
    assert face.shape == (256, 256, 3)
    # The square is 28 wide and centred at column 60: what is right of 59.5 is bright.
    edge = 256 * (59.5 - (60 - 14)) / 28
    assert (face[:, : int(edge) - 8] == 0).all()
    assert (face[:, int(edge) + 8 :] == 200).all()
    np.testing.assert_array_equal(
        emotion.crop(image, points + np.array([45, 0]))[:, -1], 200
    )  # edges go on
    with pytest.raises(DataError, match="landmarks of a face"):
        emotion.crop(image, np.zeros((68, 2)))

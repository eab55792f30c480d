"""What heads and controls are asked for: rows, sound, expression, pictures."""

import numpy as np
import pytest

from emojax.metrics import scenarios


@pytest.fixture(scope="module")
def rows(talk):
    return scenarios.held_out(talk)


def _asked(talk, rows, name):
    """What a film asks the head for: rows, sound and units of all its batches."""
    seen = []

    def render(batches):
        for some in batches:
            seen.append(some)
            yield from some.images / 255

    pictures = list(scenarios.films(talk, rows, render)[name]())
    assert len(pictures) == len(rows)
    return (
        np.concatenate([getattr(b, k) for b in seen]) for k in ("rows", "audio", "action_units")
    )


def test_held_out_rows_did_not_train(talk, rows):
    np.testing.assert_array_equal(rows, np.arange(60, 66))
    np.testing.assert_array_equal(scenarios.held_out(talk, limit=2), [60, 61])


def test_the_head_gets_what_is_true(talk, rows):
    asked, audio, units = _asked(talk, rows, scenarios.HEAD)
    np.testing.assert_array_equal(asked, rows)
    np.testing.assert_array_equal(audio[:, 4], talk.audio.values[rows])
    np.testing.assert_array_equal(units, talk.action_units.values[rows])


def test_shifted_sound_is_another_moments(talk):
    rows = np.arange(20, 40)
    for name, shift in ((scenarios.LATE, -scenarios.SHIFT), (scenarios.EARLY, scenarios.SHIFT)):
        _, audio, units = _asked(talk, rows, name)
        np.testing.assert_array_equal(audio[:, 4], talk.audio.values[rows + shift])
        np.testing.assert_array_equal(units, talk.action_units.values[rows])


def test_shuffled_sound_is_the_same_in_a_wrong_order(talk, rows):
    _, audio, _ = _asked(talk, rows, scenarios.SHUFFLED)
    order = scenarios.shuffle(len(rows))
    np.testing.assert_array_equal(audio[:, 4], talk.audio.values[rows[order]])


@pytest.mark.parametrize("count", [2, 3, 50])
def test_shuffling_leaves_nothing_in_its_place(count):
    order = scenarios.shuffle(count)
    np.testing.assert_array_equal(np.sort(order), np.arange(count))
    assert (order != np.arange(count)).all()


def test_no_expression_is_zero_units(talk, rows):
    _, audio, units = _asked(talk, rows, scenarios.EXPRESSIONLESS)
    np.testing.assert_array_equal(units, 0)
    np.testing.assert_array_equal(audio[:, 4], talk.audio.values[rows])


def test_the_nearest_pose_is_the_row_itself_or_a_close_one(talk):
    train = np.array([0, 17, 59])
    np.testing.assert_array_equal(scenarios.nearest_poses(talk, train), train)
    near = scenarios.nearest_poses(talk, scenarios.held_out(talk))
    assert (near < talk.num_train).all()
    films = scenarios.films(talk, scenarios.held_out(talk), lambda batches: ())
    first = next(iter(films[scenarios.NEAREST]()))
    np.testing.assert_allclose(first, talk.images[int(near[0])] / 255)


def test_the_mean_picture_is_the_mean_of_training_pictures(talk):
    np.testing.assert_allclose(
        scenarios.mean_picture(talk), talk.images[:60].mean(axis=0) / 255, atol=1e-9
    )


def test_the_protocol_depends_on_the_exam_and_not_on_the_head(exam):
    protocol = scenarios.protocol(exam)
    assert protocol == scenarios.protocol(exam)
    assert protocol["frames"]["count"] == 30
    assert "lpips" not in protocol["metrics"]
    assert protocol["judge"]["name"].startswith("dlib")

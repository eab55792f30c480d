"""The scenario: a head that feels, one that does not, truth that is known and that is not."""

import numpy as np
import pytest

from emojax.emotion import circumplex
from emojax.metrics import emotional
from emojax.metrics.emotional import BRANCHLESS, CONSTANT, FELT, HEAD, SHUFFLED, TWINS
from emojax.metrics.image import MAX_PSNR
from tests.metrics import feeling

T = feeling.COUNT - feeling.TRAIN
SEEN = np.arange(T) != 3  # frames with a face


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.fixture(scope="module")
def exam(patch):
    return feeling.exam(patch)


@pytest.fixture(scope="module")
def good(exam):
    """A head that feels what is wanted."""
    return emotional.examine(exam, feeling.renders(lambda point: point))


def test_points_are_the_twelve_and_the_neutral_state():
    np.testing.assert_allclose(emotional.POINTS[:FELT], np.float32(circumplex.POINTS))
    np.testing.assert_array_equal(emotional.POINTS[FELT], 0)
    assert (emotional.POINTS[:FELT] != 0).all(), "the sign of each is asked for"


def test_a_head_that_shows_the_twins_is_as_good_as_the_twins(good):
    frames = good.frames[HEAD]
    np.testing.assert_array_equal(frames["psnr"], MAX_PSNR)
    for name in ("brows", "eyes", "corners", "lmd"):
        np.testing.assert_allclose(frames[name][:, SEEN], 0, atol=1e-9)
        assert np.isnan(frames[name][:, ~SEEN]).all()
    np.testing.assert_allclose(frames["normals"], 0, atol=1e-3)
    for name, values in good.points[HEAD].items():
        np.testing.assert_array_equal(values, good.points[TWINS][name])
    assert good.points[HEAD]["valence_rmse"][:FELT].mean() < 0.15
    assert good.points[HEAD]["arousal_sign"][:FELT].mean() > 0.9


def test_controls_show_what_they_are_called(good):
    psnr, valence = (
        {film: good.frames[film][name] for film in good.frames} for name in ("psnr", "valence")
    )
    for film in (BRANCHLESS, CONSTANT, SHUFFLED):
        assert psnr[film][:FELT].mean() < psnr[HEAD][:FELT].mean() - 20, film
        assert np.nanmean(valence[film][:FELT]) > np.nanmean(valence[HEAD][:FELT]) + 0.2, film
    assert (psnr[CONSTANT][emotional.HELD] == MAX_PSNR).all()
    assert (psnr[CONSTANT][1:FELT] < MAX_PSNR).all()
    assert (psnr[SHUFFLED][:FELT] < MAX_PSNR).all(), "no point stays in its place"
    assert (psnr[BRANCHLESS][FELT] == MAX_PSNR).all(), "plainly it is neutral"
    seen = good.seen[BRANCHLESS][:, SEEN]
    np.testing.assert_allclose(seen, np.broadcast_to(seen[:1], seen.shape))


def test_a_head_that_does_not_feel_is_its_own_control(exam):
    dull = emotional.examine(exam, feeling.renders(lambda point: 0 * point, normals=False))
    for name in ("psnr", "ssim", "brows", "valence"):
        np.testing.assert_array_equal(dull.frames[HEAD][name], dull.frames[BRANCHLESS][name])
    assert np.isnan(dull.frames[HEAD]["normals"]).all()
    assert dull.points[HEAD]["valence_rmse"][:FELT].mean() > 0.4
    assert dull.shown.normals is None


def test_lips_are_compared_with_the_neutral_face(good):
    np.testing.assert_allclose(good.frames[HEAD]["gap"][:, SEEN], 0, atol=1e-9)
    np.testing.assert_allclose(good.points[HEAD]["lip_correlation"], 1)


def test_where_truth_is_not_known_what_needs_it_is_left_out(patch):
    exam = feeling.exam(patch, has_truth=False)
    found = emotional.examine(exam, feeling.renders(lambda point: point))
    assert set(found.frames) == {HEAD, BRANCHLESS, CONSTANT, SHUFFLED}
    for name in ("psnr", "ssim", "brows", "lmd", "normals"):
        assert np.isnan(found.frames[HEAD][name]).all(), name
    # The clip's own frames are neutral: they serve as the face at rest.
    assert found.points[HEAD]["valence_rmse"][:FELT].mean() < 0.15
    assert len(found.shown.truth) == 1
    np.testing.assert_array_equal(found.shown.truth[0], found.shown.head[FELT])


def test_with_another_sound_the_heads_own_face_is_the_neutral_one(patch):
    windows = np.random.default_rng(0).normal(size=(T, 8, 16, 80)).astype(np.float32)
    exam = feeling.exam(patch, windows=windows)
    assert not exam.has_truth, "nobody knows the lips of a puppet that says something else"
    heard, plain = [], feeling.renders(lambda point: 0.5 * point + 0.3)

    def felt(batches):
        for some in batches:
            heard.append(some.audio)
            yield from plain.felt([some])

    found = emotional.examine(exam, plain._replace(felt=felt))
    np.testing.assert_array_equal(heard[0], windows[:8])
    assert np.abs(found.seen[HEAD][FELT, SEEN]).max() < 0.1
    own = emotional.protocol(feeling.exam(patch))
    assert emotional.protocol(exam)["sound"] != own["sound"] == "own"


def test_the_protocol_names_frames_points_judge_and_reader(exam):
    found = emotional.protocol(exam)
    assert found["frames"]["count"] == T
    assert len(found["points"]) == FELT + 1
    assert len(found["reader"]) == 12
    assert found["twins"]

"""A sweep: equal to drawing each emotion by itself, one compilation, bounded memory."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import head as heads
from emojax.data.errors import DataError
from emojax.drive import frames, script, sound, sweep
from tests.drive import scene

POINTS = sweep.disc(4, (0.4, 0.9))[:7]


@pytest.fixture(scope="module")
def trained():
    plain = scene.tiny_head()
    config = dataclasses.replace(
        plain.config, emotion="encoded", emotion_grid=plain.config.face_grid
    )
    emotional = heads.init(jax.random.key(3), config).emotion_motion
    leaves, structure = jax.tree.flatten(emotional)
    keys = jax.random.split(jax.random.key(7), len(leaves))
    louder = [x + 0.5 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    return frames.ready(
        plain.replace(config=config, emotion_motion=jax.tree.unflatten(structure, louder))
    )


@pytest.fixture(scope="module")
def clip():
    return scene.clip(20, size=32)


@pytest.fixture(scope="module")
def planned(clip, trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    heard = sound.read(scene.write_sound(path, scene.speech(0.12)))
    return script.plan(jax.random.key(0), clip, trained.config, heard)


def test_rings_of_points():
    points = sweep.disc(4, (0.5, 1.0))
    np.testing.assert_allclose(points[:4], [[0.5, 0], [0, 0.5], [-0.5, 0], [0, -0.5]], atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(points[4:], axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("directions", "radii"), [(0, (0.5,)), (4, ()), (4, (1.2,)), (4, (-0.1,))])
def test_rings_outside_the_disc_are_refused(directions, radii):
    with pytest.raises(DataError, match="radii"):
        sweep.disc(directions, radii)


def test_it_is_the_loop_over_points(trained, clip, planned):
    sweep.draw.clear_cache()
    together = list(sweep.render(trained, clip, planned, POINTS))
    assert sweep.draw._cache_size() == 1
    assert len(together) == len(planned)
    for p, point in enumerate(POINTS):
        alone = dataclasses.replace(planned, emotion=np.tile(point, (len(planned), 1)))
        for t, picture in enumerate(frames.render(trained, clip, alone)):
            difference = np.abs(together[t][p].astype(int) - picture)
            assert difference.max() <= 1, (p, t)
    assert np.ptp(np.float32(together[0]), axis=0).max() > 5


def test_chunks_change_nothing_and_compile_once(trained, clip, planned):
    whole = next(sweep.render(trained, clip, planned, POINTS))
    one = sweep.BYTES_PER_PIXEL * 32**2 + sweep.BYTES_PER_GAUSSIAN * trained.face.capacity
    sweep.draw.clear_cache()
    parts = next(sweep.render(trained, clip, planned, POINTS, memory=3.5 * one))
    assert sweep.draw._cache_size() == 1
    assert np.abs(whole.astype(int) - parts).max() <= 1


def test_memory_for_less_than_one_picture_is_refused(trained, clip, planned):
    with pytest.raises(DataError, match="--memory"):
        next(sweep.render(trained, clip, planned, POINTS, memory=100.0))


@pytest.mark.parametrize("memory", [float("nan"), float("inf"), -1.0])
def test_memory_is_a_number_of_bytes(trained, memory):
    with pytest.raises(DataError, match="--memory"):
        sweep.points_at_once(trained, 32, 7, memory=memory)


def test_as_many_points_at_once_as_fit_evenly_and_no_more_in_all_than_can_be_held(trained):
    one = sweep.BYTES_PER_PIXEL * 32**2 + sweep.BYTES_PER_GAUSSIAN * trained.face.capacity
    assert sweep.points_at_once(trained, 32, 7, memory=100 * one) == 7
    assert sweep.points_at_once(trained, 32, 7, memory=6.5 * one) == 4
    most = int(10 * one / (sweep.BYTES_HELD * 32**2))
    assert 1 <= sweep.points_at_once(trained, 32, most, memory=10 * one) <= 10
    with pytest.raises(DataError, match=f"{most + 1} pictures of 32 pixels.*fewer points"):
        sweep.points_at_once(trained, 32, most + 1, memory=10 * one)


def test_no_points_and_heads_without_emotion_are_refused(trained, clip, planned):
    with pytest.raises(DataError, match="one point"):
        next(sweep.render(trained, clip, planned, np.zeros((0, 2))))
    plain = frames.ready(scene.tiny_head())
    with pytest.raises(DataError, match="trained with emotions"):
        next(sweep.render(plain, clip, planned, POINTS))


def test_points_outside_the_disc_are_moved_to_its_rim(trained, clip, planned):
    with pytest.warns(UserWarning, match="rim"):
        outside = next(sweep.render(trained, clip, planned, np.array([[3.0, 4.0]])))
    inside = next(sweep.render(trained, clip, planned, np.array([[0.6, 0.8]])))
    np.testing.assert_array_equal(outside, inside)
    assert jnp.asarray(inside).dtype == jnp.uint8

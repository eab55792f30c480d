import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import gaussians, head
from emojax.data.errors import DataError
from emojax.drive import frames, script, sound
from emojax.types import Camera, Condition
from tests.drive import scene


@pytest.fixture(scope="module")
def trained():
    return frames.ready(scene.tiny_head())


@pytest.fixture(scope="module")
def clip():
    return scene.clip(20, size=32)


@pytest.fixture(scope="module")
def planned(clip, trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    heard = sound.read(scene.write_sound(path, scene.speech(0.28)))
    return script.plan(jax.random.key(0), clip, trained.config, heard)


def test_a_film_is_its_frames_one_by_one(trained, clip, planned):
    frames.draw.clear_cache()
    seconds = {}
    film = list(frames.render(trained, clip, planned, chunk=3, seconds=seconds))
    assert len(film) == 7
    assert frames.draw._cache_size() == 1  # the last, shorter chunk too
    assert set(seconds) == {"prepare", "draw"}
    some = script.scenes(planned, clip, np.arange(7))
    for t in (0, 5, 6):
        image = head.render(
            trained,
            Condition(some.condition.audio[t], some.condition.action_units[t]),
            Camera(
                jnp.asarray(some.world_to_camera[t]),
                clip.focal,
                clip.principal,
                width=32,
                height=32,
            ),
            jnp.float32(some.backdrops[t]) / 255,
        ).image
        np.testing.assert_allclose(film[t], np.clip(image, 0, 1) * 255, atol=0.51)
        assert film[t].dtype == np.uint8


def test_the_torso_is_seen_behind_the_head(trained, clip, planned):
    picture = next(iter(frames.render(trained, clip, planned)))
    np.testing.assert_array_equal(picture[0, 0], [90, 90, 90])
    np.testing.assert_array_equal(picture[-1, 0], [planned.rows[0], 255, 255])
    assert np.ptp(picture[10:22, 10:22], axis=(0, 1)).max() > 30  # the head


def test_clouds_are_moved_and_whole(trained, planned, tmp_path):
    clouds = list(frames.clouds(trained, planned))
    assert len(clouds) == 7
    assert clouds[0].capacity == 60
    moved = head.move(
        trained,
        "face",
        Condition(planned.hearing.at(np.array([3]))[0], planned.action_units[3]),
    )
    np.testing.assert_allclose(clouds[3].means[:40], moved.means, atol=1e-6)
    gaussians.ply.save(tmp_path / "3.ply", jax.device_get(clouds[3]))
    again = gaussians.ply.load(tmp_path / "3.ply")
    np.testing.assert_allclose(again.means, clouds[3].means, atol=1e-7)


def test_free_slots_are_dropped(trained):
    assert trained.face.capacity == 40
    assert trained.mouth.capacity == 20


def test_damaged_heads_are_refused():
    whole = scene.tiny_head()
    broken = whole.replace(face=whole.face.replace(means=whole.face.means.at[3, 1].set(jnp.nan)))
    with pytest.raises(DataError, match=r"NaN or infinity in \.face\.means"):
        frames.ready(broken)
    # Slots that are not alive may hold anything.
    frames.ready(whole.replace(face=whole.face.replace(means=whole.face.means.at[-1].set(jnp.nan))))
    networks = jax.tree.map(lambda x: x.at[:].set(jnp.inf), whole.mouth_motion)
    with pytest.raises(DataError, match="mouth_motion"):
        frames.ready(whole.replace(mouth_motion=networks))
    nobody = whole.mouth.replace(alive=jnp.zeros_like(whole.mouth.alive))
    with pytest.raises(DataError, match="none in the mouth"):
        frames.ready(whole.replace(mouth=nobody))

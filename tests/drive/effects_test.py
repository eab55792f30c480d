import dataclasses

import jax
import numpy as np
import pytest

from emojax.drive import effects, frames, script, sound
from tests.drive import scene


@pytest.fixture(scope="module")
def clip():
    return scene.clip(20, size=32)


@pytest.fixture(scope="module")
def trained():
    return frames.ready(scene.tiny_head())


@pytest.fixture(scope="module")
def planned(clip, trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    heard = sound.read(scene.write_sound(path, scene.speech(0.2)))
    made = script.plan(jax.random.key(0), clip, trained.config, heard)
    units = np.full_like(made.action_units, 1.0)
    units[2] = [4, 1, 4, 1, 1, 1.2]
    return dataclasses.replace(made, action_units=units)


@pytest.mark.parametrize("chunk", [1, 3, 5])
def test_a_unit_changes_what_it_changes_between_its_least_and_its_most(
    trained, clip, planned, monkeypatch, chunk
):
    def draw(trained, some, focal, principal):
        """Pictures whose pixel k is 10 times unit k, but for unit 2, which shows nothing."""
        units = some.condition.action_units * [10, 10, 0, 10, 10, 10]
        assert len(units) == len(some.backdrops) == chunk
        return np.uint8(np.tile(units[:, :, None, None], (1, 1, 1, 3)))

    monkeypatch.setattr(frames, "draw", draw)
    found = effects.effects(trained, clip, planned, chunk=chunk)
    np.testing.assert_array_equal(found, [30, 0, 0, 0, 0, 2])


def test_the_film_needs_no_further_compilation(trained, clip, planned):
    frames.draw.clear_cache()
    assert effects.effects(trained, clip, planned, chunk=3).shape == (6,)
    list(frames.render(trained, clip, planned, chunk=3))
    assert frames.draw._cache_size() == 1


def test_only_units_that_are_asked_for_and_hardly_shown_are_named(
    trained, clip, planned, monkeypatch
):
    values = np.array([200, 0, 1, 0, 0, 0])
    monkeypatch.setattr(effects, "effects", lambda *_, **__: values)
    (note,) = effects.notes(trained, clip, planned)
    assert "hardly shows AU05: of 255 grey levels, 1 at most" in note
    values[2] = 90
    assert effects.notes(trained, clip, planned) == []

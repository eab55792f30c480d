import jax
import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.puppet import population
from emojax.puppet.population import SHIFTED, USUAL
from emojax.speech import espeak


def _same(a, b):
    return jax.tree.all(jax.tree.map(np.array_equal, a, b))


def test_a_seed_is_one_person_in_both_worlds():
    here, again, there = population.cast(3), population.cast(3), population.cast(3, world=SHIFTED)
    assert _same(here.identity, again.identity)
    assert _same(here.scene, again.scene)
    assert (here.lens, here.style, here.voice) == (again.lens, again.style, again.voice)
    assert _same(here.identity, there.identity)
    assert not _same(here.scene, there.scene)
    assert not _same(here.identity, population.cast(4).identity)


def test_the_shifted_world_shares_no_lens_voice_or_way_of_speaking():
    usual, shifted = ([population.cast(k, world=w) for k in range(12)] for w in (USUAL, SHIFTED))
    assert not {a.voice for a in usual} & {a.voice for a in shifted}
    assert max(a.lens.distance for a in shifted) < min(a.lens.distance for a in usual)
    attack = [[a.coarticulation.attack[0] for a in actors] for actors in (usual, shifted)]
    assert max(attack[1]) < min(attack[0])
    to_the_right = [[float(a.scene.key[0]) > 0 for a in actors] for actors in (usual, shifted)]
    assert not any(to_the_right[0])
    assert all(to_the_right[1])


def test_voices_go_with_faces():
    actors = [population.cast(k) for k in range(40)]
    low = [float(a.identity.voice_pitch) < 0 for a in actors]
    assert 8 < sum(low) < 32
    for actor, is_low in zip(actors, low, strict=True):
        variant = actor.voice.partition("+")[2]
        assert variant in (USUAL.low_voices if is_low else USUAL.high_voices)
        assert 20 < actor.pitch < 80
    # Within a sex, who is higher has the higher setting.
    lows = sorted(
        (float(a.identity.voice_pitch), a.pitch)
        for a, is_low in zip(actors, low, strict=True)
        if is_low
    )
    assert [p for _, p in lows] == sorted(p for _, p in lows)


def test_all_voices_are_known_to_espeak():
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")
    for world in population.WORLDS.values():
        for language in world.languages:
            for variant in (*world.low_voices, *world.high_voices):
                assert espeak.find_voice(f"{language}+{variant}")


def test_unknown_worlds_and_seeds_are_refused():
    assert population.world("shifted") is SHIFTED
    with pytest.raises(DataError, match="usual, shifted"):
        population.world("mars")
    with pytest.raises(DataError, match="a seed from 0"):
        population.cast(-1)

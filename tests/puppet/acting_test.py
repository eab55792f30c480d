import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.emotion import circumplex, trajectory
from emojax.puppet import acting, controls
from emojax.puppet.controls import unit
from emojax.puppet.visemes import Articulation
from tests.puppet.prosody_test import voice

PARTS = ("lips_part", "jaw", "width", "pucker", "press", "bite", "tongue")


def lips(num_frames, **parts):
    """An articulation that is constant, or as given, [T]."""
    filled = {name: np.float32(np.broadcast_to(parts.get(name, 0), num_frames)) for name in PARTS}
    return Articulation(**filled)


def talk(num_frames):
    """Sound and lips of syllables, four a second."""
    time = np.arange(num_frames) / 25
    beat = np.sin(np.pi * 4 * time) ** 2
    fine = np.interp(np.arange(num_frames * 640) / 16000, time, beat)
    slow = 1 + 0.3 * np.sin(np.arange(num_frames * 640) / 16000 * 2.1)
    sound = voice(120 * slow, seconds=num_frames / 25) * fine * slow
    return lips(num_frames, lips_part=0.6 * beat, jaw=0.5 * beat, press=1 - beat), sound


def neutral(num_frames):
    return trajectory.constant(0, 0, num_frames)


def test_the_units_are_those_of_emotion():
    assert controls.ACTION_UNITS == circumplex.ACTION_UNITS


def test_the_same_arguments_give_the_same_bits():
    said, sound = talk(200)
    first, again, other = (
        acting.perform(jax.random.key(k), said, sound, neutral(200)) for k in (0, 0, 1)
    )
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert not np.array_equal(first.controls.rotation, other.controls.rotation)
    assert not np.array_equal(first.controls.gaze, other.controls.gaze)


def test_ranges_hold():
    said, sound = talk(500)
    shown = acting.perform(
        jax.random.key(0), said, sound, trajectory.circle(1.0, 5.0, 500),
        style=acting.Style(expression=1.5, brows=3.0),
    ).controls  # fmt: skip
    assert shown.action_units.shape == (500, 17)
    assert shown.action_units.min() >= 0
    assert shown.action_units.max() <= 5
    assert np.all(np.abs(np.asarray(shown.rotation)) <= [0.12, 0.25, 0.1])
    for part in jax.tree.leaves(shown):
        assert part.dtype == jnp.float32
        assert part.shape[0] == 500
        assert np.all(np.isfinite(part))


def test_lips_follow_the_articulation_alone():
    said, sound = talk(200)
    runs = [
        acting.perform(jax.random.key(k), said, sound, va).controls
        for k, va in [(0, neutral(200)), (1, trajectory.circle(0.9, 3.0, 200))]
    ]
    for shown in runs:
        np.testing.assert_allclose(shown.action_units[:, unit(26)], 5 * said.jaw, atol=1e-5)
        np.testing.assert_array_equal(shown.press, said.press)
        np.testing.assert_array_equal(
            shown.action_units[:, unit(25)], runs[0].action_units[:, unit(25)]
        )


@pytest.mark.parametrize("closure", ["press", "bite"])
def test_closures_win_over_parting_lips(closure):
    said = lips(10, lips_part=1.0, jaw=0.5, **{closure: np.linspace(0, 1, 10)})
    shown = acting.perform(jax.random.key(0), said, np.zeros(6400), neutral(10)).controls
    parted = np.asarray(shown.action_units[:, unit(25)])
    assert np.all(np.diff(parted) < 0)
    assert parted[-1] == 0


def test_silence_keeps_the_mouth_at_rest():
    silent = lips(400)
    shown = acting.perform(jax.random.key(0), silent, np.zeros(400 * 640), neutral(400)).controls
    units = np.asarray(shown.action_units)
    np.testing.assert_array_equal(np.delete(units, unit(45), axis=1), 0)
    for part in (shown.pucker, shown.press, shown.bite, shown.tongue):
        np.testing.assert_array_equal(part, 0)
    assert units[:, unit(45)].max() > 4.5  # blinks


def test_neutral_adds_nothing():
    said, sound = talk(100)
    played = acting.perform(jax.random.key(0), said, sound, neutral(100))
    jax.tree.map(np.testing.assert_array_equal, played.controls, played.plain)


def test_a_twin_differs_by_its_expression_alone():
    said, sound = talk(100)
    played = acting.perform(jax.random.key(0), said, sound, trajectory.constant(0.7, 0.3, 100))
    twin = acting.feel(played.plain, jnp.array([-0.74, -0.31]))
    changed = {
        name
        for name in vars(twin)
        if not np.array_equal(vars(twin)[name], vars(played.plain)[name])
    }
    assert changed == {"action_units"}
    for number in (25, 26):
        np.testing.assert_array_equal(
            twin.action_units[:, unit(number)], played.controls.action_units[:, unit(number)]
        )
    assert np.all(twin.action_units[:, unit(15)] > 2)
    same = acting.feel(played.plain, played.va)
    jax.tree.map(np.testing.assert_array_equal, same, played.controls)


def test_emotions_map_over_a_frame():
    plain = controls.Controls.neutral()
    points = jnp.array(circumplex.POINTS)
    shown = jax.vmap(acting.feel, (None, 0))(plain, points)
    np.testing.assert_allclose(
        shown.action_units, circumplex.action_units(points[:, 0], points[:, 1]), atol=1e-5
    )
    slope = jax.grad(lambda p: acting.feel(plain, p).action_units.sum())(jnp.array([0.5, 0.2]))
    assert np.all(np.isfinite(slope))


def test_units_saturate_and_lids_close():
    plain = controls.Controls.neutral()
    plain = plain.replace(action_units=plain.action_units.at[unit(1)].set(3.0))
    surprised = acting.feel(plain, jnp.array([0.31, 0.74])).action_units
    alone = circumplex.action_units(0.31, 0.74)
    assert max(3.0, alone[unit(1)]) < surprised[unit(1)] < 5
    shut = plain.replace(action_units=plain.action_units.at[unit(45)].set(5.0))
    assert acting.feel(shut, jnp.array([0.31, 0.74])).action_units[unit(5)] == 0
    assert alone[unit(5)] > 2


def test_rounded_lips_smile_less():
    plain = controls.Controls.neutral()
    rounded = plain.replace(pucker=jnp.float32(1.0))
    happy = jnp.array([0.74, 0.31])
    wide, narrow = (acting.feel(p, happy).action_units[unit(12)] for p in (plain, rounded))
    assert 0.3 * wide < narrow < 0.5 * wide


def test_brows_rise_on_some_accents():
    said, sound = talk(1000)
    played = acting.perform(jax.random.key(0), said, sound, neutral(1000))
    raised = np.asarray(played.plain.action_units[:, unit(1)])
    assert len(played.voice.accents) > 5
    assert 0.3 < raised.max() < 1.2
    near = np.min(np.abs(np.arange(1000)[:, None] - played.voice.accents), axis=1) <= 6
    assert np.all(raised[~near] == 0)
    without = acting.perform(
        jax.random.key(0), said, sound, neutral(1000), style=acting.Style(brows=0.0)
    )
    np.testing.assert_array_equal(without.plain.action_units[:, unit(1)], 0)


def test_some_never_blink():
    played = acting.perform(
        jax.random.key(0), lips(400), np.zeros(0), neutral(400), style=acting.Style(blinks=0.0)
    )
    np.testing.assert_array_equal(played.controls.action_units, 0)


def test_styles_vary_between_people():
    styles = [acting.sample_style(jax.random.key(k)) for k in range(8)]
    assert acting.sample_style(jax.random.key(0)) == styles[0]
    drifts = [style.drift for style in styles]
    assert min(drifts) < 0.95
    assert max(drifts) > 1.05
    assert all(0.5 < style.expression < 1.5 for style in styles)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"\[10, 2\]"):
        acting.perform(jax.random.key(0), lips(10), np.zeros(0), neutral(11))


def test_lips_that_speak_leave_the_rest_of_the_face_alone():
    said = lips(4, lips_part=0.8, jaw=0.5, width=1.0, press=np.float32([0, 0, 0, 1]), pucker=0.2)
    spoken = acting.speaking(said)
    assert not spoken.rotation.any()
    assert not spoken.gaze.any()
    units = np.asarray(spoken.action_units)
    np.testing.assert_allclose(units[:, unit(25)], [4, 4, 4, 0], atol=1e-6)
    np.testing.assert_allclose(units[:, unit(26)], 2.5)
    acting_units = [unit(number) for number in (20, 25, 26)]
    assert not np.delete(units, acting_units, axis=1).any()
    np.testing.assert_allclose(spoken.pucker, 0.2)


def test_silence_without_emotion_is_neutral():
    """At rest nothing acts: controls are those of the neutral face."""
    still = acting.feel(acting.speaking(lips(3)), neutral(3))
    rest = controls.Controls.neutral()
    for name in controls.Controls.__dataclass_fields__:
        shown, expected = getattr(still, name), getattr(rest, name)
        np.testing.assert_array_equal(shown, np.broadcast_to(expected, shown.shape))

import jax
import numpy as np
import pytest

from emojax.puppet import headmotion
from emojax.puppet.prosody import Prosody


def voice(num_frames, *, speaking=True, accents=()):
    """What is said: always or never, with full stress in some frames."""
    on = np.broadcast_to(speaking, num_frames)
    return Prosody(
        np.float32(on), 120 * np.float32(on), on, np.array(accents, int), np.ones(len(accents))
    )


def still(num_frames, point=(0, 0)):
    return np.tile(np.float32(point), (num_frames, 1))


def test_it_stays_in_its_bounds_and_is_smooth():
    for seed in range(4):
        rotation, translation = headmotion.plan(
            jax.random.key(seed),
            voice(2500, accents=range(5, 2500, 8)),
            still(2500, (-0.6, 0.8)),
            drift=2.0,
            nods=2.0,
        )
        assert np.all(np.abs(rotation) <= headmotion.ROTATION_LIMIT)
        assert np.all(np.abs(translation) <= headmotion.TRANSLATION_LIMIT)
        assert np.abs(np.diff(rotation, axis=0)).max() < np.deg2rad(100) / 25


def test_speakers_move_more_than_listeners_and_the_excited_more_than_the_calm():
    def speed(speaking, arousal):
        moved = [
            np.abs(np.diff(headmotion.plan(jax.random.key(s), said, va)[0], axis=0)).mean()
            for s in range(3)
            for said, va in [(voice(1500, speaking=speaking), still(1500, (0, arousal)))]
        ]
        return np.mean(moved)

    assert speed(True, 0) > 1.8 * speed(False, 0)
    assert speed(True, 0.8) > 1.15 * speed(True, 0) > 1.3 * speed(True, -0.8)


def test_natural_spread():
    rotations = [headmotion.plan(jax.random.key(s), voice(3000), still(3000))[0] for s in range(4)]
    spread = np.std(np.concatenate(rotations), axis=0)
    assert np.all((spread > [0.015, 0.04, 0.015]) & (spread < [0.06, 0.1, 0.05]))


def test_nods_go_down_on_accents():
    accents = np.arange(50, 1000, 40)
    rotation, _ = headmotion.plan(
        jax.random.key(0), voice(1000, accents=accents), still(1000), drift=0.0
    )
    pitch = rotation[:, 0]
    near = np.min(np.abs(np.arange(1000)[:, None] - accents), axis=1) <= 4
    assert pitch.min() > -1e-6
    assert pitch[near].mean() > 5 * pitch[~near].mean()
    count = np.sum(pitch[accents] > 0.01)
    assert 0.5 * len(accents) < count < 0.95 * len(accents)
    calm, _ = headmotion.plan(
        jax.random.key(0), voice(1000, accents=accents), still(1000), drift=0.0, nods=0.0
    )
    np.testing.assert_array_equal(calm, 0)


def test_posture_shifts_when_speech_begins_after_a_pause():
    speaking = np.ones(500, bool)
    speaking[200:230] = False
    rotation, _ = headmotion.plan(
        jax.random.key(1),
        voice(500, speaking=speaking)._replace(accents=np.zeros(0, int)),
        still(500),
    )
    shifts = np.asarray(headmotion._shifts(jax.random.key(1), speaking))
    np.testing.assert_array_equal(shifts[:215], np.tile(shifts[0], (215, 1)))
    np.testing.assert_array_equal(shifts[245:], np.tile(shifts[-1], (255, 1)))
    assert np.abs(shifts[-1] - shifts[0]).max() > 0.3
    assert rotation.shape == (500, 3)


@pytest.mark.parametrize(("point", "axis", "sign"), [((0, 0.8), 2, 1), ((0, -0.8), 2, -1)])
def test_arousal_leans(point, axis, sign):
    lean = [headmotion.plan(jax.random.key(0), voice(50), still(50, p), drift=0.0)[1] for p in
            (point, (0, 0))]  # fmt: skip
    assert np.all(sign * (lean[0] - lean[1])[:, axis] > 0.005)


def test_sad_heads_hang():
    sad, _ = headmotion.plan(jax.random.key(0), voice(50), still(50, (-0.74, -0.31)), drift=0.0)
    happy, _ = headmotion.plan(jax.random.key(0), voice(50), still(50, (0.74, 0.31)), drift=0.0)
    assert np.all(sad[:, 0] > 0.02)
    np.testing.assert_array_equal(happy[:, 0], 0)


def test_a_resting_body_breathes():
    _, translation = headmotion.plan(
        jax.random.key(0), voice(1000, speaking=False), still(1000), drift=0.0
    )
    height = translation[:, 1]
    assert abs(np.ptp(height) - 2 * headmotion.BREATH_SIZE) < 1e-4
    assert np.sum(np.diff(np.sign(height)) != 0) == 20  # 10 breaths in 40 s

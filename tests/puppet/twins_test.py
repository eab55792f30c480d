import jax
import numpy as np
import pytest

from emojax.data import face68, files
from emojax.data.errors import DataError
from emojax.emotion import circumplex
from emojax.puppet import controls, muscles, rig, twins
from emojax.puppet.masks import Region
from tests.puppet import footage

FRAME = 11
# Regions that no muscle of the face moves. Light bounces little: a raised cheek shades its ear.
STILL = (Region.BACKGROUND, Region.TORSO, Region.HAIR)


@pytest.fixture(scope="module")
def recording():
    return twins.of(footage.planned(), size=footage.FORM.size)


def test_a_frame_at_its_own_emotion_is_the_frame(recording):
    own = twins.twin(recording, FRAME, recording.va[FRAME])
    acted = jax.tree.map(lambda x: x[FRAME], footage.planned().performance.controls)
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(acted), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    drawn, _ = twins.draw(recording, FRAME, recording.va[FRAME], samples=1)
    shown = files.read_picture(footage.folder() / files.FRAMES / f"{FRAME}.jpg")
    assert np.abs(255 * np.asarray(drawn.image) - shown).mean() < 1.5


def test_a_twin_differs_only_where_expression_acts(recording):
    happy, angry = (
        jax.device_get(twins.draw(recording, FRAME, va, samples=1))
        for va in ((0.74, 0.31), (-0.57, 0.57))
    )
    labels = [drawn.labels for drawn, _ in (happy, angry)]
    still = np.isin(labels[0], STILL) & (labels[0] == labels[1])
    difference = np.abs(happy[0].image - angry[0].image).max(axis=-1)
    assert difference[labels[0] == Region.BACKGROUND].max() == 0
    assert np.quantile(difference[still], 0.99) < 5e-3
    face = np.isin(labels[0], (Region.SKIN, Region.LIPS, Region.BROW, Region.EYE))
    assert np.mean(difference[face] > 0.02) > 0.2
    moved = np.linalg.norm(happy[1].positions - angry[1].positions, axis=-1)
    assert moved[list(face68.BROWS)].max() > 0.004
    assert moved[list(face68.NOSE[:3])].max() < 0.002  # the bridge


def test_all_but_the_emotions_units_is_shared(recording):
    circle = np.stack([np.cos(np.arange(8)), np.sin(np.arange(8))], axis=-1) * 0.8
    found = twins.twin(recording, FRAME, circle)
    plain = jax.tree.map(lambda x: x[FRAME], recording.plain)
    for name in controls.Controls.__dataclass_fields__:
        shown = np.asarray(getattr(found, name))
        assert shown.shape[0] == 8
        if name != "action_units":
            np.testing.assert_array_equal(shown, np.broadcast_to(getattr(plain, name), shown.shape))
    speech = [controls.unit(25), controls.unit(26)]
    expected = np.broadcast_to(plain.action_units[speech], (8, 2))
    np.testing.assert_allclose(found.action_units[:, speech], expected, atol=1e-6)
    assert np.ptp(np.asarray(found.action_units), axis=0).max() > 2


def test_the_lips_of_all_twins_are_open_alike(recording):
    """By the curves of the lips, in millimetres, at their widest moment."""
    frame = int(np.argmax(recording.plain.action_units[:, controls.unit(25)]))
    points = np.array([(0, 0), *circumplex.POINTS, *map(circumplex.centre, circumplex.CLASSES)])
    acted = twins.twin(recording, frame, points)
    pose = jax.jit(jax.vmap(muscles.pose, in_axes=(None, 0)))
    mouth = pose(recording.identity, acted).mouth
    opening = 1000 * rig.METERS * np.asarray(mouth.open_up + mouth.open_low)
    assert opening[0] > 3
    np.testing.assert_allclose(opening, opening[0], atol=0.01)


def test_a_folder_knows_its_twins(recording):
    stored = twins.read(footage.folder())
    assert len(stored) == len(recording) == 25
    assert stored.expression == pytest.approx(recording.expression)
    for mine, its in ((recording.plain, stored.plain), (recording.identity, stored.identity)):
        for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(its), strict=True):
            np.testing.assert_array_equal(a, b)
    a, b = (np.asarray(each.camera.world_to_camera) for each in (recording, stored))
    np.testing.assert_array_equal(a, b)
    assert stored.camera.width == footage.FORM.size


def test_a_folder_without_truth_is_refused(tmp_path):
    with pytest.raises(DataError, match="Film it with truth"):
        twins.read(tmp_path)

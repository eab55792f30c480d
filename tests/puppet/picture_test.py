import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.data import face68
from emojax.puppet import identity, light, muscles, picture, rig, shape
from emojax.puppet.masks import Region
from tests.puppet import filmed
from tests.puppet.filmed import ACTS, CAMERA, PERSON, SIZE, points, shot


def _share(name, region):
    return np.mean(shot(name).labels == region)


@pytest.mark.parametrize("name", list(ACTS))
def test_pictures_are_complete_and_their_truths_agree(name):
    seen = shot(name)
    assert seen.image.shape == (SIZE, SIZE, 3)
    assert np.isfinite(seen.image).all()
    assert seen.image.min() >= 0
    assert seen.image.max() <= 1
    hit = seen.labels != Region.BACKGROUND
    assert seen.labels.max() < len(Region)
    np.testing.assert_array_equal(np.isfinite(seen.depth), hit)
    length = np.linalg.norm(seen.normals, axis=-1)
    np.testing.assert_allclose(length[hit], 1, atol=1e-4)
    assert not length[~hit].any()
    assert 0.4 < hit.mean() < 0.9
    assert 0.6 < seen.depth[hit].min() < seen.depth[hit].max() < 2.0


def test_each_region_shows_when_it_should():
    for region in (Region.SKIN, Region.HAIR, Region.NECK, Region.TORSO, Region.EYE, Region.LIPS):
        assert _share("rest", region) > 0.001, region
    for region in (Region.BROW, Region.EAR):
        assert _share("turned", region) > 0.001, region
    for inside in (Region.MOUTH, Region.TEETH, Region.TONGUE):
        assert _share("rest", inside) == _share("pressed", inside) == 0
    assert _share("open", Region.MOUTH) > 0.0025
    assert _share("open", Region.TEETH) > 0.0003
    assert _share("tongue", Region.TONGUE) > 0.001
    assert _share("blink", Region.EYE) < 0.1 * _share("rest", Region.EYE)
    assert _share("surprise", Region.EYE) > 1.1 * _share("rest", Region.EYE)


def _head_points(name):
    """Hit points in the head frame and head heights [n, 3], and where they are in the picture."""
    seen = shot(name)
    v, u = np.nonzero(np.isin(seen.labels, (Region.SKIN, Region.LIPS, Region.NECK)))
    depth = seen.depth[v, u]
    focal, principal = np.asarray(CAMERA.focal), np.asarray(CAMERA.principal)
    x, y = (u + 0.5 - principal[0]) / focal[0], (v + 0.5 - principal[1]) / focal[1]
    ones = np.ones_like(x)
    camera = np.stack([x, y, ones, 1 / depth]) * depth
    world = np.linalg.inv(np.asarray(CAMERA.world_to_camera, np.float64)) @ camera
    head = np.linalg.inv(np.asarray(rig.head_to_world(ACTS[name]), np.float64)) @ world
    return np.float32(head[:3].T / rig.METERS), (v, u)


@pytest.mark.parametrize("name", ["smile", "turned"])
def test_points_lie_on_the_surface_and_normals_are_its_gradient(name):
    at, (v, u) = _head_points(name)
    posed = muscles.pose(PERSON, ACTS[name])

    def field(p):
        return np.asarray(FIELD(posed, *np.float32(p).T), np.float64)

    assert np.median(np.abs(field(at))) < 2e-4
    assert np.quantile(np.abs(field(at)), 0.95) < 2e-3
    step = 1e-3 * np.eye(3)
    gradient = np.stack([field(at + e) - field(at - e) for e in step], axis=-1)
    gradient /= np.linalg.norm(gradient, axis=-1, keepdims=True)
    turn = np.asarray(rig.head_to_world(ACTS[name]))[:3, :3]
    cosine = np.sum((gradient @ turn.T) * shot(name).normals[v, u], axis=-1)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    assert np.median(angle) < 1
    assert np.quantile(angle, 0.95) < 8


FIELD = jax.jit(lambda posed, x, y, z: shape.field(posed, x, y, z, fine=True))


def test_visible_landmarks_lie_on_the_depth_map():
    for name in ("rest", "turned", "smile", "surprise"):
        seen, found = shot(name), points(name)
        rotation = np.asarray(CAMERA.world_to_camera)
        depth = found.positions @ rotation[2, :3] + rotation[2, 3]
        for k in np.flatnonzero(found.visible):
            u, v = np.floor(found.points[k]).astype(int)
            near = seen.depth[max(v - 1, 0) : v + 2, max(u - 1, 0) : u + 2]
            assert near.min() - 4e-3 < depth[k] < near.max() + 4e-3, (name, k)


# Landmarks lie on the borders of these regions. Ends of brows and corners of eyes are thinner than
# a pixel, and a few end so many pixels before their landmark.
FEATURES = (
    (face68.BROWS, Region.BROW, 3.5),
    (face68.EYES, Region.EYE, 3.5),
    (face68.OUTER_LIP, Region.LIPS, 1.2),
    (face68.INNER_LIP, Region.LIPS, 2.5),
)


@pytest.mark.parametrize("name", ["rest", "turned", "smile", "surprise", "open"])
def test_landmarks_project_onto_their_features(name):
    for numbers, region, farthest in FEATURES:
        v, u = np.nonzero(shot(name).labels == region)
        centers = np.stack([u, v], axis=-1) + 0.5
        away = points(name).points[list(numbers), None] - centers
        pixels = np.linalg.norm(away, axis=-1).min(axis=1)
        assert np.quantile(pixels, 0.75) < 1.6, region
        assert pixels.max() < farthest, region


def test_the_body_stays_while_the_head_turns():
    a, b = shot("rest"), shot("turned")
    both = (a.labels == Region.TORSO) & (b.labels == Region.TORSO)
    both[: int(0.9 * SIZE)] = False
    assert both.sum() > 100
    assert np.median(np.abs(a.depth[both] - b.depth[both])) < 1e-3


def test_the_background_stands_still():
    a, b = shot("rest"), shot("turned")
    both = (a.labels == Region.BACKGROUND) & (b.labels == Region.BACKGROUND)
    np.testing.assert_allclose(a.image[both], b.image[both], atol=1e-5)


def test_the_same_arguments_give_the_same_bits_and_nothing_is_compiled_anew():
    first = shot("smile")
    before = picture._draw._cache_size()
    stranger = identity.sample(jax.random.key(5))
    other = picture.draw(stranger, ACTS["open"], CAMERA, scene=light.studio(jax.random.key(9)))
    again = picture.draw(PERSON, ACTS["smile"], CAMERA)
    assert picture._draw._cache_size() == before
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.image, other.image)


def test_only_one_or_four_samples_are_known():
    with pytest.raises(ValueError, match="1 or 4"):
        picture.draw(PERSON, filmed.act(), CAMERA, samples=3)


def test_a_portrait_camera_shows_the_head_at_the_asked_size():
    camera = picture.portrait(64, 128, fill=0.5)
    shift = camera.world_to_camera @ jnp.array([0, 0.115, 0, 1.0])
    row = camera.focal[1] * shift[1] / shift[2] + camera.principal[1]
    middle = camera.world_to_camera @ jnp.array([0, 0, 0, 1.0])
    center = camera.focal[1] * middle[1] / middle[2] + camera.principal[1]
    np.testing.assert_allclose(center - row, 0.25 * 128, rtol=1e-5)


def test_several_instants_are_drawn_at_once():
    acts = jax.tree.map(lambda *leaves: jnp.stack(leaves), ACTS["rest"], ACTS["turned"])
    many = jax.jit(jax.vmap(lambda act: picture.draw(PERSON, act, CAMERA)))(acts)
    for k, name in enumerate(("rest", "turned")):
        alone = shot(name)
        assert np.mean(many.labels[k] == alone.labels) > 0.995
        assert np.mean(np.abs(many.image[k] - alone.image)) < 2e-3

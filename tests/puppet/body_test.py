import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.data.labels import HEAD, isin
from emojax.puppet import body, light, masks
from emojax.puppet.masks import Region
from tests.puppet.filmed import ACTS, CAMERA, PERSON, SIZE, shot

SCENE = light.studio(jax.random.key(0))


@pytest.fixture(scope="module")
def everywhere():
    return jax.device_get(
        body.behind(PERSON, ACTS["rest"], CAMERA, SCENE, jnp.ones((SIZE, SIZE), bool))
    )


def test_it_is_the_body_of_the_picture(everywhere):
    seen = shot("rest")
    shown = np.isin(seen.labels, (Region.NECK, Region.TORSO))
    inner = shown & np.roll(shown, 2, 0) & np.roll(shown, -1, 0)
    assert everywhere.covered[inner].mean() > 0.99
    sky = seen.labels == Region.BACKGROUND
    assert everywhere.covered[sky].mean() < 0.01
    difference = np.abs(everywhere.image - seen.image).mean(axis=-1)
    cloth = (seen.labels == Region.TORSO) & inner
    assert np.median(difference[cloth]) < 0.05


def test_the_neck_goes_on_behind_the_chin(everywhere):
    seen = shot("rest")
    head = isin(masks.to_labels(seen.labels), HEAD)
    hidden = head & everywhere.covered
    middle = SIZE // 2
    chin = np.flatnonzero(head[:, middle]).max()
    assert hidden[chin - 2 : chin + 1, middle].all()
    assert hidden.sum() > 0.01 * SIZE * SIZE
    assert everywhere.image[hidden].mean() > 0.08  # in the shade, not black
    # No body behind the eyes.
    assert not everywhere.covered[: SIZE // 3].any()


def test_only_what_is_wanted_is_drawn(everywhere):
    wanted = np.zeros((SIZE, SIZE), bool)
    wanted[SIZE - 20 :, 10:40] = True
    some = jax.device_get(body.behind(PERSON, ACTS["rest"], CAMERA, SCENE, wanted))
    assert not some.covered[~wanted].any()
    assert not some.image[~wanted].any()
    np.testing.assert_array_equal(some.covered[wanted], everywhere.covered[wanted])
    np.testing.assert_allclose(some.image[wanted], everywhere.image[wanted], atol=1e-5)
    none = body.behind(PERSON, ACTS["rest"], CAMERA, SCENE, np.zeros((SIZE, SIZE), bool))
    assert not none.covered.any()

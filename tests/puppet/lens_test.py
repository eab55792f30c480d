import jax.numpy as jnp
import numpy as np
import pytest

from emojax.puppet import lens, picture
from emojax.puppet.lens import Lens
from emojax.puppet.rig import METERS


def _project(camera, point):
    seen = camera.world_to_camera @ jnp.array([*point, 1.0])
    return np.asarray(camera.focal * seen[:2] / seen[2] + camera.principal)


def test_from_the_front_it_is_the_portrait_camera():
    made, expected = lens.camera(Lens(), 128), picture.portrait(128, 128)
    np.testing.assert_allclose(made.world_to_camera, expected.world_to_camera, atol=1e-6)
    np.testing.assert_allclose(made.focal, expected.focal, rtol=1e-6)


@pytest.mark.parametrize("at", [Lens(azimuth=0.4), Lens(elevation=-0.3), Lens(distance=0.6)])
def test_every_lens_has_the_face_in_the_middle_and_the_head_at_its_size(at):
    camera = lens.camera(at, 200)
    np.testing.assert_allclose(_project(camera, lens.AIM), [100, 100], atol=1e-3)
    rise = 0.01
    high = np.add(lens.AIM, (0, rise, 0))
    shown = 100 - _project(camera, high)[1]
    share = shown / 200 * METERS / rise / np.cos(at.elevation)
    np.testing.assert_allclose(share, at.fill, rtol=0.02)


def test_a_camera_to_the_right_sees_the_nose_to_the_left():
    nose = (0.0, -0.04, 0.09)
    assert _project(lens.camera(Lens(azimuth=0.3), 100), nose)[0] < 48
    assert _project(lens.camera(Lens(azimuth=-0.3), 100), nose)[0] > 52


def test_a_rig_surrounds_the_face_within_its_spread():
    rig = lens.around(Lens(), 5, spread=0.6)
    angles = [each.azimuth for each in rig]
    assert len(set(angles)) == 5
    assert max(map(abs, angles)) == pytest.approx(0.6)
    assert min(angles) < 0 < max(angles)
    assert len({each.elevation for each in rig}) == 2
    assert lens.around(Lens(), 0) == ()
    with pytest.raises(ValueError, match="expected a spread"):
        lens.around(Lens(), 2, spread=2.0)

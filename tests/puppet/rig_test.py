import jax.numpy as jnp
import numpy as np

from emojax.puppet import rig
from emojax.puppet.controls import Controls


def test_turning_keeps_the_neck_joint_in_place():
    turned = Controls.neutral().replace(rotation=jnp.array([0.1, 0.5, -0.2]))
    pose = np.asarray(rig.head_to_world(turned))
    joint = rig.METERS * np.array([0, *rig.PIVOT, 1 / rig.METERS])
    np.testing.assert_allclose(pose @ joint, joint, atol=1e-6)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6)


def test_yaw_turns_the_nose_to_the_image_right_and_pitch_lowers_it():
    nose = np.array([0, 0, 1.0])
    assert (np.asarray(rig.rotation_matrix(jnp.array([0, 0.3, 0]))) @ nose)[0] > 0.2
    assert (np.asarray(rig.rotation_matrix(jnp.array([0.3, 0, 0]))) @ nose)[1] < -0.2
    up = np.array([0, 1.0, 0])
    assert (np.asarray(rig.rotation_matrix(jnp.array([0, 0, 0.3]))) @ up)[0] < -0.2

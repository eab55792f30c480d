import jax.numpy as jnp
import numpy as np

from emojax.puppet import identity, outfit, rig
from emojax.puppet.controls import Controls


def test_the_body_stays_in_the_world_when_the_head_turns():
    turned = Controls.neutral().replace(
        rotation=jnp.array([0.1, 0.5, -0.2]), translation=jnp.array([0.01, 0.02, 0.03])
    )
    pose = np.asarray(rig.head_to_world(turned))
    body = outfit.body(identity.average(), turned)
    np.testing.assert_allclose(np.reshape(body.rotation, (3, 3)), pose[:3, :3], atol=1e-6)
    np.testing.assert_allclose(rig.METERS * np.array(body.shift), pose[:3, 3], atol=1e-6)
    foot = pose[:3, :3] @ np.array([body.neck.x1, body.neck.y1, body.neck.z1]) + body.shift
    rest = outfit.body(identity.average(), Controls.neutral()).neck
    np.testing.assert_allclose(foot, [rest.x1, rest.y1, rest.z1], atol=1e-5)


def test_long_hair_falls_lower_than_short_hair():
    person = identity.average()
    long = outfit.hair(person.replace(hair_length=jnp.float32(1)))
    short = outfit.hair(person)
    assert long.fall.y1 < short.fall.y1 - 0.3
    assert long.fall.r0 > 0.34 > 0.3 > short.fall.r0
    assert outfit.hair(person.replace(hairline=jnp.float32(1))).front > short.front + 0.2

"""emojax: emotional talking heads made of 3D Gaussians, as pure functions in JAX."""

import logging

# JAX says at level INFO, which absl's programs show, of each kind of device that it is not there.
logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)

__version__ = "0.1.0"

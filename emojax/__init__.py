"""emojax: emotional talking heads made of 3D Gaussians, as pure functions in JAX."""

__version__ = "0.1.0"

"""Encoders: points -> features. Knows nothing of audio, expression or networks."""

from emojax.encoders.triplane import (
    ER_NERF,
    TALKING_GAUSSIAN_FACE,
    TALKING_GAUSSIAN_MOUTH,
    TriplaneConfig,
    encode,
    from_official,
    init,
    to_official,
)

__all__ = [
    "ER_NERF",
    "TALKING_GAUSSIAN_FACE",
    "TALKING_GAUSSIAN_MOUTH",
    "TriplaneConfig",
    "encode",
    "from_official",
    "init",
    "to_official",
]

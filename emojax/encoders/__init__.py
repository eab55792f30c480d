"""Encoders: points, sounds and action units -> features. Knows nothing of Gaussians or motion."""

from emojax.encoders.audio_net import AudioAttention, AudioEncoder, AudioNet
from emojax.encoders.expression_net import ExpressionEncoder
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
    "AudioAttention",
    "AudioEncoder",
    "AudioNet",
    "ExpressionEncoder",
    "TriplaneConfig",
    "encode",
    "from_official",
    "init",
    "to_official",
]

"""Deformation: sound and expression -> motion of Gaussians. Knows nothing of pictures or losses."""

from emojax.deformation.apply import move
from emojax.deformation.emotion import EmotionMotion
from emojax.deformation.face import FaceMotion
from emojax.deformation.mouth import MouthMotion
from emojax.deformation.official import (
    face_from_official,
    face_to_official,
    mouth_from_official,
    mouth_to_official,
)

__all__ = [
    "EmotionMotion",
    "FaceMotion",
    "MouthMotion",
    "face_from_official",
    "face_to_official",
    "mouth_from_official",
    "mouth_to_official",
    "move",
]

"""True twins of a puppet's frames, as renderings are compared with them.

A twin is the frame's instant with another emotion (`puppet.twins`): its picture as a camera gives
it, where head and face are, and its normals.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from emojax.data.labels import HEAD, isin
from emojax.metrics import image, surface
from emojax.puppet import masks, truth, twins
from emojax.puppet.twins import Recording


class TrueTwin(NamedTuple):
    """One twin.

    Attributes:
      image: float32 [S, S, 3], of 8 bits, 0 to 1.
      head: bool [S, S], face, hair and inside of the mouth.
      face: bool [S, S], where normals are asked for.
      normals: [S, S, 3] x right, y up, z to the viewer; 0 where there is no surface.
    """

    image: np.ndarray
    head: np.ndarray
    face: np.ndarray
    normals: np.ndarray


def fitted(recording: Recording, size: int) -> Recording:
    """Returns a recording whose pictures have another size.

    Args:
      recording: of a film.
      size: side of the pictures, pixels.
    """
    camera = recording.camera
    scale = size / camera.width
    camera = camera.replace(
        focal=camera.focal * scale, principal=camera.principal * scale, width=size, height=size
    )
    return dataclasses.replace(recording, camera=camera)


def at(recording: Recording, number: int, point: np.ndarray, *, samples: int = 4) -> TrueTwin:
    """Returns the twin of a frame.

    Args:
      recording: of the film, at the size of the pictures.
      number: of the frame.
      point: [2] valence and arousal.
      samples: as for `picture.draw`; films have 4.
    """
    drawn, _ = jax.device_get(twins.draw(recording, number, np.float32(point), samples=samples))
    labels = masks.to_labels(drawn.labels)
    return TrueTwin(
        image=np.float32(np.uint8(drawn.image * 255 + 0.5)) / 255,
        head=isin(labels, HEAD),
        face=isin(labels, surface.FACE),
        normals=truth.to_viewer(drawn.normals, recording.camera),
    )


def likeness(picture: np.ndarray, twin: TrueTwin) -> dict[str, float]:
    """Returns how alike a picture and a twin are, by metric.

    Args:
      picture: [S, S, 3], 0 to 1.
      twin: to compare with.
    """
    return {
        "psnr": image.psnr(picture, twin.image),
        "psnr_head": image.psnr(picture, twin.image, mask=twin.head),
        "ssim": image.ssim(picture, twin.image),
    }

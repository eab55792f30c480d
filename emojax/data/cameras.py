"""One camera convention, and the two in which the field writes head poses.

Ours (`emojax.types.Camera`): world-to-camera, OpenCV axes (x right, y down, z forward), metres,
first pixel's centre at (0.5, 0.5). World axes are the same everywhere: x to the image right, y up,
z out of the face.

`transforms_{train,val}.json` (AD-NeRF, RAD-NeRF, ER-NeRF, TalkingGaussian): `focal_len`, `cx`, `cy`
in pixels, and per frame `img_id`, `aud_id` and `transform_matrix`, camera-to-world with OpenGL axes
(x right, y up, z backward). Its pixels are at (i + 0.5 - cx) / f in ER-NeRF and at NDC = (2 i + 1)
/ W - 1 in TalkingGaussian, which with its cx = W / 2 is the same ray as ours.

ER-NeRF permutes the world to (y, z, x) and multiplies lengths by 4 when it loads the file.
"""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import numpy as np

from emojax.data import files
from emojax.data.errors import DataError

_GL = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenGL camera axes <-> OpenCV camera axes
_PERMUTE = np.array([[0, 1.0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
ER_NERF_SCALE = 4.0

# AD-NeRF's data_utils/process_data.py and its heirs: the first ten elevenths train.
TRAIN_SHARE = (10, 11)
_RIGID_TOLERANCE = 1e-3


def to_transform_matrix(world_to_camera: np.ndarray) -> np.ndarray:
    """Returns `transform_matrix`: camera-to-world with OpenGL axes.

    Args:
      world_to_camera: [..., 4, 4], OpenCV axes.

    Returns:
      float64 [..., 4, 4].
    """
    return np.linalg.inv(np.asarray(world_to_camera, np.float64)) @ _GL


def from_transform_matrix(matrix: np.ndarray) -> np.ndarray:
    """Returns world-to-camera with OpenCV axes.

    Args:
      matrix: [..., 4, 4] `transform_matrix`: camera-to-world, OpenGL axes.

    Returns:
      float64 [..., 4, 4].
    """
    return np.linalg.inv(np.asarray(matrix, np.float64) @ _GL)


def to_er_nerf(world_to_camera: np.ndarray, *, scale: float = ER_NERF_SCALE) -> np.ndarray:
    """Returns the pose that ER-NeRF holds in memory: camera-to-world, OpenCV camera axes.

    Args:
      world_to_camera: [..., 4, 4], OpenCV axes.
      scale: ER-NeRF's --scale, world units a metre.

    Returns:
      float64 [..., 4, 4]; its world axes are (y, z, x) of ours.
    """
    pose = _PERMUTE @ np.linalg.inv(np.asarray(world_to_camera, np.float64))
    pose[..., :3, 3] *= scale
    return pose


def from_er_nerf(pose: np.ndarray, *, scale: float = ER_NERF_SCALE) -> np.ndarray:
    """Returns world-to-camera of a pose as ER-NeRF holds it in memory.

    Args:
      pose: [..., 4, 4] of `to_er_nerf`.
      scale: as given there.

    Returns:
      float64 [..., 4, 4].
    """
    pose = np.array(pose, np.float64)
    pose[..., :3, 3] /= scale
    return np.linalg.inv(_PERMUTE.T @ pose)


def num_train_frames(num_frames: int) -> int:
    """Returns how many of num_frames the field trains on: the first ten elevenths, rounded down."""
    return num_frames * TRAIN_SHARE[0] // TRAIN_SHARE[1]


def write_transforms(
    folder: pathlib.Path,
    world_to_camera: np.ndarray,
    valid: np.ndarray,
    *,
    focal: float,
    width: int,
    height: int,
) -> None:
    """Writes `transforms_train.json` and `transforms_val.json`.

    Args:
      folder: of the data set.
      world_to_camera: [T, 4, 4] of all frames.
      valid: [T] bool; frames without a face are left out of both files.
      focal: pixels.
      width: pixels.
      height: pixels.
    """
    matrices = to_transform_matrix(world_to_camera)
    numbers = np.flatnonzero(valid)
    first_val = num_train_frames(len(numbers))
    for name, part in (("train", numbers[:first_val]), ("val", numbers[first_val:])):
        frames = [
            {"img_id": int(t), "aud_id": int(t), "transform_matrix": matrices[t].tolist()}
            for t in part
        ]
        content = {"focal_len": focal, "cx": width / 2, "cy": height / 2, "frames": frames}
        files.write_text(folder / f"transforms_{name}.json", json.dumps(content))


def read_transforms(path: pathlib.Path) -> dict[str, Any]:
    """Reads one `transforms_*.json`.

    Args:
      path: of the file.

    Returns:
      `focal` [2], `principal` [2] (NaN where the file has none), `numbers` [T] int frame numbers,
      `audio` [T] int audio window numbers, `world_to_camera` float32 [T, 4, 4].

    Raises:
      DataError: the file is not JSON, lacks a key, or a matrix is not rigid and finite.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        focal = content["focal_len"]
        principal = (content.get("cx", math.nan), content.get("cy", math.nan))
        frames = content["frames"]
        numbers = np.array([frame["img_id"] for frame in frames], np.int64)
        audio = np.array([frame.get("aud_id", frame["img_id"]) for frame in frames], np.int64)
        matrices = np.array([frame["transform_matrix"] for frame in frames], np.float64)
        focal = np.broadcast_to(np.asarray(focal, np.float64).ravel(), 2).copy()
        matrices = matrices.reshape(-1, 4, 4)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            expected=f"{path.name} with focal_len and frames of img_id and transform_matrix 4 x 4",
            got=f"{type(error).__name__}: {error}",
            fix=f"Make {path} again with the tool that wrote it.",
        ) from error
    rotation = matrices[:, :3, :3]
    product = rotation @ np.swapaxes(rotation, -1, -2)
    wrong = ~np.isfinite(matrices).all(axis=(1, 2))
    wrong |= ~(np.abs(product - np.eye(3)).max(axis=(1, 2)) < _RIGID_TOLERANCE)
    if wrong.any():
        raise DataError(
            expected=f"rigid, finite camera poses in {path.name}",
            got=f"{wrong.sum()} of {len(wrong)} that are not, the first of frame "
            f"{numbers[wrong.argmax()]}",
            fix="Track the head again; a pose with NaN or scale would break training.",
        )
    return {
        "focal": focal,
        "principal": np.array(principal, np.float64),
        "numbers": numbers,
        "audio": audio,
        "world_to_camera": np.float32(from_transform_matrix(matrices)),
    }

"""The standard data set folder of a film (`emojax.data.files`), written frame by frame.

As preprocessing of a video would leave it, but nothing is estimated: pictures, masks, landmarks,
head poses, camera, background, sound and action units are the truth. Sound features are computed
from the sound, as for any video.

The world of the folder's transforms is fixed to the head: its origin is the head's centre, and
frame t's camera stands where it does relative to the head.
"""

from __future__ import annotations

import dataclasses
import pathlib

import jax
import numpy as np

from emojax.data import action_units, arrays, audio, audio_features, cameras, files, labels, record
from emojax.data import background as backgrounds
from emojax.data import landmarks as landmark_files
from emojax.data.labels import Label
from emojax.puppet import masks
from emojax.puppet.controls import ACTION_UNITS
from emojax.puppet.landmarks import Landmarks
from emojax.puppet.take import Take
from emojax.types import Camera

TRUE = "the puppet's own"  # source of everything, in reports
_BOX = 0.55  # side of the face's box, in heads: as large as a detector's
_FEATURES = audio_features.KINDS["mel"].file
# Stages of preprocessing that the folder counts as done, and their single files.
_STAGES = {
    "landmarks": (files.LANDMARKS,),
    "masks": (),
    "background": (files.BACKGROUND,),
    "torso": (),
    "action_units": (files.ACTION_UNITS,),
    "features": (_FEATURES,),
}


@dataclasses.dataclass(frozen=True)
class Shot:
    """One frame as it was drawn.

    Attributes:
      number: of the frame.
      image: uint8 [H, W, 3] RGB.
      regions: uint8 [H, W] of `masks.Region`.
      depth: [H, W] metres, infinite in the background.
      normals: [H, W, 3] room axes, 0 in the background.
      landmarks: of the frame, in the room.
      pose: [4, 4] head to room, metres.
      body: uint8 [H, W, 3], neck and clothes where the head hides them.
      covered: [H, W] bool, where there is body behind the head.
    """

    number: int
    image: np.ndarray
    regions: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    landmarks: Landmarks
    pose: np.ndarray
    body: np.ndarray
    covered: np.ndarray


def begin(folder: pathlib.Path, background: np.ndarray) -> np.ndarray:
    """Makes the folders of a data set, and writes its background.

    Args:
      folder: of the data set; made if absent.
      background: uint8 [H, W, 3], the empty room.

    Returns:
      The background as it is read from the file, which is lossy.
    """
    for kind in (files.FRAMES, files.PARSING, files.TEETH, files.GROUND_TRUTH, files.TORSO):
        files.make_folder(folder / kind)
    files.write_picture(folder / files.BACKGROUND, background)
    return files.read_picture(folder / files.BACKGROUND)


def write_frame(folder: pathlib.Path, shot: Shot, background: np.ndarray) -> None:
    """Writes all files of one frame.

    Args:
      folder: of the data set, begun.
      shot: the frame.
      background: uint8 [H, W, 3].
    """
    name = str(shot.number)
    seen = masks.to_labels(shot.regions)
    parsing, teeth = labels.to_parsing(seen)
    files.write_picture(folder / files.FRAMES / f"{name}.jpg", shot.image)
    files.write_picture(folder / files.PARSING / f"{name}.png", parsing)
    files.write_array(folder / files.TEETH / f"{name}.npy", teeth)
    still = backgrounds.composite(shot.image, seen, background)
    files.write_picture(folder / files.GROUND_TRUTH / f"{name}.jpg", still)
    files.write_picture(folder / files.TORSO / f"{name}.png", _torso(shot, seen))
    points = landmark_pixels(shot.landmarks.points)
    landmark_files.write_lms(folder / files.FRAMES / f"{name}.lms", points)


def _torso(shot: Shot, seen: np.ndarray) -> np.ndarray:
    """Neck and clothes, those behind the head too, RGBA uint8 [H, W, 4]; 0 elsewhere."""
    is_body = labels.isin(seen, (Label.NECK, Label.TORSO))
    color = np.where(is_body[..., None], shot.image, shot.body)
    alpha = np.where(is_body | shot.covered, np.uint8(255), np.uint8(0))
    return np.dstack([np.where(alpha[..., None] > 0, color, np.uint8(0)), alpha])


def landmark_pixels(points: np.ndarray) -> np.ndarray:
    """Returns points [..., 2] of `emojax.types.Camera` as .lms files count: first centre at 0."""
    return points - 0.5


def head_cameras(camera: Camera, poses: np.ndarray) -> np.ndarray:
    """Returns the camera relative to the head, whose frame is the folder's world.

    Args:
      camera: in the room.
      poses: [T, 4, 4] head to room.

    Returns:
      float64 [T, 4, 4] world to camera.
    """
    return np.asarray(camera.world_to_camera, np.float64) @ np.asarray(poses, np.float64)


def write_tracks(
    folder: pathlib.Path, take: Take, camera: Camera, found: Landmarks, poses: np.ndarray
) -> None:
    """Writes what there is one of for all frames.

    Args:
      folder: of the data set, its frames written.
      take: that is filmed.
      camera: in the room.
      found: landmarks of T frames, in the room.
      poses: [T, 4, 4] head to room.
    """
    count = len(take)
    here = np.ones(count, bool)
    audio.write_wav(folder / files.SOUND, take.samples)
    sound = audio.read_wav(folder / files.SOUND).waveform  # as everyone will read it
    audio_features.save(folder / _FEATURES, audio_features.from_waveform(sound, count))
    shown = np.asarray(jax.device_get(take.performance.controls.action_units))
    units = action_units.ActionUnits(ACTION_UNITS, shown, here, TRUE)
    action_units.write(folder / files.ACTION_UNITS, units)
    cameras.write_transforms(
        folder,
        head_cameras(camera, poses),
        here,
        focal=float(camera.focal[0]),
        width=camera.width,
        height=camera.height,
    )
    points = np.float32(landmark_pixels(found.points))
    side = _BOX * take.actor.lens.fill * camera.height
    arrays.write_named(
        folder / files.LANDMARKS,
        {
            "points": points,
            "found": here,
            "cuts": np.zeros(0, np.int64),
            "boxes": np.concatenate([points.mean(axis=1), np.full((count, 1), side)], axis=-1),
            "counts": np.ones(count, np.int64),
        },
    )
    files.write_array(folder / files.VALENCE_AROUSAL, np.float32(take.performance.va))


def finish(folder: pathlib.Path, count: int) -> None:
    """Writes the record, from which readers of the folder learn where its files come from.

    Args:
      folder: of the data set, all else written.
      count: number of frames T.
    """
    content = record.empty()
    times = [path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()]
    for name, single in _STAGES.items():
        content["sources"][name] = TRUE
        content["stages"][name] = {
            "done": True,
            "settings": {},
            "files": list(single),
            "written": [min(times), max(times)],
            "seconds": 0.0,
            "cpu_seconds": 0.0,
            "frames": count,
            "peak_memory_mb": None,
        }
    content["sources"]["teeth"] = TRUE
    content["sources"]["features"] = "mel: built in: log-mel, 80 bands, 50-7800 Hz"
    record.write(folder, content)

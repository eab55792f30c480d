"""Data set folders of a drawn person (`actor`), written from its truth: no detector, no tracking.

What a test then finds wrong with a folder is the reader's doing, not a stage's.
"""

import dataclasses
import json
import pathlib

import numpy as np

from emojax.data import (
    action_units,
    audio,
    audio_features,
    cameras,
    face68,
    files,
    labels,
    landmarks,
    outputs,
    record,
    tracking,
)
from emojax.data.action_units import ActionUnits
from emojax.data.job import Settings
from emojax.data.labels import Label
from emojax.data.stages import STAGES
from emojax.opencv import cv2
from tests.data import actor_look
from tests.data.actor import Film

FULL_OPENING = 13.0  # mm, the actor's widest vowel
BROW_RISE = 5.0  # mm, the actor's highest brows


def write_folder(
    film: Film, folder: pathlib.Path, *, features: bool = True, extras: bool = False
) -> pathlib.Path:
    """Writes a complete data set folder in the field's layout.

    Args:
      film: 25 frames a second, square.
      folder: to write to; made if absent.
      features: whether to write `aud_mel.npy`.
      extras: whether to write what our own preprocessing adds: `preprocess.json`, `landmarks.npz`
        and `tracking.npz`.

    Returns:
      The folder.
    """
    folder = pathlib.Path(folder)
    num_frames, size = film.labels.shape[:2]
    for kind in (files.FRAMES, files.PARSING, files.TEETH, files.GROUND_TRUTH, files.TORSO):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    behind = background(film)
    files.write_picture(folder / files.BACKGROUND, behind)
    for t in range(num_frames):
        image, label = film.images[t], film.labels[t]
        parsing, teeth = labels.to_parsing(label)
        body = labels.isin(label, (Label.NECK, Label.TORSO))[..., None]
        composed = np.where((label == Label.BACKGROUND)[..., None], behind, image)
        torso = np.concatenate([image * body, np.uint8(255) * body], axis=-1)
        files.write_picture(folder / files.FRAMES / f"{t}.jpg", image)
        landmarks.write_lms(folder / files.FRAMES / f"{t}.lms", film.landmarks[t])
        files.write_picture(folder / files.PARSING / f"{t}.png", parsing)
        files.write_array(folder / files.TEETH / f"{t}.npy", teeth)
        files.write_picture(folder / files.GROUND_TRUTH / f"{t}.jpg", composed)
        files.write_picture(folder / files.TORSO / f"{t}.png", torso)
    audio.write_wav(folder / files.SOUND, film.waveform)
    if features:
        path = folder / audio_features.KINDS["mel"].file
        audio_features.save(path, audio_features.from_waveform(film.waveform, num_frames))
    action_units.write(folder / files.ACTION_UNITS, true_action_units(film))
    true = track(film)
    everything = np.ones(num_frames, bool)
    cameras.write_transforms(
        folder, true.world_to_camera, everything, focal=film.focal, width=size, height=size
    )
    if extras:
        _write_extras(film, folder, true)
    return folder


def as_made(folder: pathlib.Path, *names: str, settings: Settings) -> None:
    """Makes a folder look as if stages of preprocessing had made their files.

    Args:
      folder: with the files of these stages.
      *names: of the stages.
      settings: that they ran with.
    """
    content = record.read(folder)
    count = len(files.numbered(folder / files.FRAMES, ".jpg"))
    recorded = record.of_settings(settings)
    for name in names:
        content["stages"][name] = {
            "done": True,
            "settings": {key: recorded[key] for key in STAGES[name].reads},
            "frames": count,
            **outputs.settle(folder, name, settings, count, {}),
        }
        content["sources"].setdefault(name, "test")
    record.write(folder, content)


def background(film: Film) -> np.ndarray:
    """Returns the mean of what is seen behind the person, in-painted elsewhere, [H, W, 3]."""
    seen = (film.labels == Label.BACKGROUND)[..., None]
    total = np.sum(film.images, axis=0, where=seen, dtype=np.float32)
    mean = np.uint8(total / np.maximum(seen.sum(axis=0), 1) + 0.5)
    never = np.uint8(~seen.any(axis=0)[..., 0])
    return cv2.inpaint(mean, never, 3, cv2.INPAINT_TELEA)


def track(film: Film) -> tracking.Track:
    """Returns the true track, as `tracking.track` would write it: the origin inside the head."""
    shift = np.array([0, 0, tracking.ORIGIN_DEPTH])
    pose = film.world_to_camera.astype(np.float64)
    pose[:, :3, 3] -= pose[:, :3, :3] @ shift / 1000
    expression = np.stack([film.opening_mm, film.blink, film.brow], axis=-1)
    return tracking.Track(
        world_to_camera=np.float32(pose),
        focal=film.focal,
        shape=np.float32((actor_look.shape(0.0, 0.0, 0.0) + shift) / 1000),
        directions=np.float32([actor_look.JAW, actor_look.LIDS, actor_look.BROWS]) / 1000,
        coefficients=np.float32(expression),
        residual=np.zeros(film.landmarks.shape[:2], np.float32),
    )


def true_action_units(film: Film) -> ActionUnits:
    """Returns estimates from true landmarks; brows, lips and lids from the film's own curves.

    The actor's lids do not widen or narrow by themselves: units 5 and 7 go with the brows.
    """
    num_frames, size = film.labels.shape[:2]
    found = np.ones(num_frames, bool)
    units = action_units.estimate(track(film), film.landmarks, found, width=size, height=size)
    values = units.values.copy()
    curves = {
        1: film.brow / BROW_RISE,
        2: film.brow / BROW_RISE,
        5: 0.5 * film.brow / BROW_RISE,
        7: 0.5 - 0.5 * film.brow / BROW_RISE,
        25: film.opening_mm / FULL_OPENING,
        26: film.opening_mm / FULL_OPENING,
        45: film.blink,
    }
    for number, curve in curves.items():
        strength = action_units.MAX_INTENSITY * np.clip(curve, 0, 1)
        values[:, units.numbers.index(number)] = strength
    return dataclasses.replace(units, values=values, source="truth")


def _write_extras(film: Film, folder: pathlib.Path, true: tracking.Track) -> None:
    """The files that only our own preprocessing writes."""
    num_frames, size = film.labels.shape[:2]
    eyes = face68.eye_distance(film.landmarks)
    boxes = np.concatenate([film.landmarks.mean(axis=1), 2.2 * eyes[:, None]], axis=-1)
    np.savez(
        folder / "landmarks.npz",
        points=film.landmarks,
        found=np.ones(num_frames, bool),
        cuts=np.array(film.cuts, np.int64),
        boxes=boxes,
        counts=np.ones(num_frames, np.int64),
    )
    np.savez(folder / "tracking.npz", **dataclasses.asdict(true))
    manifest = {
        "format": record.FORMAT,
        "video": {
            "width": size,
            "height": size,
            "rotation": 0,
            "nominal_fps": 25.0,
            "is_variable": False,
            "audio": {"rate": 48000},
            "left_out": [0.0, 0.02],
            "crop": {"left": 0, "top": 0, "side": size},
        },
        "sources": {"masks": "truth", "action_units": "truth", "features": "built in"},
        "stages": {},
    }
    files.write_text(folder / files.MANIFEST, json.dumps(manifest))

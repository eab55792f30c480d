"""The truth that goes beside a film's standard folder: what trackers and parsers can only guess.

    truth/regions/N.png     uint8 of `masks.Region`: skin, lips, teeth, tongue, eyes, brows, ...
    truth/depth/N.png       uint16, tenths of a millimetre along the optical axis; 0 is background
    truth/normals/N.png     uint16 RGB, 65535 (n + 1) / 2 of unit normals out of the surface, x to
                            the image right, y up, z to the viewer; 32768 x 3 is background
    truth/landmarks.npz     points [T, 68, 2] pixels, first pixel's centre at (0.5, 0.5); positions
                            [T, 68, 3] metres, world of the transforms (fixed to the head, x to the
                            image right, y up, z out of the face); visible [T, 68]
    truth/performance.npz   fields of `controls.Controls` by name, [T, ...], with all action units
                            as float32; plain.*, the same without emotion; va [T, 2]; expression;
                            head_to_room [T, 4, 4] and room_to_camera [4, 4], metres; focal [2];
                            identity.* and scene.*, by field
    truth/visemes.npz       lips_part, jaw, width, pucker, press, bite, tongue of
                            `visemes.Articulation` [T]; names [V] and viseme [T] of these, or -1s
                            where phonemes are unknown
    truth/phonemes.csv      start, end, burst (seconds), symbol (IPA, empty is silence), visemes
    truth/words.csv         start, end, word
    truth/transcript.txt    what is said

Phonemes, words and transcript are left out where they are not known.
"""

from __future__ import annotations

import csv
import io
import pathlib

import jax
import numpy as np

from emojax.data import arrays, files
from emojax.opencv import cv2
from emojax.puppet.controls import Controls
from emojax.puppet.dataset import Shot
from emojax.puppet.landmarks import Landmarks
from emojax.puppet.take import Take
from emojax.puppet.visemes import Articulation
from emojax.speech import phonemes as inventory
from emojax.speech.timing import Phoneme
from emojax.types import Camera

FOLDER = "truth"
REGIONS, DEPTH, NORMALS = "truth/regions", "truth/depth", "truth/normals"
LANDMARKS, PERFORMANCE = "truth/landmarks.npz", "truth/performance.npz"
VISEMES, PHONEMES = "truth/visemes.npz", "truth/phonemes.csv"
WORDS, TRANSCRIPT = "truth/words.csv", "truth/transcript.txt"
DEPTH_UNIT = 1e-4  # metres
_FULL = 65535
_SLACK = 1e-6  # frames; less before a phoneme is rounding


def encode_depth(depth: np.ndarray) -> np.ndarray:
    """Returns depth as it is stored.

    Args:
      depth: [H, W] metres, infinite in the background; at most 6.5.

    Returns:
      uint16 [H, W].
    """
    shown = np.isfinite(depth)
    return np.uint16(np.where(shown, np.where(shown, depth, 0) / DEPTH_UNIT + 0.5, 0))


def decode_depth(stored: np.ndarray) -> np.ndarray:
    """Returns depth [H, W] in metres, infinite in the background, of `stored` uint16 [H, W]."""
    return np.where(stored > 0, np.float32(stored) * np.float32(DEPTH_UNIT), np.float32(np.inf))


def encode_normals(normals: np.ndarray) -> np.ndarray:
    """Returns normals as they are stored.

    Args:
      normals: [H, W, 3] unit vectors, 0 in the background.

    Returns:
      uint16 [H, W, 3].
    """
    return np.uint16(np.clip(0.5 * _FULL * (normals + 1) + 0.5, 0, _FULL))


def decode_normals(stored: np.ndarray) -> np.ndarray:
    """Returns normals float32 [H, W, 3], 0 in the background, of `stored` uint16 [H, W, 3]."""
    normals = np.float32(stored) * np.float32(2 / _FULL) - 1
    return np.where(np.abs(normals).max(axis=-1, keepdims=True) > 0.1, normals, 0)


def write_picture(path: pathlib.Path, picture: np.ndarray) -> None:
    """Writes 16-bit depth or normals (RGB) all at once.

    Args:
      path: ends in .png.
      picture: uint16 [H, W] or [H, W, 3].
    """
    ordered = picture[..., ::-1] if picture.ndim == 3 else picture
    # Run lengths alone: flat background packs, and the rest is written at the speed of the disk.
    options = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 3)
    files.write_bytes(path, cv2.imencode(".png", ordered, options)[1].tobytes())


def read_picture(path: pathlib.Path) -> np.ndarray:
    """Returns what `write_picture` wrote to path, uint16 [H, W] or [H, W, 3]."""
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    return picture[..., ::-1] if picture.ndim == 3 else picture


def to_viewer(normals: np.ndarray, camera: Camera) -> np.ndarray:
    """Returns normals as a picture has them: x to the image right, y up, z to the viewer.

    Args:
      normals: [..., 3] room axes.
      camera: in the room.
    """
    turn = np.asarray(camera.world_to_camera)[:3, :3] * np.array([[1], [-1], [-1]])
    return np.asarray(normals) @ turn.T


def begin(folder: pathlib.Path) -> None:
    """Makes the folders of the truth inside the data set's folder."""
    for name in (REGIONS, DEPTH, NORMALS):
        files.make_folder(folder / name)


def write_frame(folder: pathlib.Path, shot: Shot, camera: Camera) -> None:
    """Writes the pictures of one frame.

    Args:
      folder: of the data set, begun.
      shot: the frame.
      camera: in the room.
    """
    name = f"{shot.number}.png"
    files.write_picture(folder / REGIONS / name, shot.regions)
    write_picture(folder / DEPTH / name, encode_depth(shot.depth))
    write_picture(folder / NORMALS / name, encode_normals(to_viewer(shot.normals, camera)))


def write_tracks(folder: pathlib.Path, take: Take) -> None:
    """Writes what is known of the sound: visemes, and phonemes, words and transcript if known.

    Args:
      folder: of the data set.
      take: that is filmed.
    """
    names = np.array(inventory.VISEMES)
    shown = viseme_track(take.phonemes, len(take))
    fields = {name: getattr(take.articulation, name) for name in Articulation._fields}
    arrays.write_named(folder / VISEMES, fields | {"names": names, "viseme": shown})
    if take.phonemes is None:
        return
    rows = []
    for phoneme in take.phonemes:
        units = " ".join(inventory.viseme(unit) for unit in inventory.units(phoneme.symbol))
        burst = "" if phoneme.burst is None else f"{phoneme.burst:.4f}"
        rows.append((f"{phoneme.start:.4f}", f"{phoneme.end:.4f}", burst, phoneme.symbol, units))
    _write_csv(folder / PHONEMES, ("start", "end", "burst", "symbol", "visemes"), rows)
    rows = [(f"{word.start:.4f}", f"{word.end:.4f}", word.text) for word in take.words]
    _write_csv(folder / WORDS, ("start", "end", "word"), rows)
    files.write_text(folder / TRANSCRIPT, take.text + "\n")


def write_performance(
    folder: pathlib.Path, take: Take, camera: Camera, found: Landmarks, poses: np.ndarray
) -> None:
    """Writes landmarks, controls, identity, light and camera.

    Args:
      folder: of the data set.
      take: that is filmed.
      camera: in the room.
      found: landmarks of T frames, in the room.
      poses: [T, 4, 4] head to room.
    """
    turned = np.swapaxes(poses[:, :3, :3], -1, -2)
    away = found.positions - poses[:, None, :3, 3]
    arrays.write_named(
        folder / LANDMARKS,
        {
            "points": found.points,
            "positions": np.float32(np.einsum("tij,tnj->tni", turned, away)),
            "visible": found.visible,
        },
    )
    acted, plain = jax.device_get((take.performance.controls, take.performance.plain))
    content = {name: getattr(acted, name) for name in Controls.__dataclass_fields__}
    for prefix, tree in (
        ("plain", plain), ("identity", take.actor.identity), ("scene", take.actor.scene)
    ):  # fmt: skip
        content |= {
            f"{prefix}.{name}": np.asarray(getattr(tree, name))
            for name in tree.__dataclass_fields__
        }
    content |= {
        "va": np.float32(take.performance.va),
        "expression": np.float32(take.performance.style.expression),
        "head_to_room": poses,
        "room_to_camera": np.asarray(camera.world_to_camera),
        "focal": np.asarray(camera.focal),
    }
    arrays.write_named(folder / PERFORMANCE, content)


def viseme_track(phonemes: tuple[Phoneme, ...] | None, num_frames: int) -> np.ndarray:
    """Returns the number of each frame's viseme in `phonemes.VISEMES`.

    Args:
      phonemes: ascending; time that none covers is silent; None where they are not known.
      num_frames: T; frame t shows the instant t / 25 s.

    Returns:
      int8 [T]; -1 where phonemes are not known.
    """
    if phonemes is None:
        return np.full(num_frames, -1, np.int8)
    track = np.full(num_frames, inventory.VISEMES.index("sil"), np.int8)
    for phoneme in phonemes:
        units = inventory.units(phoneme.symbol)
        bounds = np.linspace(phoneme.start, phoneme.end, len(units) + 1) * files.FPS
        for unit, start, end in zip(units, bounds, bounds[1:], strict=False):
            number = inventory.VISEMES.index(inventory.viseme(unit))
            first, last = (int(np.ceil(bound - _SLACK)) for bound in (start, end))
            track[first:last] = number
    return track


def _write_csv(path: pathlib.Path, header: tuple, rows: list) -> None:
    """Writes a table all at once."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    files.write_text(path, text.getvalue())

"""Contact sheets while training: what the loss compares, at frames that stay the same.

A row a frame: target, rendering, four times the difference, then both of the lips' square enlarged;
where the face learns normals these, too, behind the clip's own if it has some. The first rows are
of training, the last ones held out. Titles stand above the columns.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from emojax import head as heads
from emojax.data import captions, surfaces
from emojax.data import clip as clips
from emojax.data.clip import Clip
from emojax.opencv import cv2
from emojax.training import loop, objectives, regions
from emojax.training.recipe import Phase, Stage
from emojax.training.state import State

NUM_ROWS = 4
GAIN = 4.0  # of the difference
TITLES = ("target", "rendering", f"difference x {GAIN:g}", "target's lips", "rendering's lips")
TRUE_NORMALS, NORMALS = "target's normals", "drawn normals"
LIP_MARGIN = 1.5  # of the close-up, in squares of the lips


def sheet_rows(clip: Clip) -> np.ndarray:
    """Returns the frames of a sheet, int [4]: half of training, half held out where there are such.

    Args:
      clip: to choose from.
    """
    num_held_out, half = len(clip) - clip.num_train, NUM_ROWS // 2
    if num_held_out < half:
        return _spread(NUM_ROWS, clip.num_train)
    return np.concatenate(
        [_spread(half, clip.num_train), clip.num_train + _spread(half, num_held_out)]
    )


def _spread(count: int, num: int) -> np.ndarray:
    """`count` numbers below `num`, evenly apart."""
    return (np.arange(1, count + 1) * num) // (count + 1)


def draw_sheet(state: State, clip: Clip, *, stage: Stage, phase: Phase) -> np.ndarray:
    """Returns the sheet of a state, uint8 [BAR + 4 S, C S, 3] of 5 to 7 columns, BAR of `captions`.

    Args:
      state: to draw.
      clip: it trains on.
      stage: of the state.
      phase: of the state.
    """
    rows = sheet_rows(clip)
    places = clip.action_units.places(state.head.config.action_units)
    frames = loop.to_frames(clips.batch(clip, rows), places)
    images, targets, normals = _draw(
        state.head, frames, clip.camera(0), state.step, stage=stage, phase=phase
    )
    surface = {} if frames.normals is None or normals is None else {TRUE_NORMALS: frames.normals}
    if normals is not None:
        surface[NORMALS] = surfaces.of_drawn(np.asarray(normals))
    lines = []
    for k, row in enumerate(rows):
        seen = _row(np.asarray(images[k]), np.asarray(targets[k]), clip.landmarks[row])
        lines.append(np.concatenate([seen, *(drawn[k] for drawn in surface.values())], axis=1))
    return np.concatenate([captions.titles([*TITLES, *surface], clip.size), *lines])


@functools.partial(jax.jit, static_argnames=("stage", "phase"))
def _draw(head, frames, camera, step, *, stage, phase):
    """Renderings, targets, and normals of the face where head and stage have some, or None."""

    def one(frame):
        picture, _ = objectives.draw(
            head, frame, camera, jax.random.key(0), stage=stage, phase=phase, step=step
        )
        if not head.config.normals or stage.target == "mouth":
            return picture.image, picture.target, None
        seen = camera.replace(world_to_camera=frame.world_to_camera)
        condition = objectives.condition_of(frame, phase)
        surface, _ = heads.draw(head, "face", condition, seen, normals="residuals")
        return picture.image, picture.target, surface.image[..., -3:]

    images, targets, normals = jax.lax.map(one, frames)
    return jnp.clip(images, 0, 1), targets, normals


def _row(image: np.ndarray, target: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    difference = np.clip(GAIN * np.abs(image - target), 0, 1)
    lips = [_close_up(picture, landmarks) for picture in (target, image)]
    return np.uint8(np.concatenate([target, image, difference, *lips], axis=1) * 255 + 0.5)


def _close_up(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    size = picture.shape[0]
    x, y, half = (int(v) for v in regions.lip_bounds(jnp.asarray(landmarks)))
    half = int(np.clip(half * LIP_MARGIN, 4, size // 2))
    left, top = (int(np.clip(v - half, 0, size - 2 * half)) for v in (x, y))
    crop = picture[top : top + 2 * half, left : left + 2 * half]
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 1)

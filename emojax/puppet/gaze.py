"""Where the eyes look: fixations of the camera, glances away, and the jumps between.

* A speaker looks at the partner for 3.1 s and away for 0.9 s on average, a listener for 7.9 s and
  0.4 s: Lee, Badler & Badler 2002, "Eyes alive", ACM Trans. Graphics 21(3).
* Few natural saccades exceed 15 degrees; small ones are more frequent, and along the horizontal and
  vertical twice as frequent as obliquely (same source). While the partner is looked at, the eyes
  wander over the partner's face.
* A saccade of d degrees takes about 25 + 2.4 d milliseconds (main sequence; same source).
* Eyes stay on their target while the head moves (vestibulo-ocular reflex).
"""

from __future__ import annotations

import jax
import numpy as np

FPS = 25.0
# Mean seconds at the camera and away from it.
SPEAKING, SILENT = (3.1, 0.93), (7.9, 0.43)
SPREAD = 0.6  # standard deviation of the times' logarithm
SHORTEST = 0.2  # seconds of a fixation
FACE_FIXATION = 0.8  # mean seconds on one part of the partner's face
FACE_EXTENT = 0.012  # radians, standard deviation: 2 cm at 1.5 m
GLANCE, LONGEST_GLANCE = 0.11, 0.26  # radians, mean and largest: 6 and 15 degrees
SHORTEST_GLANCE = 0.04  # what is nearer is no glance away
DURATION, DURATION_PER_RADIAN = 0.025, 0.1375  # seconds
UPRIGHT = np.array([1.0, 0.7])  # eyes turn up and down less far than sideways
# Between the lids that stay where they are, irises can turn this far before they vanish.
LIMIT = np.array([0.45, 0.30])


def targets(
    key: jax.Array, speaking: np.ndarray, *, away: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns when the eyes jump, seconds [K] from 0, and where to, radians [K, 2].

    Args:
      key: consumed.
      speaking: bool [T], by frame: decides how long the camera is looked at.
      away: factor on the share of time that is spent away; 0 looks at the camera always.

    Returns:
      Times ascending, the first 0; targets (right, up) as seen from a head that faces the camera.
    """
    duration = len(speaking) / FPS
    count = int(8 * duration) + 32
    key_time, key_place, key_way = jax.random.split(key, 3)
    normal = np.asarray(jax.random.normal(key_time, (count, 2)), np.float64)
    lengths = np.exp(SPREAD * normal - SPREAD**2 / 2)  # of mean 1
    # Within two deviations, which is nearer than any glance away.
    places = np.asarray(jax.random.truncated_normal(key_place, -2, 2, (count, 2)), np.float64)
    ways = np.asarray(jax.random.uniform(key_way, (count, 2)), np.float64)
    times, points = [], []
    now, left = 0.0, None
    for (whole, part), place, way in zip(lengths, places, ways, strict=True):
        if now >= duration:
            break
        at_camera, off = SPEAKING if speaking[int(now * FPS)] else SILENT
        if left is None or away == 0:
            left = at_camera * whole  # seconds more at the camera
        times.append(now)
        if left > 0:
            points.append(FACE_EXTENT * UPRIGHT * place)
            step = min(left, max(SHORTEST, FACE_FIXATION * part))
            left -= step
        else:
            points.append(_glance(*way))
            step, left = max(SHORTEST, off * part * away), None
        now += step
    return np.array(times), np.array(points).reshape(-1, 2)


def follow(times: np.ndarray, points: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Returns the gaze of each frame relative to the head, float32 [T, 2], radians (right, up).

    Args:
      times: [K] seconds when the eyes jump, ascending, the first 0.
      points: [K, 2] where to (`targets`).
      rotation: [T, 3] pitch, yaw, roll of the head (`controls.Controls`); the eyes make up for it.
    """
    time = np.arange(len(rotation)) / FPS
    gaze = np.tile(points[0], (len(time), 1))
    for start, before, after in zip(times[1:], points, points[1:], strict=False):
        size = after - before
        lasts = DURATION + DURATION_PER_RADIAN * np.linalg.norm(size)
        share = np.clip((time - start) / lasts, 0, 1)
        gaze += (share * share * (3 - 2 * share))[:, None] * size
    gaze += np.stack([-rotation[:, 1], rotation[:, 0]], axis=-1)
    return np.float32(np.clip(gaze, -LIMIT, LIMIT))


def _glance(u: float, w: float) -> np.ndarray:
    """A target away from the camera of two numbers 0 to 1: exponential size, mostly along axes."""
    size = SHORTEST_GLANCE - (GLANCE - SHORTEST_GLANCE) * np.log(max(1 - u, 1e-9))
    eighth = np.searchsorted(np.cumsum([2, 1] * 4) / 12, w, side="right") % 8
    angle = np.pi / 4 * eighth
    return min(size, LONGEST_GLANCE) * UPRIGHT * np.array([np.cos(angle), np.sin(angle)])

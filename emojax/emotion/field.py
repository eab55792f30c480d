"""The field of a warp: where each pixel of the result comes from, smooth and without folds.

Backward directly: the field is given at the *displaced* control points, each minus its own
displacement, and interpolated between by a radial function of compact support (Wendland 1995,
"Piecewise polynomial, positive definite and compactly supported radial functions of minimal
degree", Adv. Comput. Math. 4; phi(3,1), twice differentiable). It is evaluated on a coarse grid
over the face and multiplied by a window that is 0 outside of the face and on the picture's border:
there, pictures stay bit for bit.

`least_stretch` is the least determinant of the map's Jacobian on the grid; at 0 the map folds.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.emotion.displacement import Motion
from emojax.opencv import cv2

REACH = 0.9  # IOD, support of the radial function
# Two lids of a blink may lie on one another and want different things: so much may both be missed.
RIDGE = 1e-3
STEPS = 16.0  # grid steps in one IOD
RAISED = 0.55  # IOD, how far over the brows the face's outline runs
FADE = 0.16  # IOD inside the outline over which the window opens
_MARGIN = 2  # grid steps around the face


@dataclasses.dataclass(frozen=True)
class Field:
    """A map from a part of the result to the source.

    Attributes:
      top, left: first row and column of the part.
      shift: float32 [h, w, 2] from each pixel to where it comes from, (x, y) pixels.
      window: float32 [h, w] 1 on the face, 0 outside of it.
      least_stretch: least determinant of the map's Jacobian.
    """

    top: int
    left: int
    shift: np.ndarray
    window: np.ndarray
    least_stretch: float

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the part in the picture."""
        height, width = self.window.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def outline(motion: Motion) -> np.ndarray:
    """Returns the polygon in which a face is moved: jaw and raised brows, [27, 2] pixels.

    Args:
      motion: of the face.
    """
    head = motion.controls[:68]
    brows = head[26:16:-1] - (0, RAISED)
    return motion.frame.to_picture(np.concatenate([head[:17], brows]))


def fit(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Returns the radial functions' centres and weights.

    Args:
      motion: of the face.

    Returns:
      [C, 2] centres in the head frame; [C, 2] weights of the backward displacement, IOD.
    """
    centres = motion.controls + motion.displacements
    kernel = _wendland(np.linalg.norm(centres[:, None] - centres[None], axis=-1))
    kernel[np.diag_indices_from(kernel)] += RIDGE
    # Not by NumPy: its BLAS starts a thread on each core for this, and they wait for each other.
    return centres, cv2.solve(kernel, -motion.displacements, flags=cv2.DECOMP_CHOLESKY)[1]


def _wendland(distance: np.ndarray) -> np.ndarray:
    """Wendland's phi(3,1) of distances in IOD."""
    r = np.minimum(distance / distance.dtype.type(REACH), 1)
    rest = 1 - r
    rest *= rest
    return rest * rest * (4 * r + 1)


def evaluate(centres: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the fitted displacement, float32 [P, 2].

    Args:
      centres: of `fit`.
      weights: of `fit`.
      points: [P, 2] in the head frame.
    """
    points, centres = np.float32(points), np.float32(centres)
    x = points[:, 0, None] - centres[None, :, 0]
    y = points[:, 1, None] - centres[None, :, 1]
    return np.einsum("pc,cd->pd", _wendland(cv2.magnitude(x, y)), np.float32(weights))


def build(motion: Motion, shape: tuple[int, ...]) -> Field | None:
    """Returns the field over the face, or None where no part of it is in the picture.

    Args:
      motion: of the face.
      shape: of the picture, height and width first.
    """
    frame, polygon = motion.frame, outline(motion)
    step = frame.unit / STEPS
    low = np.maximum(np.floor(polygon.min(axis=0) - _MARGIN * step), 0).astype(int)
    high = np.minimum(np.ceil(polygon.max(axis=0) + _MARGIN * step) + 1, shape[1::-1]).astype(int)
    width, height = high - low
    if width < 2 or height < 2:
        return None
    # Nodes in the centres of equal cells, as cv2.resize reads them.
    columns, rows = max(int(np.ceil(width / step)), 2), max(int(np.ceil(height / step)), 2)
    x = low[0] + (np.arange(columns) + 0.5) * width / columns - 0.5
    y = low[1] + (np.arange(rows) + 0.5) * height / rows - 0.5
    nodes = np.stack(np.meshgrid(x, y), axis=-1)
    inside = _inside(polygon, nodes, width / columns, height / rows)
    # What lies beyond the picture's border cannot be drawn in: the window shuts there too.
    border = np.minimum(nodes, np.array(shape[1::-1]) - 1 - nodes).min(axis=-1)
    inside = np.minimum(inside, border) / frame.unit
    window = np.clip(inside / FADE, 0, 1)
    window = window * window * (3 - 2 * window)
    shift = np.zeros((rows, columns, 2), np.float32)
    used = window > 0
    if used.any():
        head = evaluate(*fit(motion), frame.to_head(nodes[used]))
        shift[used] = frame.vectors(head) * window[used, None]
    stretch = _stretch(shift, width / columns, height / rows)
    full = cv2.resize(
        np.dstack([shift, np.float32(window)]), (width, height), interpolation=cv2.INTER_LINEAR
    )
    return Field(int(low[1]), int(low[0]), full[..., :2], full[..., 2], float(stretch.min()))


def _inside(polygon: np.ndarray, nodes: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """How far nodes lie inside a polygon, pixels, 0 outside, [rows, columns]."""
    fine = 4  # cells of the drawn polygon in one of the grid
    rows, columns = nodes.shape[:2]
    scale = np.array([fine / dx, fine / dy])
    drawn = np.zeros((rows * fine, columns * fine), np.uint8)
    corners = (polygon - nodes[0, 0]) * scale + (fine - 1) / 2
    cv2.fillPoly(drawn, [np.int32(np.round(corners * 16))], 1, shift=4)
    distance = cv2.distanceTransform(drawn, cv2.DIST_L2, 5)
    small = cv2.resize(distance, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.maximum(small - 0.5, 0) * (dx + dy) / (2 * fine)


def _stretch(shift: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """Determinant of the Jacobian of x + shift on the grid, [rows - 1, columns - 1]."""
    across = (shift[:-1, 1:] - shift[:-1, :-1]) / dx
    down = (shift[1:, :-1] - shift[:-1, :-1]) / dy
    return (1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]

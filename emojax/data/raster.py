"""A mesh of triangles seen in a picture: what its corners carry, at every pixel it covers.

All triangles at once, in numpy: each is tested at the pixels of its bounding box, and of those that
cover a pixel the nearest counts. Meant for a few thousand small triangles, such as a face; memory
goes with the sum of their boxes. Values are interpolated in the picture, without perspective: of
triangles that are small against their distance nobody sees the difference.
"""

from __future__ import annotations

import numpy as np

_THIN = 1e-9  # pixels^2: triangles seen from the side cover nothing
_EDGE = 1e-6  # of a barycentric coordinate: neighbours leave no gap between them


def draw(
    points: np.ndarray,
    depth: np.ndarray,
    values: np.ndarray,
    triangles: np.ndarray,
    *,
    height: int,
    width: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is seen of a mesh.

    Args:
      points: [V, 2] of the corners, pixels (column, row), pixel centres at whole numbers.
      depth: [V] distance from the camera; the smallest hides the others.
      values: [V, C] to interpolate.
      triangles: int [F, 3] rows of their corners, turned either way.
      height: of the picture.
      width: of the picture.

    Returns:
      float32 [H, W, C], 0 where nothing is; bool [H, W], where something is.
    """
    a, b, c = (np.asarray(points, np.float64)[triangles[:, k]] for k in range(3))
    last = np.array([width - 1, height - 1])
    low = np.clip(np.ceil(np.minimum(np.minimum(a, b), c)), 0, last + 1).astype(np.int64)
    high = np.clip(np.floor(np.maximum(np.maximum(a, b), c)), -1, last).astype(np.int64)
    box = np.maximum(high - low + 1, 0)
    u, v = b - a, c - a
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    is_seen = np.abs(area) > _THIN
    u, v = (edge / np.where(is_seen, area, 1)[:, None] for edge in (u, v))
    count = box[:, 0] * box[:, 1] * is_seen
    which = np.repeat(np.arange(len(triangles)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    line, column = np.divmod(place, box[which, 0])
    column, line = column + low[which, 0], line + low[which, 1]
    # The second and third corner's share of a pixel; what is left is the first one's.
    x, y = column - a[which, 0], line - a[which, 1]
    second = x * v[which, 1] - y * v[which, 0]
    third = y * u[which, 0] - x * u[which, 1]
    inside = (second >= -_EDGE) & (third >= -_EDGE) & (second + third <= 1 + _EDGE)
    which, line, column = which[inside], line[inside], column[inside]
    second, third = second[inside, None], third[inside, None]

    def mixed(carried: np.ndarray) -> np.ndarray:
        """What corners carry, [V, C], at the pixels."""
        first, *others = (np.asarray(carried)[triangles[:, k]] for k in range(3))
        one, other = ((corner - first)[which] for corner in others)
        return first[which] + second * one + third * other

    order = np.argsort(-mixed(np.asarray(depth)[:, None])[:, 0], kind="stable")
    picture = np.zeros((height, width, np.shape(values)[-1]), np.float32)
    covered = np.zeros((height, width), bool)
    # The last of a pixel's entries stays: the nearest.
    picture[line[order], column[order]] = mixed(values)[order]
    covered[line, column] = True
    return picture, covered

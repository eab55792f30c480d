"""A smooth face through 68 landmarks: the skin between them, and its normals in a picture.

Where nobody has measured normals, the landmarks' shape in space tells roughly how the skin lies.
Each coordinate of the surface is a thin plate over the face as seen from the front: of all
functions that take the landmarks' values the one that bends least (Bookstein 1989). Landmarks say
nothing of forehead, temples, cheeks and the sides of the nose; there the surface passes through
points of our own (`_MORE`), which follow the landmarks near them. The whole surface is then one
linear function of the landmarks: an expression that moves these moves the skin.

Points are [68, 3] in the frame of `tracking`: metres, x to the right, y up, z out of the face.

Against the true normals of puppets, whose landmarks were tracked like a video's, the mean angle is
15 to 16 degrees and the median 13 (benchmarks/relief.json; 36 if all skin faced the camera). With
the landmarks' true places in space the mean is 14 to 15: what lies between them errs most. Weak:
lips and lids, whose rims are sharper than the plates; the sides of the cheeks; a nose or a forehead
that is not the usual one; wrinkles, beards and glasses, which landmarks do not show.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from emojax.data import face68, raster
from emojax.data.tracking import ORIGIN_DEPTH, Track
from emojax.opencv import cv2

SIDE = 256  # pixels at most of stored pictures: between landmarks the face is smooth
# What stands in records and reports for normals that come from here.
SOURCE = "landmark shape: a smooth face through the tracked landmarks"

# Points where landmarks leave the skin open: where they are on the mean face (`face68`, mm), and
# which landmarks they follow on average. Half of the face, x not below 0; the others mirror it.
# Ours: forehead to a hairline 58 mm above the brows' line (Farkas 1994: 57 to 61 mm from glabella
# to trichion) that falls back to the temples, cheeks as full as the skin between lower lid, wing of
# the nose and jaw usually is, the crease between nose and cheek, and the round of the nose's tip.
_MORE = (
    ((0, 45, 23), (21, 22)),
    ((28, 43, 18), (23, 24)),
    ((52, 38, 3), (25, 26)),
    ((72, 18, -26), (26, 16)),
    ((0, 72, 13), (21, 22)),
    ((28, 70, 8), (23, 24)),
    ((50, 62, -9), (25, 26)),
    ((66, 45, -30), (26, 16)),
    ((33, -45, 18), (35, 46, 54)),
    ((44, -41, 12), (35, 45, 54, 15)),
    ((54, -25, 2), (45, 15)),
    ((47, -56, 5), (54, 14)),
    ((60, -40, -6), (14,)),
    ((19, -33, 21), (35, 42)),
    ((17, -42, 27), (35,)),
    ((11, -37, 40), (30, 35)),
    ((9, -20, 32), (28, 29, 42)),
)
# Of these, the upper border of the face; the lower one is the landmarks' contour.
_BORDER = (3, 4, 5, 6, 7)
_MIDDLE = np.array([0.0, -30.0])  # mm: the nose, from which rings of corners go out to the border
_RINGS, _SPOKES = 22, 72  # 3 mm apart, finer around the nose
_FINER = 0.9  # exponent of that
_STIFF = 1e-3  # by how much the plates may miss landmarks rather than bend: lips lie close together
_FACING = 0.05  # least z of a normal that is seen
_SHIFT = 4  # binary digits of a pixel in polygons
_OPENINGS = (face68.RIGHT_EYE, face68.LEFT_EYE, face68.INNER_LIP)  # there is no skin


class _Plates(NamedTuple):
    """The surface as a function of landmarks, mm: linear [V, 68], constant [V, 3], triangles."""

    linear: np.ndarray
    constant: np.ndarray
    triangles: np.ndarray


class Surface(NamedTuple):
    """A face.

    Attributes:
      corners: [V, 3] metres.
      normals: [V, 3] unit vectors out of the face.
      triangles: int [F, 3].
    """

    corners: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray


def surface(points: np.ndarray) -> Surface:
    """Returns the surface through some landmarks.

    Args:
      points: [68, 3].
    """
    plates, shift = _plates(), np.array([0, 0, ORIGIN_DEPTH])
    corners = plates.linear @ (1000 * np.asarray(points, np.float64) - shift) + plates.constant
    a, b, c = (corners[plates.triangles[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    normals = np.stack(
        [
            sum(np.bincount(corner, area[:, k], len(corners)) for corner in plates.triangles.T)
            for k in range(3)
        ],
        axis=-1,
    )
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    return Surface((corners + shift) / 1000, normals, plates.triangles)


def picture(
    points: np.ndarray,
    world_to_camera: np.ndarray,
    *,
    focal: float,
    principal: tuple[float, float],
    size: int,
) -> np.ndarray:
    """Returns the normals that are seen of a face, as `surfaces` has them.

    Args:
      points: [68, 3].
      world_to_camera: [4, 4], OpenCV axes.
      focal: pixels of this picture.
      principal: (column, row) of this picture, the first pixel's centre at (0.5, 0.5).
      size: side of the picture, pixels.

    Returns:
      float32 [S, S, 3] unit vectors, x right, y up, z to the viewer; 0 where no skin is known:
      around the face, in the eyes and between the lips.
    """
    face = surface(points)
    turn = np.asarray(world_to_camera, np.float64)[:3, :3]
    seen, depth = _project(face.corners, world_to_camera, focal, principal)
    normals = face.normals @ turn.T * np.array([1, -1, -1])
    drawn, _ = raster.draw(seen, depth, normals, face.triangles, height=size, width=size)
    rims, _ = _project(points, world_to_camera, focal, principal)
    holes = np.zeros((size, size), np.uint8)
    rims = np.round(rims * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(holes, [rims[list(opening)] for opening in _OPENINGS], 1, shift=_SHIFT)
    length = np.linalg.norm(drawn, axis=-1, keepdims=True)
    shown = (drawn[..., 2:] > _FACING * length) & (holes[..., None] == 0)
    return np.float32(np.where(shown, drawn / np.maximum(length, 1e-6), 0))


def of_frame(
    track: Track, number: int, *, size: int, change: np.ndarray | None = None
) -> np.ndarray:
    """Returns the normals of a tracked face, as `picture` does, [S, S, 3] with S at most `SIDE`.

    Args:
      track: of the clip.
      number: of the frame.
      size: side of the clip's pictures, pixels.
      change: [68, 2] pixels by which landmarks are seen elsewhere: another expression.
    """
    side, pose = min(size, SIDE), track.world_to_camera[number]
    points = track.shape + np.tensordot(track.coefficients[number], track.directions, axes=1)
    if change is not None:
        points = moved(points, change, pose, focal=track.focal)
    middle = (side / 2, side / 2)
    return picture(points, pose, focal=track.focal * side / size, principal=middle, size=side)


def moved(
    points: np.ndarray, change: np.ndarray, world_to_camera: np.ndarray, *, focal: float
) -> np.ndarray:
    """Returns landmarks that are seen elsewhere, each as far from the camera as it was, [68, 3].

    Args:
      points: [68, 3].
      change: [68, 2] pixels by which they are seen to move.
      world_to_camera: [4, 4].
      focal: pixels.
    """
    pose = np.asarray(world_to_camera, np.float64)
    depth = np.asarray(points) @ pose[2, :3] + pose[2, 3]
    return points + (np.asarray(change) * depth[:, None] / focal) @ pose[:2, :3]


def _project(points, world_to_camera, focal: float, principal) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, centres at whole numbers, and depth."""
    pose = np.asarray(world_to_camera, np.float64)
    camera = np.asarray(points) @ pose[:3, :3].T + pose[:3, 3]
    return focal * camera[:, :2] / camera[:, 2:] + np.asarray(principal) - 0.5, camera[:, 2]


@functools.cache
def _plates() -> _Plates:
    more, follows = _whole()
    controls = np.concatenate([face68.MEAN_SHAPE, more])
    upper = np.array([k for k, (x, y) in enumerate(more[:, :2]) if _is_border(abs(x), y)])
    border = np.concatenate([face68.MEAN_SHAPE[list(face68.CONTOUR), :2], more[upper, :2]])
    at, triangles = _rings(border)
    weights = _thin_plate(at, controls[:, :2])
    of_landmarks, of_more = np.split(weights, [face68.NUM_POINTS], axis=1)
    return _Plates(
        linear=of_landmarks + of_more @ follows,
        constant=of_more @ (more - follows @ face68.MEAN_SHAPE),
        triangles=triangles,
    )


def _is_border(x: float, y: float) -> bool:
    return any((x, y) == _MORE[k][0][:2] for k in _BORDER)


def _whole() -> tuple[np.ndarray, np.ndarray]:
    """Both halves of `_MORE`, [E, 3] mm, and the mean that each follows, [E, 68]."""
    places, rows = [], []
    for (x, y, z), landmarks in _MORE:
        for sign in (1, -1) if x else (1,):
            row = np.zeros(face68.NUM_POINTS)
            own = landmarks if sign > 0 else face68.MIRROR[list(landmarks)]
            row[list(own)] = 1 / len(landmarks)
            places.append((sign * x, y, z))
            rows.append(row)
    return np.array(places, np.float64), np.array(rows)


def _rings(border: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners [V, 2] on rings from the middle to the border, mm, and triangles [F, 3]."""
    angles = np.arctan2(*(border - _MIDDLE).T[::-1])
    spokes = np.linspace(-np.pi, np.pi, _SPOKES, endpoint=False)
    order = np.argsort(angles)
    reach = np.linalg.norm(border - _MIDDLE, axis=-1)[order]
    reach = np.interp(spokes, angles[order], reach, period=2 * np.pi)
    directions = np.stack([np.cos(spokes), np.sin(spokes)], axis=-1) * reach[:, None]
    rings = (np.arange(1, _RINGS + 1) / _RINGS) ** _FINER
    at = np.concatenate(
        [_MIDDLE[None], (_MIDDLE + rings[:, None, None] * directions).reshape(-1, 2)]
    )
    here = 1 + np.arange(_RINGS)[:, None] * _SPOKES + np.arange(_SPOKES)
    beside = np.roll(here, -1, axis=1)
    tip = np.stack([np.zeros(_SPOKES, np.int64), here[0], beside[0]], axis=-1)
    quads = np.stack([here[:-1], here[1:], beside[1:], beside[:-1]], axis=-1).reshape(-1, 4)
    return at, np.concatenate([tip, quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _thin_plate(at: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """[V, K] weights that give a thin plate's values at some places from those at its controls."""
    scale, (count, _) = controls.std(), controls.shape
    at, controls = at / scale, controls / scale

    def bending(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        squared = np.square(a[:, None] - b[None]).sum(axis=-1)
        return squared * np.log(np.maximum(squared, 1e-12)) / 2

    def affine(a: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(a), 1)), a], axis=1)

    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = bending(controls, controls) + _STIFF * np.eye(count)
    system[:count, count:] = affine(controls)
    system[count:, :count] = affine(controls).T
    row = np.concatenate([bending(at, controls), affine(at)], axis=1)
    return np.linalg.solve(system.T, row.T).T[:, :count]

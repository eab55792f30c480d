"""What is painted once for a drawn person (`actor`): skin with its relief, hair, body, room.

Everything lies on sheets: pictures with a matrix from pixels (column, row, 1) to (x, y, 1) in
millimetres of the head frame of `emojax.data.face68` (x to the image right, y up). The skin's sheet
has maps beside its colours: the relief z(x, y), a thin-plate spline through the landmarks, and how
far the skin there moves with the jaw and the brows. Expression is linear: `shape`.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from emojax.data import face68
from emojax.data.face68 import MEAN_SHAPE
from emojax.data.labels import Label
from emojax.opencv import cv2

NEUTRAL_OPENING = face68.lip_gap(MEAN_SHAPE)  # mm, of the mean shape


class Sheet(NamedTuple):
    """A painted plane: colours [h, w, 3], labels [h, w] (0: nothing), matrix to mm [3, 3]."""

    colors: np.ndarray
    labels: np.ndarray
    to_mm: np.ndarray


class Look(NamedTuple):
    """A person: sheets, the skin's maps [h, w, 3] (relief z, jaw dy, brow dy) and colour."""

    skin: Sheet
    maps: np.ndarray
    hair: Sheet
    body: Sheet
    tone: np.ndarray


# --- shape ---


def _basis() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Displacements [68, 3] of 1 mm of mouth opening, of closed lids, and of 1 mm of brow rise."""
    jaw, lids, brows = np.zeros((3, 68, 3))
    for upper, lower in ((61, 67), (62, 66), (63, 65)):  # an opening of 0 makes them meet
        gap = (MEAN_SHAPE[upper] - MEAN_SHAPE[lower]) / NEUTRAL_OPENING
        jaw[upper], jaw[lower] = 0.12 * gap, -0.88 * gap
    jaw[[51, 50, 52], 1], jaw[[57, 56, 58], 1] = 0.12, -0.88
    jaw[[55, 59], 1] = -0.62
    jaw[[48, 54, 60, 64], 1] = -0.25
    jaw[[48, 60], 0], jaw[[54, 64], 0] = 0.15, -0.15
    jaw[2:15, 1] = -0.75 * np.array([0, 0.1, 0.3, 0.6, 0.85, 1, 1, 1, 0.85, 0.6, 0.3, 0.1, 0])
    upper, lower = np.array(face68.LID_PAIRS).T
    height = MEAN_SHAPE[upper] - MEAN_SHAPE[lower]
    lids[upper], lids[lower] = -0.8 * height, 0.15 * height
    brows[17:27, 1] = [0.7, 0.9, 1, 1, 0.9, 0.9, 1, 1, 0.9, 0.7]
    return jaw, lids, brows


JAW, LIDS, BROWS = _basis()
_HALF_HAIRLINE = [(78, 22, -50), (74, 45, -36), (62, 66, -20), (36, 78, -4), (0, 80, 2)]
HAIRLINE = np.array(  # from point 16 over the forehead to point 0
    [*_HALF_HAIRLINE, *((-x, y, z) for x, y, z in _HALF_HAIRLINE[-2::-1])], float
)
# Points that hold the relief where there are no landmarks: forehead, cheek bones, cheeks.
_SUPPORT = np.array(
    [[0, 50, 25], [40, 48, 12], [60, 35, -8], [56, -18, -4], [40, -30, 14], [48, -60, 0]], float
)


def shape(opening: float, blink: float, brow: float) -> np.ndarray:
    """The 68 points [68, 3], mm: lips `opening` mm apart, lids shut by `blink`, brows up by mm."""
    return MEAN_SHAPE + (opening - NEUTRAL_OPENING) * JAW + blink * LIDS + brow * BROWS


def _spline(values: np.ndarray, points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Thin-plate spline of values [N, K] at points [N, 2] on a grid [..., 2] -> [..., K]."""

    def kernel(a, b):
        square = np.square(a[..., None, :] - b).sum(axis=-1)
        return square * np.log(square + 1e-9)

    n = len(points)
    affine = np.concatenate([np.ones((n, 1)), points], axis=1)
    smooth = 40.0 * np.eye(n)
    system = np.block([[kernel(points, points) + smooth, affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.concatenate([values, np.zeros((3, values.shape[1]))]))
    return kernel(grid, points) @ weights[:n] + weights[n] + grid @ weights[n + 1 :]


# --- polygons ---


@functools.cache
def _catmull_rom(count: int, closed: bool) -> np.ndarray:
    """The matrix from `count` points to six points per segment of the curve through them."""
    t = np.arange(6)[:, None] / 6
    blend = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    rows = []
    for i in range(count if closed else count - 1):
        block = np.zeros((6, count))
        for k in range(4):
            j = i + k - 1
            j = j % count if closed else min(max(j, 0), count - 1)
            block[:, j] += blend[k][:, 0] / 2
        rows.append(block)
    return np.concatenate(rows if closed else [*rows, np.eye(count)[-1:]])


def curve(points: np.ndarray, *, closed: bool = False) -> np.ndarray:
    """A smooth curve through points [N, D]."""
    return _catmull_rom(len(points), closed) @ points


def band(line: np.ndarray, above, below) -> np.ndarray:
    """The polygon between a line shifted by one vector and by another."""
    return np.concatenate([line + above, (line + below)[::-1]])


def oval(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """An ellipse as a polygon."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def fill(image: np.ndarray, polygon: np.ndarray, color) -> None:
    """Fills a polygon given in pixel indices, to 1/16 pixel."""
    cv2.fillPoly(image, [np.round(polygon * 16).astype(np.int32)], color, shift=4)


def pixels(mm: np.ndarray, to_mm: np.ndarray) -> np.ndarray:
    """Pixels [..., 2] of a sheet for millimetres [..., 2]."""
    return (mm - to_mm[:2, 2]) / np.diag(to_mm)[:2]


def _sheet(x0: float, x1: float, y0: float, y1: float, scale: float):
    """Millimetres (x, y) of every pixel of a sheet with `scale` pixels per mm, and its matrix."""
    to_mm = np.array([[1 / scale, 0, x0], [0, -1 / scale, y1], [0, 0, 1]])
    columns, rows = np.arange(round((x1 - x0) * scale)), np.arange(round((y1 - y0) * scale))
    return *np.meshgrid(x0 + columns / scale, y1 - rows / scale), to_mm


def _noise(rng: np.random.Generator, size: tuple[int, ...], sigma: float) -> np.ndarray:
    """Smooth noise of unit variance, [h, w]."""
    noise = cv2.GaussianBlur(rng.standard_normal(size, dtype=np.float32), (0, 0), sigma)
    return noise / noise.std()


def _bytes(colors: np.ndarray) -> np.ndarray:
    return np.clip(colors, 0, 255).astype(np.uint8)


# --- paintings ---


def _paint_skin(rng, tone: np.ndarray, hair: np.ndarray) -> tuple[Sheet, np.ndarray]:
    """The face from the chin to the hairline, without eyes and lips, and its maps."""
    scale = 2.0
    x, y, to_mm = _sheet(-92, 92, -126, 92, scale)
    outer = np.r_[0:60]  # not the inner lips: they would tear the sheet
    points = np.concatenate([MEAN_SHAPE[outer], HAIRLINE, _SUPPORT, _SUPPORT[1:] * (-1, 1, 1)])
    values = np.zeros((len(points), 3))
    values[:, 0], values[outer, 1], values[outer, 2] = points[:, 2], JAW[outer, 1], BROWS[outer, 1]
    step = 6
    maps = _spline(values, points[:, :2], np.stack([x, y], axis=-1)[::step, ::step])
    # Sample k of the coarse grid belongs to pixel step * k, not to the middle of its block.
    at = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) / step for n in x.shape[::-1])), -1)
    maps = cv2.remap(
        maps.astype(np.float32), at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )

    def soft(sigma, *polygons):
        """The polygons with edges blurred by sigma mm, and their mirror images."""
        mask = np.zeros(x.shape, np.float32)
        for polygon in polygons:
            fill(mask, pixels(polygon, to_mm), 1.0)
            fill(mask, pixels(polygon * (-1, 1), to_mm), 1.0)
        return cv2.GaussianBlur(mask, (0, 0), sigma * scale)[..., None]

    relief = cv2.GaussianBlur(maps[..., 0], (0, 0), 2 * scale)
    dy, dx = np.gradient(relief, 1 / scale)
    normal = np.stack([-dx, dy, np.ones_like(dx)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    hollow = cv2.GaussianBlur(relief, (0, 0), 12 * scale) - relief
    light = np.clip(normal @ [-0.3, 0.42, 0.86], 0, 1)
    face = tone * (0.42 + 0.62 * light - 0.02 * np.clip(hollow, -4, 8))[..., None]
    face *= 1 - soft(4, oval(32, -1, 19, 11)) * (0.16, 0.2, 0.22)  # eye sockets
    face *= 1 + soft(8, oval(42, -33, 15, 13)) * (0.05, -0.07, -0.08)  # cheeks
    face *= 1 - soft(2, oval(0, -51, 17, 4)) * 0.3  # shadow of the nose
    face *= 1 - soft(1.2, oval(16, -43, 2, 6)) * 0.35  # wings of the nose
    face *= 1 - soft(0.7, oval(7.2, -46.5, 4.2, 2.2)) * (0.62, 0.7, 0.7)  # nostrils
    face *= 1 + soft(2, oval(0, -33, 4, 5), oval(-1, -12, 2, 14)) * 0.14  # light on the nose
    face *= 1 - soft(2, oval(0, -86, 14, 3.5)) * 0.28  # under the lower lip
    face *= 1 - soft(1.2, oval(0, -55, 2, 4)) * 0.12  # philtrum
    edge = band(curve(HAIRLINE[:, :2]), (0, 9), (0, -7))
    face *= 1 - soft(4, edge) * 0.4  # shadow of the hair
    line = curve(MEAN_SHAPE[list(face68.RIGHT_BROW), :2] - (0, 0.5))
    thick = np.sin(np.linspace(0.35, 2.4, len(line)))[:, None] * (0, 2.7)
    brows = soft(1, band(line, thick, -thick)) * (0.82 + 0.1 * _noise(rng, x.shape, 1.0)[..., None])
    face += (0.8 * hair - face) * brows
    spots = cv2.GaussianBlur((rng.random(x.shape) < 0.0025).astype(np.float32), (0, 0), 0.7 * scale)
    face *= (1 + 0.025 * _noise(rng, x.shape, 2.5 * scale) - 0.5 * spots)[..., None]
    return Sheet(_bytes(face), np.full(x.shape, Label.FACE, np.uint8), to_mm), maps


def _paint_hair(rng, tone: np.ndarray, hair: np.ndarray) -> Sheet:
    """Hair behind and above the face, and the ears."""
    x, y, to_mm = _sheet(-125, 125, -75, 165, 2.0)
    labels = np.zeros(x.shape, np.uint8)
    half = np.array([[34, 129], [66, 112], [85, 82], [91, 45], [89, 12], [82, -12]], float)
    half[:, 0] += rng.uniform(-2, 2, len(half))
    outline = np.concatenate([[[0, 132]], half, [[60, -52], [-60, -52]], half[::-1] * (-1, 1)])
    fill(labels, pixels(curve(outline, closed=True), to_mm), int(Label.HAIR))
    # Strands run from the crown: noise that is short in angle and long in radius.
    angle, radius = np.arctan2(x, y + 40), np.hypot(x, y + 40)
    at = np.stack([256 + 75 * angle, radius / 9], axis=-1).astype(np.float32)
    noise = _noise(rng, (32, 512), 1.2)
    strands = cv2.remap(noise, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    gloss = np.exp(-np.square((radius - 140) / 14)) * np.clip(1 - np.abs(angle), 0, 1)
    colors = hair * (1 + 0.22 * strands + 0.7 * gloss)[..., None]
    ear = np.array([[74, 2], [82, 10], [90, 8], [92, -6], [87, -24], [80, -36], [73, -34]])
    for side in (-1, 1):
        for size, shade in ((1.0, 0.74), (0.6, 0.55)):
            mask = np.zeros(x.shape, np.uint8)
            part = curve((ear - (80, -12)) * size + (80, -12), closed=True)
            fill(mask, pixels(part * (side, 1), to_mm), 1)
            colors[mask > 0], labels[mask > 0] = tone * shade, Label.FACE
    return Sheet(_bytes(colors), labels, to_mm)


def _paint_body(rng, tone: np.ndarray, cloth: np.ndarray) -> Sheet:
    """Neck, and a shirt with a collar."""
    x, y, to_mm = _sheet(-330, 330, -460, -40, 1.3)
    labels = np.zeros(x.shape, np.uint8)
    arm = np.array([[62, -158], [100, -176], [165, -196], [215, -225], [245, -290], [255, -470]])
    fill(labels, pixels(np.concatenate([arm, arm[::-1] * (-1, 1)]), to_mm), int(Label.TORSO))
    neck = np.array([[54, -40], [55, -110], [60, -150], [66, -168], [24, -205], [0, -222]])
    fill(labels, pixels(np.concatenate([neck, neck[::-1] * (-1, 1)]), to_mm), int(Label.NECK))
    weave = 0.05 * np.sin(0.55 * x + 3) * np.sin(0.5 * y) + 0.03 * _noise(rng, x.shape, 1.0)
    shade = 0.95 + weave + 0.09 * _noise(rng, x.shape, 22.0) - np.abs(x) / 1000
    round_neck = 0.8 - 0.25 * np.square(x / 58) + 0.1 * np.clip(x / -58, -1, 1)
    round_neck = round_neck + 0.012 * _noise(rng, x.shape, 4.0)
    skin = (labels == Label.NECK)[..., None]
    colors = np.where(skin, tone * round_neck[..., None], cloth * shade[..., None])
    collar = np.array([[66, -150], [78, -172], [48, -226], [2, -222], [22, -206], [58, -172]])
    for side in (-1, 1):
        mask = np.zeros(x.shape, np.uint8)
        fill(mask, pixels(collar * (side, 1.0), to_mm), 1)
        edge = (cv2.dilate(mask, np.ones((5, 5), np.uint8)) > mask) & (labels == Label.TORSO)
        colors[edge] *= 0.7
        colors[mask > 0], labels[mask > 0] = (
            (1.22 * cloth * shade[..., None])[mask > 0],
            Label.TORSO,
        )
    return Sheet(_bytes(colors), labels, to_mm)


def look(rng: np.random.Generator) -> Look:
    """A random person."""
    tone = np.array([232, 188, 160]) * rng.uniform(0.9, 1.0) + rng.uniform(-6, 6, 3)
    hair = np.array([66, 48, 36]) * rng.uniform(0.7, 1.2)
    cloth = rng.choice(np.array([[70, 90, 130], [110, 60, 60], [80, 100, 80], [95, 95, 105.0]]))
    skin, maps = _paint_skin(rng, tone, hair)
    return Look(skin, maps, _paint_hair(rng, tone, hair), _paint_body(rng, tone, cloth), tone)


def room(rng: np.random.Generator, side: int) -> np.ndarray:
    """A background [side, side, 3] uint8: soft rectangles, as of a bookshelf out of focus."""
    unit = side / 512
    wall = np.full((side, side, 3), rng.uniform(120, 150, 3), np.float32)
    for floor in np.arange(106, 700, 118) * unit:
        x = -20.0
        while x < side:
            width, height = rng.uniform(14, 46) * unit, rng.uniform(55, 100) * unit
            color = rng.uniform(70, 190) + rng.uniform(-30, 30, 3)
            foot = np.array([[x, floor], [x + width, floor]])
            fill(wall, band(foot, 0.0, (0, -height)), color.tolist())
            x += width + rng.uniform(1, 12) * unit
        shelf = np.array([[0, floor], [side, floor]])
        fill(wall, band(shelf, 0.0, (0, 9 * unit)), (95, 80, 70))
    return _bytes(cv2.GaussianBlur(wall, (0, 0), 6 * unit))

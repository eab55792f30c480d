"""Puts a person of `actor_look` into a picture, under a pose and with an expression.

The skin is traced: for each pixel inside the face's outline the point of the relief that it sees is
found, so that freckles move by exact projection. Hair and body are planes, put in by homographies;
eyes and mouth are polygons through the projected landmarks. Canvases are uint8 [side, side, 3] RGB
with labels uint8 [side, side]; both are changed in place. Lengths are millimetres.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emojax.data import face68
from emojax.data.labels import Label
from emojax.opencv import cv2
from tests.data.actor_look import (
    HAIRLINE,
    NEUTRAL_OPENING,
    Look,
    Sheet,
    band,
    curve,
    fill,
    oval,
    pixels,
    shape,
)

_HAIR_PLANE, _BODY_PLANE = -50.0, -80.0  # z of the painted planes, head frame
_SHADOW_DROP = 20.0  # mm from the chin down to its shadow on the neck


class View(NamedTuple):
    """A pinhole camera, focal and centre in pixels: camera = rotation @ head + translation."""

    rotation: np.ndarray
    translation: np.ndarray
    focal: float
    center: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixel indices [N, 2] of points [N, 3] of the head frame."""
        seen = points @ self.rotation.T + self.translation
        return self.focal * seen[:, :2] / seen[:, 2:] + self.center

    def plane(self, sheet: Sheet, z: float) -> np.ndarray:
        """The homography from a sheet's pixels, at depth z of the head frame, to the picture."""
        rotation, f, c = self.rotation, self.focal, self.center
        columns = [rotation[:, 0], rotation[:, 1], rotation[:, 2] * z + self.translation]
        return np.array([[f, 0, c], [0, f, c], [0, 0, 1]]) @ np.stack(columns, axis=1) @ sheet.to_mm


class Face(NamedTuple):
    """An expression: opening of the mouth (mm), lids (0 open to 1), brows (mm), gaze [2] (mm)."""

    opening: float
    blink: float
    brow: float
    gaze: np.ndarray


def _window(polygon: np.ndarray, side: int, *, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 (x, y) of the pixels around a polygon that lie in the picture."""
    low = np.clip(np.floor(polygon.min(axis=0)).astype(int) - margin, 0, side - 1)
    return low, np.clip(np.ceil(polygon.max(axis=0)).astype(int) + margin + 1, low + 1, side)


def _put_sheet(canvas, labels, sheet: Sheet, matrix: np.ndarray) -> None:
    """Puts a painted plane into the picture."""
    size = canvas.shape[1::-1]
    colors = cv2.warpPerspective(sheet.colors, matrix, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(sheet.labels, matrix, size, flags=cv2.INTER_NEAREST)
    cv2.copyTo(colors, mask, canvas)
    cv2.copyTo(mask, mask, labels)


def _trace(look: Look, view: View, face: Face, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Pixels of the skin's sheet [h, w, 2] that the picture's pixels from low to high see."""
    step = 4  # pixels between traced rays; linear in between
    count = -(-(high - low) // step)
    u, v = (low[i] + np.arange(count[i]) * step + (step - 1) / 2 for i in (0, 1))
    rays = np.stack([*np.meshgrid(u, v), np.full(count[::-1], view.focal)], axis=-1)
    rays[..., :2] -= view.center
    rays, eye = rays @ view.rotation, -view.translation @ view.rotation  # in the head frame
    hit = np.zeros((*count[::-1], 3), np.float32)  # relief, jaw and brow maps where the ray ends
    for _ in range(
        5
    ):  # meet the plane at the depth found last; the slope of a face lets it converge
        xy = eye[:2] + rays[..., :2] * (hit[..., :1] - eye[2]) / rays[..., 2:]
        xy[..., 1] -= (face.opening - NEUTRAL_OPENING) * hit[..., 1] + face.brow * hit[..., 2]
        at = pixels(xy, look.skin.to_mm).astype(np.float32)
        hit = cv2.remap(look.maps, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    at = cv2.resize(at, (count * step).tolist(), interpolation=cv2.INTER_LINEAR)
    return at[: high[1] - low[1], : high[0] - low[0]]


def _put_skin(canvas, labels, look: Look, view: View, face: Face, outline: np.ndarray) -> None:
    """Puts in the skin within an outline, and the chin's shadow on the neck."""
    side = len(canvas)
    drop = view.focal / view.translation[2] * np.array([0, _SHADOW_DROP])
    low, high = _window(np.concatenate([outline, outline + 2.5 * drop]), side, margin=0)
    below = np.s_[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(labels[below].shape, np.float32)
    fill(mask, outline + drop - low, 0.5)
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.08 * drop[1])
    light = 1 - cv2.resize(small, mask.shape[::-1]) * (labels[below] >= Label.NECK)
    canvas[below] = canvas[below] * light[..., None]

    low, high = _window(outline, side, margin=0)
    region = np.s_[low[1] : high[1], low[0] : high[0]]
    at = _trace(look, view, face, low, high)
    skin = cv2.remap(look.skin.colors, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(skin.shape[:2], np.uint8)
    fill(mask, outline - low, int(Label.FACE))
    cv2.copyTo(skin, mask, canvas[region])
    cv2.copyTo(mask, mask, labels[region])


def _put_eye(canvas, points: np.ndarray, up: np.ndarray, gaze: np.ndarray, tone: np.ndarray):
    """Draws an eye through six landmarks; `up` is 1 mm of the head's y in pixels."""
    mm = np.linalg.norm(up)
    upper, lower = curve(points[:4]), curve(points[[3, 4, 5, 0]])
    fill(canvas, band(upper, 4.4 * up, 3.2 * up), (0.5 * tone).tolist())  # fold of the lid
    ball = np.concatenate([upper, lower[1:]])
    low, high = _window(ball, len(canvas), margin=2)
    region = canvas[low[1] : high[1], low[0] : high[0]]
    mask, colors = np.zeros(region.shape[:2], np.uint8), np.full_like(region, (222, 214, 208))
    fill(mask, ball - low, 255)
    middle = (points[0] + points[3]) / 2 - low + gaze * mm - 0.8 * up
    for radius, color in ((6.2, (48, 36, 30)), (5.0, (92, 66, 46)), (2.4, (14, 12, 12))):
        fill(colors, oval(*middle, radius * mm, radius * mm), color)
    fill(colors, oval(*(middle + 2 * up - (1.6 * mm, 0)), mm, mm), (245, 245, 245))
    fill(colors, band(upper - low, up, -1.8 * up), (110, 92, 84))  # shadow of the lid
    cv2.copyTo(colors, mask, region)
    fill(canvas, band(upper, 1.5 * up, -0.3 * up), (36, 26, 24))  # lashes
    fill(canvas, band(lower, 0.2 * up, -0.9 * up), (0.55 * tone).tolist())


def _put_mouth(canvas, labels, points: np.ndarray, up: np.ndarray, tone: np.ndarray) -> None:
    """Draws lips, the inside of the mouth and the upper teeth through the landmarks."""
    lip = tone * (0.78, 0.56, 0.55)
    upper, lower = curve(points[60:65]), curve(points[[64, 65, 66, 67, 60]])
    fill(canvas, np.concatenate([curve(points[48:55]), upper[::-1]]), (0.82 * lip).tolist())
    outer = curve(points[[54, 55, 56, 57, 58, 59, 48]])
    fill(canvas, np.concatenate([outer, lower[::-1]]), lip.tolist())
    fill(canvas, band(upper, 0.5 * up, -0.5 * up), (70, 30, 30))  # seen where the lips meet
    if face68.lip_gap(points) < 0.3 * np.linalg.norm(up):
        return  # a closed mouth has no inside; filling its outline would colour the line
    inside = np.concatenate([upper, lower])
    low, high = _window(inside, len(canvas), margin=2)
    region = np.s_[low[1] : high[1], low[0] : high[0]]
    mask, teeth = np.zeros((2, *labels[region].shape), np.uint8)
    colors = np.full_like(canvas[region], (50, 18, 18))
    row = band(upper[4:-4] - low, -1.2 * up, -5.0 * up)
    fill(mask, inside - low, int(Label.MOUTH))
    fill(colors, row, (206, 200, 188))
    fill(teeth, row, 1)
    cv2.copyTo(colors, mask, canvas[region])
    mask[(teeth > 0) & (mask > 0)] = Label.TEETH
    cv2.copyTo(mask, mask, labels[region])


def put_person(canvas, labels, look: Look, head: View, body: View, face: Face, *, away: bool):
    """Draws a person in place, with `away` the back of the head in front of the body."""
    hair = look.hair, head.plane(look.hair, _HAIR_PLANE)
    trunk = look.body, body.plane(look.body, _BODY_PLANE)
    for sheet, plane in (trunk, hair) if away else (hair, trunk):
        _put_sheet(canvas, labels, sheet, plane)
    if away:
        return
    points = shape(face.opening, face.blink, face.brow)
    outline = head.project(np.concatenate([curve(points[list(face68.CONTOUR)]), curve(HAIRLINE)]))
    _put_skin(canvas, labels, look, head, face, outline)
    landmarks = head.project(points)
    foot, top = head.project(np.array([[0.0, 0, 20], [0, 10, 20]]))
    up = (top - foot) / 10
    for eye in (face68.RIGHT_EYE, face68.LEFT_EYE):
        _put_eye(canvas, landmarks[list(eye)], up, face.gaze, look.tone)
    _put_mouth(canvas, labels, landmarks, up, look.tone)

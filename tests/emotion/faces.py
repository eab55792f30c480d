"""A drawn face with known landmarks: what the tests of this folder move about."""

import functools

import numpy as np

from emojax.data import face68
from emojax.opencv import cv2

SIZE = 256


@functools.cache
def landmarks(*, size=SIZE, roll=0.0, gap=0.0, shift=(0.0, 0.0)):
    """The mean face from the front, [68, 2] pixels; the lips `gap` mm further apart."""
    shape = face68.MEAN_SHAPE[:, :2].copy()
    lower = [55, 56, 57, 58, 59, 65, 66, 67]
    shape[lower, 1] -= gap
    points = shape * np.array([1, -1]) * (size * 0.0042)
    cos, sin = np.cos(roll), np.sin(roll)
    points = points @ np.array([[cos, sin], [-sin, cos]])
    points = points + np.array([0.5, 0.40]) * size + np.array(shift)
    points.setflags(write=False)
    return points


@functools.cache
def picture(*, size=SIZE, roll=0.0, gap=0.0, shift=(0.0, 0.0)):
    """The face of `landmarks` with texture everywhere, uint8 [size, size, 3]."""
    points = landmarks(size=size, roll=roll, gap=gap, shift=shift)
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(size=(size, size, 3)), (0, 0), 1.5) * 60
    image = np.full((size, size, 3), (60, 90, 120), np.float32)

    def fill(where, color):
        corners = np.int32(np.round(points[list(where)] * 16))
        cv2.fillPoly(image, [corners], color, shift=4, lineType=cv2.LINE_AA)

    head = [*range(17), 26, 25, 24, 19, 18, 17]
    fill(head, (205, 160, 135))
    for brow in (face68.RIGHT_BROW, face68.LEFT_BROW):
        line = np.int32(np.round(points[list(brow)] * 16))
        cv2.polylines(image, [line], False, (70, 45, 35), size // 64, cv2.LINE_AA, 4)
    for eye in (face68.RIGHT_EYE, face68.LEFT_EYE):
        fill(eye, (235, 235, 235))
        middle = points[list(eye)].mean(axis=0)
        cv2.circle(image, tuple(np.int32(middle * 16)), size // 3, (60, 40, 30), -1, cv2.LINE_AA, 4)
    fill(face68.OUTER_LIP, (180, 80, 85))
    fill(face68.INNER_LIP, (60, 20, 25))
    result = np.uint8(np.clip(image + noise, 0, 255))
    result.setflags(write=False)
    return result

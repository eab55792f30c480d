"""A slow, rough parser of portraits that needs no training: it teaches the student of a clip.

GrabCut (Rother et al. 2004) cuts the person out of a frame, with seeds laid around the landmarks;
rules about place and skin colour then name the regions. Some frames come out wrong and some pixels
undecided: both are meant, for `segmentation` learns from many frames and outvotes them.

Pictures here are RGB uint8 [S, S, 3] of a fixed small side (`segmentation.SIDE`), landmarks
[68, 2] pixels of that picture, and places in the head frame (a, b) of `headframe`.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.data.masks import headframe
from emojax.opencv import cv2

UNDECIDED = 255

_MIN_SKIN = 100  # pixels that can tell a colour
_BINS = 16  # of a colour channel
_ITERATIONS = 3  # of GrabCut; more change nothing that is visible

# Contour points that bound the jaw; beyond them, at the ears, its line goes on level.
_JAW = slice(3, 14)
_BROWS = [17, 18, 19, 20, 21, 22, 23, 24, 25, 26]
# Parts of the face that have not the colour of skin: brows, eyes, lips.
_FEATURES = (slice(17, 22), slice(22, 27), slice(36, 42), slice(42, 48), slice(48, 60))

# Squared Mahalanobis distances of Lab colours: chi-squared of 3 degrees of freedom at 0.99, and
# what hardly any skin reaches.
_SKIN, _NOT_SKIN = 11.3, 25.0
# Difference of such distances below which two colours fit about as well.
_DOUBT = 3.0
# The top of a head that lies this near to the skin's colours bears no hair; brown hair has 15.
_BALD = 6.0
# The same for the two chromaticities, which shadow leaves alone (0.97 of 2 degrees).
_SKIN_CHROMA, _NOT_SKIN_CHROMA = 7.0, 16.0
# Least variances of Lab: a clean recording would else call its own noise another colour.
_FLOOR = (9.0, 2.0, 2.0)
# Skin of a side-lit face spreads so widely that dark hair would fit: this dark is no skin.
_DARK = 0.45


@dataclasses.dataclass(frozen=True)
class SkinColor:
    """The colours of a person's skin over a clip.

    Attributes:
      mean: [3] Lab (L 0-100).
      precision: [3, 3] inverse covariance.
      chroma_mean: [2] of (a/L, b/L).
      chroma_precision: [2, 2].
    """

    mean: np.ndarray
    precision: np.ndarray
    chroma_mean: np.ndarray
    chroma_precision: np.ndarray


class Palette(NamedTuple):
    """Which colours belong to the room and which to the clothes of a clip.

    Attributes:
      room: bool [_BINS**3], seen beside the head.
      clothes: bool [_BINS**3], seen below the chin and not in the room.
    """

    room: np.ndarray
    clothes: np.ndarray


def lab(image: np.ndarray) -> np.ndarray:
    """Returns the CIE Lab colours of a picture, float32, L from 0 to 100.

    Args:
      image: RGB uint8 [H, W, 3].
    """
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def _filled(polygon, size):
    """The inside of a polygon of sub-pixel points, bool [size, size]."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 1, shift=4)
    return mask > 0


def _face(landmarks, size):
    """The face: contour, closed above the raised brows."""
    down = landmarks[8] - landmarks[27]
    brows = landmarks[_BROWS] - 0.15 * down
    return _filled(np.concatenate([landmarks[:17], brows[::-1]]), size)


def _skin_pixels(landmarks, size):
    """The face below the brows without eyes, brows and lips."""
    mask = _filled(np.concatenate([landmarks[:17], landmarks[_BROWS][::-1]]), size)
    mask = cv2.erode(mask.astype(np.uint8), np.ones((5, 5)))
    for part in _FEATURES:
        hull = cv2.convexHull(landmarks[part].astype(np.float32))[:, 0]
        mask &= ~cv2.dilate(_filled(hull, size).astype(np.uint8), np.ones((7, 7)))
    return mask > 0


def _chroma(colors):
    return colors[..., 1:] / np.maximum(colors[..., :1], 5)


def _distance(colors, mean, precision):
    """Squared Mahalanobis distance along the last axis."""
    offset = colors - mean
    return np.einsum("...i,ij,...j->...", offset, precision, offset)


def fit_hair(
    pictures: list[np.ndarray], landmarks: np.ndarray, foregrounds: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the Lab colours of the top of a head: of hair, or of a bald skull.

    Args:
      pictures: RGB uint8 [S, S, 3] each.
      landmarks: [len(pictures), 68, 2] pixels.
      foregrounds: bool [S, S] each, of `person`.

    Returns:
      mean [3] and inverse covariance [3, 3].
    """
    samples = [np.zeros((0, 3))]
    for picture, points, foreground in zip(pictures, landmarks, foregrounds, strict=True):
        a, b = headframe.grids(points, picture.shape[0])
        samples.append(lab(picture)[foreground & (b < -1.1) & (np.abs(a) < 0.7)][::7])
    colors = np.concatenate(samples)
    if len(colors) < 100:  # cropped above the forehead: nothing is known
        return np.zeros(3), np.eye(3)
    low, high = np.percentile(colors[:, 0], [5, 95])
    colors = colors[(colors[:, 0] >= low) & (colors[:, 0] <= high)]
    return colors.mean(axis=0), np.linalg.inv(np.cov(colors.T) + np.diag(_FLOOR))


def fit_skin(pictures: list[np.ndarray], landmarks: np.ndarray) -> SkinColor:
    """Returns the skin colours of some frames of one person.

    Args:
      pictures: RGB uint8 [S, S, 3] each.
      landmarks: [len(pictures), 68, 2] pixels.

    Raises:
      DataError: the landmarks enclose next to no pixels.
    """
    colors = [
        lab(picture)[_skin_pixels(points, picture.shape[0])][::7]
        for picture, points in zip(pictures, landmarks, strict=True)
    ]
    colors = np.concatenate(colors).astype(np.float64)
    if len(colors) < _MIN_SKIN:
        raise DataError(
            expected="a face inside the picture",
            got=f"landmarks that enclose {len(colors)} pixels of skin in {len(pictures)} frames",
            fix="Crop the video so that the face is in the picture, and run the landmarks again.",
        )
    # The middle nine tenths in lightness: no highlights, no shadow of the nose, no glasses.
    low, high = np.percentile(colors[:, 0], [5, 95])
    colors = colors[(colors[:, 0] >= low) & (colors[:, 0] <= high)]
    chroma = _chroma(colors)
    return SkinColor(
        colors.mean(axis=0),
        np.linalg.inv(np.cov(colors.T) + np.diag(_FLOOR)),
        chroma.mean(axis=0),
        np.linalg.inv(np.cov(chroma.T) + 4e-4 * np.eye(2)),
    )


def _far(a, b):
    """Where no hair reaches; 1.25 x 1.75 would cut the hair of a head that looks down."""
    return np.square(a / 1.3) + np.square(b / 2) > 1


def _surely_behind(landmarks, size):
    """Far from the head and above the shoulders, bool [size, size]."""
    a, b = headframe.grids(landmarks, size)
    return _far(a, b) & (b < headframe.points(landmarks)[8, 1] - 0.35)


def _cone(a, below):
    """Where clothes are, at the least: it widens from the chin downwards."""
    return np.abs(a) < 0.75 + 2.6 * below


def _common(counts):
    """All colours but the rarest hundredth: a lock of hair or a hand is left out."""
    # Neighbouring colours count too: noise, and the light of another day.
    cube = counts.reshape(_BINS, _BINS, _BINS)
    for axis in range(3):
        cube = np.apply_along_axis(np.convolve, axis, cube, [0.25, 0.5, 0.25], mode="same")
    order = np.sort(cube, axis=None)[::-1]
    enough = np.searchsorted(np.cumsum(order), 0.99 * order.sum())
    return ((cube >= order[min(enough, order.size - 1)]) & (cube > 0)).ravel()


def fit_palette(pictures: list[np.ndarray], landmarks: np.ndarray) -> Palette:
    """Returns the colours of the room and of the clothes.

    Args:
      pictures: RGB uint8 [S, S, 3] each.
      landmarks: [len(pictures), 68, 2] pixels.
    """
    room, clothes = np.zeros((2, _BINS**3))
    for picture, points in zip(pictures, landmarks, strict=True):
        size = picture.shape[0]
        a, b = headframe.grids(points, size)
        below = b - headframe.points(points)[8, 1]
        bins = _bins(picture)
        room += np.bincount(bins[_surely_behind(points, size)], minlength=room.size)
        inner = (below > 0) & _cone(a, below)
        clothes += np.bincount(bins[inner], minlength=room.size)
    room = _common(room)
    return Palette(room, _common(clothes) & ~room)


def _bins(colors):
    red, green, blue = np.moveaxis(colors // (256 // _BINS), -1, 0).astype(np.int64)
    return (red * _BINS + green) * _BINS + blue


def person(image: np.ndarray, landmarks: np.ndarray, palette: Palette) -> np.ndarray:
    """Returns who is in front, by GrabCut with seeds in the head frame.

    Args:
      image: RGB uint8 [S, S, 3].
      landmarks: [68, 2] pixels.
      palette: of the clip.

    Returns:
      bool [S, S].
    """
    size = image.shape[0]
    a, b = headframe.grids(landmarks, size)
    chin = headframe.points(landmarks)[8, 1]
    near = np.square(a) + np.square((b - 0.1) / 1.45) < 1
    below = b - chin
    cone = _cone(a, below) & (below > -0.3)
    strip = (np.abs(a) < 0.35) & (below > 0)
    wedge = (np.abs(a) < 1 + 0.8 * (below - 0.5)) & (below > 0.5)

    mask = np.full((size, size), cv2.GC_PR_BGD, np.uint8)
    # Hair and clothes end anywhere: what the room beside the head never shows probably is hair,
    # and clothes go on as far as their colours do.
    bins = _bins(image)
    hair = ~_far(a, b) & ~palette.room[bins]
    clothes = (below > -0.3) & palette.clothes[bins]
    mask[near | cone | hair | clothes] = cv2.GC_PR_FGD
    mask[_surely_behind(landmarks, size) & palette.room[bins]] = cv2.GC_BGD
    mask[_face(landmarks, size) | strip | wedge] = cv2.GC_FGD
    if not ((mask == cv2.GC_BGD) | (mask == cv2.GC_PR_BGD)).any():
        return np.ones((size, size), bool)
    cv2.setRNGSeed(0)  # GrabCut starts from k-means: the same frame shall give the same mask
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, mask, None, *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def regions(
    image: np.ndarray,
    landmarks: np.ndarray,
    foreground: np.ndarray,
    skin: SkinColor,
    hair: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Returns the regions of a frame by rules of place and colour.

    Args:
      image: RGB uint8 [S, S, 3].
      landmarks: [68, 2] pixels.
      foreground: bool [S, S] of `person`.
      skin: of the clip.
      hair: of the clip, by `fit_hair`.

    Returns:
      uint8 [S, S]: BACKGROUND, FACE, HAIR, NECK, TORSO or UNDECIDED.
    """
    size = image.shape[0]
    a, b = headframe.grids(landmarks, size)
    places = headframe.points(landmarks)
    chin = places[8, 1]
    jaw = places[_JAW]
    order = np.argsort(jaw[:, 0])
    line = np.interp(a, jaw[order, 0], jaw[order, 1])

    colors = lab(image)
    distance = _distance(colors, skin.mean, skin.precision)
    dark = colors[..., 0] < _DARK * skin.mean[0]
    is_skin = (distance < _SKIN) & ~dark
    is_not_skin = (distance > _NOT_SKIN) | dark
    chroma = _distance(_chroma(colors), skin.chroma_mean, skin.chroma_precision)

    above = b < line
    out = np.full((size, size), UNDECIDED, np.uint8)
    # Brown hair has colours of skin: where both fit, the likelier has to be so by far.
    gain = _distance(colors, *hair) - np.linalg.slogdet(hair[1])[1]
    gain -= distance - np.linalg.slogdet(skin.precision)[1]
    if _distance(hair[0], skin.mean, skin.precision) < _BALD:
        gain[:] = np.inf
    out[above & is_skin & ((gain > _DOUBT) | (b > 0))] = Label.FACE
    out[above & (is_not_skin | (gain < -_DOUBT)) & (b < 0.45)] = Label.HAIR
    # Below the jaw shadow hides the colour but not the chromaticity of skin; far below, it may be
    # a throat stretched by a raised chin, or a beige cloth.
    like_skin = is_skin | (chroma < _SKIN_CHROMA) & (colors[..., 0] > 10)
    maybe_skin = ~is_not_skin | (chroma < _NOT_SKIN_CHROMA)
    central = ~above & (np.abs(a) < 0.75)
    out[~above] = Label.TORSO
    out[central & (b < chin + 0.55) & maybe_skin] = UNDECIDED
    out[central & (b < chin + 0.9) & like_skin] = UNDECIDED
    out[central & (b < line + 0.15) & (colors[..., 0] < skin.mean[0])] = UNDECIDED
    out[central & (b < chin + 0.55) & like_skin] = Label.NECK
    out[central & (b < chin + 0.9) & is_skin] = Label.NECK
    out[_face(landmarks, size)] = Label.FACE
    out[~foreground] = Label.BACKGROUND
    return out

"""(valence, arousal) -> how the points of a face move, and how its mouth is sheared.

Two steps. Which action units a point of the disc shows is `circumplex`; what each moves is `MOVES`:
at its strongest, in the head frame of `anatomy`, (away from the middle of the face, down), in IOD.
Points between follow in proportion to the intensity.

Sources. Which part goes where is FACS (Ekman, Friesen & Hager 2002). How far: sizes that look like
a person's, found by eye on real faces with x1 natural and x1.25 the most that passes; none is taken
from a measurement of faces. Lids at 45 = 1 are shut: (0, 0.115) is a usual opening.

Lips. Speech owns the opening: units 25 and 26 move nothing. Corners go where 12, 14, 15 and 20
pull them, and *all* of the mouth follows by a shear of columns (`Mouth`), so that the gap, teeth
and tongue keep their shape. 9, 10, 17 and 23 move the outer line of the lips alone.

Arousal also shows by itself (`AROUSED`), or it would hardly show in joy and anger: the upper lid
hangs also on a muscle of the sympathetic nerve (the superior tarsal, of Mueller), whose tone holds
it one or two millimetres higher, and the brows follow a little.

Rules that a table cannot say, each from a picture that went wrong without:
  * lids: the opening stays within 0.4 and 1.5 times what it was, and opens by 0.06 at most; an eye
    that is nearly shut is not opened, or blinks are torn;
  * the bridge of the nose (27) follows the inner brows by half, or frowns fold the skin between;
  * corners of a wide-open mouth move less, or teeth bend;
  * who smiles at rest still does when sad: such a resting lift is taken off (`resting_lift`);
  * the farther half of a turned face moves less to the side.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.data import face68
from emojax.emotion import anatomy, circumplex

# By action unit: landmarks of the picture's left half, or names of `anatomy`, -> (out, down).
Moves = dict[int | str, tuple[float, float]]
_UPPER_LIP: Moves = {49: (0, -0.018), 50: (0, -0.03), 51: (0, -0.03)}
MOVES: dict[int, Moves] = {
    1: {21: (0.01, -0.14), 20: (0, -0.11), 19: (0, -0.05), 38: (0, -0.008)},
    2: {17: (0, -0.08), 18: (0, -0.12), 19: (0, -0.10), 20: (0, -0.04), 37: (0, -0.008)},
    4: {
        **{21: (-0.06, 0.09), 20: (-0.05, 0.09), 19: (-0.03, 0.06), 18: (-0.01, 0.03)},
        17: (0, 0.01),
    },
    5: {37: (0, -0.04), 38: (0, -0.04)},
    6: {
        **{41: (0, -0.022), 40: (0, -0.015), 36: (0, -0.008), 17: (0, 0.015), 18: (0, 0.012)},
        **{"cheek": (0.02, -0.09), "under_eye": (0, -0.05)},
    },
    7: {
        **{40: (0, -0.025), 41: (0, -0.025), 37: (0, 0.004), 38: (0, 0.004)},
        "under_eye": (0, -0.015),
    },
    9: {
        **{31: (0.02, -0.045), "nasolabial": (0, -0.06), "under_eye": (0, -0.04)},
        **{"cheek": (0, -0.03), 40: (0, -0.015), 41: (0, -0.015)},
        **{21: (-0.03, 0.06), 20: (-0.02, 0.05), 19: (0, 0.03)},
        **_UPPER_LIP,
    },
    10: {31: (0.01, -0.02), "nasolabial": (0.01, -0.04), "cheek": (0, -0.015), **_UPPER_LIP},
    12: {
        **{48: (0.11, -0.11), "cheek": (0.05, -0.06), "nasolabial": (0.04, -0.03)},
        31: (0.01, -0.008),
    },
    14: {48: (0.05, -0.03), "nasolabial": (0.02, -0.01)},
    15: {48: (0.01, 0.085)},
    17: {"chin": (0, -0.05), 57: (0, -0.02), 58: (0, -0.02), 59: (0, -0.012)},
    20: {48: (0.09, 0.055)},
    23: {
        **{48: (-0.04, 0), 49: (0, 0.011), 50: (0, 0.018), 51: (0, 0.018)},
        **{59: (0, -0.011), 58: (0, -0.018), 57: (0, -0.018)},
    },
    45: {37: (0, 0.115), 38: (0, 0.115), 40: (0, -0.012), 41: (0, -0.012)},
}
# At arousal 1, and the other way at -1.
AROUSED: Moves = {
    **{37: (0, -0.014), 38: (0, -0.014)},
    **{17: (0, -0.008), 18: (0, -0.012), 19: (0, -0.014), 20: (0, -0.012), 21: (0, -0.010)},
}
# 14 is contempt's, of one side: the picture's left has this share of the right's.
LEFT_DIMPLE = 0.15
BROW_FOLLOW = 0.45  # of the points over the brow
BRIDGE_FOLLOW = 0.5  # of landmark 27

LEAST_OPENING, MOST_OPENING, MORE_OPENING = 0.4, 1.5, 0.06  # of a lid pair: times, times, IOD
SHUT, OPEN = 0.045, 0.085  # IOD, lid distances between which lids may not, and may, be raised
GAP_FREE, GAP_WIDE, WIDE_LOSS = 0.10, 0.35, 0.6  # IOD; share of the corners' way lost when wide
RESTING_SHARE, RESTING_RADIUS, RESTING_VALENCE = 0.6, 0.5, 0.3
COLUMN_POWER = 1.8  # how a column's height follows the corner's: flat in the middle of the mouth


@dataclasses.dataclass(frozen=True)
class Mouth:
    """The shear of a mouth's columns: x -> x + side(s), y -> y + lift(s), s from -1 to 1.

    Attributes:
      centre: x of the middle between the corners, head frame.
      half: half the distance of the corners along x.
      side: [2] of the picture's left and right corner, along x.
      lift: [2] likewise, along y (down).
    """

    centre: float
    half: float
    side: np.ndarray
    lift: np.ndarray

    def shift(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns how the columns at x [...] of the head frame move, along x and along y."""
        s = (x - self.centre) / self.half
        left, right = self.side
        # A parabola through the corners' ways that leaves the middle where it is.
        across = s * ((right - left) / 2 + s * (right + left) / 2)
        down = np.abs(s) ** COLUMN_POWER * np.where(s < 0, *self.lift)
        return across, down


@dataclasses.dataclass(frozen=True)
class Motion:
    """How one face moves.

    Attributes:
      frame: of the face in its picture.
      controls: [C, 2] where the control points are, head frame.
      displacements: [C, 2] how they move, head frame.
      mouth: how the mouth is sheared; the landmarks of the lips follow it.
      units: [17] intensities of `circumplex.ACTION_UNITS`, 0 to 1, after the rules.
    """

    frame: anatomy.HeadFrame
    controls: np.ndarray
    displacements: np.ndarray
    mouth: Mouth
    units: np.ndarray

    def landmarks(self) -> np.ndarray:
        """Returns the moved landmarks, float64 [68, 2] pixels."""
        return self.frame.to_picture(self.controls[:68] + self.displacements[:68])

    def level(self, unit: int) -> float:
        """Returns the intensity of one action unit, 0 to 1."""
        return float(self.units[_PLACE[unit]])


_PLACE = {unit: place for place, unit in enumerate(circumplex.ACTION_UNITS)}


def _table() -> np.ndarray:
    """`MOVES` as an array over both sides, [17, C, 2] with x out; `LEFT_DIMPLE` applied."""
    table = np.zeros((len(_PLACE), anatomy.COUNT, 2))
    for unit, moves in MOVES.items():
        table[_PLACE[unit]] = _row(moves)
    table[_PLACE[14], anatomy.SIDE < 0] *= LEFT_DIMPLE
    return table


def _row(moves: Moves) -> np.ndarray:
    """Moves of the left half as an array over both, [C, 2] with x out."""
    row = np.zeros((anatomy.COUNT, 2))
    for point, move in moves.items():
        named = isinstance(point, str)
        both = anatomy.NAMES[point] if named else {point, int(face68.MIRROR[point])}
        row[list(both)] = move
    return row


_TABLE, _AROUSED = _table(), _row(AROUSED)


def units_of(points: np.ndarray) -> np.ndarray:
    """Returns the intensities that points of the disc show, float64 [..., 17] in 0 to 1.

    Args:
      points: [..., 2] valence and arousal.
    """
    points = np.asarray(points, np.float32)
    levels = circumplex.action_units(points[..., 0], points[..., 1])
    return np.asarray(levels, np.float64) / circumplex.STRONGEST


def corner_lift(landmarks: np.ndarray) -> float:
    """Returns how far a mouth's corners lie over its middle, IOD; for a clip give the median.

    Args:
      landmarks: [68, 2] pixels of one face.
    """
    head = anatomy.head_frame(landmarks).to_head(np.float64(landmarks))
    return float(head[[51, 57, 62, 66], 1].mean() - head[[48, 54], 1].mean())


def _smoothstep(low: float, high: float, value: np.ndarray | float) -> np.ndarray:
    """0 below low, 1 above high."""
    t = np.clip((np.asarray(value) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def motion(
    landmarks: np.ndarray,
    point: np.ndarray,
    units: np.ndarray,
    *,
    resting_lift: float = 0.0,
    gain: float = 1.0,
) -> Motion:
    """Returns how a face moves to show a point of the disc.

    Args:
      landmarks: [68, 2] pixels.
      point: [2] valence and arousal.
      units: [17] that the point shows, of `units_of`.
      resting_lift: `corner_lift` of the person at rest, IOD.
      gain: times all displacements; 1 is natural.
    """
    frame = anatomy.head_frame(landmarks)
    head = frame.to_head(np.float64(landmarks))
    wide = np.where(anatomy.SIDE < 0, *anatomy.halves(head)) * anatomy.SIDE
    way = gain * (np.einsum("a,acd->cd", units, _TABLE) + point[1] * _AROUSED)
    way[:, 0] *= wide
    way[27, 1] = BRIDGE_FOLLOW * way[[21, 22], 1].mean()
    way[list(anatomy.NAMES["over_brow"])] = BROW_FOLLOW * way[list(face68.BROWS)]
    way[list(anatomy.NAMES["under_brow"])] = way[list(face68.BROWS)]
    _hold_lids(head, way)
    mouth = _mouth(head, way, point, resting_lift, gain)
    lips = list(face68.LIPS)
    across, down = mouth.shift(head[lips, 0])
    way[[48, 54]] = 0  # theirs is in the shear
    way[lips] += np.stack([across, down], axis=-1)
    return Motion(frame, anatomy.controls(head), way, mouth, units)


def _hold_lids(head: np.ndarray, way: np.ndarray) -> None:
    """Keeps every lid pair's opening within its limits; changes the lids' ways."""
    for upper, lower in face68.LID_PAIRS:
        opening = max(head[lower, 1] - head[upper, 1], 1e-3)
        if way[upper, 1] < 0:
            way[upper, 1] *= _smoothstep(SHUT, OPEN, opening)
        change = way[lower, 1] - way[upper, 1]
        most = min(MOST_OPENING * opening, opening + MORE_OPENING) - opening
        held = np.clip(change, (LEAST_OPENING - 1) * opening, most)
        if change:
            way[[upper, lower], 1] *= held / change


def _mouth(
    head: np.ndarray, way: np.ndarray, point: np.ndarray, resting_lift: float, gain: float
) -> Mouth:
    """The shear that brings the corners where their ways lead."""
    gap = abs(head[66, 1] - head[62, 1])
    damping = 1 - WIDE_LOSS * _smoothstep(GAP_FREE, GAP_WIDE, gap)
    lift = way[[48, 54], 1] * damping
    sadness = np.clip(-point[0] / RESTING_VALENCE, 0, 1)
    rest = max(resting_lift, 0.0) * min(1.0, float(np.hypot(*point)) / RESTING_RADIUS)
    left, right = head[48, 0], head[54, 0]
    return Mouth(
        centre=float(left + right) / 2,
        half=max(float(right - left) / 2, 1e-3),
        side=way[[48, 54], 0].copy(),
        lift=lift + gain * RESTING_SHARE * rest * sadness,
    )

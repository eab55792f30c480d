"""The disc of emotions: which class a point has, and what the face shows there.

A point is (valence, arousal): how pleasant, how excited; each from -1 to 1, and at most 1 from the
origin, which is the neutral state. The direction says what is felt, the radius how strongly
(Russell 1980, "A circumplex model of affect", J. Pers. Soc. Psychol. 39(6): pleasure at 0 degrees,
excitement 45, arousal 90, distress 135, displeasure 180, depression 225, sleepiness 270, relaxation
315).

Classes. Names and order are EmoNet's (Toisoul et al. 2021), the eight of AffectNet (Mollahosseini
et al. 2017). Their regions are sectors around the origin, which is neutral. People rate the words
happy at 32 degrees, surprised 59, angry 131, fearful 137, disgusted 150, sad 203 (angles of the
means in Russell & Mehrabian 1977, "Evidence for a three-factor theory of emotions"). Fear and
anger thus have one place, they differ in dominance, which the disc does not have: here fear takes
the more excited half. Contempt has the rest between disgust and sadness, and the calm sector, for
which the eight have no name, is neutral. These two and the borders are choices of this project.

Action units. `ROWS` says what each of 16 directions shows at radius 1: the prototypes of FACS
(Ekman, Friesen & Hager 2002: joy 6+12, sadness 1+4+15, surprise 1+2+5+26, fear 1+2+4+5+7+20+26,
anger 4+5+7+23, disgust 9+15, contempt 12+14 of one side) with what Du, Tao & Martinez (2014,
"Compound facial expressions of emotion", PNAS 111(15), Table 1) saw in most faces: 10+17 in
disgust, 17 in sadness and anger, 1+2+12 with 5 in happy surprise, 1+2+5+20 in fearful surprise, 25
in joy, fear and surprise. Strengths, the calm half with its falling lids, and the way from one
direction to the next are choices of this project. Directions between are monotone cubics
(`monotone`), so that no unit is negative or stronger than in its neighbours; radii follow
`strength`.

Lips part and jaw drops (25, 26) when somebody speaks. A face that speaks shows surprise with brows
and lids, not with the jaw, so these two are left out unless `mouth` asks for them (a silent face).
Lids of the calm half hang (45) on top of which blinks come.
"""

from __future__ import annotations

import warnings
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import monotone

# OpenFace's intensities 0 to 5, in its order.
ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
STRONGEST = 5.0
OPENING = (25, 26)

CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
# Within this distance of the origin nothing is felt that the face would show: strength 0.14.
NEUTRAL_RADIUS = 0.2
# Where a sector begins, degrees counter-clockwise from pleasure, and its class.
SECTORS = (
    (0.0, "happy"),
    (56.25, "surprise"),
    (101.25, "fear"),
    (123.75, "anger"),
    (146.25, "disgust"),
    (168.75, "contempt"),
    (191.25, "sad"),
    (270.0, "neutral"),
    (326.25, "happy"),
)

# Where the tests of EmoTalkingGaussian look: eight points at radius 0.8 and four at 0.5 (given in
# the paper's supplement); that they lie between the axes is inferred.
POINTS = (
    *((0.74, 0.31), (0.31, 0.74), (-0.31, 0.74), (-0.74, 0.31)),
    *((-0.74, -0.31), (-0.31, -0.74), (0.31, -0.74), (0.74, -0.31)),
    *((0.35, 0.35), (-0.35, 0.35), (-0.35, -0.35), (0.35, -0.35)),
)

STEP = 22.5  # degrees from row to row
# Each direction's units at radius 1; 1 is `STRONGEST`.
ROWS: tuple[dict[int, float], ...] = (
    {6: 0.5, 12: 0.8},  # 0, pleased
    {6: 1.0, 12: 1.0, 25: 0.5},  # 22.5, happy
    {1: 0.4, 2: 0.5, 5: 0.4, 6: 0.4, 12: 0.8, 25: 0.7, 26: 0.4},  # 45, happily surprised
    {1: 0.9, 2: 1.0, 5: 0.8, 12: 0.2, 25: 0.8, 26: 0.9},  # 67.5, surprised
    {1: 1.0, 2: 0.8, 4: 0.1, 5: 1.0, 20: 0.4, 25: 0.8, 26: 0.7},  # 90, alarmed
    {1: 1.0, 2: 0.4, 4: 0.6, 5: 0.9, 7: 0.3, 20: 1.0, 25: 0.6, 26: 0.4},  # 112.5, afraid
    {4: 1.0, 5: 0.6, 7: 0.8, 9: 0.1, 10: 0.2, 17: 0.3, 23: 1.0},  # 135, angry
    {4: 0.6, 7: 0.6, 9: 1.0, 10: 0.9, 15: 0.4, 17: 0.6},  # 157.5, disgusted
    {4: 0.4, 7: 0.3, 10: 0.1, 14: 1.0, 15: 0.4, 17: 0.4},  # 180, contemptuous
    {1: 0.8, 4: 0.7, 14: 0.1, 15: 1.0, 17: 0.7, 45: 0.1},  # 202.5, sad
    {1: 0.9, 4: 0.5, 15: 0.8, 17: 0.4, 45: 0.2},  # 225, depressed
    {1: 0.4, 4: 0.1, 15: 0.5, 17: 0.1, 45: 0.35},  # 247.5, tired
    {15: 0.15, 45: 0.45},  # 270, sleepy
    {12: 0.2, 45: 0.35},  # 292.5, calm
    {6: 0.2, 12: 0.4, 45: 0.2},  # 315, relaxed
    {6: 0.35, 12: 0.6, 45: 0.05},  # 337.5, content
)
_TABLE = np.array([[row.get(unit, 0.0) for unit in ACTION_UNITS] for row in ROWS])
# Slopes of the closed curve: of three rounds, the one in the middle has neighbours on both sides.
_RISES = monotone.slopes(np.arange(3 * len(ROWS)), np.tile(_TABLE, (3, 1)))
_RISES = _RISES[len(ROWS) : 2 * len(ROWS)]
_OPENS = np.isin(ACTION_UNITS, OPENING)

# Radii below this count less than proportionally, or the units had a kink in the origin.
SOFT_RADIUS = 0.1


def strength(radius: jax.Array) -> jax.Array:
    """Returns how strong a prototype is, 0 in the origin to 1 on the rim, where it stays.

    Proportional to the radius but for `SOFT_RADIUS` around the origin, and flat in the origin.

    Args:
      radius: any shape, >= 0.
    """
    soft = SOFT_RADIUS
    radius = jnp.minimum(radius, 1)
    return (jnp.sqrt(radius * radius + soft * soft) - soft) / ((1 + soft * soft) ** 0.5 - soft)


def action_units(
    valence: jax.Array | float, arousal: jax.Array | float, *, mouth: float = 0.0
) -> jax.Array:
    """Returns the intensities of a point's expression, float32 [..., 17] in 0 to 5.

    Once differentiable everywhere inside the disc; 0 in the origin. Points outside the disc have
    the intensities of the rim in their direction.

    Args:
      valence: [...].
      arousal: [...], as valence.
      mouth: how much of the prototype's parted lips and dropped jaw is shown, 0 to 1.
    """
    valence, arousal = jnp.broadcast_arrays(jnp.float32(valence), jnp.float32(arousal))
    squared = valence * valence + arousal * arousal
    # The origin has no direction; the strength is flat there, so any one does.
    somewhere = squared > 0
    angle = jnp.arctan2(jnp.where(somewhere, arousal, 0), jnp.where(somewhere, valence, 1))
    radius = jnp.where(somewhere, jnp.sqrt(jnp.where(somewhere, squared, 1)), 0)
    row = jnp.mod(jnp.rad2deg(angle) / STEP, len(ROWS))
    before = jnp.floor(jax.lax.stop_gradient(row)).astype(jnp.int32)
    share = (row - before)[..., None]
    before, after = before % len(ROWS), (before + 1) % len(ROWS)
    table, rises = jnp.float32(_TABLE), jnp.float32(_RISES)
    shown = monotone.cubic(share, table[before], table[after], rises[before], rises[after])
    shown = shown * jnp.where(_OPENS, mouth, 1)
    return jnp.clip(STRONGEST * strength(radius)[..., None] * shown, 0, STRONGEST)


def classify(
    valence: jax.Array | float,
    arousal: jax.Array | float,
    *,
    neutral_radius: float = NEUTRAL_RADIUS,
) -> jax.Array:
    """Returns the number of a point's class in `CLASSES`, int32 [...].

    Args:
      valence: [...].
      arousal: [...], as valence.
      neutral_radius: nearer to the origin everything is neutral.
    """
    valence, arousal = jnp.float32(valence), jnp.float32(arousal)
    angle = jnp.mod(jnp.rad2deg(jnp.arctan2(arousal, valence)), 360)
    starts = jnp.array([start for start, _ in SECTORS], jnp.float32)
    numbers = jnp.array([CLASSES.index(name) for _, name in SECTORS], jnp.int32)
    sector = jnp.searchsorted(starts, angle, side="right") - 1
    return jnp.where(jnp.hypot(valence, arousal) < neutral_radius, 0, numbers[sector])


def centre(name: str) -> tuple[float, float]:
    """Returns a class's typical point (valence, arousal): at radius 0.8, where its row is.

    Args:
      name: one of `CLASSES`.

    Raises:
      DataError: no such class.
    """
    degrees = {
        "happy": 22.5,
        "surprise": 67.5,
        "fear": 112.5,
        "anger": 135.0,
        "disgust": 157.5,
        "contempt": 180.0,
        "sad": 202.5,
    }
    if name not in CLASSES:
        raise DataError(
            expected=f"one of {', '.join(CLASSES)}", got=repr(name), fix="Choose one of these."
        )
    if name == "neutral":
        return 0.0, 0.0
    angle = np.deg2rad(degrees[name])
    return round(0.8 * float(np.cos(angle)), 3), round(0.8 * float(np.sin(angle)), 3)


def inside(
    valence: np.ndarray | float,
    arousal: np.ndarray | float,
    *,
    outside: Literal["clip", "refuse"] = "clip",
) -> tuple[np.ndarray, np.ndarray]:
    """Returns points of the disc, float32; those outside it are moved to the rim, with one warning.

    Args:
      valence: [...].
      arousal: [...], as valence.
      outside: "clip" to the rim, keeping the direction, or "refuse".

    Raises:
      DataError: not finite, or outside and to be refused.
    """
    valence, arousal = np.broadcast_arrays(
        np.asarray(valence, np.float64), np.asarray(arousal, np.float64)
    )
    if not (np.isfinite(valence).all() and np.isfinite(arousal).all()):
        raise DataError(
            expected="finite valence and arousal",
            got="NaN or infinity",
            fix="Use numbers from -1 to 1.",
        )
    radius = np.hypot(valence, arousal)
    # Points of the rim, rounded to six digits, are no fault.
    wrong = radius > 1 + 1e-6
    if wrong.any():
        k = np.unravel_index(np.argmax(radius), radius.shape)
        got = f"({valence[k]:g}, {arousal[k]:g}), {radius[k]:.2f} from the origin"
        got += f" ({wrong.sum()} such points)" if wrong.sum() > 1 else ""
        if outside == "refuse":
            raise DataError(
                expected="valence and arousal at most 1 from the origin",
                got=got,
                fix="Divide both by their distance from the origin.",
            )
        warnings.warn(f"outside the disc of emotions, moved to its rim: {got}", stacklevel=2)
    scale = 1 / np.maximum(radius, 1)
    return np.float32(valence * scale), np.float32(arousal * scale)

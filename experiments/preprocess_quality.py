"""Figures of preprocessing on real clips: jitter, poses, masks, blinks, cuts, cost, memory.

    python experiments/preprocess_quality.py --clips DIR --runs RUNS --out
    benchmarks/preprocess.json --sheets SHEETS

Runs `preprocess.py` at 512 pixels on every clip of DIR that is named in `STRETCHES` (what is done
is not done again), then measures on the same stretches of frames as the feasibility study of these
recipes did. There is no truth for real footage: consistency between independent measurements is
what is told. The clips are third-party research examples (DFRF, MimicTalk) and not part of this
project.

With --sheets it draws what the field's recipes did wrong on these clips beside what is done here:
a notch where the chin touches the collar, a stripe of neck up from the ear, streaks behind the
head. The figure for memory comes from a process of its own, which reads a long clip at random.
"""

import json
import multiprocessing
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags

from emojax.data import (
    action_units,
    audio_features,
    background,
    clip,
    face68,
    files,
    labels,
    landmarks,
    pipeline,
    rows,
    torso,
    tracking,
)
from emojax.data.errors import DataError
from emojax.data.job import Job, Settings
from emojax.data.labels import HEAD, Label
from emojax.data.masks import segmentation, stability
from emojax.opencv import cv2

_CLIPS = flags.DEFINE_string("clips", None, "folder with the clips", required=True)
_RUNS = flags.DEFINE_string("runs", None, "folder for the data sets made of them", required=True)
_OUT = flags.DEFINE_string("out", None, "JSON file to write", required=True)
_SHEETS = flags.DEFINE_string(
    "sheets", None, "folder for pictures of cured faults; none by default"
)

SIZE = 512
# Frames of the feasibility study of these recipes.
STRETCHES = {"german_20s": (0, 300), "macron_50s": (100, 400), "cnn_71s": (200, 500)}
GROUPS = {
    "contour": face68.CONTOUR,
    "brow": face68.BROWS,
    "nose": face68.NOSE,
    "eye corners": face68.EYE_CORNERS,
    "lids": face68.LIDS,
    "outer lip": face68.OUTER_LIP,
    "inner lip": face68.INNER_LIP,
}
STILL = 0.3  # px a frame, by flow and by the mean of five detections: a point that stands still
MAX_CORNERS = 60
# A clip of 200 s, read at random: what memory has to bear.
LONG_CLIP, MEMORY_LIMIT_MB = 5000, 4096

# The recipe of the field (method 5.7), lengths in pixels of 512: what is drawn as "before".
RISE = {Label.TORSO: 9, Label.NECK: 53}
FADING, NECK_PUSH, ROOM_STEP, ROOM_SEEN = 0.98, 4, 20, 5
TILE = 288  # pixels, of the sheets
EVERY = 10  # frames between those from which a sheet's worst are taken


def still_jitter(points: np.ndarray, grays: list[np.ndarray]) -> dict[str, float]:
    """Returns the RMS of second differences of points that stand still, pixels, by group.

    Args:
      points: [T, 68, 2] landmarks.
      grays: T grey frames.
    """
    smooth = np.stack(
        [np.convolve(x, np.ones(5) / 5, "same") for x in points.reshape(len(points), -1).T]
    )
    slow = np.linalg.norm(np.diff(smooth.T.reshape(points.shape), axis=0), axis=-1) < STILL
    for t in range(len(points) - 1):
        motion, error = landmarks.flow(grays[t], grays[t + 1], points[t])
        slow[t] &= (np.linalg.norm(motion, axis=-1) < STILL) & (error < 1)
    slow[:3] = slow[-3:] = False  # the mean of five needs both sides
    still = slow[1:] & slow[:-1]
    second = np.diff(points, 2, axis=0)
    result = {}
    for name, group in GROUPS.items():
        chosen = second[:, list(group)][still[:, list(group)]]
        result[name] = float(np.sqrt(np.mean(chosen**2))) if len(chosen) else float("nan")
    return result


def flow_check(track: tracking.Track, points: np.ndarray, grays: list[np.ndarray]) -> dict:
    """Returns how far the tracked pose's motion is from the optical flow of nose and upper cheeks.

    Corner features that no landmark is fitted to: an independent witness of the motion.

    Args:
      track: of T frames.
      points: [T, 68, 2] landmarks.
      grays: T grey frames.

    Returns:
      RMS difference and RMS motion in x and y, pixels a frame.
    """
    camera = np.einsum("tij,nj->tni", track.world_to_camera[:, :3, :3], track.shape)
    camera += track.world_to_camera[:, None, :3, 3]
    centre = np.array(grays[0].shape[::-1]) / 2 - 0.5
    rigid = list(face68.RIGID)
    differences, motions = [], []
    for t in range(len(points) - 1):
        face = points[t]
        down = np.array([0, 0.08 * face68.eye_distance(face)])
        outline = [face[36] + down, face[39] + down, face[27], face[42] + down, face[45] + down]
        outline += [
            (face[14] + face[35]) / 2,
            face[35],
            face[33],
            face[31],
            (face[2] + face[31]) / 2,
        ]
        mask = np.zeros_like(grays[t])
        cv2.fillPoly(mask, [np.int32(np.round(outline))], 255)
        corners = cv2.goodFeaturesToTrack(grays[t], MAX_CORNERS, 0.01, 5, mask=mask)
        if corners is None or len(corners) < 8:
            continue
        corners = corners[:, 0].astype(np.float64)
        motion, error = landmarks.flow(grays[t], grays[t + 1], corners)
        good = error < 0.5
        if good.sum() < 8:
            continue
        # Depth of a corner: of the landmarks around it.
        distance = np.linalg.norm(corners[:, None] - face[rigid][None], axis=-1) + 1
        depth = np.sum(camera[t, rigid, 2] / distance**2, 1) / np.sum(1 / distance**2, 1)
        seen = np.concatenate(
            [(corners - centre) * depth[:, None] / track.focal, depth[:, None]], 1
        )
        pose, following = track.world_to_camera[t], track.world_to_camera[t + 1]
        world = (seen - pose[:3, 3]) @ pose[:3, :3]
        moved = world @ following[:3, :3].T + following[:3, 3]
        predicted = track.focal * moved[:, :2] / moved[:, 2:] + centre - corners
        differences.append(np.median((motion - predicted)[good], axis=0))
        motions.append(np.median(motion[good], axis=0))
    rms = [np.sqrt(np.mean(np.square(x), axis=0)) for x in (differences, motions)]
    return {
        "difference_x": float(rms[0][0]),
        "difference_y": float(rms[0][1]),
        "motion_x": float(rms[1][0]),
        "motion_y": float(rms[1][1]),
    }


def _label(folder: pathlib.Path, number: int) -> np.ndarray:
    """The label picture of one frame."""
    parsing = files.read_picture(folder / files.PARSING / f"{number}.png")
    return labels.from_parsing(parsing, np.load(folder / files.TEETH / f"{number}.npy"))


def mask_stability(folder: pathlib.Path, frames, part: range) -> dict:
    """Returns the mean frame-to-frame IoU of masks after flow warping, and the changed pixels.

    Args:
      folder: of the data set.
      frames: its frames.
      part: frame numbers.
    """
    overlaps: dict[str, list[float]] = {name: [] for name in stability.REGIONS}
    changed = []
    previous = None
    for t in part:
        image = frames[t]
        picture = _label(folder, t)
        if previous is not None:
            found = stability.warped_iou(previous[0], picture, previous[1], image)
            for name in stability.REGIONS:
                overlaps[name].append(found[name])
            changed.append(found["changed"])
        previous = picture, image
    result = {name: float(np.nanmean(values)) for name, values in overlaps.items()}
    return result | {
        "changed": float(np.mean(changed)),
        "worst_person": float(np.nanmin(overlaps["person"])),
    }


def smear_at_cuts(folder: pathlib.Path, frames, found: landmarks.Landmarks) -> dict:
    """Returns how far results beside jump cuts depend on the other side of the cut.

    Args:
      folder: of the data set.
      frames: its frames.
      found: its landmarks.

    Returns:
      The cuts; the largest distance of fused landmarks from plain detections in the frames on both
      sides of a cut, and its median anywhere, pixels; the smallest IoU of the person's stored mask
      in the first frame after a cut with a mask made from that frame on.
    """
    if not len(found.cuts):
        return {"cuts": []}
    with np.load(folder / files.LANDMARKS) as stored:
        faces = landmarks.Faces(stored["boxes"], stored["counts"], found.cuts)
    boxes, _ = landmarks.smooth_boxes(faces)
    _, predictor = landmarks.load_models()

    def distance(t: int) -> float:
        plain = landmarks.predict(frames[t], boxes[t], predictor)
        return float(np.median(np.linalg.norm(plain - found.points[t], axis=-1)))

    beside = [distance(t) for cut in found.cuts for t in (cut - 1, cut)]
    anywhere = [distance(t) for t in range(5, len(frames), 97)]
    segmenter = segmentation.fit(jax.random.key(0), frames, found.points)
    overlaps = []
    for cut in found.cuts:
        alone = next(
            iter(segmentation.apply(segmenter, [frames[cut]], found.points[cut : cut + 1]))
        )
        a = labels.isin(alone, labels.PERSON)
        b = labels.isin(_label(folder, int(cut)), labels.PERSON)
        overlaps.append(float((a & b).sum() / (a | b).sum()))
    return {
        "cuts": [int(cut) for cut in found.cuts],
        "landmarks_beside_cuts_px": max(beside),
        "landmarks_anywhere_px": float(np.median(anywhere)),
        "person_iou_after_cuts": min(overlaps),
    }


def _job(folder: pathlib.Path) -> Job:
    """Reads a data set folder."""
    return Job(folder, Settings(), {}, lambda iterable, name: iterable)


def measure(folder: pathlib.Path, stretch: tuple[int, int]) -> dict:
    """Returns all figures of one data set.

    Args:
      folder: of the data set, made at 512 pixels.
      stretch: first frame, and one past the last, of what is compared with the study.
    """
    job = _job(folder)
    frames, found = job.frames(), job.landmarks()
    part = range(*stretch)
    grays = [cv2.cvtColor(frames[t], cv2.COLOR_RGB2GRAY) for t in part]
    points = found.points[part.start : part.stop]
    track = tracking.track(
        jax.random.key(0),
        points,
        found.found[part.start : part.stop],
        width=SIZE,
        height=SIZE,
        cuts=np.zeros(0, np.int64),
    )
    groups = {"rigid": face68.RIGID, "all": range(68), "lips": face68.LIPS, "brow": face68.BROWS}
    residual = {n: float(np.median(track.residual[:, list(g)])) for n, g in groups.items()}
    residual["rigid_p95"] = float(np.percentile(track.residual[:, list(face68.RIGID)], 95))
    whole = job.track()
    lids = face68.lid_gap(
        action_units.head_points(whole, found.points + 0.5 - np.array([SIZE, SIZE]) / 2)
    )
    lid_distances = [
        np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in face68.LID_PAIRS
    ]
    return {
        "frames": len(frames),
        "still_jitter_px": still_jitter(points, grays),
        "mouth_gap_std_px": float(face68.lip_gap(points).std()),
        "smallest_lid_distance_px": float(np.min(lid_distances)),
        "reprojection_px": residual,
        "reprojection_whole_clip_px": float(np.median(whole.residual[:, list(face68.RIGID)])),
        "flow_check_px": flow_check(track, points, grays),
        "masks": mask_stability(folder, frames, part),
        "blinks": [
            int(t)
            for t in action_units.blinks(
                action_units.eye_drop(lids, found=found.found, cuts=found.cuts)
            )
        ],
        "jump_cuts": smear_at_cuts(folder, frames, found),
    }


def _resident_mb(name: str) -> float:
    """Memory of this process, MB: "VmRSS" now or "VmHWM" at its peak (Linux)."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


def _read_long_clip(folder: pathlib.Path, count: int, size: int, results) -> None:
    """Reads a packed clip at random through `prefetch`; in a process of its own."""
    packed = {name: rows.Rows(folder / f"{name}.npy") for name in ("images", "labels", "torso")}
    units = action_units.ActionUnits((25,), np.zeros((count, 1), np.float32), np.ones(count), "")
    windows = np.zeros((count, 16, audio_features.NUM_BANDS), np.float32)
    long = clip.Clip(
        folder=folder,
        numbers=np.arange(count),
        num_train=count,
        **packed,
        background=np.zeros((size, size, 3), np.uint8),
        landmarks=np.zeros((count, 68, 2), np.float32),
        cuts=np.zeros(0, np.int64),
        world_to_camera=np.zeros((count, 4, 4), np.float32),
        focal=np.ones(2, np.float32),
        principal=np.ones(2, np.float32),
        audio=audio_features.AudioFeatures("mel", windows, 50.0, "zeros"),
        audio_rows=np.arange(count),
        action_units=units,
        valence_arousal=None,
        fallbacks=(),
    )
    order = np.random.default_rng(0).permutation(count)
    before, begin = _resident_mb("VmRSS"), time.perf_counter()
    batches = clip.prefetch(long, (order[t : t + 1] for t in range(count)))
    read = sum(len(batch.images) for batch in batches)
    results.put(
        {
            "frames": read,
            "size": size,
            "frames_per_second": round(read / (time.perf_counter() - begin), 1),
            "resident_before_mb": round(before),
            "peak_resident_mb": round(_resident_mb("VmHWM")),
            "limit_mb": MEMORY_LIMIT_MB,
        }
    )


def prefetch_memory(count: int, size: int) -> dict:
    """Returns how much memory stays resident while all frames of a clip are read at random.

    The packed arrays are files with holes: as long as real ones, and read through the same pages,
    without their place on the disk. Needs Linux.

    Args:
      count: of frames.
      size: side of the pictures, pixels.
    """
    shapes = {"images": (size, size, 3), "labels": (size, size), "torso": (size, size, 4)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for name, shape in shapes.items():
            path = folder / f"{name}.npy"
            np.lib.format.open_memmap(path, "w+", np.uint8, (count, *shape)).flush()
        fresh = multiprocessing.get_context("spawn")  # the peak of this process does not count
        results = fresh.SimpleQueue()
        reader = fresh.Process(target=_read_long_clip, args=(folder, count, size, results))
        reader.start()
        reader.join()
        if reader.exitcode:
            raise RuntimeError(f"reading the clip failed with {reader.exitcode}")
        return results.get()


def field_background(frames, label_of: Callable[[int], np.ndarray]) -> np.ndarray:
    """Returns the empty room as the field makes it: nearest seen colours behind the person.

    Args:
      frames: of the clip, uint8 [H, W, 3].
      label_of: gives a frame's label picture, uint8 [H, W].
    """
    farthest, room = None, None
    for t in range(0, len(frames), ROOM_STEP):
        is_room = np.uint8(label_of(t) == Label.BACKGROUND)
        distance = cv2.distanceTransform(is_room, cv2.DIST_L2, 5)
        if room is None:
            farthest, room = np.zeros_like(distance), np.zeros_like(frames[t])
        better = distance > farthest
        room[better] = frames[t][better]
        farthest = np.maximum(distance, farthest)
    seen = farthest > ROOM_SEEN
    _, index = cv2.distanceTransformWithLabels(
        np.uint8(~seen), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((index.max() + 1, 3), np.uint8)
    colors[index[seen]] = room[seen]
    return colors[index]


def field_torso(image: np.ndarray, picture: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Returns the torso picture as the field makes it: each column for itself.

    Args:
      image: uint8 [H, W, 3].
      picture: its labels, uint8 [H, W].
      behind: background, uint8 [H, W, 3].

    Returns:
      RGBA uint8 [H, W, 4].
    """
    head = labels.isin(picture, HEAD)
    whole = background.composite(image, picture, behind)
    out = np.where(head[..., None], behind, whole)
    body = labels.isin(picture, (Label.NECK, Label.TORSO))
    upright = np.ones((3, 1), np.uint8)
    neck = cv2.dilate(np.uint8(picture == Label.NECK), upright, iterations=3) > 0
    regions = {Label.TORSO: picture == Label.TORSO, Label.NECK: neck}
    painted = {label: np.zeros_like(head) for label in regions}
    for label, region in regions.items():
        for x in np.flatnonzero(region.any(axis=0)):
            column = np.flatnonzero(region[:, x])
            if column[0] == 0 or not head[column[0] - 1, x]:
                continue
            start = column[0]
            if label == Label.NECK:
                start += min(len(column) - 1, NECK_PUSH)
            steps = np.arange(min(RISE[label], start + 1))
            out[start - steps, x] = whole[start, x] * FADING ** steps[:, None]
            painted[label][start - steps, x] = True
    smooth = cv2.GaussianBlur(out, (5, 5), 0)
    out = np.where(painted[Label.NECK][..., None], smooth, out)
    opaque = body | neck | painted[Label.NECK] | painted[Label.TORSO]
    return np.dstack([out * opaque[..., None], np.uint8(255) * opaque])


def _on_checks(rgba: np.ndarray) -> np.ndarray:
    """An RGBA picture over a chessboard, uint8 [H, W, 3]."""
    checks = (np.indices(rgba.shape[:2]) // 16).sum(axis=0) % 2 * 60 + 150
    alpha = rgba[..., 3:] / 255
    return np.uint8(rgba[..., :3] * alpha + checks[..., None] * (1 - alpha))


def _tile(picture: np.ndarray, text: str) -> np.ndarray:
    """A picture as part of a sheet, with a line of text."""
    picture = cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA)
    picture[-20:] = 0
    font, white = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255)
    return cv2.putText(picture, text, (6, TILE - 6), font, 0.45, white, 1, cv2.LINE_AA)


def _torso_row(image, picture, behind, points, text: str) -> np.ndarray:
    """Labels, the field's torso and ours around the neck."""
    reach = int(1.2 * face68.eye_distance(points))
    x, y = (round(float(v)) for v in points[8])
    height, width = picture.shape
    left, top = (
        max(min(x - reach, width - 2 * reach), 0),
        max(min(y - reach, height - 2 * reach), 0),
    )
    part = np.s_[top : top + 2 * reach, left : left + 2 * reach]
    tinted = np.uint8(0.6 * image + 0.4 * labels.COLORS[picture])
    before = _on_checks(field_torso(image, picture, behind))
    after = _on_checks(torso.torso(image, picture, behind))
    tiles = _tile(tinted[part], text), _tile(before[part], "before"), _tile(after[part], "after")
    return np.hstack(tiles)


def with_specks(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns labels with a speck of neck at the lobe of each ear, as worse masks have them.

    Args:
      picture: labels, uint8 [H, W].
      points: [68, 2] landmarks.
    """
    unit = face68.eye_distance(points) / 125
    spoiled = picture.copy()
    for point, side in ((2, -1), (14, 1)):
        x, y = np.int64(np.round(points[point] + (4 * side * unit, 0)))
        wide, high = round(2 * unit), round(6 * unit)
        spoiled[y - high : y, x - wide : x + wide + 1] = Label.NECK
    return spoiled


def draw_cured(folder: pathlib.Path, part: range) -> dict[str, np.ndarray]:
    """Returns rows "before and after" of the faults that the feasibility study saw.

    Args:
      folder: of the data set.
      part: frame numbers from which the worst are taken.

    Returns:
      Pictures by fault: "chin_on_collar", the frame in which most is painted that the field leaves
      out; "ear_stripe", the frame in which most is left out that the field paints, and the same
      frame with planted specks; "background_streaks".
    """
    job = _job(folder)
    frames, points = job.frames(), job.landmarks().points
    behind = files.read_picture(folder / files.BACKGROUND)
    added, removed = {}, {}
    for t in part[::EVERY]:
        image, picture = frames[t], _label(folder, t)
        before = field_torso(image, picture, behind)[..., 3] > 0
        after = torso.torso(image, picture, behind)[..., 3] > 0
        added[t], removed[t] = (after & ~before).sum(), (before & ~after).sum()
    most, least = max(added, key=added.get), max(removed, key=removed.get)

    def row(t: int, picture: np.ndarray, text: str) -> np.ndarray:
        return _torso_row(frames[t], picture, behind, points[t], f"{folder.name} {t}: {text}")

    label = _label(folder, least)
    streaks = [frames[part[0]], field_background(frames, lambda t: _label(folder, t)), behind]
    texts = f"{folder.name} {part[0]}", "before", "after"
    return {
        "chin_on_collar": row(most, _label(folder, most), f"{added[most]} px added"),
        "ear_stripe": np.vstack(
            [
                row(least, label, f"{removed[least]} px removed"),
                row(least, with_specks(label, points[least]), "specks planted"),
            ]
        ),
        "background_streaks": np.hstack(
            [_tile(picture, text) for picture, text in zip(streaks, texts, strict=True)]
        ),
    }


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    clips, runs = pathlib.Path(_CLIPS.value), pathlib.Path(_RUNS.value)
    out = {"command": "python experiments/preprocess_quality.py --clips DIR --runs RUNS --out FILE"}
    drawn: dict[str, list[np.ndarray]] = {}
    try:
        for name, stretch in STRETCHES.items():
            video = clips / f"{name}.mp4"
            manifest = pipeline.run(
                runs / name, Settings(video=video, size=SIZE), stages=list(pipeline.STAGES)
            )
            done = manifest["stages"]
            out[name] = measure(runs / name, stretch) | {
                "stretch": stretch,
                "ms_cpu_per_frame": {
                    stage: round(1000 * x["cpu_seconds"] / x["frames"], 2)
                    for stage, x in done.items()
                },
                "peak_memory_mb": max(x["peak_memory_mb"] for x in done.values()),
            }
            print(name, json.dumps(out[name], indent=1))
            if _SHEETS.value is not None:
                for fault, picture in draw_cured(runs / name, range(*stretch)).items():
                    drawn.setdefault(fault, []).append(picture)
        for fault, pictures in drawn.items():
            files.make_folder(pathlib.Path(_SHEETS.value))
            files.write_picture(pathlib.Path(_SHEETS.value) / f"{fault}.png", np.vstack(pictures))
        out["prefetch"] = prefetch_memory(LONG_CLIP, SIZE)
        print(f"prefetch: {out['prefetch']['peak_resident_mb']} MB resident at most")
        files.write_text(pathlib.Path(_OUT.value), json.dumps(out, indent=1) + "\n")
    except DataError as error:
        sys.exit(f"preprocess_quality: {error}")


if __name__ == "__main__":
    app.run(main)

"""Ways to spoil a good data set folder (`folders.write_folder`), one a function.

Each takes the folder, a copy that may share its files with the original: files are replaced, never
written into.
"""

import json
import os
import pathlib
import shutil

import numpy as np
import soundfile

from emojax.data import (
    action_units,
    audio,
    cameras,
    files,
    labels,
    landmarks,
)
from emojax.data.labels import Label
from emojax.opencv import cv2
from tests.data import actor

RNG = np.random.default_rng(5)


# --- pictures ---


def repaint(folder, function):
    """Replaces every picture by function(number, picture)."""
    for number, path in files.numbered(folder / files.FRAMES, ".jpg").items():
        files.write_picture(
            path, np.uint8(np.clip(function(number, files.read_picture(path)), 0, 255))
        )


def copy(folder, kind, suffix, sources):
    """Replaces file n by file sources[n]."""
    data = [(folder / kind / f"{source}{suffix}").read_bytes() for source in sources]
    for number, content in enumerate(data):
        files.write_bytes(folder / kind / f"{number}{suffix}", content)


def only_five_seconds(folder):
    for number, path in files.numbered(folder / files.FRAMES, ".jpg").items():
        if number >= 125:
            path.unlink()


def missing_picture(folder):
    (folder / files.FRAMES / "100.jpg").unlink()


def counted_from_one(folder):
    paths = files.numbered(folder / files.FRAMES, ".jpg")
    for number in reversed(paths):
        paths[number].rename(folder / files.FRAMES / f"{number + 1}.jpg")


def two_names_of_a_picture(folder):
    shutil.copy(folder / files.FRAMES / "7.jpg", folder / files.FRAMES / "007.jpg")


def absurd_number(folder):
    shutil.copy(folder / files.FRAMES / "7.jpg", folder / files.FRAMES / "99999999.jpg")


def truncated_picture(folder):
    path = folder / files.FRAMES / "60.jpg"
    files.write_bytes(path, path.read_bytes()[:3000])


def no_picture(folder):
    files.write_bytes(folder / files.FRAMES / "60.jpg", b"")


def one_smaller_picture(folder):
    path = folder / files.FRAMES / "60.jpg"
    files.write_picture(path, files.read_picture(path)[::2, ::2])


def tiny_pictures(folder):
    repaint(folder, lambda t, x: cv2.resize(x, (80, 80), interpolation=cv2.INTER_AREA))


def blurred_pictures(folder):
    repaint(folder, lambda t, x: cv2.GaussianBlur(x, (0, 0), 2.5))


def some_blurred_pictures(folder):
    repaint(folder, lambda t, x: cv2.GaussianBlur(x, (0, 0), 1.5) if t % 50 < 20 else x)


def dark_pictures(folder):
    repaint(folder, lambda t, x: x * 0.12)


def burnt_pictures(folder):
    repaint(folder, lambda t, x: x.astype(np.float32) * 1.9)


def flickering_light(folder):
    repaint(folder, lambda t, x: x * (1.0 if t % 2 else 0.94))


def every_second_picture_repeated(folder):
    count = len(files.numbered(folder / files.FRAMES, ".jpg"))
    copy(folder, files.FRAMES, ".jpg", [t // 2 * 2 for t in range(count)])


def video_hangs(folder):
    count = len(files.numbered(folder / files.FRAMES, ".jpg"))
    copy(folder, files.FRAMES, ".jpg", [60 if 60 <= t < 130 else t for t in range(count)])


def jump_cut(folder):
    repaint(folder, lambda t, x: x if t < 120 else x[:, ::-1])


def moving_background(folder):
    def shake(t, picture):
        where = cv2.imread(str(folder / files.PARSING / f"{t}.png")).min(axis=-1) == 255
        noise = np.roll(picture, (7 * t) % 90, axis=1)
        return np.where(where[..., None], noise, picture)

    repaint(folder, shake)


# --- masks ---


def relabel(folder, function):
    """Replaces every label picture by function(number, labels)."""
    for number, path in files.numbered(folder / files.PARSING, ".png").items():
        teeth = np.load(folder / files.TEETH / f"{number}.npy")
        label = labels.from_parsing(files.read_picture(path), teeth)
        parsing, teeth = labels.to_parsing(np.uint8(function(number, label)))
        files.write_picture(path, parsing)
        files.write_array(folder / files.TEETH / f"{number}.npy", teeth)


def no_masks(folder):
    shutil.rmtree(folder / files.PARSING)


def one_mask_missing(folder):
    (folder / files.PARSING / "33.png").unlink()


def one_mask_cut_short(folder):
    path = folder / files.PARSING / "33.png"
    files.write_bytes(path, path.read_bytes()[:-40])


def small_masks(folder):
    for path in files.numbered(folder / files.PARSING, ".png").values():
        files.write_picture(path, np.ascontiguousarray(files.read_picture(path)[::2, ::2]))


def empty_teeth_file(folder):
    files.write_bytes(folder / files.TEETH / "33.npy", b"")


def no_mouth_in_masks(folder):
    def close(t, label):
        return np.where((label == Label.MOUTH) | (label == Label.TEETH), Label.FACE, label)

    relabel(folder, close)


def masks_beside_the_face(folder):
    relabel(folder, lambda t, label: np.roll(label, label.shape[1] // 3, axis=1))


def flickering_masks(folder):
    def grow(t, label):
        person = np.uint8(label != Label.BACKGROUND)
        kernel = np.ones((9, 9), np.uint8)
        grown = cv2.dilate(person, kernel) if t % 2 else cv2.erode(person, kernel)
        return np.where(grown > 0, np.where(person > 0, label, Label.TORSO), Label.BACKGROUND)

    relabel(folder, grow)


def empty_torso(folder):
    for path in files.numbered(folder / files.TORSO, ".png").values():
        files.write_picture(path, np.zeros_like(files.read_picture(path, alpha=True)))


def one_torso_missing(folder):
    (folder / files.TORSO / "33.png").unlink()


def wrong_background(folder):
    picture = files.read_picture(folder / files.BACKGROUND)
    files.write_picture(folder / files.BACKGROUND, 255 - picture)


# --- landmarks and poses ---


def move_points(folder, function):
    """Replaces all landmarks [T, 68, 2] by function(landmarks)."""
    paths = files.numbered(folder / files.FRAMES, ".lms")
    points = np.stack([landmarks.read_lms(path) for path in paths.values()])
    for path, row in zip(paths.values(), function(points.copy()), strict=True):
        landmarks.write_lms(path, row)


def trembling_landmarks(folder):
    move_points(folder, lambda x: x + RNG.normal(0, 0.8, x.shape))


def swapped_coordinates(folder):
    move_points(folder, lambda x: x[..., ::-1])


def landmarks_of_larger_pictures(folder):
    move_points(folder, lambda x: 2 * x)


def landmarks_cut_short(folder):
    files.write_text(folder / files.FRAMES / "80.lms", "12.0 13.0\n")


def one_landmark_file_missing(folder):
    (folder / files.FRAMES / "80.lms").unlink()


def still_mouth(folder):
    def freeze(points):
        points[:, 48:] = points[:, 33:34] + (points[0, 48:] - points[0, 33])
        return points

    move_points(folder, freeze)


def no_blinks(folder):
    def freeze(points):
        points[:, 36:48] = points[:, 27:28] + (points[0, 36:48] - points[0, 27])
        return points

    move_points(folder, freeze)


def change_found(folder, **arrays):
    """Replaces stretches of arrays in landmarks.npz: name=(slice, value)."""
    with np.load(folder / "landmarks.npz") as stored:
        content = {name: stored[name] for name in stored.files}
    for name, (where, value) in arrays.items():
        content[name][where] = value
    (folder / "landmarks.npz").unlink()
    np.savez(folder / "landmarks.npz", **content)


def face_lost(folder):
    change_found(folder, found=(slice(100, 150), False))


def second_face(folder):
    change_found(folder, counts=(slice(50, 150), 2))


def move_head(folder, function):
    """Replaces all poses [T, 4, 4] by function(poses), which may leave some out with NaN."""
    parts = [cameras.read_transforms(folder / name) for name in files.TRANSFORMS]
    poses = function(np.concatenate([part["world_to_camera"] for part in parts]).astype(np.float64))
    focal, (cx, cy) = parts[0]["focal"][0], parts[0]["principal"]
    valid = np.isfinite(poses[:, 0, 0])
    poses[~valid] = np.eye(4)
    cameras.write_transforms(
        folder, poses, valid, focal=focal, width=round(2 * cx), height=round(2 * cy)
    )


def change_transforms(folder, function):
    """Lets function change the content of transforms_train.json."""
    path = folder / files.TRANSFORMS[0]
    content = json.loads(path.read_text())
    function(content)
    files.write_text(path, json.dumps(content))


def poses_of_other_frames(folder):
    move_head(folder, lambda x: np.roll(x, 12, axis=0))


def pulsing_head(folder):
    def pulse(poses):
        poses[:, 2, 3] *= 1 + 0.004 * RNG.standard_normal(len(poses))
        return poses

    move_head(folder, pulse)


def trembling_head(folder):
    def tremble(poses):
        for pose in poses:
            pose[:3, :3] = cv2.Rodrigues(0.005 * RNG.standard_normal(3))[0] @ pose[:3, :3]
        return poses

    move_head(folder, tremble)


def head_turned_away(folder):
    def turn(poses):
        poses[100:130, :3, :3] = poses[100:130, :3, :3] @ cv2.Rodrigues(np.array([0, 1.0, 0]))[0]
        return poses

    move_head(folder, turn)


def half_the_poses(folder):
    def forget(poses):
        poses[::2] = np.nan
        return poses

    move_head(folder, forget)


def pose_with_scale(folder):
    def scale(content):
        content["frames"][5]["transform_matrix"][0][0] = 3.0

    change_transforms(folder, scale)


def pose_without_picture(folder):
    def add(content):
        content["frames"][5]["img_id"] = 12345

    change_transforms(folder, add)


def no_poses(folder):
    (folder / files.TRANSFORMS[0]).unlink()


def camera_of_larger_pictures(folder):
    def double(content):
        content["cx"] *= 2
        content["cy"] *= 2

    change_transforms(folder, double)


# --- sound and features ---


def play(folder, function):
    """Replaces the sound by function(waveform)."""
    path = folder / files.SOUND
    audio.write_wav(path, function(audio.read_wav(path).waveform))


def record(folder, samples, rate):
    """Writes the sound at another rate or with several channels."""
    (folder / files.SOUND).unlink()
    soundfile.write(folder / files.SOUND, samples, rate)


def digital_silence(folder):
    play(folder, np.zeros_like)


def quiet_sound(folder):
    play(folder, lambda x: x * 0.004)


def clipped_sound(folder):
    play(folder, lambda x: np.clip(8 * x, -0.5, 0.5))


def mostly_silent(folder):
    play(folder, lambda x: x * (np.arange(len(x)) > 0.85 * len(x)))


def tone(folder):
    play(folder, lambda x: 0.3 * np.sin(2 * np.pi * 220 / audio.RATE * np.arange(len(x))))


def telephone_rate(folder):
    waveform = audio.read_wav(folder / files.SOUND).waveform
    record(folder, audio.resample(waveform, audio.RATE, 8000), 8000)


def video_rate(folder):
    waveform = audio.read_wav(folder / files.SOUND).waveform
    record(folder, audio.resample(waveform, audio.RATE, 48000), 48000)


def stereo(folder):
    waveform = audio.read_wav(folder / files.SOUND).waveform
    record(folder, np.stack([waveform, waveform], axis=1), audio.RATE)


def sound_late(folder):
    play(folder, lambda x: np.roll(x, 10 * 640))


def sound_of_another_clip(folder):
    count = len(files.numbered(folder / files.FRAMES, ".jpg"))
    other = actor.film(num_frames=count, size=32, seed=77).waveform
    play(folder, lambda x: other)


def sound_of_thirty_fps(folder):
    play(folder, lambda x: audio.resample(x, 25, 30))


def broken_sound(folder):
    files.write_bytes(folder / files.SOUND, b"RIFF nothing")


def change_features(folder, function):
    """Replaces the sound features [T, W, D] by function(features)."""
    path = folder / "aud_mel.npy"
    files.write_array(path, function(np.load(path)))


def features_of_another_length(folder):
    change_features(folder, lambda x: x[:-40])


def constant_features(folder):
    change_features(folder, lambda x: np.ones_like(x))


def late_features(folder):
    change_features(folder, lambda x: np.roll(x, 6, axis=0))


def undefined_features(folder):
    change_features(folder, lambda x: np.where(np.arange(len(x))[:, None, None] == 50, np.nan, x))


# --- action units and the record ---


def change_units(folder, function):
    """Replaces the intensities {number: [T]} after function(intensities)."""
    path = folder / files.ACTION_UNITS
    units = action_units.read(path, len(path.read_text().splitlines()) - 1)
    columns = {number: units.column(number).copy() for number in units.numbers}
    function(columns)
    values = np.stack(list(columns.values()), axis=-1)
    action_units.write(path, action_units.ActionUnits(units.numbers, values, units.success, ""))


def unit_rows_missing(folder):
    lines = (folder / files.ACTION_UNITS).read_text().splitlines()
    files.write_text(folder / files.ACTION_UNITS, "\n".join(lines[:-30]) + "\n")


def undefined_unit(folder):
    text = (folder / files.ACTION_UNITS).read_text().splitlines()
    text[20] = text[20].rsplit(",", 1)[0] + ", nan"
    files.write_text(folder / files.ACTION_UNITS, "\n".join(text) + "\n")


def frozen_upper_face(folder):
    change_units(folder, lambda x: x.update({n: 0 * x[n] for n in (1, 4, 5, 6, 7)}))


def dummy_blinks(folder):
    change_units(folder, lambda x: x.update({45: 0 * x[45]}))


def one_dummy_unit(folder):
    change_units(folder, lambda x: x.update({4: 0 * x[4] + 1.5}))


def one_dummy_unit_that_is_optional(folder):
    change_units(folder, lambda x: x.update({26: 0 * x[26]}))


def late_units(folder):
    change_units(folder, lambda x: x.update({n: np.roll(x[n], 6) for n in x}))


def units_of_another_clip(folder):
    rng = np.random.default_rng(3)
    change_units(folder, lambda x: x.update({25: 5 * rng.random(len(x[25]))}))


def wrong_blinks(folder):
    rng = np.random.default_rng(3)
    change_units(folder, lambda x: x.update({45: 5 * rng.random(len(x[45]))}))


def failed_units(folder):
    lines = (folder / files.ACTION_UNITS).read_text().splitlines()
    for t in range(50, 90):
        lines[t] = lines[t].replace("0.98, 1,", "0.00, 0,")
    files.write_text(folder / files.ACTION_UNITS, "\n".join(lines) + "\n")


def change_record(folder, **video):
    """Changes what the record says of the video."""
    path = folder / files.MANIFEST
    content = json.loads(path.read_text())
    content["video"].update(video)
    files.write_text(path, json.dumps(content))


def stages_out_of_date(folder):
    path = folder / files.MANIFEST
    content = json.loads(path.read_text())
    content["stages"] = {"decode": {"done": False}, "torso": {"done": False}}
    files.write_text(path, json.dumps(content))


def source_of_thirty_fps(folder):
    change_record(folder, nominal_fps=30.0)


def sound_ends_early(folder):
    change_record(folder, left_out=[11.0, 0.0])


def sound_of_telephone_quality_in_the_source(folder):
    change_record(folder, audio={"rate": 8000})


def enlarged_source(folder):
    change_record(folder, crop={"left": 0, "top": 0, "side": 60})


def strange_record(folder):
    change_record(folder, audio=[1], crop={"side": "wide"}, left_out="all", nominal_fps=None)


def variable_rate(folder):
    change_record(folder, is_variable=True)


def wide_valence(folder):
    count = len(files.numbered(folder / files.FRAMES, ".jpg"))
    files.write_array(folder / files.VALENCE_AROUSAL, np.full((count, 2), 2.0))


def link(source: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    """Returns a copy of a folder whose files are those of the original until they are replaced."""
    shutil.copytree(source, target, copy_function=os.link)
    return target

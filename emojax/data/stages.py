"""The stages of preprocessing, one function each: what it reads and writes in a data set folder.

`pipeline.run` decides which of them run; here is what they do; the first is in `decoding`. Each
writes whole files only.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from emojax.data import (
    action_units,
    arrays,
    audio,
    audio_features,
    background,
    cameras,
    crop,
    decoding,
    doctor,
    files,
    labels,
    landmarks,
    relief,
    surfaces,
    torso,
    tracking,
)
from emojax.data.errors import DataError
from emojax.data.job import Job, Settings, external
from emojax.data.masks import mouth, segmentation

MIN_FOUND = 0.5  # part of the frames that must show the face


def _landmarks(job: Job) -> None:
    """68 points of every frame."""
    detector, predictor = landmarks.load_models()
    frames = job.frames()
    faces = landmarks.find_faces(frames, detector, progress=job.bar("faces"))
    several = np.mean(faces.counts > 1)
    if several > crop.SHARED:
        raise DataError(
            expected="one face in the picture",
            got=f"several in {several:.0%} of the frames",
            fix="Use a video of one person, or cut to one: --crop LEFT,TOP,SIDE.",
        )
    points = landmarks.find_landmarks(frames, faces, predictor, progress=job.bar("landmarks"))
    share = points.found.mean()
    if share < MIN_FOUND:
        raise DataError(
            expected=f"a face in at least {MIN_FOUND:.0%} of the frames",
            got=f"one in {share:.0%}",
            fix="Cut the video to the part in which the person looks at the camera.",
        )
    for number, row in enumerate(points.points):
        landmarks.write_lms(job.folder / files.FRAMES / f"{number}.lms", row)
    arrays.write_named(
        job.folder / files.LANDMARKS,
        dataclasses.asdict(points)
        | {
            "boxes": faces.boxes,
            "counts": faces.counts,
        },
    )
    job.manifest["sources"]["landmarks"] = "dlib, 8 boxes, fused with optical flow"


def _tracking(job: Job) -> None:
    """Head pose, shape and camera."""
    track, found = _fit(job), job.landmarks().found
    height, width = job.frames()[0].shape[:2]
    cameras.write_transforms(
        job.folder, track.world_to_camera, found, focal=track.focal, width=width, height=height
    )
    arrays.write_named(job.folder / files.TRACKING, dataclasses.asdict(track))


def _fit(job: Job) -> tracking.Track:
    """A track of the folder's landmarks."""
    found = job.landmarks()
    height, width = job.frames()[0].shape[:2]
    return tracking.track(
        jax.random.key(job.settings.seed),
        found.points,
        found.found,
        width=width,
        height=height,
        cuts=found.cuts,
        focal=job.settings.focal,
        progress=job.bar("tracking"),
    )


def _masks(job: Job) -> None:
    """Label pictures: built-in, or those of another tool with what they lack added."""
    settings = job.settings
    points = job.landmarks()
    frames = job.frames()
    for kind in (files.PARSING, files.TEETH):
        files.make_folder(job.folder / kind)
    colors = mouth.fit(frames, points.points, found=points.found)
    has_mouth = False
    if settings.parsing is not None:
        paths = external(settings.parsing, ".png", len(frames), "--parsing")
        shown = (labels.Label.MOUTH in _parsed(paths[t]) for t in mouth.spread(points.found))
        has_mouth = any(shown)  # some parsers know none
        pictures = map(_parsed, paths.values())
    else:
        segmenter = segmentation.fit(
            jax.random.key(settings.seed),
            frames,
            points.points,
            found=points.found,
            progress=job.bar("masks: teacher"),
        )
        pictures = segmentation.apply(
            segmenter, frames, points.points, found=points.found, cuts=points.cuts
        )
    teeth_files = {}
    if settings.teeth_mask is not None:
        teeth_files = external(settings.teeth_mask, ".npy", len(frames), "--teeth_mask")
    numbers = job.progress(range(len(frames)), "masks")
    for number, picture in zip(numbers, pictures, strict=True):
        image = frames[number]
        if picture.shape != image.shape[:2]:
            raise DataError(
                expected=f"parsing pictures as large as the frames, {image.shape[1]} pixels",
                got=f"{picture.shape[1]} x {picture.shape[0]} for frame {number}",
                fix="Parse the pictures in ori_imgs.",
            )
        inside, teeth = np.zeros((2, *picture.shape), bool)
        if points.found[number]:
            inside, teeth = mouth.inside(image, points.points[number], colors)
        if has_mouth:
            inside = picture == labels.Label.MOUTH
            teeth &= inside
        if number in teeth_files:
            teeth = arrays.read_mask(teeth_files[number], picture.shape)
        picture = mouth.overlay(picture, inside | teeth, teeth)
        parsing, teeth = labels.to_parsing(picture)
        files.write_picture(job.folder / files.PARSING / f"{number}.png", parsing)
        files.write_array(job.folder / files.TEETH / f"{number}.npy", teeth)
    job.manifest["sources"]["masks"] = _source("parsing", settings.parsing, "GrabCut and student")
    job.manifest["sources"]["teeth"] = _source("teeth_mask", settings.teeth_mask, "lip colour")


def _parsed(path: pathlib.Path) -> np.ndarray:
    """The labels of a parsing picture of another tool."""
    return labels.from_parsing(files.read_picture(path), None)


def _source(name: str, given: pathlib.Path | None, built_in: str) -> str:
    """Says where something comes from."""
    return f"built in: {built_in}" if given is None else f"{name} given: {given.name}"


def _background(job: Job) -> None:
    """What is behind the person; frames in which nobody was found have masks of no worth."""
    numbers = np.flatnonzero(job.found())
    frames = job.frames(numbers)
    picture, _ = background.estimate(frames, job.labels(numbers), progress=job.bar("background"))
    files.write_picture(job.folder / files.BACKGROUND, picture)


def _torso(job: Job) -> None:
    """Torso pictures, and frames whose background stands still."""
    behind = files.read_picture(job.folder / files.BACKGROUND)
    frames = job.frames()
    if behind.shape != frames[0].shape:
        raise DataError(
            expected=f"{files.BACKGROUND} as large as the frames, {frames[0].shape[1]} pixels",
            got=f"{behind.shape[1]} x {behind.shape[0]}",
            fix="Run the stage background first.",
        )
    pictures = job.labels(range(len(frames)))
    for kind in (files.TORSO, files.GROUND_TRUTH):
        files.make_folder(job.folder / kind)
    for number in job.progress(range(len(frames)), "torso"):
        image, picture = frames[number], pictures[number]
        truth = background.composite(image, picture, behind)
        files.write_picture(job.folder / files.GROUND_TRUTH / f"{number}.jpg", truth)
        rgba = torso.torso(image, picture, behind)
        files.write_picture(job.folder / files.TORSO / f"{number}.png", rgba)


def _action_units(job: Job) -> None:
    """Action units, given or estimated."""
    frames = job.frames()
    if job.settings.au is not None:
        units = action_units.read(job.settings.au, len(frames))
    else:
        found = job.landmarks()
        height, width = frames[0].shape[:2]
        units = action_units.estimate(
            job.track(),
            found.points,
            found.found,
            width=width,
            height=height,
            cuts=found.cuts,
        )
    action_units.write(job.folder / files.ACTION_UNITS, units)
    job.manifest["sources"]["action_units"] = units.source


def _features(job: Job) -> None:
    """Sound features, given or built in."""
    count = len(job.frames())
    if job.settings.audio_features is not None:
        features = audio_features.load(job.settings.audio_features, count)
    else:
        waveform = audio.read_wav(job.folder / files.SOUND).waveform
        features = audio_features.from_waveform(waveform, count)
    audio_features.save(job.folder / feature_file(job.settings), features)
    job.manifest["sources"]["features"] = f"{features.name}: {features.source}"


def _normals(job: Job) -> None:
    """Normals of a smooth face through the landmarks; nothing where no face was found."""
    # A folder that was made elsewhere has poses, but no shape.
    found, track = job.found(), job.track() if job.is_tracked else _fit(job)
    size = job.frames()[0].shape[0]
    folder = job.folder / surfaces.FOLDERS[0]
    files.make_folder(folder)
    for number in job.progress(range(len(found)), "normals"):
        drawn = relief.of_frame(track, number, size=size) * found[number]
        files.write_picture(folder / f"{number}.png", surfaces.to_bytes(drawn))
    job.manifest["sources"]["normals"] = relief.SOURCE


def feature_file(settings: Settings) -> str:
    """Returns the name of the file that the stage features writes with some settings."""
    path = settings.audio_features
    name = "mel" if path is None else audio_features.recognise(path)
    return audio_features.KINDS[name].file


def _doctor(job: Job) -> None:
    """The verdict."""
    report = doctor.examine(job.folder, progress=job.bar("doctor"))
    doctor.write(job.folder, report)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of preprocessing.

    Attributes:
      run: does it.
      needs: names of the stages whose results it reads.
      reads: names of the settings that it reads.
      makes: (folder, suffix) of numbered files, or file names, or what gives a name for settings.
    """

    run: Callable[[Job], None]
    needs: tuple[str, ...]
    reads: tuple[str, ...]
    makes: tuple[tuple[str, str] | str | Callable[[Settings], str], ...]


# fmt: off
STAGES = {
    "decode": Stage(decoding.decode, (), ("video", "size", "margin", "crop"),
                    ((files.FRAMES, ".jpg"), files.SOUND)),
    "landmarks": Stage(_landmarks, ("decode",), (), ((files.FRAMES, ".lms"), files.LANDMARKS)),
    "tracking": Stage(_tracking, ("decode", "landmarks"), ("focal", "seed"),
                      (*files.TRANSFORMS, files.TRACKING)),
    "masks": Stage(_masks, ("decode", "landmarks"), ("parsing", "teeth_mask", "seed"),
                   ((files.PARSING, ".png"), (files.TEETH, ".npy"))),
    "background": Stage(_background, ("decode", "landmarks", "masks"), (), (files.BACKGROUND,)),
    "torso": Stage(_torso, ("decode", "masks", "background"), (),
                   ((files.TORSO, ".png"), (files.GROUND_TRUTH, ".jpg"))),
    "action_units": Stage(_action_units, ("landmarks", "tracking"), ("au",), (files.ACTION_UNITS,)),
    "features": Stage(_features, ("decode",), ("audio_features",), (feature_file,)),
    "normals": Stage(_normals, ("decode", "landmarks", "tracking"), ("focal", "seed"),
                     ((surfaces.FOLDERS[0], ".png"),)),
    "doctor": Stage(_doctor, ("torso", "action_units", "features", "normals"), (),
                    (doctor.JSON, doctor.TEXT, doctor.SHEET)),
}
# fmt: on

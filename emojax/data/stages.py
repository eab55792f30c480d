"""The stages of preprocessing, one function each: what it reads and writes in a data set folder.

`pipeline.run` decides which of them run; here is what they do. Each writes whole files only.
"""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
from collections.abc import Callable, Iterable, Sequence

import jax
import numpy as np

from emojax.data import (
    action_units,
    audio,
    audio_features,
    background,
    cameras,
    crop,
    doctor,
    files,
    labels,
    landmarks,
    torso,
    tracking,
    video,
)
from emojax.data.errors import DataError
from emojax.data.masks import mouth, segmentation

MIN_FOUND = 0.5  # part of the frames that must show the face
SAMPLE_EVERY = 12  # frames between those in which the head is looked for before cropping
SOURCE_WIDTH = 960  # to which pictures are reduced for that: finds faces of a twelfth of it


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides the content of a data set folder.

    Attributes:
      video: the source; None for a folder whose frames exist already.
      size: side of the square pictures, pixels.
      margin: side of the crop over the face box's.
      crop: "left,top,side" in pixels of the source, instead of the one around the head.
      focal: pixels at `size`; the nominal one by default.
      parsing: folder of parsing pictures N.png to use.
      teeth_mask: folder of teeth masks N.npy to use.
      au: OpenFace CSV to use.
      audio_features: .npy of sound features to use.
      seed: of everything random.
    """

    video: pathlib.Path | None = None
    size: int = 512
    margin: float = crop.MARGIN
    crop: str | None = None
    focal: float | None = None
    parsing: pathlib.Path | None = None
    teeth_mask: pathlib.Path | None = None
    au: pathlib.Path | None = None
    audio_features: pathlib.Path | None = None
    seed: int = 0


@dataclasses.dataclass
class Job:
    """One run of some stages.

    Attributes:
      folder: of the data set.
      settings: of this run.
      manifest: content of `preprocess.json`; see `pipeline.run`.
      progress: (iterable, description) -> iterable, for a progress bar.
    """

    folder: pathlib.Path
    settings: Settings
    manifest: dict
    progress: Callable[[Iterable, str], Iterable]

    def bar(self, name: str) -> Callable:
        """Returns a wrapper of iterables that shows progress under a name."""
        return lambda iterable: self.progress(iterable, name)

    def save(self) -> None:
        """Writes the manifest."""
        files.write_text(self.folder / files.MANIFEST, json.dumps(self.manifest, indent=1) + "\n")

    def frames(self) -> files.Pictures:
        """Returns the frames of the folder."""
        there = files.numbered(self.folder / files.FRAMES, ".jpg")
        if list(there) != list(range(len(there))) or not there:
            holes = sorted(set(range(max(there, default=0) + 1)) - set(there))
            raise DataError(
                expected=f"{files.FRAMES}/0.jpg, 1.jpg, ... without a gap in {self.folder}",
                got=f"{len(there)} pictures, none numbered {holes[0]}",
                fix="Give --video, so that they are decoded, or restore them.",
            )
        return files.Pictures(list(there.values()))

    def landmarks(self) -> landmarks.Landmarks:
        """Returns the folder's landmarks, ours or those of another tool."""
        path = self.folder / files.LANDMARKS
        if path.exists():
            with np.load(path) as stored:
                return landmarks.Landmarks(stored["points"], stored["found"], stored["cuts"])
        there = files.numbered(self.folder / files.FRAMES, ".lms")
        num_frames = len(self.frames())
        if list(there) != list(range(num_frames)):
            raise DataError(
                expected=f"landmarks of all {num_frames} frames",
                got=f"{len(there)} files .lms",
                fix="Run the stage landmarks first.",
            )
        points = np.stack([landmarks.read_lms(path) for path in there.values()])
        return landmarks.Landmarks(points, np.ones(num_frames, bool), np.zeros(0, np.int64))

    def track(self) -> tracking.Track:
        """Returns the folder's tracked head."""
        path = self.folder / files.TRACKING
        if not path.exists():
            raise DataError(
                expected=f"{files.TRACKING} in {self.folder}",
                got="no such file",
                fix="Run the stage tracking first.",
            )
        with np.load(path) as stored:
            values = {name: stored[name] for name in stored.files}
        return tracking.Track(**values | {"focal": float(values["focal"])})

    def label(self, number: int) -> np.ndarray:
        """Returns the label picture of one frame."""
        teeth = self.folder / files.TEETH / f"{number}.npy"
        return labels.from_parsing(
            files.read_picture(self.folder / files.PARSING / f"{number}.png"),
            np.load(teeth) if teeth.exists() else None,
        )


class _Labels(Sequence):
    """The label pictures of a folder, read when asked for."""

    def __init__(self, job: Job, count: int):
        self._job, self._count = job, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> np.ndarray:
        return self._job.label(number)


def _decode(job: Job) -> None:
    """Frames and sound of the video, cropped, at 25 fps and 16 kHz."""
    settings = job.settings
    if settings.video is None:
        raise DataError(expected="a video to decode", got="none", fix="Give --video.")
    facts = video.probe(settings.video)
    count = video.num_common_frames(facts)
    square = _crop(job, facts, count)
    files.make_folder(job.folder / files.FRAMES)
    pictures = video.read_frames(settings.video)
    for number, picture in zip(job.progress(range(count), "decode"), pictures, strict=True):
        frame = crop.apply(picture, square, settings.size)
        files.write_picture(job.folder / files.FRAMES / f"{number}.jpg", frame)
    waveform = audio.read_waveform(
        settings.video, start=video.common_start(facts), duration=count / 25
    )
    audio.write_wav(job.folder / files.SOUND, waveform)
    job.manifest["video"] = _plain(facts) | {"crop": dataclasses.asdict(square)}


def _plain(facts: video.Probe) -> dict:
    """The facts of a video without its arrays, as JSON knows them."""
    content = dataclasses.asdict(facts)
    return {k: v for k, v in content.items() if not isinstance(v, np.ndarray)}


def _crop(job: Job, facts: video.Probe, count: int) -> crop.Crop:
    """The square to cut, given or found."""
    settings = job.settings
    if settings.crop is not None:
        square = crop.parse(settings.crop)
        crop.check(square, facts.width, facts.height)
        return square
    detector, _ = landmarks.load_models()
    boxes = []
    pictures = video.read_frames(settings.video)
    for number, picture in zip(job.progress(range(count), "find head"), pictures, strict=True):
        if number % SAMPLE_EVERY == 0:
            width = min(SOURCE_WIDTH, max(picture.shape))
            boxes.append(landmarks.detect(picture, detector, width=width))
    return crop.around_head(boxes, width=facts.width, height=facts.height, margin=settings.margin)


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
    _save(
        job.folder / files.LANDMARKS,
        dataclasses.asdict(points)
        | {
            "boxes": faces.boxes,
            "counts": faces.counts,
        },
    )
    job.manifest["sources"]["landmarks"] = "dlib, 8 boxes, fused with optical flow"


def _save(path: pathlib.Path, arrays: dict) -> None:
    """Writes named arrays as .npz, all at once."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    files.write_bytes(path, buffer.getvalue())


def _tracking(job: Job) -> None:
    """Head pose, shape and camera."""
    found = job.landmarks()
    height, width = job.frames()[0].shape[:2]
    track = tracking.track(
        jax.random.key(job.settings.seed),
        found.points,
        found.found,
        width=width,
        height=height,
        cuts=found.cuts,
        focal=job.settings.focal,
        progress=job.bar("tracking"),
    )
    cameras.write_transforms(
        job.folder,
        track.world_to_camera,
        found.found,
        focal=track.focal,
        width=width,
        height=height,
    )
    _save(job.folder / files.TRACKING, dataclasses.asdict(track))


def _masks(job: Job) -> None:
    """Label pictures: built-in, or those of another tool with what they lack added."""
    settings = job.settings
    points = job.landmarks()
    frames = job.frames()
    for kind in (files.PARSING, files.TEETH):
        files.make_folder(job.folder / kind)
    colors = mouth.fit(frames, points.points)
    if settings.parsing is not None:
        pictures = (
            labels.from_parsing(files.read_picture(path), None)
            for path in external(settings.parsing, ".png", len(frames), "--parsing").values()
        )
    else:
        key = jax.random.key(settings.seed)
        segmenter = segmentation.fit(key, frames, points.points)
        pictures = segmentation.apply(segmenter, frames, points.points, cuts=points.cuts)
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
        inside, teeth = mouth.inside(image, points.points[number], colors)
        if settings.parsing is not None:
            inside = picture == labels.Label.MOUTH
            teeth &= inside
        if number in teeth_files:
            teeth = _teeth(teeth_files[number], picture.shape)
        picture[inside] = labels.Label.MOUTH
        picture[teeth] = labels.Label.TEETH
        parsing, teeth = labels.to_parsing(picture)
        files.write_picture(job.folder / files.PARSING / f"{number}.png", parsing)
        files.write_array(job.folder / files.TEETH / f"{number}.npy", teeth)
    job.manifest["sources"]["masks"] = _source("parsing", settings.parsing, "GrabCut and student")
    job.manifest["sources"]["teeth"] = _source("teeth_mask", settings.teeth_mask, "lip colour")


def _teeth(path: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray:
    """A teeth mask of another tool."""
    try:
        teeth = np.load(path).astype(bool)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            expected=f"a mask of teeth in {path}", got=str(error), fix="Make it again."
        ) from error
    if teeth.shape != shape:
        raise DataError(
            expected=f"teeth masks as large as the frames, {shape[1]} pixels",
            got=f"{teeth.shape} in {path}",
            fix="Make them from the pictures in ori_imgs.",
        )
    return teeth


def _source(name: str, given: pathlib.Path | None, built_in: str) -> str:
    """Says where something comes from."""
    return f"built in: {built_in}" if given is None else f"{name} given: {given.name}"


def external(folder: pathlib.Path, suffix: str, count: int, flag: str) -> dict:
    """Returns the files of another tool by number, one for each frame.

    Args:
      folder: that the user names.
      suffix: of the files.
      count: T.
      flag: by which the user names the folder.

    Raises:
      DataError: they are not numbered 0 to T - 1.
    """
    there = files.numbered(folder, suffix)
    if list(there) != list(range(count)):
        raise DataError(
            expected=f"{flag} with 0{suffix} to {count - 1}{suffix}",
            got=f"{len(there)} such files"
            + (f" from {min(there)} to {max(there)}" if there else ""),
            fix="Make them from the 25 fps pictures in ori_imgs.",
        )
    return there


def _background(job: Job) -> None:
    """What is behind the person."""
    frames = job.frames()
    picture, _ = background.estimate(frames, _Labels(job, len(frames)))
    files.write_picture(job.folder / files.BACKGROUND, picture)


def _torso(job: Job) -> None:
    """Torso pictures, and frames whose background stands still."""
    behind = files.read_picture(job.folder / files.BACKGROUND)
    frames = job.frames()
    for kind in (files.TORSO, files.GROUND_TRUTH):
        files.make_folder(job.folder / kind)
    for number in job.progress(range(len(frames)), "torso"):
        image, picture = frames[number], job.label(number)
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
            job.track(), found.points, found.found, width=width, height=height
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
    audio_features.save(job.folder / _feature_file(job.settings), features)
    job.manifest["sources"]["features"] = f"{features.name}: {features.source}"


def _feature_file(settings: Settings) -> str:
    """Name of the file that the stage features writes."""
    path = settings.audio_features
    if path is None:
        return audio_features.KINDS["mel"].file
    length = len(np.load(path, mmap_mode="r", allow_pickle=False))
    return audio_features.KINDS[audio_features.load(path, length).name].file


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
      makes: (folder, suffix) or file names that it writes, or what gives a name for settings.
    """

    run: Callable[[Job], None]
    needs: tuple[str, ...]
    makes: tuple[tuple[str, str] | str | Callable[[Settings], str], ...]


STAGES = {
    "decode": Stage(_decode, (), ((files.FRAMES, ".jpg"), files.SOUND)),
    "landmarks": Stage(_landmarks, ("decode",), ((files.FRAMES, ".lms"), files.LANDMARKS)),
    "tracking": Stage(_tracking, ("landmarks",), (*files.TRANSFORMS, files.TRACKING)),
    "masks": Stage(_masks, ("landmarks",), ((files.PARSING, ".png"), (files.TEETH, ".npy"))),
    "background": Stage(_background, ("masks",), (files.BACKGROUND,)),
    "torso": Stage(_torso, ("background",), ((files.TORSO, ".png"), (files.GROUND_TRUTH, ".jpg"))),
    "action_units": Stage(_action_units, ("tracking",), (files.ACTION_UNITS,)),
    "features": Stage(_features, ("decode",), (_feature_file,)),
    "doctor": Stage(_doctor, ("torso", "action_units", "features"), ()),
}

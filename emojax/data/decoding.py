"""The first stage of preprocessing: a video -> square pictures at 25 fps and 16 kHz mono sound."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from emojax.data import (
    audio,
    crop,
    files,
    landmarks,
    video,
)
from emojax.data.job import Job

SAMPLE_EVERY = 12  # frames between those in which the head is looked for before cropping
SOURCE_WIDTH = 960  # to which pictures are reduced for that: finds faces of a twelfth of it


def decode(job: Job) -> None:
    """Writes the frames and the sound of the video, and notes what the video was.

    Args:
      job: whose settings name a video with sound.

    Raises:
      DataError: it cannot be decoded, or no crop is given and there is not one face to crop to.
    """
    settings = job.settings
    facts = video.probe(settings.video)
    count = video.num_common_frames(facts)
    if max(video.left_out(facts)) > video.LEFT_OUT_SECONDS:
        logging.getLogger(__name__).warning(
            "%s: %.1f s of pictures and %.1f s of sound, of which %.1f s are used",
            settings.video.name,
            facts.duration,
            facts.audio.duration,
            count / files.FPS,
        )
    square = _crop(job, facts, count)
    files.make_folder(job.folder / files.FRAMES)
    pictures = video.read_frames(settings.video)
    for number, picture in zip(job.progress(range(count), "decode"), pictures, strict=True):
        frame = crop.apply(picture, square, settings.size)
        files.write_picture(job.folder / files.FRAMES / f"{number}.jpg", frame)
    waveform = audio.read_waveform(
        settings.video, start=video.common_start(facts), duration=count / files.FPS
    )
    audio.write_wav(job.folder / files.SOUND, waveform)
    measured = {"start": facts.start, "fps": facts.fps, "num_frames": facts.num_frames}
    cut = {"crop": dataclasses.asdict(square), "left_out": video.left_out(facts)}
    job.manifest["video"] = _plain(facts) | measured | cut


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

"""Films a take: draws every frame and writes the data set folder that training reads.

`dataset` says what the standard folder holds, `truth` what lies in `truth/` beside it unless left
out, and `puppet.json` what was filmed. Views of more cameras are data sets of their own, in
`views/1`, `views/2`, ...

Frames go one by one from the renderer to the disk: length costs the memory of the sound and of the
tracks alone. The folder appears whole at its place, or not at all.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np

from emojax.data import files, labels
from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.opencv import cv2
from emojax.puppet import body, dataset, landmarks, lens, masks, picture, rig, sensor, truth
from emojax.puppet.dataset import Shot
from emojax.puppet.landmarks import Landmarks
from emojax.puppet.lens import Lens
from emojax.puppet.take import Take

MANIFEST = "puppet.json"
VIEWS = "views"
FORMAT = 1
MULTIPLE = 8  # of which sizes must be: encoders and networks halve pictures three times
SMALLEST, LARGEST = 64, 2048
MOST_VIEWS = 16
HIDDEN = 0.12  # of the picture: so far behind the head the body is drawn. A nod moves it by 0.05.

T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Format:
    """How a take is filmed.

    Attributes:
      size: side of the pictures, pixels, a multiple of `MULTIPLE`.
      samples: 1 or 4 rays for pixels at edges.
      has_truth: write `truth/` too.
      views: how many more cameras there are around the face.
      noise: of the sensor, grey levels at middle grey.
      compression: constant rate factor of H.264 that the pictures go through, or None.
    """

    size: int = 256
    samples: int = 4
    has_truth: bool = True
    views: int = 0
    noise: float = 0.0
    compression: int | None = None


def check(folder: pathlib.Path, form: Format, *, overwrite: bool) -> None:
    """Refuses a place or a format before any work is done.

    Args:
      folder: of the film to be.
      form: of it.
      overwrite: whether a film that is there may go. Nothing else is ever replaced.

    Raises:
      DataError: something is there, or a number is out of range.
    """
    faults = (
        (
            form.size % MULTIPLE or not SMALLEST <= form.size <= LARGEST,
            f"a size from {SMALLEST} to {LARGEST} pixels, a multiple of {MULTIPLE}",
            f"{form.size}",
            f"Take {min(max(round(form.size / MULTIPLE) * MULTIPLE, SMALLEST), LARGEST)}.",
        ),
        (form.samples not in (1, 4), "samples of 1 or 4", f"{form.samples}", "4 smooths edges."),
        (
            not 0 <= form.views <= MOST_VIEWS,
            f"0 to {MOST_VIEWS} more views",
            f"{form.views}",
            "Each costs as much as the film.",
        ),
        (
            not 0 <= form.noise <= 64,
            "noise from 0 to 64 grey levels",
            f"{form.noise:g}",
            "A good camera has 1, a telephone in the evening 6.",
        ),
        (
            form.compression is not None and not 0 <= form.compression <= sensor.WORST_QUALITY,
            f"compression from 0 to {sensor.WORST_QUALITY}",
            f"{form.compression}",
            "23 is usual, 35 shows.",
        ),
    )
    for is_wrong, expected, got, fix in faults:
        if is_wrong:
            raise DataError(expected=expected, got=got, fix=fix)
    if folder.is_file():
        raise DataError(expected="a folder to write", got=f"{folder}, a file", fix="Rename it.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    is_film = (folder / MANIFEST).exists()
    if not is_film or not overwrite:
        raise DataError(
            expected=f"nothing at {folder}",
            got="a film" if is_film else "a folder with other files, which are not replaced",
            fix="Add --overwrite to film it anew." if is_film else "Name another folder.",
        )


def shoot(
    take: Take,
    folder: pathlib.Path | str,
    *,
    form: Format = Format(),
    overwrite: bool = False,
    workers: int = 2,
    progress: Callable[[Iterable], Iterable] = iter,
) -> None:
    """Films a take: the same take and format give the same bits, however many workers.

    Args:
      take: what is filmed.
      folder: of the data set to be.
      form: size and options.
      overwrite: replace a film that is there.
      workers: threads that draw and write; as many frames are in memory, a few times over.
      progress: wraps the iterable of frames, for a progress bar.

    Raises:
      DataError: as `check`, or the disk is full.
    """
    folder = pathlib.Path(folder)
    check(folder, form, overwrite=overwrite)
    files.make_folder(folder.parent)
    scratch = files.partial(folder)
    lenses = (take.actor.lens, *lens.around(take.actor.lens, form.views))
    try:
        for number, each in enumerate(lenses):
            place = scratch / VIEWS / str(number) if number else scratch
            _shoot_view(take, place, form, each, number, workers, progress)
        _put(scratch, folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _put(scratch: pathlib.Path, folder: pathlib.Path) -> None:
    """Brings the finished folder to its place; what was there goes only then."""
    old = files.partial(folder)
    try:
        if folder.exists():
            folder.rename(old)
        scratch.rename(folder)
    except OSError as error:
        raise files.failed(folder, error) from error
    shutil.rmtree(old, ignore_errors=True)


def _shoot_view(take, folder, form, view_lens, number, workers, progress) -> None:
    """Writes the data set of one camera."""
    camera = jax.device_get(lens.camera(view_lens, form.size))
    # Numbers on the host: slices of arrays on the device cost more than a small picture.
    acted = jax.device_get(take.performance.controls)
    identity, scene, eye = jax.device_put((take.actor.identity, take.actor.scene, camera))
    files.make_folder(folder)
    behind = dataset.begin(folder, _to_bytes(picture.empty(scene, eye)))
    if form.has_truth:
        truth.begin(folder)
    noise_seed = take.actor.seed * (MOST_VIEWS + 1) + number

    def render(t: int) -> Shot:
        instant = jax.tree.map(lambda leaf: leaf[t], acted)
        drawn = picture.draw(identity, instant, eye, scene=scene, samples=form.samples)
        found = landmarks.landmarks(identity, instant, eye)
        pose = _pose(instant)
        hidden = near_the_body(masks.to_labels(np.asarray(drawn.labels)))
        rest = body.behind(identity, instant, eye, scene, hidden)
        drawn, found, pose, rest = jax.device_get((drawn, found, pose, rest))
        return Shot(
            number=t,
            image=sensor.noisy(_to_bytes(drawn.image), form.noise, noise_seed, t),
            regions=drawn.labels,
            depth=drawn.depth,
            normals=drawn.normals,
            landmarks=found,
            pose=pose,
            body=_to_bytes(rest.image),
            covered=rest.covered,
        )

    def write(shot: Shot) -> tuple[Landmarks, np.ndarray]:
        dataset.write_frame(folder, shot, behind)
        if form.has_truth:
            truth.write_frame(folder, shot, camera)
        return shot.landmarks, shot.pose

    count = len(take)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        shots = _in_order(pool, render, range(count), 2 * workers)
        written = _in_order(pool, write, _compressed(shots, form.compression), 2 * workers)
        found = [seen for _, seen in zip(progress(range(count)), written, strict=True)]
    found, poses = jax.tree.map(lambda *rows: np.stack(rows), *found)
    dataset.write_tracks(folder, take, camera, found, poses)
    if form.has_truth:
        truth.write_tracks(folder, take)
        truth.write_performance(folder, take, camera, found, poses)
    files.write_text(folder / MANIFEST, json.dumps(_manifest(take, form, view_lens), indent=1))
    dataset.finish(folder, count)


_pose = jax.jit(rig.head_to_world)


def near_the_body(seen: np.ndarray) -> np.ndarray:
    """Returns where the head hides body that may come to light when it moves.

    Args:
      seen: uint8 [H, W] of `labels.Label`.

    Returns:
      bool [H, W].
    """
    shown = labels.isin(seen, (Label.NECK, Label.TORSO)).view(np.uint8)
    reach = 2 * round(HIDDEN * len(seen)) + 1
    near = cv2.dilate(shown, cv2.getStructuringElement(cv2.MORPH_RECT, (reach, reach))) > 0
    return near & labels.isin(seen, labels.HEAD)


def _in_order(
    pool: concurrent.futures.Executor, function: Callable[[T], R], items: Iterable[T], depth: int
) -> Iterator[R]:
    """Yields function(item) in the order of items, of which `depth` are on their way."""
    pending: collections.deque = collections.deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _compressed(shots: Iterable[Shot], quality: int | None) -> Iterator[Shot]:
    """Shots whose images went through a video encoder, which gives them back some frames later."""
    waiting: collections.deque = collections.deque()

    def images() -> Iterator[np.ndarray]:
        for shot in shots:
            waiting.append(shot)
            yield shot.image

    for image in sensor.compressed(images(), quality):
        yield dataclasses.replace(waiting.popleft(), image=image)


def _to_bytes(image: Any) -> np.ndarray:
    """Colours 0 to 1 as uint8."""
    return np.uint8(np.asarray(image) * 255 + 0.5)


def _manifest(take: Take, form: Format, view_lens: Lens) -> dict:
    """What was filmed, for people and programs."""
    known = take.phonemes is not None
    return {
        "format": FORMAT,
        "seed": take.actor.seed,
        "world": take.actor.world,
        "frames": len(take),
        "fps": files.FPS,
        "voice": take.voice or None,
        "text": take.text or None,
        "lips": "phonemes of espeak-ng" if known else "energy of the sound: phonemes are unknown",
        "film": dataclasses.asdict(form),
        "lens": dataclasses.asdict(view_lens),
        "style": dataclasses.asdict(take.actor.style),
        "coarticulation": dataclasses.asdict(take.actor.coarticulation),
    }

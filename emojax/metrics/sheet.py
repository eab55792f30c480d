"""A contact sheet of an examined head, for eyes: what no number says.

One line a frame: truth, head, four times their difference, and the mouth of both, enlarged; of a
head that has normals these, too, beside the clip's own where it has some. Frames are the worst of
the film by LMD (PSNR without a judge), its median, its best, and some in between. Titles stand
above the columns.
"""

from __future__ import annotations

import numpy as np

from emojax.data import captions, surfaces
from emojax.metrics import image, scenarios
from emojax.metrics.measure import Exam, Scores
from emojax.opencv import cv2

TILE = 256  # pixels
FRAMES = 6
GAIN = 4.0  # of the difference
TITLES = ("truth", "head", f"difference x {GAIN:g}", "truth's mouth", "head's mouth")
TRUE_NORMALS, NORMALS = "clip's normals", "head's normals"
BAR = 20  # pixels, of a line's caption


def chosen(scores: Scores) -> np.ndarray:
    """Returns the frames to show, worst first, int [at most FRAMES].

    Args:
      scores: of the head.
    """
    lmd, psnr = scores.frames["lmd"], scores.frames["psnr"]
    badness = lmd if np.isfinite(lmd).any() else -psnr
    known = np.flatnonzero(np.isfinite(badness))
    order = known[np.argsort(-badness[known], kind="stable")]
    places = np.linspace(0, len(order) - 1, min(FRAMES, len(order))).round().astype(int)
    return order[places]


def sheet(
    exam: Exam,
    scores: Scores,
    render: scenarios.Render,
    *,
    normals: scenarios.Render | None = None,
) -> np.ndarray:
    """Returns the sheet, uint8 [captions.BAR + F * TILE, C * TILE, 3] of 5 to 7 columns.

    Args:
      exam: that was taken.
      scores: of the head.
      render: draws the head.
      normals: draws its normals, of a head that has some.
    """
    places = chosen(scores)
    rows = exam.rows[places]
    pictures = list(render(scenarios.batches(exam.clip, rows)))
    columns = _normals(exam, rows, normals)
    lines = [captions.titles([*TITLES, *columns], TILE)]
    for k, (place, row) in enumerate(zip(places, rows, strict=True)):
        truth = exam.clip.images[int(row)].astype(np.float32) / 255
        picture = np.clip(np.float32(pictures[k]), 0, 1)
        mouths = (image.crop(x, exam.boxes[place]) for x in (truth, picture))
        tiles = [truth, picture, GAIN * np.abs(picture - truth), *mouths]
        tiles += [drawn[k] / np.float32(255) for drawn in columns.values()]
        line = np.concatenate([_tile(x) for x in tiles], axis=1)
        lines.append(_labelled(line, _caption(exam, scores, place)))
    return np.concatenate(lines)


def _normals(exam: Exam, rows: np.ndarray, render: scenarios.Render | None) -> dict[str, list]:
    """Columns of normals, uint8, by their titles; none for a head without."""
    if render is None:
        return {}
    drawn = [surfaces.of_drawn(x) for x in render(scenarios.batches(exam.clip, rows))]
    if exam.clip.normals is None:
        return {NORMALS: drawn}
    return {TRUE_NORMALS: [exam.clip.normals[int(row)] for row in rows], NORMALS: drawn}


def _tile(picture: np.ndarray) -> np.ndarray:
    """A picture as a tile, uint8."""
    shrinks = picture.shape[0] > TILE
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    resized = cv2.resize(np.ascontiguousarray(picture), (TILE, TILE), interpolation=method)
    return np.uint8(np.clip(resized, 0, 1) * 255 + 0.5)


def _caption(exam: Exam, scores: Scores, place: int) -> str:
    """Frame number and the values that chose it."""
    text = f"frame {exam.clip.numbers[exam.rows[place]]}: {scores.frames['psnr'][place]:.1f} dB"
    lmd = scores.frames["lmd"][place]
    return text if np.isnan(lmd) else f"{text}, LMD {lmd:.2f} px"


def _labelled(line: np.ndarray, text: str) -> np.ndarray:
    """A line of tiles with its caption in a black bar at the top."""
    line = np.ascontiguousarray(line)
    line[:BAR, :TILE] = 0
    cv2.putText(line, text, (6, BAR - 6), cv2.FONT_HERSHEY_PLAIN, 0.9, (255,) * 3, 1, cv2.LINE_AA)
    return line

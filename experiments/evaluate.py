"""Measures a trained head on frames it has not seen, beside controls that it must beat.

    python experiments/evaluate.py --run runs/talk --scenario self --out report.json

Scenario "self": the clip's held-out frames with their own sound, expression and pose. Prints a
table of every metric for the truth, the truth with a camera's noise, the head, a mean picture, the
training picture of the nearest pose, and the head with shuffled, late and early sound and without
expression. Beside report.json it writes report.txt (the table), report.csv (every frame) and
report.png (truth, head, difference and mouth of a few frames: worst first, then better ones).
Pictures are measured as floats, before any encoding. Last it times the whole path from a sound to a
film. Fewer than 25 frames decide nothing: then the table has no verdicts.

Scenario "emotion": the same frames at the twelve points of emotion at which papers test, or with
--audio as long as a sound that the head has not heard. On a puppet's film (experiments/film.py)
every rendering is set beside its true twin; on other clips, and with another sound, only what lips
keep and which emotion is seen is measured. Controls: the head without its emotion branch, with one
emotion for all points, with other points' emotions. report.png shows the points. Emotions are read
by a reader of landmarks (emojax/emotion/reading.py), whose own error and what it makes of the twins
stand in the table.

Frozen networks whose converted weights are installed judge too (`python -m emojax.experts` lists
them, `experiments/convert.py` converts): LPIPS; in "self" SyncNet (Sync-E, Sync-C, offset) and FAN
(LMD); in "emotion" EmoNet (V/A-RMSE, V/A-SA, top-3 accuracy). Each is named beside its own error;
what is not installed is said. `--nojudges` leaves them out.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tqdm
from absl import app, flags

from emojax import caches
from emojax.data import clip as clips
from emojax.data import files
from emojax.data.errors import DataError
from emojax.drive import frames, hearing, sound, speed
from emojax.emotion import estimate, reading
from emojax.experts import expert, lpips
from emojax.experts.checkpoint.refusal import CheckpointError
from emojax.metrics import (
    drawing,
    emotional,
    emotional_report,
    emotional_sheet,
    jury,
    measure,
    report,
    scenarios,
    sheet,
)
from emojax.puppet import truth, twins
from emojax.training import checkpoints

INTERRUPTED = 130  # exit code of shells for SIGINT

_RUN = flags.DEFINE_string("run", None, "folder of a trained head", required=True)
_SCENARIO = flags.DEFINE_enum(
    "scenario", "self", ["self", "emotion"], "what the head is asked to do"
)
_OUT = flags.DEFINE_string("out", None, "report to write, .json", required=True)
_DATA = flags.DEFINE_string("data", None, "folder of the clip, if not the one trained on")
_AUDIO = flags.DEFINE_string(
    "audio", None, "sound for the scenario emotion; that of the held-out frames by default"
)
_LPIPS = flags.DEFINE_string(
    "lpips", None, "weights of LPIPS, .npz or .safetensors; by default the installed ones, if any"
)
_JUDGES = flags.DEFINE_bool("judges", True, "let frozen networks judge whose weights are installed")
_MAX_FRAMES = flags.DEFINE_integer(
    "max_frames", None, "measure only so many of the held-out frames, the first", lower_bound=1
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace an earlier report")


def _places() -> dict[str, pathlib.Path]:
    """Where the report's files go, by suffix; none of them is there."""
    out = pathlib.Path(_OUT.value)
    if out.suffix != ".json":
        raise DataError(
            expected="--out=NAME.json", got=f"--out={out}", fix="Name the report so, please."
        )
    places = {suffix: out.with_suffix(suffix) for suffix in (".json", ".txt", ".csv", ".png")}
    there = [path.name for path in places.values() if path.exists()]
    if there and not _OVERWRITE.value:
        raise DataError(
            expected=f"no report at {out}",
            got=", ".join(there),
            fix="Choose another name, or add --overwrite.",
        )
    if folders := [path for path in places.values() if path.is_dir()]:
        raise DataError(
            expected=f"a file at {folders[0]}", got="a folder", fix="Choose another name."
        )
    files.make_folder(out.parent)
    files.check_writable(out.parent)
    return places


def evaluate() -> str:
    """Measures, writes the report, and returns its table."""
    places = _places()
    is_emotion = _SCENARIO.value == "emotion"
    if _AUDIO.value is not None and not is_emotion:
        raise DataError(
            expected="--audio with --scenario emotion",
            got=f"--scenario {_SCENARIO.value}",
            fix="Leave it out: this scenario needs the truth, and its sound.",
        )
    weights = _lpips()
    run = checkpoints.load_run(pathlib.Path(_RUN.value))
    folder = pathlib.Path(_DATA.value) if _DATA.value else run.clip_folder
    for note in run.notes:
        print(f"note: {note}", file=sys.stderr)
    clip = clips.load(folder, size=run.size, features=run.features, force=run.forced)
    if run.head.config.emotion != "none":
        clip = estimate.fill(clip)  # as at training
    trained = frames.ready(run.head)
    about = {
        "run": pathlib.Path(_RUN.value).resolve().name,
        "recipe": run.recipe.name,
        "trained_to": dataclasses.asdict(run.place),
        "head": _described(trained),
    }
    made = _emotion(trained, clip, about) if is_emotion else _self(trained, clip, about, weights)
    files.write_picture(places[".png"], made.sheet)
    files.write_text(places[".csv"], made.frames)
    files.write_text(places[".txt"], made.text)
    files.write_text(places[".json"], report.to_json(made.found))
    return f"{made.text}\nSee {', '.join(str(path) for path in places.values())}."


def _lpips() -> lpips.Params | None:
    """Weights of LPIPS: those named, or those installed."""
    place = _LPIPS.value
    if place is None and _JUDGES.value and expert.is_installed("lpips_alex"):
        place = expert.weights_file("lpips_alex")
    try:
        return None if place is None else lpips.load(place)
    except ValueError as error:
        sys.exit(f"evaluate: {error}")


def _called(names: tuple[str, ...]) -> tuple[dict, dict]:
    """Judges that are installed, and why others are not there; none where none are wanted."""
    return jury.called(names) if _JUDGES.value else ({}, {})


class Made(NamedTuple):
    """A report: values, as a table, of every frame, and a picture."""

    found: dict
    text: str
    frames: str
    sheet: np.ndarray


def _self(trained, clip, about: dict, weights) -> Made:
    """The head on held-out frames as they are."""
    rows = scenarios.held_out(clip, limit=_MAX_FRAMES.value)
    exam = measure.prepare(
        clip, rows, weights=weights, progress=lambda pictures: _bar(pictures, "judge", len(rows))
    )
    render = drawing.drawn_by(trained, clip)
    scores = scenarios.self_reconstruction(
        exam, render, progress=lambda pictures, name: _bar(pictures, name, len(rows))
    )
    judges, absent = _called(jury.OF_SPEECH)
    judged = jury.of_speech(
        judges,
        clip,
        rows,
        render,
        has_truth=(clip.folder / truth.PERFORMANCE).exists(),
        progress=lambda pictures, name: _bar(pictures, f"judge {name}", len(rows)),
    )
    found = report.build(exam, scores, about=about) | {
        "speed": _speed(trained, clip),
        "judges": judged,
        "judges_missing": absent,
    }
    text = report.to_text(found) + jury.to_text(judged, absent)
    normals = drawing.normals_drawn_by(trained, clip) if trained.config.normals else None
    drawn = sheet.sheet(exam, scores[scenarios.HEAD], render, normals=normals)
    return Made(found, text, report.to_csv(exam, scores), drawn)


def _emotion(trained, clip, about: dict) -> Made:
    """The head on held-out frames with twelve emotions."""
    if trained.config.emotion == "none":
        raise DataError(
            expected="a head that was trained with emotions, for --scenario emotion",
            got="one without",
            fix="Make emotional pictures of the data set with experiments/emotional_faces.py and "
            "train again.",
        )
    rows = scenarios.held_out(clip, limit=_MAX_FRAMES.value)
    windows = None
    if _AUDIO.value is not None:
        heard = sound.read(_AUDIO.value)
        rows = rows[: heard.num_frames]
        windows = hearing.hear(heard, clip.audio).at(np.arange(len(rows)))
    has_truth = (clip.folder / truth.PERFORMANCE).exists()
    exam = emotional.prepare(
        clip,
        rows,
        reading.default(),
        recording=twins.read(clip.folder) if has_truth else None,
        windows=windows,
        progress=lambda pictures: _bar(pictures, "judge", len(rows)),
    )
    renders = emotional.Renders(
        felt=drawing.drawn_by(trained, clip),
        plain=drawing.drawn_by(trained, clip, emotional=False),
        normals=drawing.normals_drawn_by(trained, clip) if trained.config.normals else None,
    )
    outcome = emotional.examine(
        exam, renders, progress=lambda instants: _bar(instants, "emotions", len(rows))
    )
    judges, absent = _called(jury.OF_EMOTIONS)
    judged = jury.of_emotions(judges, exam, renders)
    found = emotional_report.build(exam, outcome, about=about)
    return Made(
        found | {"judges": judged, "judges_missing": absent},
        emotional_report.to_text(found) + jury.to_text(judged, absent),
        emotional_report.to_csv(exam, outcome),
        emotional_sheet.sheet(outcome.shown),
    )


def _described(head) -> dict:
    """The head's size and what it hears."""
    return {
        "features": head.config.features,
        "face_gaussians": int(head.face.count()),
        "mouth_gaussians": int(head.mouth.count()),
    }


def _speed(trained, clip) -> dict:
    """Of the whole path from a sound to a film, or why there is none."""
    try:
        return speed.measure(trained, clip)._asdict()
    except DataError as error:
        return {"missing": str(error)}


def _bar(items: Iterable, name: str, count: int) -> Iterable:
    """A progress bar; none where nobody watches."""
    return tqdm.tqdm(items, name, total=count, disable=None, leave=False)


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    caches.keep_programs()
    try:
        print(evaluate())
    except (DataError, CheckpointError) as error:
        sys.exit(f"evaluate: {error}")
    except KeyboardInterrupt:
        print("evaluate: stopped; no report was written", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    app.run(main)

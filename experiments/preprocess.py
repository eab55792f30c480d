"""Makes a data set folder from a portrait video: one command, offline, nothing gated.

    python experiments/preprocess.py --video talk.mp4 --out data/talk

Takes about 3 s on one core for each second of video. Killed at any point, the same command goes on
with the stage that was not done, with --overwrite too. Prints what each stage took and the doctor's
verdict; writes the field's folder layout (TalkingGaussian, ER-NeRF read it) and `doctor.txt`,
`doctor.png`. Needs the extra `face` for landmarks: pip install 'emojax[face]'.

--stages runs only those named, in their own order; what they read must be there and done. What
follows from a stage that is made again is out of date until the command without --stages made it
too. A folder made elsewhere can be completed: leave out --video and name the missing stages.
--overwrite makes the named stages again, all by default, replaces whatever lies in the place of
their files, yours too, and touches nothing else.

The exit code is 0 when all is done and the clip is good or usable, 1 when it is not usable or
something was refused, 130 when it was interrupted.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
from absl import app, flags

from emojax.data import crop, doctor, pipeline
from emojax.data.checkup.report import NOT_USABLE
from emojax.data.errors import DataError

INTERRUPTED = 130  # exit code of shells for SIGINT

_VIDEO = flags.DEFINE_string("video", None, "video with sound of one talking person")
_OUT = flags.DEFINE_string("out", None, "folder of the data set; made if absent", required=True)
_SIZE = flags.DEFINE_integer("size", 512, "side of the square pictures, pixels")
_STAGES = flags.DEFINE_list("stages", ["all"], f"all, or some of {', '.join(pipeline.STAGES)}")
_MARGIN = flags.DEFINE_float("margin", crop.MARGIN, "side of the crop, in widths of the face box")
_CROP = flags.DEFINE_string("crop", None, "LEFT,TOP,SIDE in pixels of the video; found by default")
_FOCAL = flags.DEFINE_float(
    "focal", None, "focal length in pixels at --size; 2.34 sizes by default"
)
_PARSING = flags.DEFINE_string("parsing", None, "folder of parsing pictures N.png to use")
_TEETH_MASK = flags.DEFINE_string("teeth_mask", None, "folder of teeth masks N.npy to use")
_AU = flags.DEFINE_string("au", None, "OpenFace CSV of the 25 fps frames to use")
_AUDIO_FEATURES = flags.DEFINE_string(
    "audio_features", None, ".npy of DeepSpeech, esperanto or HuBERT features to use"
)
_SEED = flags.DEFINE_integer("seed", 0, "seed of everything random")
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "make the named stages again, in place of whatever is there"
)


def _path(text: str | None) -> pathlib.Path | None:
    return None if text is None else pathlib.Path(text)


def _bar(iterable, name):
    """A progress bar with the time left; on no terminal a line for each stage."""
    from tqdm import tqdm

    if name == "stages" and not sys.stderr.isatty():
        return _lines(iterable)
    unit = " stages" if name == "stages" else " frames"
    # Containers' terminals may say that they are 0 x 0 large; tqdm would draw nothing then.
    columns, lines = shutil.get_terminal_size()
    return tqdm(
        iterable,
        f"{name:16}",
        unit=unit,
        ncols=columns - 1,
        nrows=lines,
        disable=None,
        leave=False,
    )


def _lines(names):
    """The stages, each named when it begins."""
    for number, name in enumerate(names, start=1):
        print(f"stage {number} of {len(names)}: {name}", file=sys.stderr, flush=True)
        yield name


def _table(manifest: dict) -> str:
    """What each stage took."""
    lines = [f"{'stage':14}{'seconds':>9}{'CPU s':>8}{'ms CPU a frame':>16}{'peak MB':>9}"]
    total = np.zeros(3)
    for name in pipeline.STAGES:
        done = manifest["stages"].get(name)
        if not done or not done["done"]:
            continue
        cost = 1000 * done["cpu_seconds"] / done["frames"]
        total += done["seconds"], done["cpu_seconds"], cost
        memory = "?" if done["peak_memory_mb"] is None else done["peak_memory_mb"]
        lines.append(
            f"{name:14}{done['seconds']:9.1f}{done['cpu_seconds']:8.1f}{cost:16.1f}{memory:>9}"
        )
    seconds, cpu_seconds, cost = total
    return "\n".join([*lines, f"{'all':14}{seconds:9.1f}{cpu_seconds:8.1f}{cost:16.1f}"])


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    names = list(pipeline.STAGES) if _STAGES.value == ["all"] else _STAGES.value
    settings = pipeline.Settings(
        video=_path(_VIDEO.value),
        size=_SIZE.value,
        margin=_MARGIN.value,
        crop=_CROP.value,
        focal=_FOCAL.value,
        parsing=_path(_PARSING.value),
        teeth_mask=_path(_TEETH_MASK.value),
        au=_path(_AU.value),
        audio_features=_path(_AUDIO_FEATURES.value),
        seed=_SEED.value,
    )
    ran = []

    def progress(iterable, name):
        if name == "stages":
            ran.extend(iterable)
        return _bar(iterable, name)

    try:
        manifest = pipeline.run(
            out, settings, stages=names, overwrite=_OVERWRITE.value, progress=progress
        )
    except DataError as error:
        sys.exit(f"preprocess: {error}")
    except KeyboardInterrupt:
        print("preprocess: stopped; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    print(_table(manifest) if ran else "nothing to do: all of it is done")
    report = out / doctor.JSON
    if not report.exists():
        return 0
    verdict = json.loads(report.read_text())["verdict"]
    print(f"verdict: {verdict}; see {out / doctor.TEXT}")
    if verdict == NOT_USABLE:
        sys.exit(f"preprocess: {out} is not usable as it is; see {out / doctor.TEXT}")
    return 0


if __name__ == "__main__":
    app.run(main)

"""Makes a data set folder from a portrait video: one command, offline, nothing gated.

    python experiments/preprocess.py --video talk.mp4 --out data/talk

Killed at any point, the same command goes on with the stage that was not done, with --overwrite
too. Prints what each stage took and the doctor's verdict; writes the field's folder layout
(TalkingGaussian, ER-NeRF read it) and `doctor.txt`, `doctor.png`. A folder made elsewhere can be
completed: leave out --video and name the missing stages. Needs the extra `face` for landmarks:
pip install 'emojax[face]'.
"""

import json
import pathlib
import sys

from absl import app, flags

from emojax.data import crop, doctor, pipeline
from emojax.data.errors import DataError

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
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "make the named stages again")


def _path(text: str | None) -> pathlib.Path | None:
    return None if text is None else pathlib.Path(text)


def _bar(iterable, name):
    """A progress bar with the time left; none where nobody watches."""
    from tqdm import tqdm

    unit = " stages" if name == "stages" else " frames"
    return tqdm(iterable, desc=f"{name:16}", unit=unit, disable=None, leave=False)


def _table(manifest: dict) -> str:
    """What each stage took."""
    lines = [f"{'stage':14}{'seconds':>9}{'CPU s':>8}{'ms CPU a frame':>16}{'peak MB':>9}"]
    total = 0.0
    for name in pipeline.STAGES:
        done = manifest["stages"].get(name)
        if not done or not done["done"]:
            continue
        cost = 1000 * done["cpu_seconds"] / done["frames"]
        total += cost
        memory = "?" if done["peak_memory_mb"] is None else done["peak_memory_mb"]
        lines.append(
            f"{name:14}{done['seconds']:9.1f}{done['cpu_seconds']:8.1f}{cost:16.1f}{memory:>9}"
        )
    return "\n".join([*lines, f"{'all':31}{total:16.1f}"])


def main(argv: list[str]) -> None:
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
    try:
        manifest = pipeline.run(
            out, settings, stages=names, overwrite=_OVERWRITE.value, progress=_bar
        )
    except DataError as error:
        sys.exit(f"preprocess: {error}")
    print(_table(manifest))
    report = out / doctor.JSON
    if report.exists():
        print(f"verdict: {json.loads(report.read_text())['verdict']}; see {out / doctor.TEXT}")


if __name__ == "__main__":
    app.run(main)

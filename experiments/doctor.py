"""Says whether a data set folder is good, usable or not usable for training, and what to do.

    python experiments/doctor.py --data DIR

DIR is a folder of the field's layout, made by `experiments/preprocess.py` or elsewhere. Writes
`doctor.json`, `doctor.txt` and `doctor.png` (one contact sheet) into it, or into --out, and prints
the text. A folder that holds nothing of a data set is refused unless --out is given. The exit code
is 0 for a good or usable clip, 1 for one that is not usable or cannot be examined, 130 when it was
interrupted.
"""

import os
import pathlib
import sys

import tqdm
from absl import app, flags

from emojax.data import doctor, files
from emojax.data.checkup import report
from emojax.data.errors import DataError

INTERRUPTED = 130  # exit code of shells for SIGINT

_DATA = flags.DEFINE_string("data", None, "data set folder to examine", required=True)
_OUT = flags.DEFINE_string("out", None, "folder for the reports; the data set's own by default")


def _say(text: str) -> None:
    """Prints; where the reader has gone (`| head`) what follows is said to nobody."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    folder = pathlib.Path(_DATA.value)
    out = pathlib.Path(_OUT.value) if _OUT.value else folder
    try:
        if _OUT.value:
            files.make_folder(out)
        else:
            doctor.check_place(folder)
        found = doctor.examine(
            folder, progress=lambda frames: tqdm.tqdm(frames, "examine", disable=None)
        )
        # First of all for people: the folder may be closed to us.
        _say(report.to_text(folder.resolve().name, list(found.findings)))
        doctor.write(out, found)
    except DataError as error:
        sys.exit(f"doctor: {error}")
    except KeyboardInterrupt:
        print("doctor: stopped; no report was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    _say(f"\nSee {out / doctor.SHEET}.\n")
    if found.verdict == report.NOT_USABLE:
        wrong = [f.title for f in found.findings if f.level == report.NOT_USABLE]
        sys.exit(f"doctor: {folder} is not usable: {', '.join(wrong)}; see {out / doctor.TEXT}")


if __name__ == "__main__":
    app.run(main)

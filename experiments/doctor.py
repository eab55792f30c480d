"""Says whether a data set folder is good, usable or not usable for training, and what to do.

    python experiments/doctor.py --data DIR

DIR is a folder of the field's layout, made by `experiments/preprocess.py` or elsewhere. Writes
`doctor.json`, `doctor.txt` and `doctor.png` (one contact sheet) into it and prints the text. The
exit code is 0 for a good or usable clip, 1 for one that is not usable or cannot be examined, 130
when it was interrupted.
"""

import os
import pathlib
import sys

import tqdm
from absl import app, flags

from emojax.data import doctor
from emojax.data.checkup import report
from emojax.data.errors import DataError

INTERRUPTED = 130  # exit code of shells for SIGINT

_DATA = flags.DEFINE_string("data", None, "data set folder to examine", required=True)


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
    try:
        found = doctor.examine(
            folder, progress=lambda frames: tqdm.tqdm(frames, "examine", disable=None)
        )
        # First of all for people: the folder may be closed to us.
        _say(report.to_text(folder.resolve().name, list(found.findings)))
        doctor.write(folder, found)
    except DataError as error:
        sys.exit(f"doctor: {error}")
    except KeyboardInterrupt:
        print("doctor: stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    _say(f"\nSee {folder / doctor.SHEET}.\n")
    if found.verdict == report.NOT_USABLE:
        wrong = [f.title for f in found.findings if f.level == report.NOT_USABLE]
        sys.exit(f"doctor: {folder} is not usable: {', '.join(wrong)}; see {folder / doctor.TEXT}")


if __name__ == "__main__":
    app.run(main)

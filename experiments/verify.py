"""Reads what films, pictures and clouds say of themselves: synthetic, by what, of which run.

    python experiments/verify.py speech.mp4
    python experiments/verify.py sweep/sweep.mp4 frames/0.png head.ply --run runs/talk

--run also asks whether a trained head here is the one that a file names. The exit code is 0 where
every file says that it was made by emojax (and of that run, if one was named), 1 where one does
not, 2 where one cannot be read.

A file that says nothing proves nothing. What it says is metadata: most sites, messengers and
editors drop it, anybody can remove it, and anybody can write it. See "Consent and responsible use"
in README.md.
"""

import pathlib
import sys
import textwrap
from collections.abc import Sequence

from absl import app, flags

from emojax.data import carriers, provenance
from emojax.data.carriers import Said
from emojax.data.errors import DataError
from emojax.data.provenance import Provenance
from emojax.training import record

_RUN = flags.DEFINE_string("run", None, "folder of a run: are the files made with its head?")

OURS, SILENT, UNREADABLE = 0, 1, 2  # exit codes
NOTHING = (
    "That proves nothing: it may be a recording, or a synthetic film that was encoded anew, cut or "
    "uploaded since, or whose metadata somebody removed."
)
STATEMENT = "A statement, not a proof: anybody can write or remove it."
MARGIN = 2  # blanks


def described(said: Said, run: str | None) -> tuple[int, list[str]]:
    """Returns the exit code for a file, and what to print of it.

    Args:
      said: by the file.
      run: name of the run that it should be of, or None where nobody asks.
    """
    cut = [] if said.is_whole else ["The file is cut off: it ends before it should."]
    if said.about is not None:
        code = OURS if run in (None, said.about.run) else SILENT
        return code, _ours(said.about, run) + cut + [STATEMENT]
    if cut:
        return UNREADABLE, [*cut, "What it says of itself may be in the part that is missing."]
    if said.source_type is None:
        return SILENT, [f"says nothing of itself. {NOTHING}"]
    return SILENT, [
        f"says nothing of {provenance.TOOL}, but names the IPTC digital source type "
        f"{said.source_type}, by which other programs mark what they make.",
        STATEMENT,
    ]


def _ours(about: Provenance, run: str | None) -> list[str]:
    """What a file of ours says."""
    lines = [f"synthetic, made with {provenance.TOOL} {about.version}."]
    if about.format != provenance.FORMAT:
        lines.append(
            f"More is said in format {about.format}, and this version reads {provenance.FORMAT}: "
            "ask the version that made it."
        )
        return lines
    if about.recipe is not None:
        lines.append(f"recipe: {about.recipe}, trained to step {about.trained_to}")
    lines.append(f"run: {about.run or 'not named'}{_compared(about.run, run)}")
    drawn = f"{about.mark!r} stood on every picture" if about.mark else "none was drawn"
    lines.append(f"visible mark: {drawn}")
    return lines


def _compared(found: str | None, run: str | None) -> str:
    """Whether it is the run that was asked for."""
    if run is None:
        return ""
    return f", that of {_RUN.value}" if found == run else f", not that of {_RUN.value}, {run}"


def verify(paths: Sequence[str]) -> int:
    """Prints what files say, and returns the exit code.

    Args:
      paths: of the files.

    Raises:
      DataError: the run cannot be read.
    """
    run = None if _RUN.value is None else record.fingerprint(*record.read(pathlib.Path(_RUN.value)))
    codes = []
    for path in paths:
        try:
            code, lines = described(carriers.read(path), run)
        except DataError as error:
            print(f"{path}: cannot be read: {error}", file=sys.stderr)
            codes.append(UNREADABLE)
            continue
        codes.append(code)
        print(f"{path}: {lines[0]}")
        for line in lines[1:]:
            print(textwrap.indent(textwrap.fill(line, 96), MARGIN * " "))
    return max(codes)


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) < 2:
        raise app.UsageError("name a file: verify.py speech.mp4", exitcode=UNREADABLE)
    try:
        return verify(argv[1:])
    except DataError as error:
        print(f"verify: {error}", file=sys.stderr)
        return UNREADABLE


if __name__ == "__main__":
    app.run(main)

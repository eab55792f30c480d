"""The doctor: whether a data set folder is good, usable or not usable, and what to do.

`examine` looks at any folder of the field's layout, complete or not; `write` leaves `doctor.json`
(for programs), `doctor.txt` (for people) and `doctor.png` (one contact sheet) in it. `clip.load`
refuses a folder whose report says "not usable", unless forced.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable

from emojax.data import files
from emojax.data.checkup import (
    beside,
    contents,
    curves,
    face,
    layout,
    masks,
    motion,
    picture,
    report,
    sheet,
    sound,
    sync,
    units,
)
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves
from emojax.data.checkup.report import Finding
from emojax.data.checkup.thresholds import Thresholds
from emojax.data.errors import DataError

JSON, TEXT, SHEET = "doctor.json", "doctor.txt", "doctor.png"
# One of them is in every data set folder, however incomplete.
_SIGNS = (
    *(files.FRAMES, files.GROUND_TRUTH, files.PARSING, files.TEETH, files.TORSO),
    *(*files.TRANSFORMS, files.SOUND, files.ACTION_UNITS, files.MANIFEST),
)


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that was found.

    Attributes:
      findings: in the order of the checks.
      contents: of the folder.
      curves: of the folder.
    """

    findings: tuple[Finding, ...]
    contents: Contents
    curves: Curves

    @property
    def verdict(self) -> str:
        """The worst level: "good", "usable" or "not usable"."""
        return report.verdict(list(self.findings))

    def __getitem__(self, name: str) -> Finding:
        """Returns the finding of a name."""
        return next(finding for finding in self.findings if finding.name == name)


def examine(
    folder: pathlib.Path | str,
    *,
    thresholds: Thresholds | None = None,
    progress: Callable = iter,
) -> Report:
    """Examines a data set folder.

    Args:
      folder: of the field's layout, made by whatever tool; may lack anything.
      thresholds: to judge by; `Thresholds()` by default.
      progress: wraps the iterable of pictures, for a progress bar.

    Raises:
      DataError: there is no such folder.
    """
    folder = files.check_folder(folder)
    limits = thresholds or Thresholds()
    there = contents.read(folder, progress=progress)
    course = curves.curves(there)
    findings = [*layout.check(there, limits), *beside.check(there, limits)]
    if len(there):
        findings += face.check(there, course, limits)
        findings += sound.check(there, course, limits)
        findings += sync.check(there, course, limits)
        findings += units.check(there, course, limits)
        findings += picture.check(there, course, limits)
        findings += masks.check(there, course, limits)
        still = masks.always_background(there)
        findings += motion.check(there, course, limits, still)
    return Report(tuple(findings), there, course)


def check_place(folder: pathlib.Path | str) -> None:
    """Refuses a folder that reports would only litter: one that holds nothing of a data set.

    Args:
      folder: to write reports to.

    Raises:
      DataError: there is no such folder, or it is of something else.
    """
    folder = files.check_folder(folder)
    if not any((folder / name).exists() for name in _SIGNS):
        raise DataError(
            expected=f"a data set folder, with {files.FRAMES}, say",
            got=f"{folder}, which holds nothing of one",
            fix="Name another, or add --out DIR for the reports.",
        )


def write(folder: pathlib.Path | str, report_: Report) -> None:
    """Writes doctor.json, doctor.txt and doctor.png.

    Args:
      folder: to write to; reports of earlier examinations are replaced.
      report_: of `examine`.

    Raises:
      DataError: the place cannot be written to.
    """
    folder = pathlib.Path(folder)
    found = list(report_.findings)
    name = report_.contents.folder.resolve().name
    drawn = sheet.draw(name, found, report_.contents, report_.curves)
    files.write_picture(folder / SHEET, drawn)
    files.write_text(folder / TEXT, report.to_text(name, found))
    text = json.dumps(report.to_json(found), indent=1, allow_nan=False)
    files.write_text(folder / JSON, text + "\n")

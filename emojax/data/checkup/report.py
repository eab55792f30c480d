"""What the doctor found: findings with value, limits, level and advice; the verdict; JSON and text.

Levels are "good", "usable", "not usable", and "unknown" for what cannot be measured. The verdict is
the worst level; unknown does not count.
"""

from __future__ import annotations

import dataclasses
import math
import textwrap
from typing import Any

from emojax.data.checkup.thresholds import Limits

GOOD, USABLE, NOT_USABLE, UNKNOWN = "good", "usable", "not usable", "unknown"
ORDER = (NOT_USABLE, USABLE, UNKNOWN, GOOD)  # what is wrong comes first
VERSION = 1  # of doctor.json
_WIDTH = 100  # of the text, characters


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing examined.

    Attributes:
      name: in snake case, for programs.
      title: for people.
      value: measured, in words where it is no number, None where it is unknown.
      unit: of the value, "" for none.
      good: what would be good, in words.
      usable: what would be usable, in words.
      level: "good", "usable", "not usable" or "unknown".
      advice: what to do, "" where nothing is to be done.
      frames: numbers of pictures that show it.
    """

    name: str
    title: str
    value: float | str | None
    unit: str
    good: str
    usable: str
    level: str
    advice: str
    frames: tuple[int, ...] = ()


def verdict(findings: list[Finding]) -> str:
    """Returns the worst level of findings: "good", "usable" or "not usable"."""
    levels = {finding.level for finding in findings}
    return NOT_USABLE if NOT_USABLE in levels else USABLE if USABLE in levels else GOOD


def at_least(
    name: str,
    title: str,
    value: float | None,
    limits: Limits,
    *,
    unit: str = "",
    advice: str,
    frames: tuple[int, ...] = (),
) -> Finding:
    """Returns the finding of a value of which more is better.

    Args:
      name: of the finding.
      title: of the finding.
      value: measured; None or NaN where it is not known.
      limits: least good and least usable value; None for the second: never worse than usable.
      unit: of the value; "%" for a share, which is shown as a percentage.
      advice: what to do unless it is good.
      frames: that show it.
    """
    return _graded(name, title, value, limits, "at least", unit, advice, frames)


def at_most(
    name: str,
    title: str,
    value: float | None,
    limits: Limits,
    *,
    unit: str = "",
    advice: str,
    frames: tuple[int, ...] = (),
) -> Finding:
    """Returns the finding of a value of which less is better.

    Args:
      name: of the finding.
      title: of the finding.
      value: measured; None or NaN where it is not known.
      limits: greatest good and greatest usable value; None for the second: never worse than usable.
      unit: of the value; "%" for a share, which is shown as a percentage.
      advice: what to do unless it is good.
      frames: that show it.
    """
    return _graded(name, title, value, limits, "at most", unit, advice, frames)


def _graded(name, title, value, limits, side, unit, advice, frames) -> Finding:
    """A finding of a number with limits on one side."""
    if unit == "%":  # shares are shown as percentages
        limits = tuple(None if limit is None else 100 * limit for limit in limits)
        value = None if value is None else 100 * value
    good, usable = limits
    texts = [f"{side} {number(good)}", "any" if usable is None else f"{side} {number(usable)}"]
    if value is None or not math.isfinite(value):
        return Finding(name, title, None, unit, *texts, UNKNOWN, "", frames)
    sign = 1 if side == "at least" else -1
    if sign * value >= sign * good:
        level = GOOD
    elif usable is None or sign * value >= sign * usable:
        level = USABLE
    else:
        level = NOT_USABLE
    return Finding(
        name, title, float(value), unit, *texts, level, "" if level == GOOD else advice, frames
    )


def stated(
    name: str,
    title: str,
    value: str,
    level: str,
    *,
    advice: str = "",
    good: str = "",
    frames: tuple[int, ...] = (),
) -> Finding:
    """Returns a finding in words.

    Args:
      name: of the finding.
      title: of the finding.
      value: what was found.
      level: of it.
      advice: what to do.
      good: what would have been right.
      frames: that show it.
    """
    return Finding(name, title, value, "", good, "", level, advice, frames)


def unknown(name: str, title: str, why: str) -> Finding:
    """Returns the finding of what cannot be measured.

    Args:
      name: of the finding.
      title: of the finding.
      why: it cannot, in words.
    """
    return Finding(name, title, None, "", "", "", UNKNOWN, why)


def remake(*stages: str) -> str:
    """Returns the command that makes some stages' files, again if they are there already.

    Args:
      *stages: names of them.
    """
    return f"experiments/preprocess.py --out DIR --stages {','.join(stages)} --overwrite"


def number(value: float) -> str:
    """Returns a value as text with three significant digits, large ones whole."""
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def shown(finding: Finding) -> str:
    """Returns the value of a finding with its unit as text."""
    if finding.value is None:
        return "unknown"
    if isinstance(finding.value, str):
        return finding.value
    return f"{number(finding.value)} {finding.unit}".rstrip()


def to_json(findings: list[Finding]) -> dict[str, Any]:
    """Returns the content of doctor.json.

    Args:
      findings: all of them.
    """
    items = [dataclasses.asdict(finding) for finding in findings]
    for item in items:
        item["frames"] = list(item["frames"])
    return {"version": VERSION, "verdict": verdict(findings), "findings": items}


def to_text(name: str, findings: list[Finding]) -> str:
    """Returns the content of doctor.txt: the verdict, then what is wrong, then what is not.

    Args:
      name: of the clip.
      findings: all of them.
    """
    counts = {level: sum(f.level == level for f in findings) for level in ORDER}
    parts = [f"{count} {level}" for level, count in counts.items() if count]
    lines = [f"{name}: {verdict(findings)}   ({', '.join(parts)})"]
    for level in ORDER:
        chosen = [finding for finding in findings if finding.level == level]
        if not chosen:
            continue
        lines += ["", level.upper()]
        for finding in chosen:
            good = f"   [good: {finding.good} {finding.unit}".rstrip() + "]" if finding.good else ""
            head = f"  {finding.title:<34} "
            lines += textwrap.wrap(
                head + shown(finding) + (good if level != GOOD else ""),
                _WIDTH,
                subsequent_indent=" " * 37,
                drop_whitespace=True,
                replace_whitespace=False,
            )
            if finding.advice:
                lines += textwrap.wrap(
                    finding.advice, _WIDTH, initial_indent="      -> ", subsequent_indent=" " * 9
                )
    return "\n".join(lines) + "\n"

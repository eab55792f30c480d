"""Reports: means with intervals, the head against each control, as JSON, as a table, as CSV.

The head beats a control in a metric where the interval of the mean difference, frame by frame, lies
on the better side of 0; fewer frames than one block of the bootstrap decide nothing. The protocol's
hash says which reports may be compared.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from emojax.data.files import FPS
from emojax.metrics import image, scenarios, statistics
from emojax.metrics.catalogue import METRICS, Metric
from emojax.metrics.measure import Exam, Scores

FORMAT = 1  # of the JSON
# Films as columns of the table, a word each, so that the header is one line.
COLUMNS = {
    scenarios.TRUTH: "truth",
    scenarios.JUDGE_NOISE: "noisy",
    scenarios.HEAD: "head",
    scenarios.STATIC: "mean",
    scenarios.NEAREST: "nearest",
    scenarios.SHUFFLED: "shuffled",
    scenarios.LATE: "late",
    scenarios.EARLY: "early",
    scenarios.EXPRESSIONLESS: "no AUs",
}
MARKS = {"better": "+", "worse": "!", "alike": "=", "unknown": " "}
_NOTHING, _SAME = "-", "same"
_LEGEND = (
    "truth: the film; noisy: the film with a camera's noise, which no judge should mind;",
    "95%: interval of the head's mean. Controls: mean: a mean picture; nearest: the training",
    "picture of the nearest pose; the head itself with its sound shuffled, or "
    f"{scenarios.SHIFT / FPS:.1f} s late or early;",
    "no AUs: the head with all action units at 0.",
    "^ higher is better, v lower; + the head is better than the control, ! worse, = alike.",
)


def protocol_hash(protocol: Mapping) -> str:
    """Returns the sha256 of a protocol in canonical JSON, hexadecimal."""
    text = json.dumps(protocol, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def build(exam: Exam, scores: Mapping[str, Scores], *, about: Mapping | None = None) -> dict:
    """Returns a report, ready for JSON.

    Args:
      exam: of `measure.prepare`.
      scores: of `scenarios.self_reconstruction`.
      about: what else to say of head and clip; plain values.
    """
    protocol = scenarios.protocol(exam)
    head = scores[scenarios.HEAD]
    return {
        "format": FORMAT,
        "protocol": protocol,
        "protocol_hash": protocol_hash(protocol),
        "about": dict(about or {}),
        "clip": {"name": exam.clip.folder.resolve().name, "fallbacks": list(exam.clip.fallbacks)},
        "missing": dict(exam.missing),
        "films": {name: _film(film) for name, film in scores.items()},
        "against": {
            name: {m.name: _verdict(m, head, scores[name]) for m in METRICS}
            for name in scenarios.CONTROLS
            if name in scores
        },
    }


def _film(scores: Scores) -> dict:
    """Means by metric; None where there are none."""
    return {
        m.name: dataclasses.asdict(statistics.mean(scores.frames[m.name]))
        if m.per_frame
        else {"mean": _number(scores.film[m.name])}
        for m in METRICS
    }


def _number(value: float) -> float | None:
    """A number for JSON, which knows no NaN."""
    return value if math.isfinite(value) else None


def _verdict(metric: Metric, head: Scores, control: Scores) -> dict:
    """How much better the head is than a control, positive where it is better."""
    if not metric.per_frame:
        sign = 1 if metric.better == "higher" else -1
        gain = sign * (head.film[metric.name] - control.film[metric.name])
        return {"gain": _number(gain), "verdict": "unknown"}
    return compare(metric, head.frames[metric.name], control.frames[metric.name])


def compare(metric: Metric, head: np.ndarray, control: np.ndarray) -> dict:
    """Returns how much better a head is than a control, positive where it is better.

    Args:
      metric: that was measured.
      head: [T] values of the head's frames, NaN where there is none.
      control: [T] of the control's.

    Returns:
      gain, low and high ends of its interval, and a verdict: a key of `MARKS`.
    """
    sign = 1 if metric.better == "higher" else -1
    gain = statistics.mean(sign * (head - control))
    if gain.mean is None or gain.count < statistics.BLOCK:
        verdict = "unknown"
    else:
        verdict = "better" if gain.low > 0 else "worse" if gain.high < 0 else "alike"
    return {"gain": gain.mean, "low": gain.low, "high": gain.high, "verdict": verdict}


def to_json(report: Mapping) -> str:
    """Returns a report of `build` as text in JSON."""
    return json.dumps(report, indent=1, allow_nan=False) + "\n"


def to_text(report: Mapping) -> str:
    """Returns a report of `build` as a table for people: metrics down, films across.

    A mark behind a control's value says what the head is: + better, ! worse, = alike.

    Args:
      report: of `build`.
    """
    names = list(report["films"])
    header = ["", *(COLUMNS[name] for name in names)]
    header.insert(names.index(scenarios.HEAD) + 2, "95%")
    table = [header]
    missing, unmarked = dict(report["missing"]), False
    for metric in METRICS:
        if all(report["films"][name][metric.name]["mean"] is None for name in names):
            missing.setdefault(metric.name, "nothing of the kind in these frames")
            continue
        row = [metric.title + (" ^" if metric.better == "higher" else " v")]
        for name in names:
            value = report["films"][name][metric.name]
            mark = ""
            if name in report["against"]:
                verdict = report["against"][name][metric.name]["verdict"]
                mark = MARKS["unknown" if value["mean"] is None else verdict]
                unmarked |= mark == MARKS["unknown"]
            same = metric.name in image.CAPPED and value["mean"] == image.MAX_PSNR
            row.append((_SAME if same else shown(value["mean"])) + mark)
            if name == scenarios.HEAD:
                interval = (shown(value.get(end)) for end in ("low", "high"))
                row.append("..".join(interval) if value.get("low") is not None else "")
        table.append(row)
    frames = report["protocol"]["frames"]
    lines = [
        f"{report['clip']['name']}: {frames['count']} held-out frames, {frames['first']} to "
        f"{frames['last']}, {report['protocol']['size']} pixels; protocol "
        f"{report['protocol_hash'][:12]}",
        "",
        *aligned(table),
        "",
        *_LEGEND,
    ]
    cells = {cell.strip() for row in table[1:] for cell in row[1:]}
    if _SAME in cells:
        lines += [
            f"same: equal pictures, of which PSNR is infinite ({image.MAX_PSNR:g} in the JSON)."
        ]
    if _NOTHING in cells:
        lines += ["-: no value: the judge found no face, or nothing in it varies."]
    if unmarked:
        few = f"fewer than {statistics.BLOCK} frames that have a value, which decide nothing"
        lines += [f"no mark: one value for the whole film, or {few}."]
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        reasons.setdefault(reason, []).append(name)
    lines += [f"Not measured: {', '.join(names)}: {why}" for why, names in reasons.items()]
    if speed := report.get("speed"):
        lines += [_told(speed)]
    return "\n".join(lines) + "\n"


def _told(speed: Mapping) -> str:
    """The speed of the whole path as a line."""
    if "missing" in speed:
        return f"Speed not measured: {speed['missing']}"
    parts = ", ".join(f"{name} {ms:.1f}" for name, ms in speed["milliseconds"].items())
    cores = f"{speed['cores']} core" + ("" if speed["cores"] == 1 else "s")
    return (
        f"From sound to film: {speed['frames_per_second']:.1f} frames a second on {cores} "
        f"({speed['device']}); ms a frame, drawing beside encoding: {parts}"
    )


def shown(value: float | None) -> str:
    """Returns a number with about four digits, or a dash.

    Args:
      value: None where there is none.
    """
    if value is None:
        return _NOTHING
    return f"{value:.{max(0, min(3, 3 - len(str(int(abs(value))))))}f}"


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Returns a table's lines, the first column to the left, the others to the right.

    Args:
      table: rows of cells, equally many in each.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def to_csv(exam: Exam, scores: Mapping[str, Scores]) -> str:
    """Returns every frame's values: a line for each film and frame, empty where there is none.

    Args:
      exam: of `measure.prepare`.
      scores: of `scenarios.self_reconstruction`.
    """
    names = [m.name for m in METRICS if m.per_frame and m.name not in exam.missing]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["film", "frame", *names])
    for film, values in scores.items():
        for i, number in enumerate(exam.clip.numbers[exam.rows]):
            cells = (values.frames[name][i] for name in names)
            writer.writerow(
                [film, int(number), *("" if np.isnan(v) else f"{v:.6g}" for v in cells)]
            )
    return out.getvalue()

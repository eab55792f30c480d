"""Reports of the scenario "emotion": JSON, tables for people, CSV.

Values of a film are means over the points that are felt; intervals are of these means over time
(`statistics`). What is measured of twins is what reader and judge make of the truth: the figure
that a head can reach.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping

import numpy as np

from emojax.emotion import circumplex
from emojax.metrics import emotional, report, statistics
from emojax.metrics.emotional import (
    BRANCHLESS,
    CONTROLS,
    FELT,
    HEAD,
    METRICS,
    POINTS,
    SUMMARIES,
    TWINS,
    Exam,
    Outcome,
)

FORMAT = 1  # of the JSON
COLUMNS = {
    TWINS: "twins",
    HEAD: "head",
    BRANCHLESS: "no branch",
    emotional.CONSTANT: "constant",
    emotional.SHUFFLED: "shuffled",
}
_LEGEND = (
    "twins: the truth, and what reader and judge make of it; 95%: interval of the head's mean.",
    "Controls: the head without its emotion branch; with one emotion held for all points, "
    f"({POINTS[emotional.HELD][0]:g}, {POINTS[emotional.HELD][1]:g}); with another point's.",
    "^ higher is better, v lower; + the head is better than the control, ! worse, = alike.",
)


def build(exam: Exam, outcome: Outcome, *, about: Mapping | None = None) -> dict:
    """Returns a report, ready for JSON.

    Args:
      exam: of `emotional.prepare`.
      outcome: of `emotional.examine`.
      about: what else to say of head and clip; plain values.
    """
    protocol = emotional.protocol(exam)
    reader = exam.reader
    return {
        "format": FORMAT,
        "protocol": protocol,
        "protocol_hash": report.protocol_hash(protocol),
        "about": dict(about or {}),
        "clip": {"name": exam.clip.folder.resolve().name, "fallbacks": list(exam.clip.fallbacks)},
        "reader": {"error": dict(reader.error), "about": dict(reader.about)},
        "films": {film: _film(outcome, film) for film in outcome.frames},
        "neutral": {
            film: _at(outcome, film, FELT)
            for film in (TWINS, HEAD, BRANCHLESS)
            if film in outcome.frames
        },
        "points": [
            {
                "valence": float(POINTS[p][0]),
                "arousal": float(POINTS[p][1]),
                "films": {film: _at(outcome, film, p) for film in outcome.frames},
            }
            for p in range(FELT)
        ],
        "against": {
            film: {
                m.name: report.compare(
                    m, _over_time(outcome, HEAD, m), _over_time(outcome, film, m)
                )
                for m in METRICS
            }
            for film in CONTROLS
            if film in outcome.frames
        },
    }


def _over_time(outcome: Outcome, film: str, metric) -> np.ndarray:
    """Means over the felt points, [T]; NaN where one has none."""
    return outcome.frames[film][metric.name][:FELT].mean(axis=0)


def _film(outcome: Outcome, film: str) -> dict:
    """Means over felt points by metric."""
    found = {
        m.name: dataclasses.asdict(statistics.mean(_over_time(outcome, film, m))) for m in METRICS
    }
    for m in SUMMARIES:
        found[m.name] = {"mean": _number(outcome.points[film][m.name][:FELT].mean())}
    return found


def _at(outcome: Outcome, film: str, point: int) -> dict:
    """Means over time at one point, and the mean of what was read there."""
    found = {m.name: _mean(outcome.frames[film][m.name][point]) for m in METRICS}
    found |= {m.name: _number(outcome.points[film][m.name][point]) for m in SUMMARIES}
    seen = (_mean(outcome.seen[film][point, :, i]) for i in range(2))
    return found | dict(zip(("seen_valence", "seen_arousal"), seen, strict=True))


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _number(value: float) -> float | None:
    """A number for JSON, which knows no NaN."""
    return float(value) if math.isfinite(value) else None


def to_text(found: Mapping) -> str:
    """Returns a report of `build` as tables: metrics by film, then points.

    Args:
      found: of `build`.
    """
    frames, error = found["protocol"]["frames"], found["reader"]["error"]
    sound = "their own sound" if found["protocol"]["sound"] == "own" else "another sound"
    lines = [
        f"{found['clip']['name']}: {FELT} emotions x {frames['count']} held-out frames, "
        f"{frames['first']} to {frames['last']}, with {sound}, {found['protocol']['size']} pixels; "
        f"protocol {found['protocol_hash'][:12]}",
        "",
        *report.aligned(_metrics(found)),
        "",
        *report.aligned(_points(found)),
        "",
        *_LEGEND,
        "Valence and arousal are read from dlib's landmarks, as changes from the neutral face of "
        "the same instant,",
        f"by a reader fitted to {found['reader']['about']['people']} puppets; puppets that were "
        f"left out it misreads by {error['valence_rmse']:.2f} and {error['arousal_rmse']:.2f} "
        "(RMSE).",
    ]
    if TWINS not in found["films"]:
        lines.append("No twins: the true faces with these emotions are not known of this clip.")
    return "\n".join(lines) + "\n"


def _metrics(found: Mapping) -> list[list[str]]:
    """Metrics down, films across."""
    films = list(found["films"])
    header = ["", *(COLUMNS[film] for film in films)]
    header.insert(films.index(HEAD) + 2, "95%")
    table = [header]
    for metric in (*METRICS, *SUMMARIES):
        values = {film: found["films"][film][metric.name] for film in films}
        if values[HEAD]["mean"] is None:
            continue
        row = [metric.title + (" ^" if metric.better == "higher" else " v")]
        for film in films:
            mark = ""
            if film in found["against"] and metric.per_frame and values[film]["mean"] is not None:
                mark = report.MARKS[found["against"][film][metric.name]["verdict"]]
            row.append(report.shown(values[film]["mean"]) + mark)
            if film == HEAD:
                ends = [values[film].get(end) for end in ("low", "high")]
                row.append("" if None in ends else "..".join(map(report.shown, ends)))
        table.append(row)
    return table


def _points(found: Mapping) -> list[list[str]]:
    """Points down: what is wanted, what is seen of twins and head, likeness."""
    has_twins = TWINS in found["films"]
    seen = [TWINS, HEAD] if has_twins else [HEAD]
    header = ["wanted", "class", *(f"{COLUMNS[film]} seen as" for film in seen)]
    header += ["head, dB", "no branch, dB"] if has_twins else []
    table = [header]
    rows = [
        *((p["valence"], p["arousal"], p["films"]) for p in found["points"]),
        (0.0, 0.0, found["neutral"]),
    ]
    for valence, arousal, films in rows:
        name = circumplex.CLASSES[int(circumplex.classify(valence, arousal))]
        row = [f"{valence:5.2f} {arousal:5.2f}", name]
        for film in seen:
            pair = [films[film][f"seen_{part}"] for part in ("valence", "arousal")]
            row.append("-" if None in pair else " ".join(f"{value:5.2f}" for value in pair))
        if has_twins:
            row += [report.shown(films[film]["psnr_head"]) for film in (HEAD, BRANCHLESS)]
        table.append(row)
    return table


def to_csv(exam: Exam, outcome: Outcome) -> str:
    """Returns every value: a line for each film, point and frame, empty where there is none.

    Args:
      exam: of `emotional.prepare`.
      outcome: of `emotional.examine`.
    """
    names = [m.name for m in METRICS]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = ["film", "wanted_valence", "wanted_arousal", "frame", "seen_valence", "seen_arousal"]
    writer.writerow([*header, *(f"{name}_off" if name in ("valence", "arousal") else name
                                for name in names)])  # fmt: skip
    for film, values in outcome.frames.items():
        for p, point in enumerate(POINTS):
            for t, number in enumerate(exam.clip.numbers[exam.rows]):
                cells = [*outcome.seen[film][p, t], *(values[name][p, t] for name in names)]
                shown = ("" if np.isnan(v) else f"{v:.6g}" for v in cells)
                writer.writerow([film, f"{point[0]:g}", f"{point[1]:g}", int(number), *shown])
    return out.getvalue()

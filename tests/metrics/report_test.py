"""Reports of a head that listens and of one that does not: verdicts, table, JSON, CSV."""

import copy
import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from emojax.data import clip as clips
from emojax.metrics import catalogue, report, scenarios
from emojax.opencv import cv2


@pytest.fixture(scope="module")
def listening(talk, exam):
    """A head that finds the true picture by the sound it hears, and blurs it a little."""
    known = clips.audio_windows(talk.audio, talk.audio_rows)

    def render(batches):
        for some in batches:
            for audio in some.audio:
                row = int(np.argmin(np.abs(known - audio).sum(axis=(1, 2, 3))))
                yield cv2.GaussianBlur(np.float32(talk.images[row]) / 255, (0, 0), 0.6)

    return scenarios.self_reconstruction(exam, render)


@pytest.fixture(scope="module")
def built(exam, listening):
    return report.build(exam, listening, about={"run": "made up"})


def test_a_head_that_listens_beats_every_control_that_has_wrong_lips(built):
    for name in (scenarios.STATIC, scenarios.SHUFFLED, scenarios.LATE):
        assert built["against"][name]["lmd"]["verdict"] == "better", name
        assert built["against"][name]["psnr"]["verdict"] == "better", name


def test_a_head_that_ignores_expression_is_like_itself_without(built):
    verdicts = {v["verdict"] for v in built["against"][scenarios.EXPRESSIONLESS].values()}
    assert verdicts <= {"alike", "unknown"}


def test_the_truth_and_the_judges_noise_have_their_rows(built):
    films = built["films"]
    assert films[scenarios.TRUTH]["psnr"]["mean"] == 100
    noise = films[scenarios.JUDGE_NOISE]
    assert noise["psnr"]["mean"] == pytest.approx(42.1, abs=0.2)
    assert 0 < noise["lmd"]["mean"] < films[scenarios.SHUFFLED]["lmd"]["mean"]


def test_json_is_json_and_names_protocol_and_counts(built):
    read = json.loads(report.to_json(built))
    assert read["protocol_hash"] == report.protocol_hash(read["protocol"])
    assert read["films"]["head"]["psnr"]["count"] == 30
    assert read["films"]["head"]["lpips"]["mean"] is None
    assert read["missing"]["lpips"]
    assert read["about"] == {"run": "made up"}


def test_the_hash_changes_with_the_protocol_alone():
    a = {"x": 1, "y": {"b": 2.0, "a": None}}
    assert report.protocol_hash(a) == report.protocol_hash({"y": {"a": None, "b": 2.0}, "x": 1})
    assert report.protocol_hash(a) != report.protocol_hash(a | {"x": 2})


def test_the_table_has_every_measured_metric_and_film(built):
    text = report.to_text(built)
    assert "30 held-out frames, 30 to 59, 128 pixels" in text
    for metric in catalogue.METRICS:
        known = [film[metric.name]["mean"] is not None for film in built["films"].values()]
        assert (metric.title in text) == any(known), metric.name
    header = next(line for line in text.splitlines() if "95%" in line)
    assert header.split("  ")[-1] == "no AUs"
    assert [header.count(title) for title in report.COLUMNS.values()] == [1] * len(report.COLUMNS)
    assert set(report.COLUMNS) == set(built["films"])
    assert "Not measured: lpips: no weights were given" in text
    first = next(line for line in text.splitlines() if line.startswith("PSNR, dB"))
    assert first.split()[3] == "same"  # as the truth is to itself
    assert "same: equal pictures" in text
    assert max(len(line) for line in text.splitlines()) < 130


def test_the_csv_has_a_line_for_each_film_and_frame(exam, listening):
    lines = list(csv.DictReader(io.StringIO(report.to_csv(exam, listening))))
    assert len(lines) == 30 * len(listening)
    assert lines[0]["film"] == "truth"
    assert lines[0]["frame"] == "30"
    assert float(lines[0]["psnr"]) == 100
    assert lines[0]["jitter"] == "", "ends have no second difference"
    assert "lpips" not in lines[0]


def test_a_worse_head_is_said_to_be_worse(exam, listening):
    swapped = dict(listening)
    swapped[scenarios.HEAD], swapped[scenarios.SHUFFLED] = (
        listening[scenarios.SHUFFLED],
        listening[scenarios.HEAD],
    )
    found = report.build(dataclasses.replace(exam), swapped)
    assert found["against"][scenarios.SHUFFLED]["lmd"]["verdict"] == "worse"


def test_few_frames_decide_nothing(exam, listening):
    few = report.statistics.BLOCK - 1
    cut = {
        name: dataclasses.replace(
            some,
            frames={k: np.where(np.arange(30) < few, v, np.nan) for k, v in some.frames.items()},
        )
        for name, some in listening.items()
    }
    found = report.build(exam, cut)
    verdicts = {v["verdict"] for film in found["against"].values() for v in film.values()}
    assert verdicts == {"unknown"}
    found["protocol"]["frames"]["count"] = few
    text = report.to_text(found)
    assert "no mark: one value for the whole film, or fewer than 25 frames" in text
    assert not any(cell[-1] in "+!=" for cell in text.split("\n\n")[1].split())


def test_a_dash_has_its_reason_and_is_no_mark(built):
    changed = copy.deepcopy(built)
    changed["films"][scenarios.STATIC]["lmd"]["mean"] = None
    text = report.to_text(changed)
    assert "-: no value" in text
    assert "! worse" in text
    for film in changed["films"].values():
        film["lmd"]["mean"] = None
    text = report.to_text(changed)
    assert "LMD, px" not in text
    assert "lmd: nothing of the kind in these frames" in text


def test_speed_is_told_where_it_is_known(built):
    speed = {"frames_per_second": 41.23, "cores": 2, "device": "cpu", "milliseconds": {"draw": 14}}
    last = report.to_text(built | {"speed": speed}).splitlines()[-1]
    assert last.startswith("From sound to film: 41.2 frames a second on 2 cores (cpu)")
    assert "draw 14.0" in last
    assert "on 1 core (cpu)" in report.to_text(built | {"speed": speed | {"cores": 1}})
    assert "Speed not measured: why" in report.to_text(built | {"speed": {"missing": "why"}})

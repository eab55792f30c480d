"""Reports of the scenario: means over points, verdicts, tables, CSV."""

import csv
import io
import json

import numpy as np
import pytest

from emojax.metrics import emotional, emotional_report, report
from emojax.metrics.emotional import BRANCHLESS, CONSTANT, CONTROLS, FELT, HEAD, POINTS, TWINS
from tests.metrics import feeling


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


def _examined(exam, shown):
    return emotional.examine(exam, feeling.renders(shown))


@pytest.fixture(scope="module")
def exam(patch):
    return feeling.exam(patch)


@pytest.fixture(scope="module")
def good(exam):
    return _examined(exam, lambda point: 0.9 * point)


@pytest.fixture(scope="module")
def built(exam, good):
    return emotional_report.build(exam, good, about={"run": "made up"})


def test_a_head_that_feels_beats_its_controls(built):
    for control in CONTROLS:
        for name in ("psnr", "brows", "valence", "arousal"):
            assert built["against"][control][name]["verdict"] == "better", (control, name)
    head, twins = built["films"][HEAD], built["films"][TWINS]
    assert head["valence_rmse"]["mean"] < twins["valence_rmse"]["mean"] + 0.15


def test_a_head_that_does_not_is_like_the_one_without_its_branch(exam):
    found = emotional_report.build(exam, _examined(exam, lambda point: 0 * point))
    verdicts = {v["verdict"] for v in found["against"][BRANCHLESS].values()}
    assert verdicts <= {"alike", "unknown"}


def test_values_are_means_over_the_points_that_are_felt(built, good):
    psnr = good.frames[HEAD]["psnr"]
    assert built["films"][HEAD]["psnr"]["mean"] == pytest.approx(psnr[:FELT].mean())
    assert built["neutral"][HEAD]["psnr"] == pytest.approx(psnr[FELT].mean())
    assert [p["films"][HEAD]["psnr"] for p in built["points"]] == pytest.approx(
        list(psnr[:FELT].mean(axis=1))
    )


def test_the_text_has_metrics_by_film_and_every_point(built):
    text = emotional_report.to_text(built)
    assert max(map(len, text.splitlines())) < 130
    line = next(line for line in text.splitlines() if line.startswith("valence, RMSE"))
    assert len(line.split()) == 8
    for valence, arousal in POINTS:
        assert f"{valence:5.2f} {arousal:5.2f}" in text
    assert "12 emotions x 26 held-out frames, 16 to 41, with their own sound" in text
    assert "No twins" not in text


def test_without_truth_the_text_says_so_and_lacks_these_rows(patch):
    exam = feeling.exam(patch, has_truth=False)
    found = emotional_report.build(exam, _examined(exam, lambda point: point))
    text = emotional_report.to_text(found)
    assert "No twins" in text
    assert "PSNR" not in text
    assert "valence, RMSE" in text
    assert found["against"][CONSTANT]["valence"]["verdict"] == "better"


def test_json_and_csv_have_all_numbers(exam, good, built):
    assert json.loads(report.to_json(built)) == built
    rows = list(csv.DictReader(io.StringIO(emotional_report.to_csv(exam, good))))
    assert (
        len(rows)
        == len(good.frames) * len(POINTS) * feeling.COUNT
        - len(good.frames) * len(POINTS) * feeling.TRAIN
    )
    one = next(r for r in rows if r["film"] == HEAD and r["wanted_valence"] == "-0.35")
    assert float(one["seen_valence"]) < 0
    assert float(one["psnr"]) == pytest.approx(float(good.frames[HEAD]["psnr"][9, 0]), rel=1e-4)
    nothing = [r for r in rows if r["frame"] == str(feeling.TRAIN + 3)]
    assert all(r["seen_valence"] == "" for r in nothing)
    assert np.isfinite([float(r["psnr"]) for r in nothing if r["film"] == HEAD]).all()

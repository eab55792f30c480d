"""Findings are graded on both sides, and reports put what is wrong first."""

import math
import re
import shutil

import pytest

from emojax.data import doctor, files, pipeline
from emojax.data.checkup import report
from emojax.data.job import Settings
from tests.data import actor, faults, folders


def _least(value, limits=(10, 5), **options):
    return report.at_least("a", "A", value, limits, advice="Do.", **options)


@pytest.mark.parametrize(
    ("value", "level"),
    [(10, "good"), (9.9, "usable"), (5, "usable"), (4.9, "not usable"), (None, "unknown")],
)
def test_more_is_better(value, level):
    finding = _least(value)
    assert finding.level == level
    assert finding.advice == ("Do." if level in ("usable", "not usable") else "")


@pytest.mark.parametrize(
    ("value", "level"), [(1, "good"), (2, "usable"), (3, "not usable"), (math.nan, "unknown")]
)
def test_less_is_better(value, level):
    finding = report.at_most("a", "A", value, (1, 2), advice="Do.")
    assert finding.level == level
    assert (finding.good, finding.usable) == ("at most 1", "at most 2")


def test_without_a_second_limit_nothing_is_not_usable():
    assert _least(-1e9, (10, None)).level == "usable"


def test_shares_are_shown_as_percentages():
    finding = _least(0.123, (0.5, 0.1), unit="%")
    assert report.shown(finding) == "12.3 %"
    assert finding.good == "at least 50"


def test_the_verdict_is_the_worst_level_and_unknown_does_not_count():
    good, usable, bad, unknown = _least(11), _least(7), _least(1), _least(None)
    assert report.verdict([good, unknown]) == "good"
    assert report.verdict([good, usable, unknown]) == "usable"
    assert report.verdict([bad, good, usable]) == "not usable"


def test_text_says_what_is_wrong_first_and_what_to_do():
    text = report.to_text("clip", [_least(11), _least(1), _least(7)])
    assert text.startswith("clip: not usable")
    assert text.index("NOT USABLE") < text.index("USABLE", 40) < text.index("GOOD\n")
    assert text.count("-> Do.") == 2
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234.5, "1234"), (0.012345, "0.0123"), (12.345, "12.3")]
)
def test_numbers_have_three_significant_digits(value, text):
    assert report.number(value) == text


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    film = actor.film(num_frames=36, size=64)
    return folders.write_folder(film, tmp_path_factory.mktemp("report") / "good", extras=True)


def _lose(*parts):
    def lose(folder):
        for part in parts:
            path = folder / part
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return lose


def _shrink_background(folder):
    picture = files.read_picture(folder / files.BACKGROUND)
    files.write_picture(folder / files.BACKGROUND, picture[::2, ::2].copy())


OURS, ELSEWHERE = "ours", "made elsewhere"


@pytest.mark.parametrize(
    ("spoil", "name", "origin"),
    [
        (_lose(files.TEETH), "teeth", OURS),
        (faults.one_mask_cut_short, "parsing", ELSEWHERE),
        (_lose(files.TORSO), "torso", OURS),
        (_lose(f"{files.TORSO}/7.png"), "torso", ELSEWHERE),
        (_lose(files.BACKGROUND), "background", OURS),
        (_shrink_background, "background", ELSEWHERE),
        (_lose("aud_mel.npy"), "features", OURS),
        (faults.features_of_another_length, "features", ELSEWHERE),
        (_lose(files.ACTION_UNITS), "action_units", OURS),
        (faults.undefined_unit, "action_units", OURS),
        (_lose(*files.TRANSFORMS), "poses", ELSEWHERE),
    ],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_advice_that_is_followed_helps(spoil, name, origin, complete, tmp_path):
    folder = faults.link(complete, tmp_path / "copy")
    if origin == ELSEWHERE:
        _lose(files.MANIFEST, files.LANDMARKS)(folder)
    spoil(folder)
    found = doctor.examine(folder)[name]
    assert found.level in (report.USABLE, report.NOT_USABLE)
    command = re.search(
        r"experiments/preprocess\.py --out DIR --stages ([a-z_,]+)( \S+)?", found.advice
    )
    stages, overwrite = command[1].split(","), command[2] or ""
    assert found.advice.endswith("--overwrite.") or "--overwrite;" in found.advice
    pipeline.run(folder, Settings(), stages=stages, overwrite="--overwrite" in overwrite)
    assert doctor.examine(folder)[name].level == report.GOOD


def test_advice_names_stages_that_there_are():
    assert report.remake("masks", "torso") == (
        "experiments/preprocess.py --out DIR --stages masks,torso --overwrite"
    )

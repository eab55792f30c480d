"""The aims of training emotions on puppets, the recipes, and the order of work."""

import copy
import json

import pytest

from emojax.metrics.emotional import BRANCHLESS, HEAD, TWINS
from emojax.metrics.scenarios import HEAD as SPEAKING
from emojax.training import checks
from tests.experiments import command

training = command.module("emotion_training")
GOOD = {
    "psnr_head": 30.0, "ssim": 0.95, "brows": 1.0, "eyes": 1.0, "corners": 1.0, "lmd": 1.0,
    "normals": 8.0, "valence_rmse": 0.15, "arousal_rmse": 0.2, "valence_sign": 0.97,
    "arousal_sign": 0.95,
}  # fmt: skip
KEYS = ("felt", "own", "unfeeling", "rough")


def _felt(normals=8.0):
    films = {film: {m: {"mean": v} for m, v in GOOD.items()} for film in training.FILMS}
    films[HEAD]["normals"]["mean"] = normals
    films[BRANCHLESS]["psnr_head"]["mean"] = 25.0
    films[TWINS]["psnr_head"]["mean"] = None
    return {
        "films": films,
        "neutral": {HEAD: {"lmd": 1.0}},
        "protocol": {"frames": {"count": 137}},
        "reader": {"error": {"valence_rmse": 0.16}},
    }


@pytest.fixture
def reports():
    own = {"films": {SPEAKING: {"psnr": {"mean": 35.0}, "lmd": {"mean": 0.5}}}}
    return dict(zip(KEYS, (_felt(), own, copy.deepcopy(own), _felt(normals=30.0)), strict=True))


def test_a_good_head_reaches_all_aims(reports):
    found = training.judge(**reports)
    assert len(found["aims"]) == 11
    assert all(found["aims"].values())


@pytest.mark.parametrize(
    ("key", "film", "metric", "value", "aim"),
    [
        ("felt", HEAD, "valence_rmse", 0.21, "valence off"),
        ("felt", HEAD, "arousal_rmse", 0.26, "arousal off"),
        ("felt", HEAD, "valence_sign", 0.89, "valence's sign"),
        ("felt", HEAD, "arousal_sign", 0.89, "arousal's sign"),
        ("felt", BRANCHLESS, "psnr_head", 26.5, "above no emotion"),
        ("felt", HEAD, "lmd", 1.06, "neutral lips"),
        ("felt", HEAD, "normals", 12.5, "degrees"),
        ("own", SPEAKING, "psnr", 34.6, "dB of a head without emotions"),
        ("own", SPEAKING, "lmd", 0.52, "LMD within 3 %"),
        ("rough", HEAD, "normals", 7.0, "worse without"),
    ],
)
def test_each_aim_can_fail(reports, key, film, metric, value, aim):
    reports[key]["films"][film][metric]["mean"] = value
    lost = [name for name, ok in training.judge(**reports)["aims"].items() if not ok]
    assert len(lost) == 1
    assert aim in lost[0]


def test_a_head_that_is_too_blurred_fails(reports):
    reports["felt"]["films"][HEAD]["psnr_head"]["mean"] = 26.0
    reports["felt"]["films"][BRANCHLESS]["psnr_head"]["mean"] = 20.0
    lost = [name for name, ok in training.judge(**reports)["aims"].items() if not ok]
    assert lost == ["head at least 27 dB at the points"]


def test_the_table_names_what_fails(reports):
    reports["felt"]["films"][HEAD]["valence_rmse"]["mean"] = 0.4
    row = training.judge(**reports) | {"minutes": {"film": 2.4, "whole": 40.0}}
    text = training.to_text({"3": row})
    assert "puppet 3: 137 held-out frames; minutes: film 2, whole 40" in text
    assert "FAILS: valence off by at most 0.20" in text
    assert text.count("holds") == 10
    assert "no_normals: normals 30.0 degrees off" in text


@pytest.mark.parametrize("config", ["tiny", "fast"])
def test_variants_are_recipes_that_can_be_trained(config):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(command.ROOT / "experiments"))
        recipe = training.importlib.import_module(f"configs.{config}").get()
    whole, unfeeling, rough = (change(recipe) for change in training.VARIANTS.values())
    for variant in (whole, unfeeling, rough):
        checks.check(variant)
    assert whole == recipe
    assert unfeeling.head.emotion == "none"
    assert rough.head.normals == recipe.head.normals
    assert all(p.weights.normals == 0 for s in rough.stages for p in s.phases)


def test_what_is_done_is_not_done_again(reports, tmp_path, monkeypatch):
    done = []

    def run(script, *arguments, quiet=False):
        flags = dict(flag.removeprefix("--").partition("=")[::2] for flag in arguments)
        done.append((script, flags))
        if script == "film":
            (tmp_path / "data_4" / "emotional").mkdir(parents=True)
        if script == "train":
            (tmp_path / "trained").touch()
        if script == "evaluate":
            variant = flags["run"].partition("run_4_")[2]
            key = {"whole": "own", "no_emotion": "unfeeling", "no_normals": "rough"}[variant]
            key = "felt" if (variant, flags["scenario"]) == ("whole", "emotion") else key
            (tmp_path / flags["out"]).write_text(json.dumps(reports[key]))

    monkeypatch.setattr(training.siblings, "run", run)
    values = {"_SIZE": 64, "_LENGTH": 2.0, "_TWINS": 5, "_CONFIG": "tiny", "_STEPS": 1.0,
              "_MAX_FRAMES": 3}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setattr(training, name, type("Flag", (), {"value": value}))
    monkeypatch.syspath_prepend(str(command.ROOT / "experiments"))
    row = training.one("4", tmp_path)
    assert all(row["aims"].values())
    scripts = [script for script, _ in done]
    assert scripts[0] == "film"
    assert scripts.count("evaluate") == 4
    recipes = [flags["recipe"] for script, flags in done if script == "train"]
    assert {tmp_path / f"{name}.json" for name in training.VARIANTS} == set(
        map(type(tmp_path), recipes)
    )
    assert done[-1][1]["max_frames"] == "3"
    assert set(row["minutes"]) == {"film", "whole", "no_emotion", "no_normals"}
    done.clear()
    assert training.one("4", tmp_path) == row
    assert done == []

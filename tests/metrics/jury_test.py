"""Frozen judges: who is called, what they say of good and bad heads, their own error, words."""

import dataclasses
import json
import types

import numpy as np
import pytest

from emojax import experts
from emojax.data import files
from emojax.experts import probe, registry
from emojax.experts.checkpoint import safetensors
from emojax.metrics import emotional, jury, scenarios, sync
from tests.metrics import feeling

ROWS = np.arange(30, 42)


@pytest.fixture(scope="module")
def weights():
    """SyncNet's, made up."""
    return probe.weights(registry.get(jury.SYNCNET).layout({}))


def _truthful(talk):
    """A head that shows the true pictures."""

    def render(batches):
        for some in batches:
            yield from some.images / 255

    return render


def _judge(name, apply):
    return types.SimpleNamespace(spec=registry.get(name), params={}, apply=apply)


def _fan():
    """Finds 68 points on a circle, and more to the right in brighter pictures."""
    angle = np.linspace(0, 6, 68)
    circle = 32 + 10 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def apply(params, crop, *, outputs):
        wide = 1 + np.asarray(crop, float).mean() / 255
        return {outputs[0]: ((circle - 32) * [wide, 1] + 32)[None]}

    return _judge("fan", apply)


def _emonet():
    """Reads the colours in the middle of `feeling`'s pictures."""

    def apply(params, images, *, outputs):
        red, green, blue = np.float64(images[:, :, 96:160, 96:160]).mean((2, 3)).T / 255
        found = {"valence": 10 * (red - blue), "arousal": 10 * (green - blue)}
        return found | {"expression": np.tile(np.arange(8.0), (len(images), 1))}

    return _judge("emonet_8", apply)


def test_who_is_not_installed_or_damaged_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOJAX_WEIGHTS", str(tmp_path))
    (tmp_path / "fan.safetensors").write_bytes(b"no weights")
    there, missing = jury.called(jury.OF_SPEECH)
    assert there == {}
    assert list(missing) == list(jury.OF_SPEECH)
    assert "file of" in missing["fan"]
    text = jury.to_text({}, missing)
    assert "Not judged by syncnet: its weights are not installed." in text
    assert "experiments/convert.py" in text


def test_syncnet_judges_with_installed_weights(talk, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOJAX_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(sync, "BATCH", 2)
    safetensors.write(tmp_path / f"{jury.SYNCNET}.safetensors", weights, {})
    judges, missing = jury.called(jury.OF_SPEECH)
    assert list(missing) == ["fan"]
    found = jury.of_speech(judges, talk, ROWS[:7], _truthful(talk))
    verdict = json.loads(json.dumps(found, allow_nan=False))[jury.SYNCNET]
    head, own = verdict["films"][scenarios.HEAD], verdict["own_error"]
    for name in ("distance", "confidence", "offset"):
        assert head[name] == own[name], "a head that shows the truth"
    expert = experts.from_state_dict(jury.SYNCNET, weights)
    assert verdict["judge"] == f"syncnet, weights {sync.layers.fingerprint(expert.params)}"
    assert verdict["seen"].startswith("2 windows")
    text = jury.to_text(found, missing)
    assert f"Sync-E {head['distance']:.2f}, Sync-C {head['confidence']:.2f}" in text
    assert verdict["judge"] in text


def test_sound_and_faces_are_those_of_the_frames(talk, monkeypatch):
    given = []

    def score(judge, faces, wave):
        given.append((faces, wave))
        return sync.SyncScore(7.0, 1.0, 0, len(faces), "nobody")

    monkeypatch.setattr(sync, "score", score)
    cut = dataclasses.replace(talk, cuts=np.array([ROWS[9]]))
    found = jury.of_speech({jury.SYNCNET: _judge("syncnet", None)}, cut, ROWS, _truthful(talk))
    assert list(found[jury.SYNCNET]["films"]) == [scenarios.HEAD, scenarios.LATE]
    faces, wave = given[0]
    assert len(faces) == 9, "as far as the cut"
    assert faces[0].shape == (224, 224, 3)
    whole = jury.audio.read_wav(talk.folder / files.SOUND).waveform
    start = int(talk.numbers[ROWS[0]]) * 640
    np.testing.assert_allclose(wave / 32768, whole[start : start + 9 * 640], atol=1e-4)


def test_fan_sees_lips_that_are_off(talk):
    judges = {jury.FAN: _fan()}
    same = jury.of_speech(judges, talk, ROWS, _truthful(talk), has_truth=True)[jury.FAN]
    assert same["films"][scenarios.HEAD]["lmd"] == 0
    assert same["own_error"]["pixels"] > 0

    def brighter(batches):
        for some in batches:
            yield from 1 - (1 - some.images / 255) / 2

    off = jury.of_speech(judges, talk, ROWS, brighter)[jury.FAN]
    assert off["films"][scenarios.HEAD]["lmd"] > 0.5
    assert off["own_error"] is None
    text = jury.to_text({jury.FAN: off}, {})
    assert "not known of this clip" in text
    assert "FAN 2D-68, weights " in text


def _felt(patch, shown, **options):
    exam = feeling.exam(patch, **options)
    landmarks = np.tile(np.float32(feeling.FACE), (len(exam.clip.images), 1, 1))
    exam = dataclasses.replace(exam, clip=dataclasses.replace(exam.clip, landmarks=landmarks))
    return jury.of_emotions({jury.EMONET: _emonet()}, exam, feeling.renders(shown))[jury.EMONET]


def test_emonet_sees_what_a_head_feels_and_that_another_does_not(monkeypatch):
    good = _felt(monkeypatch, lambda point: point)
    head = good["films"][emotional.HEAD]
    assert head == good["films"][emotional.TWINS]
    assert max(head["valence_rmse"], head["arousal_rmse"]) < 0.05
    assert min(head["valence_sign"], head["arousal_sign"]) == 1
    assert good["own_error"]["valence_correlation"] > 0.99
    assert good["seen"].startswith(f"{jury.MAX_INSTANTS} instants of 12 points")
    dull = _felt(monkeypatch, lambda point: 0 * point)["films"][emotional.HEAD]
    assert min(dull["valence_rmse"], dull["arousal_rmse"]) > 0.4
    # The stub's three likeliest classes are disgust, anger and contempt.
    assert head["top_accuracy"] == pytest.approx(2 / 12)
    text = jury.to_text({jury.EMONET: good}, {})
    assert "top-3 0.17" in text
    assert "of the true twins" in text


def test_emonets_own_error_is_unknown_without_twins(monkeypatch):
    found = _felt(monkeypatch, lambda point: point, has_truth=False)
    assert list(found["films"]) == [emotional.HEAD]
    assert found["own_error"] is None
    assert "not known of this clip" in jury.to_text({jury.EMONET: found}, {})


def test_a_judge_that_cannot_judge_says_why(talk):
    found = jury.of_speech({jury.SYNCNET: _judge("syncnet", None)}, talk, ROWS[:4], _truthful(talk))
    assert "Judge a longer film" in found[jury.SYNCNET]["missing"]
    assert "syncnet cannot judge" in jury.to_text(found, {})
    assert jury.of_emotions({}, None, None) == {}

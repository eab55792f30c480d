"""The reader: what it was taught it reads; rest is neutral; files; its own claims on puppets."""

import json

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex, measures, reading, sampler

POINTS = np.concatenate([sampler.circle(12), sampler.circle(12, radius=0.5), np.zeros((1, 2))])


def _faces(reader, points, noise=0.0):
    """Lengths that a reader expects at points, trembling."""
    units = np.asarray(circumplex.action_units(points[:, 0], points[:, 1])) / circumplex.STRONGEST
    tremble = np.random.default_rng(0).normal(size=(len(points), len(measures.NAMES)))
    return units @ reader.effect + noise * tremble @ np.linalg.cholesky(reader.covariance).T


@pytest.fixture(scope="module")
def taught():
    """Faces of three people, all of whom the package's reader would understand."""
    points = np.tile(POINTS, (6, 1))
    people = np.repeat([7, 8, 9], 2 * len(POINTS))
    return _faces(reading.default(), points, noise=0.3), points, people


def test_a_fitted_reader_reads_what_it_was_taught(taught):
    reader = reading.fit(*taught, about={"who": "made up"})
    seen = reading.read(reader, _faces(reading.default(), POINTS))
    assert np.abs(seen - POINTS).max() < 0.25
    assert reader.about == {"people": 3, "faces": len(taught[0]), "who": "made up"}
    assert reader.error["valence_rmse"] < 0.2
    assert reader.error["valence_sign"] > 0.85


def test_the_stated_error_is_of_people_who_were_left_out(taught):
    features, points, people = taught
    # A person whose face does the opposite: known, he is read; left out, he is not.
    odd = np.where((people == 9)[:, None], -features, features)
    plain, strange = (reading.fit(some, points, people).error for some in (features, odd))
    assert strange["valence_rmse"] > plain["valence_rmse"] + 0.2


def test_a_face_at_rest_is_neutral_and_everything_is_inside_the_disc():
    reader = reading.default()
    assert np.linalg.norm(reading.read(reader, np.zeros(len(measures.NAMES)))) < 0.15
    wild = 0.5 * np.random.default_rng(1).normal(size=(40, 2, len(measures.NAMES)))
    seen = reading.read(reader, wild)
    assert seen.shape == (40, 2, 2)
    assert np.linalg.norm(seen, axis=-1).max() <= 1


@pytest.mark.parametrize(
    ("change", "valence", "arousal"),
    [
        ({"mouth width": 0.08, "corner height": 0.05}, 1, 0),  # a smile
        ({"inner brow": 0.05, "outer brow": 0.05, "eye opening": 0.01}, 0, 1),
        ({"inner brow": -0.03, "outer brow": -0.02, "brow gap": -0.02}, -1, 0),
        ({"eye opening": -0.02, "upper lid": -0.02}, 0, -1),
    ],
)
def test_the_packages_reader_knows_plain_expressions(change, valence, arousal):
    features = np.array([change.get(name, 0.0) for name in measures.NAMES])
    seen = reading.read(reading.default(), features)
    for found, wanted in zip(seen, (valence, arousal), strict=True):
        assert wanted == 0 or found * wanted > 0.2


def test_a_file_gives_the_reader_back(tmp_path, taught):
    reader = reading.fit(*taught)
    path = tmp_path / "reader.json"
    path.write_text(reading.to_json(reader))
    again = reading.load(path)
    np.testing.assert_allclose(again.effect, reader.effect, rtol=1e-5)
    assert reading.fingerprint(again) == reading.fingerprint(reading.load(path))
    assert (again.error, again.about) == (reader.error, reader.about)


def test_the_packages_reader_says_how_it_was_made():
    reader = reading.default()
    assert "fit_reader.py" in reader.about["command"]
    assert len(reader.about["seeds"]) == reader.about["people"]
    assert reader.error["valence_rmse"] < 0.2
    assert reader.error["arousal_rmse"] < 0.25


def test_what_is_no_reader_is_refused(tmp_path):
    good = json.loads(reading.FILE.read_text())
    for bad in (
        "{",
        json.dumps({**good, "format": 0}),
        json.dumps({**good, "lengths": ["nose"]}),
        json.dumps({**good, "effect": good["effect"][:3]}),
    ):
        path = tmp_path / "reader.json"
        path.write_text(bad)
        with pytest.raises(DataError, match="Fit one again"):
            reading.load(path)
    with pytest.raises(DataError, match="Fit one again"):
        reading.load(tmp_path / "nowhere.json")


def test_what_cannot_teach_is_refused(taught):
    features, points, people = taught
    with pytest.raises(ValueError, match="two people"):
        reading.fit(features, points, np.zeros(len(points)))
    with pytest.raises(ValueError, match="expected \\[N, 11\\]"):
        reading.fit(features[:, :5], points, people)
    with pytest.raises(ValueError, match="finite"):
        reading.fit(features * np.nan, points, people)

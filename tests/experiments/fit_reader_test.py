"""Fitting the reader: from landmarks that are kept, to a file that reads."""

import json

import numpy as np
import pytest

from emojax.data import arrays
from emojax.emotion import reading
from tests.experiments import command
from tests.metrics import feeling

FRAMES, POINTS = 2, 10
SMALL = ("--first=5", "--puppets=3", f"--frames={FRAMES}", f"--points={POINTS}", "--size=64")


@pytest.fixture
def work(tmp_path):
    """Landmarks of three puppets, as if they had been drawn."""
    rng = np.random.default_rng(0)
    for seed in (5, 6, 7):
        angle = rng.uniform(0, 2 * np.pi, (FRAMES, POINTS))
        emotions = rng.uniform(0, 1, angle.shape)[..., None] * np.stack(
            [np.cos(angle), np.sin(angle)], axis=-1
        )
        felt = np.stack([[feeling.face(p, f) for p in emotions[f]] for f in range(FRAMES)])
        content = {
            "neutral": np.stack([feeling.face((0, 0), f) for f in range(FRAMES)]),
            "felt": felt + 0.02 * rng.normal(size=felt.shape),
            "emotions": emotions,
        }
        arrays.write_named(tmp_path / f"{seed}_{FRAMES}x{POINTS}_64.npz", content)
    return tmp_path


def test_kept_landmarks_become_a_reader_that_says_where_it_comes_from(work):
    out = work / "new" / "reader.json"
    done = command.run("fit_reader", f"--out={out}", f"--work={work}", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 puppets, 60 faces; puppets left out: valence off by 0.")
    reader = reading.load(out)
    assert reader.about["seeds"] == [5, 6, 7]
    assert reader.about["command"].startswith("python experiments/fit_reader.py --out ")
    assert reader.error["valence_rmse"] < 0.4
    assert json.loads(out.read_text())["about"]["faces"] == 60
    again = command.run("fit_reader", f"--out={out}", f"--work={work}", *SMALL)
    assert again.returncode == 1
    assert "add --overwrite" in again.stderr
    assert "Traceback" not in again.stderr


def test_damaged_landmarks_are_one_readable_line(work):
    (work / f"6_{FRAMES}x{POINTS}_64.npz").write_text("no")
    done = command.run("fit_reader", f"--out={work / 'r.json'}", f"--work={work}", *SMALL)
    assert done.returncode == 1
    assert "expected an array" in done.stderr
    assert "Traceback" not in done.stderr

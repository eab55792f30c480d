"""The figures of landmark-shape normals: on a folder whose truth is known to be so far off."""

import json
import shutil

import numpy as np
import pytest

from emojax.data import arrays, files, relief, surfaces
from emojax.data.tracking import rotation_matrix
from tests.data import actor, folders
from tests.experiments import command

OFF = 10.0  # degrees


@pytest.fixture(scope="module")
def film_folder(tmp_path_factory):
    """A drawn person whose true normals are its landmarks' shape, turned by `OFF`."""
    film = actor.film(num_frames=6, size=64, seed=3)
    folder = folders.write_folder(film, tmp_path_factory.mktemp("film") / "film")
    track = folders.track(film)
    turn = np.asarray(rotation_matrix(np.float32([0, 0, np.deg2rad(OFF)])))
    (folder / "truth" / "normals").mkdir(parents=True)
    for number, points in enumerate(track.points()):
        normals = relief.picture(
            points, track.world_to_camera[number], focal=track.focal, principal=(32, 32), size=64
        )
        path = folder / "truth" / "normals" / f"{number}.png"
        files.write_picture(path, surfaces.to_bytes(normals @ turn.T))
    arrays.write_named(folder / "truth" / files.LANDMARKS, {"positions": track.points()})
    return folder


def test_angles_are_those_that_the_truth_was_turned_by(film_folder, tmp_path):
    out, sheet = tmp_path / "table.json", tmp_path / "sheet.png"
    done = command.run(
        "relief_quality", f"--data={film_folder}", f"--out={out}", f"--sheet={sheet}"
    )
    assert done.returncode == 0, done.stderr
    row = json.loads(out.read_text())["film"]
    # Turned about the axis of sight: a normal that faces the camera stays where it is.
    assert 0.2 * OFF < row["mean, true landmarks"] < 1.2 * OFF
    assert row["median"] <= row["90th percentile"] < 90
    assert row["mean, flat"] > row["mean, true landmarks"]
    assert 0.5 < row["share of the face"] <= 1
    assert files.read_picture(sheet).shape == (4 * 64, 4 * 64, 3)
    assert "mean, flat" in done.stdout


def test_a_folder_without_truth_is_refused(film_folder, tmp_path):
    plain = shutil.copytree(film_folder, tmp_path / "plain", ignore=shutil.ignore_patterns("truth"))
    done = command.run("relief_quality", f"--data={plain}")
    assert done.returncode == 1
    assert done.stderr.startswith("relief_quality: expected a puppet's film")

"""The written folder is what clip.load takes, and its track the truth."""

import numpy as np

from emojax.data import clip
from tests.data import actor, folders


def test_a_written_folder_loads_without_fallbacks(tmp_path):
    film = actor.film(num_frames=24, size=64)
    folders.write_folder(film, tmp_path / "größe 1")
    loaded = clip.load(tmp_path / "größe 1")
    assert loaded.fallbacks == ()
    assert len(loaded) == 24
    assert loaded.num_train == 21
    np.testing.assert_array_equal(loaded.labels[np.arange(24)], film.labels)
    np.testing.assert_allclose(loaded.landmarks, film.landmarks, atol=1e-3)


def test_the_true_track_projects_onto_the_landmarks():
    film = actor.film(num_frames=24, size=64)
    track = folders.track(film)
    rotation, shift = track.world_to_camera[:, :3, :3], track.world_to_camera[:, None, :3, 3]
    camera = np.einsum("tij,tnj->tni", rotation, track.points()) + shift
    seen = track.focal * camera[..., :2] / camera[..., 2:] + 64 / 2 - 0.5
    np.testing.assert_allclose(seen, film.landmarks, atol=1e-3)

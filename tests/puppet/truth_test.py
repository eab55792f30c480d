import csv

import numpy as np

from emojax.puppet import truth
from emojax.puppet.visemes import Articulation
from emojax.speech import phonemes
from emojax.speech.timing import Phoneme, Word
from tests.puppet import footage
from tests.puppet.filmed import shot


def test_depth_is_kept_to_a_tenth_of_a_millimetre():
    depth = shot("rest").depth
    back = truth.decode_depth(truth.encode_depth(depth))
    hit = np.isfinite(depth)
    assert np.abs(back[hit] - depth[hit]).max() < 6e-5
    assert np.isinf(back[~hit]).all()


def test_normals_are_kept_to_a_hundredth_of_a_degree():
    normals = shot("rest").normals
    back = truth.decode_normals(truth.encode_normals(normals))
    assert np.abs(back - normals).max() < 3e-5
    assert not back[shot("rest").labels == 0].any()


def test_pictures_of_sixteen_bits_come_back(tmp_path):
    rng = np.random.default_rng(0)
    for shape in ((8, 9), (8, 9, 3)):
        image = rng.integers(0, 65536, shape).astype(np.uint16)
        truth.write_picture(tmp_path / "a.png", image)
        np.testing.assert_array_equal(truth.read_picture(tmp_path / "a.png"), image)


def test_stored_normals_look_at_the_viewer():
    path = footage.folder() / truth.NORMALS / "0.png"
    normals = truth.decode_normals(truth.read_picture(path))
    hit = np.abs(normals).max(axis=-1) > 0
    assert np.quantile(normals[hit][:, 2], 0.01) > -0.1
    assert normals[hit][:, 2].mean() > 0.4
    rows = np.arange(len(normals))[:, None].repeat(normals.shape[1], axis=1)
    crown = hit & (rows < np.nonzero(hit.any(axis=1))[0][0] + 6)
    assert normals[crown][:, 1].mean() > 0.4  # up


def test_visemes_follow_phonemes_by_the_clock_of_the_frames():
    said = (
        Phoneme("", 0.0, 0.1),
        Phoneme("p", 0.1, 0.2, burst=0.18),
        Phoneme("aɪ", 0.2, 0.36),
        Phoneme("", 0.36, 0.6),
    )
    track = truth.viseme_track(said, 15)
    names = [phonemes.VISEMES[k] for k in track]
    assert names == ["sil"] * 3 + ["pbm"] * 2 + ["a"] * 2 + ["ei"] * 2 + ["sil"] * 6
    assert set(truth.viseme_track(None, 4)) == {-1}


def test_tracks_are_written_as_far_as_they_are_known(tmp_path):
    folder = footage.folder()
    assert not (folder / truth.PHONEMES).exists()
    with np.load(folder / truth.VISEMES) as stored:
        assert set(stored["viseme"]) == {-1}
        np.testing.assert_array_equal(stored["jaw"], footage.planned().articulation.jaw)
        assert set(Articulation._fields) < set(stored.files)
    import dataclasses

    known = dataclasses.replace(
        footage.planned(),
        phonemes=(Phoneme("", 0, 0.5), Phoneme("ˈɑː", 0.5, 1.0)),
        words=(Word("ah, yes", 0.5, 1.0),),
        text="Ah, yes",
    )
    truth.begin(tmp_path)
    truth.write_tracks(tmp_path, known)
    rows = list(csv.DictReader((tmp_path / truth.PHONEMES).open(encoding="utf-8")))
    assert [row["symbol"] for row in rows] == ["", "ˈɑː"]
    assert rows[1] == {
        "start": "0.5000",
        "end": "1.0000",
        "burst": "",
        "symbol": "ˈɑː",
        "visemes": "a",
    }
    words = list(csv.DictReader((tmp_path / truth.WORDS).open(encoding="utf-8")))
    assert words[0]["word"] == "ah, yes"
    assert (tmp_path / truth.TRANSCRIPT).read_text() == "Ah, yes\n"

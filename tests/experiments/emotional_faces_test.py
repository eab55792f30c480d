"""Portraits and clips with other emotions, as a user makes them."""

import dataclasses
import json

import numpy as np
import pytest

from emojax.data import emotional, files, labels, landmarks, pipeline, surfaces
from emojax.data.job import Settings
from emojax.emotion import circumplex
from emojax.opencv import cv2
from tests.data import actor, folders
from tests.emotion import faces
from tests.experiments import command


def _data_set(folder, *, count=3):
    """Frames, landmarks and labels of a drawn face; the last frame has no face."""
    (folder / files.FRAMES).mkdir(parents=True)
    (folder / files.PARSING).mkdir()
    (folder / files.TEETH).mkdir()
    picture = faces.picture()
    regions = np.where(picture[..., 0] > 128, labels.Label.FACE, labels.Label.BACKGROUND)
    colors, teeth = labels.to_parsing(np.uint8(regions))
    for t in range(count):
        files.write_picture(folder / files.FRAMES / f"{t}.jpg", np.array(picture))
        landmarks.write_lms(folder / files.FRAMES / f"{t}.lms", faces.landmarks())
        files.write_picture(folder / files.PARSING / f"{t}.png", colors)
        np.save(folder / files.TEETH / f"{t}.npy", teeth)
    np.savez(
        folder / files.LANDMARKS,
        points=np.float32([faces.landmarks()] * count),
        found=np.arange(count) < count - 1,
        cuts=np.zeros(0, np.int64),
    )
    return folder


def test_frames_of_a_clip_get_sheets_pictures_and_a_report(tmp_path):
    data = _data_set(tmp_path / "data")
    done = command.run(
        "emotional_faces", f"--data={data}", "--points=test", f"--out={tmp_path / 'out'}",
        f"--cache={tmp_path / 'cache'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Both frames with a face are one picture: the second is found.
    assert "24 of 24 pictures accepted; 12 from the cache" in done.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report) == 24
    assert {row["face"] for row in report} == {"frame_0", "frame_1"}, "frame 2 has no face"
    assert (report[0]["valence"], report[0]["arousal"]) == circumplex.POINTS[0]
    assert len(list((tmp_path / "out" / "frame_0").glob("*.png"))) == 12
    sheet = files.read_picture(tmp_path / "out" / "frame_1.png")
    assert sheet.shape == (3 * 276, 5 * 256, 3)

    stored = command.run(
        "emotional_faces", f"--data={data}", "--points=disc", "--num_points=2", "--store",
        f"--out={tmp_path / 'out2'}",
    )  # fmt: skip
    assert stored.returncode == 0, stored.stderr
    kept = emotional.load(data, numbers=np.arange(3), size=faces.SIZE, place=tmp_path / "rows")
    assert kept.source.startswith("warp")
    np.testing.assert_array_equal(np.bincount(kept.frames), [2, 2])
    assert len(np.unique(kept.emotions, axis=0)) == 4, "each frame has points of its own"
    assert (tmp_path / "out2" / "sheet.png").exists()

    entries = sorted((tmp_path / "cache").rglob("*.npz"))
    entries[0].write_bytes(b"damaged")
    (tmp_path / "cache" / "emotional-faces-0").mkdir()
    (tmp_path / "points.csv").write_text("valence,arousal\n3,4\n")
    arguments = (f"--data={data}", f"--points={tmp_path / 'points.csv'}", "--frames=1")
    more = command.run(
        "emotional_faces", *arguments, f"--out={tmp_path / 'out3'}", f"--cache={tmp_path / 'cache'}"
    )
    assert more.returncode == 0, more.stderr
    assert "0 from the cache" in more.stdout
    assert "not read, of another version: " in more.stdout
    assert "emotional-faces-0" in more.stdout
    line = "note: outside the disc of emotions, moved to its rim: (3, 4), 5.00 from the origin\n"
    assert more.stderr == line
    refused = command.run("emotional_faces", *arguments, f"--out={tmp_path / 'out4'}", "--refuse")
    assert refused.returncode == 1
    assert "at most 1 from the origin" in refused.stderr

    again = command.run("emotional_faces", f"--data={data}", f"--out={tmp_path / 'out'}")
    assert again.returncode == 1
    assert "report.json" in again.stderr
    assert "Traceback" not in again.stderr


def test_pictures_of_a_clip_with_landmark_shape_normals_get_their_own(tmp_path):
    film = actor.film(num_frames=3, size=64, seed=3)
    folder = folders.write_folder(film, tmp_path / "film")
    module = command.module("emotional_faces")
    still = np.zeros((68, 2))
    assert module.reliefs(folder)(1, still) is None, "nothing was tracked"
    np.savez(folder / files.TRACKING, **dataclasses.asdict(folders.track(film)))
    assert module.reliefs(folder)(1, still) is None, "the clip has no normals"
    pipeline.run(folder, Settings(), stages=["normals"])
    plain = module.reliefs(folder)(1, still)
    stored = surfaces.from_bytes(files.read_picture(folder / "normals" / "1.png"))
    np.testing.assert_allclose(plain, stored, atol=0.01)
    raised = still.copy()
    raised[17:27, 1] = -2.0
    assert np.abs(module.reliefs(folder)(1, raised) - plain).max() > 0.1


def test_a_clip_without_a_face_and_missing_choices_are_refused(tmp_path):
    data = _data_set(tmp_path / "data", count=1)
    module = command.module("emotional_faces")
    with pytest.raises(ValueError, match="a face in some frame"):
        module.frames(data, 3)
    with pytest.raises(ValueError, match="folder of a data set"):
        module.frames(tmp_path / "none", 3)


def test_pictures_of_every_kind_are_read_as_eight_bit_colour(tmp_path):
    module = command.module("emotional_faces")
    picture = np.array(faces.picture())
    swapped = np.ascontiguousarray(picture[..., ::-1])
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    cv2.imwrite(str(tmp_path / "plain.png"), swapped)
    cv2.imwrite(str(tmp_path / "deep.png"), np.uint16(swapped) * 257)
    cv2.imwrite(str(tmp_path / "opaque.png"), np.dstack([swapped, alpha]))
    cv2.imwrite(str(tmp_path / "grey.png"), picture[..., 1])
    cv2.imwrite(str(tmp_path / "deepgrey.png"), np.uint16(picture[..., 1]) * 257)
    alpha[:40] = 0
    cv2.imwrite(str(tmp_path / "hole.png"), np.dstack([swapped, alpha]))
    cv2.imwrite(str(tmp_path / "deephole.png"), np.uint16(np.dstack([swapped, alpha])) * 257)
    for name, note in (
        ("plain", ""), ("deep", "16 bits"), ("opaque", ""), ("hole", "transparent"),
        ("deephole", "16 bits brought to 8, transparent"),
    ):  # fmt: skip
        found, notes = module.read_portrait(tmp_path / f"{name}.png")
        assert found.dtype == np.uint8
        assert found.shape == picture.shape
        assert note in notes
        assert bool(note) == bool(notes)
        np.testing.assert_allclose(np.int16(found[40:]), picture[40:], atol=1)
        if "hole" in name:
            assert (found[:40] == 128).all()
    for name in ("grey", "deepgrey"):
        found, _ = module.read_portrait(tmp_path / f"{name}.png")
        np.testing.assert_allclose(np.int16(found[..., 0]), picture[..., 1], atol=1)
    (tmp_path / "bad.png").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"a picture in.*save the portrait again"):
        module.read_portrait(tmp_path / "bad.png")


def test_two_portraits_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.write_picture(tmp_path / folder / "me.png", np.array(faces.picture()))
    images = [f"--image={tmp_path / folder / 'me.png'}" for folder in ("a", "b")]
    done = command.run("emotional_faces", *images, f"--out={tmp_path / 'out'}")
    assert done.returncode == 1
    assert "two that are called me" in done.stderr
    assert not (tmp_path / "out").exists()

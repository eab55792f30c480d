"""What files say of themselves comes back, after copies too, and from damaged and foreign files."""

import json
import struct

import av
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.data import carriers, files, provenance
from emojax.data.errors import DataError
from emojax.data.provenance import Provenance
from emojax.gaussians import ply
from emojax.types import Gaussians
from tests.data import media as make

ABOUT = Provenance(run="0123456789abcdef", recipe="fast", trained_to="fuse 9", mark="synthetic")
TYPE = "trainedAlgorithmicMedia"


def _film(path, *, tags=None, options=None):
    """A film of four frames with some tags."""
    with av.open(str(path), "w", options=options or {"movflags": "+faststart"}) as out:
        out.metadata.update(tags or {})
        stream = out.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for level in range(4):
            picture = np.full((32, 32, 3), 60 * level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def _ours(path):
    _film(path, tags=carriers.tags(ABOUT))
    carriers.append_xmp(path, ABOUT)
    return path


def _copied(source, path, *, keeps):
    """The streams of a film in another container, as a remux without encoding makes it."""
    with av.open(str(source)) as before, av.open(str(path), "w") as after:
        if keeps:
            after.metadata.update(before.metadata)
        stream = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                after.mux(packet)
    return path


def test_a_film_says_it_twice_and_plays(tmp_path):
    path = _ours(tmp_path / "a.mp4")
    assert carriers.read(str(path)) == (ABOUT, TYPE, True)
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 4
    # FFmpeg's own reader finds the packet where the specification has it.
    with av.open(str(path), options={"export_xmp": "1"}) as container:
        assert container.metadata["xmp"] == provenance.xmp(ABOUT)


@pytest.mark.parametrize("name", ["b.mp4", "b.mov", "b.mkv"])
def test_a_copy_that_keeps_tags_keeps_the_statement(tmp_path, name):
    path = _copied(_ours(tmp_path / "a.mp4"), tmp_path / name, keeps=True)
    assert carriers.read(path) == (ABOUT, None, True)


def test_a_copy_without_tags_says_nothing(tmp_path):
    path = _copied(_ours(tmp_path / "a.mp4"), tmp_path / "b.mp4", keeps=False)
    assert carriers.read(path) == (None, None, True)


def test_a_film_of_others_says_nothing_of_ours(tmp_path):
    plain = _film(tmp_path / "a.mp4", tags={"comment": "my holiday", "title": "sea"})
    assert carriers.read(plain) == (None, None, True)
    sound = make.write(tmp_path / "b.mkv", sound=make.clicks([0.1], 0.3))
    assert carriers.read(sound).about is None
    other = _film(tmp_path / "c.mp4")
    carriers.append_xmp(other, ABOUT)
    text = other.read_bytes().replace(TYPE.encode(), b"compositeSynthetic     ")
    other.write_bytes(text)
    assert carriers.read(other) == (None, "compositeSynthetic", True)


def test_a_statement_of_another_format_and_a_damaged_one(tmp_path):
    said = json.loads(provenance.to_json(ABOUT)) | {"format": 7, "version": "3.0"}
    later = _film(tmp_path / "a.mp4", tags={"comment": json.dumps(said)})
    assert carriers.read(later).about == Provenance(version="3.0", format=7)
    damaged = _film(tmp_path / "b.mp4", tags={"comment": json.dumps(said)[:50]})
    with pytest.raises(DataError, match="damaged"):
        carriers.read(damaged)


def test_a_film_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path):
    data = _ours(tmp_path / "a.mp4").read_bytes()
    path = tmp_path / "b.mp4"
    path.write_bytes(data[: data.index(b"mdat") + 40])
    assert carriers.read(path) == (ABOUT, None, False)
    path.write_bytes(data[:-5])
    assert carriers.read(path)[::2] == (ABOUT, False)
    path.write_bytes(data[:200])  # within the index
    assert carriers.read(path) == (None, None, False)
    path.write_bytes(data[:20])
    with pytest.raises(DataError, match="index is missing"):
        carriers.read(path)


def test_boxes_of_any_length_are_walked(tmp_path):
    data = _ours(tmp_path / "a.mp4").read_bytes()
    path = tmp_path / "b.mp4"
    path.write_bytes(data + struct.pack(">I4sQ", 1, b"free", 20) + bytes(4))  # 64 bits of length
    assert carriers.read(path) == (ABOUT, TYPE, True)
    path.write_bytes(data + struct.pack(">I4s", 0, b"free") + bytes(99))  # up to the end
    assert carriers.read(path) == (ABOUT, TYPE, True)
    path.write_bytes(data + struct.pack(">I4s", 4, b"free"))
    assert carriers.read(path) == (ABOUT, TYPE, False)


def test_a_picture_says_it_and_stays_the_same(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    path = tmp_path / "a.png"
    carriers.write_png(path, picture, ABOUT)
    assert carriers.read(path) == (ABOUT, TYPE, True)
    np.testing.assert_array_equal(files.read_picture(path), picture)
    files.write_picture(tmp_path / "plain.png", picture)
    assert carriers.read(tmp_path / "plain.png") == (None, None, True)
    path.write_bytes(path.read_bytes()[:-20])
    assert carriers.read(path) == (ABOUT, TYPE, False)


def test_a_cloud_says_it(tmp_path):
    ones = jnp.ones(3, jnp.float32)
    cloud = Gaussians(
        means=jnp.zeros((3, 3)), quaternions=jnp.ones((3, 4)), scales=jnp.zeros((3, 3)),
        opacities=ones, harmonics=jnp.zeros((3, 1, 3)), alive=ones > 0,
    )  # fmt: skip
    ply.save(tmp_path / "a.ply", cloud, comment=provenance.to_json(ABOUT))
    assert carriers.read(tmp_path / "a.ply") == (ABOUT, None, True)
    ply.save(tmp_path / "b.ply", cloud)
    assert carriers.read(tmp_path / "b.ply") == (None, None, True)
    (tmp_path / "c.ply").write_bytes((tmp_path / "a.ply").read_bytes()[:100])
    with pytest.raises(DataError, match="damaged"):
        carriers.read(tmp_path / "c.ply")


@pytest.mark.parametrize("content", [None, b"", b"hello world\n" * 50, bytes(5000)])
def test_what_is_no_film_is_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="a video file"):
        carriers.read(path)

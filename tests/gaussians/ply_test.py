""".ply files: the layout that viewers expect, exact round trips, damaged and foreign files."""

import os
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emojax.gaussians import ply
from emojax.types import Gaussians

ACTIVATIONS = ["softplus", "exp"]
BASE_NAMES = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
TAIL_NAMES = ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]


def make_cloud(num_slots=5, *, degree=2, activation="softplus", alive=None, scales=None):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return jnp.asarray(rng.normal(size=(num_slots, *shape)).astype(np.float32))

    return Gaussians(
        means=normal(3),
        quaternions=normal(4),
        scales=normal(3) if scales is None else jnp.asarray(scales),
        opacities=normal(),
        harmonics=normal((degree + 1) ** 2, 3),
        alive=jnp.asarray(np.ones(num_slots, bool) if alive is None else np.array(alive, bool)),
        scale_activation=activation,
    )


def make_table(count=3, *, num_rest=0):
    """Returns {name: [count] float32} of a valid file."""
    names = [*BASE_NAMES, *(f"f_rest_{i}" for i in range(num_rest)), *TAIL_NAMES]
    values = np.random.default_rng(1).normal(size=(len(names), count)).astype(np.float32)
    return dict(zip(names, values, strict=True))


def header(names, count, *, kind="binary_little_endian", number="float", newline="\n"):
    lines = ["ply", f"format {kind} 1.0", "comment by hand", f"element vertex {count}"]
    lines += [f"property {number} {name}" for name in names] + ["end_header", ""]
    return newline.join(lines).encode()


def binary(table, *, dtype="<f4"):
    return np.stack(list(table.values()), axis=1).astype(dtype).tobytes()


def file_of(table, **options):
    count = len(next(iter(table.values())))
    return header(table, count, **options) + binary(table)


def ascii_file(*, newline="\n"):
    table = make_table()
    # repr of the float64 value gives every float32 back.
    lines = [" ".join(repr(float(v)) for v in row) for row in zip(*table.values(), strict=True)]
    text = newline.join([*lines, ""]).encode()
    return header(table, 3, kind="ascii", newline=newline) + text


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cloud.ply"


def assert_matches(cloud, table):
    np.testing.assert_array_equal(cloud.means[:, 1], table["y"])
    np.testing.assert_array_equal(cloud.harmonics[:, 0, 2], table["f_dc_2"])
    np.testing.assert_array_equal(cloud.opacities, table["opacity"])
    np.testing.assert_array_equal(cloud.scales[:, 0], table["scale_0"])
    np.testing.assert_array_equal(cloud.quaternions[:, 3], table["rot_3"])
    assert cloud.alive.all()


class TestLayout:
    @pytest.mark.parametrize("degree", [0, 1, 2, 3])
    def test_header_is_that_of_3dgs(self, path, degree):
        ply.save(path, make_cloud(degree=degree, alive=[1, 0, 1, 1, 0]))
        content = path.read_bytes()
        rest = [f"f_rest_{i}" for i in range(3 * ((degree + 1) ** 2 - 1))]
        names = [*BASE_NAMES, *rest, *TAIL_NAMES]
        lines = ["ply", "format binary_little_endian 1.0", "element vertex 3"]
        lines += [f"property float {name}" for name in names] + ["end_header"]
        head = ("\n".join(lines) + "\n").encode()
        assert content.startswith(head)
        assert len(content) == len(head) + 3 * 4 * len(names)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_values_are_those_that_viewers_expect(self, path, activation):
        cloud = make_cloud(4, degree=1, activation=activation, alive=[0, 1, 0, 1])
        ply.save(path, cloud)
        rows = np.frombuffer(path.read_bytes().partition(b"end_header\n")[2], "<f4").reshape(2, -1)
        table = dict(zip(make_table(num_rest=9), rows.T, strict=True))
        raw = np.asarray(cloud.scales, np.float64)[[1, 3]]
        metres = np.exp(raw) if activation == "exp" else np.log1p(np.exp(raw))
        coefficients = np.asarray(cloud.harmonics)[[1, 3]]
        np.testing.assert_array_equal(table["x"], cloud.means[1::2, 0])
        np.testing.assert_array_equal(rows[:, 3:6], 0)
        np.testing.assert_array_equal(table["f_dc_1"], coefficients[:, 0, 1])
        # Channel-major: three coefficients of R, then of G, then of B.
        np.testing.assert_array_equal(table["f_rest_2"], coefficients[:, 3, 0])
        np.testing.assert_array_equal(table["f_rest_4"], coefficients[:, 2, 1])
        np.testing.assert_array_equal(table["f_rest_6"], coefficients[:, 1, 2])
        np.testing.assert_array_equal(table["opacity"], cloud.opacities[1::2])
        np.testing.assert_allclose(table["scale_1"], np.log(metres)[:, 1], rtol=1e-6)
        np.testing.assert_array_equal(table["rot_0"], cloud.quaternions[1::2, 0])

    def test_normals_on_request(self, path):
        normals = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
        ply.save(path, make_cloud(3, degree=0, alive=[1, 0, 1]), normals=normals)
        rows = np.frombuffer(path.read_bytes().partition(b"end_header\n")[2], "<f4").reshape(2, -1)
        np.testing.assert_array_equal(rows[:, 3:6], normals[[0, 2]])

    def test_a_comment_stands_in_the_header_and_is_passed_over(self, path, tmp_path):
        ply.save(path, make_cloud(), comment="drawn, not scanned")
        plain = tmp_path / "plain.ply"
        ply.save(plain, make_cloud())
        line = b"comment drawn, not scanned\n"
        assert path.read_bytes().replace(line, b"") == plain.read_bytes()
        assert path.read_bytes().index(line) < path.read_bytes().index(b"element")
        np.testing.assert_array_equal(ply.load(path).means, make_cloud().means)

    @pytest.mark.parametrize("comment", ["two\nlines", "gr\u00f6\u00dfer"])
    def test_a_comment_is_one_line_of_ascii(self, path, comment):
        with pytest.raises(ValueError, match="one line, ASCII"):
            ply.save(path, make_cloud(), comment=comment)
        assert not path.exists()


class TestRoundTrip:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("degree", [0, 3])
    def test_save_load_save_gives_the_same_bytes(self, tmp_path, activation, degree):
        cloud = make_cloud(40, degree=degree, activation=activation, alive=np.arange(40) % 3 > 0)
        ply.save(tmp_path / "one.ply", cloud)
        loaded = ply.load(tmp_path / "one.ply", capacity=50, scale_activation=activation)
        ply.save(tmp_path / "two.ply", loaded)
        assert (tmp_path / "one.ply").read_bytes() == (tmp_path / "two.ply").read_bytes()
        for name in ("means", "quaternions", "opacities", "harmonics"):
            living = np.asarray(getattr(cloud, name))[np.asarray(cloud.alive)]
            np.testing.assert_array_equal(getattr(loaded, name)[: len(living)], living)

    @settings(max_examples=30, deadline=None)
    @given(hnp.arrays(np.float32, (50, 3), elements=st.floats(-80, 2.0**100, width=32)))
    def test_any_softplus_scale_survives(self, scales):
        stored = ply._log_scales(scales, "softplus")
        again = ply._log_scales(ply._raw_scales(stored, "softplus"), "softplus")
        np.testing.assert_array_equal(again, stored)

    def test_any_stored_scale_below_half_a_metre_survives(self):
        # Every float32 in one binade would take a minute: a million of them, from all binades.
        limit = np.float32(np.log(0.5)).view(np.uint32)
        lowest = np.float32(-80).view(np.uint32)
        bits = np.random.default_rng(0).integers(limit, lowest, 1_000_000, dtype=np.uint32)
        stored = bits.view(np.float32)
        again = ply._log_scales(ply._raw_scales(stored, "softplus"), "softplus")
        np.testing.assert_array_equal(again, stored)

    def test_every_eighth_raw_scale_near_half_a_metre_survives(self):
        # Where a raw scale is between 1/4 and 2, float32 logarithms are denser than raw scales.
        first, last = (int(np.float32(v).view(np.uint32)) for v in (0.25, 2.0))
        raw = np.arange(first, last, 8, dtype=np.uint32).view(np.float32)
        stored = ply._log_scales(raw, "softplus")
        again = ply._log_scales(ply._raw_scales(stored, "softplus"), "softplus")
        np.testing.assert_array_equal(again, stored)

    def test_other_stored_scales_are_met_to_1e_7(self):
        stored = np.random.default_rng(0).uniform(np.log(0.5), 80, 100_000).astype(np.float32)
        stored = np.concatenate([stored, stored / 100])
        again = ply._log_scales(ply._raw_scales(stored, "softplus"), "softplus")
        assert np.abs(np.expm1(again.astype(np.float64) - stored)).max() < 1e-7
        twice = ply._log_scales(ply._raw_scales(again, "softplus"), "softplus")
        np.testing.assert_array_equal(twice, again)

    def test_activation_may_change_on_the_way(self, tmp_path):
        ply.save(tmp_path / "one.ply", make_cloud(9))
        ply.save(tmp_path / "two.ply", ply.load(tmp_path / "one.ply", scale_activation="exp"))
        assert (tmp_path / "one.ply").read_bytes() == (tmp_path / "two.ply").read_bytes()

    def test_free_slots_are_finite(self, path):
        ply.save(path, make_cloud(3))
        cloud = ply.load(path, capacity=7)
        assert cloud.capacity == 7
        np.testing.assert_array_equal(cloud.alive, np.arange(7) < 3)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(cloud))


class TestSaving:
    def test_does_not_overwrite_unless_told(self, path):
        path.write_bytes(b"precious")
        with pytest.raises(FileExistsError, match=r"cloud\.ply: exists already; pass overwrite"):
            ply.save(path, make_cloud())
        assert path.read_bytes() == b"precious"
        ply.save(path, make_cloud(), overwrite=True)
        assert ply.load(path).capacity == 5

    def test_leaves_nothing_behind_when_it_fails(self, path, monkeypatch):
        path.write_bytes(b"precious")

        def fail(*_):
            raise OSError("disk full")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            ply.save(path, make_cloud(), overwrite=True)
        assert [p.name for p in path.parent.iterdir()] == ["cloud.ply"]
        assert path.read_bytes() == b"precious"

    def test_leaves_nothing_but_the_file(self, path):
        ply.save(os.fspath(path), make_cloud())
        assert [p.name for p in path.parent.iterdir()] == ["cloud.ply"]
        reference = path.parent / "reference"
        reference.write_bytes(b"")
        assert path.stat().st_mode == reference.stat().st_mode

    def test_missing_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"there is no folder .*create it first"):
            ply.save(tmp_path / "missing" / "cloud.ply", make_cloud())

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("quaternions", np.nan, r"finite quaternions, got NaN or infinite .* in 2 of 4"),
            ("quaternions", 0.0, r"quaternions of non-zero length, got length 0 in 2 of 4"),
            ("means", np.inf, "finite means"),
            ("opacities", -np.inf, "finite opacities"),
            ("harmonics", np.nan, "finite constant harmonics"),
            ("scales", np.nan, "finite scales"),
            ("scales", -np.inf, "finite scales"),
            ("scales", np.inf, "finite scales"),
        ],
    )
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_values_without_meaning_are_refused(self, path, name, value, message, activation):
        # The dead slot does not count.
        cloud = make_cloud(5, activation=activation, alive=[1, 1, 0, 1, 1])
        array = np.array(getattr(cloud, name))
        array[1:4] = value
        with pytest.raises(ValueError, match=message):
            ply.save(path, cloud.replace(**{name: array}))
        assert not path.exists()

    def test_other_refusals(self, path):
        with pytest.raises(ValueError, match=r"expected a living Gaussian, got none"):
            ply.save(path, make_cloud(2, alive=[0, 0]))
        with pytest.raises(ValueError, match=r"expected normals \[5, 3\], got \(4, 3\)"):
            ply.save(path, make_cloud(), normals=np.zeros((4, 3)))
        with pytest.raises(ValueError, match=r"finite normals"):
            ply.save(path, make_cloud(), normals=np.full((5, 3), np.nan))
        with pytest.raises(ValueError, match=r"expected one cloud, means \[N, 3\]"):
            ply.save(path, jax.tree.map(lambda leaf: leaf[None], make_cloud()))
        with pytest.raises(ValueError, match=r"expected 1, 4, 9 or 16 coefficients"):
            ply.save(path, make_cloud().replace(harmonics=jnp.zeros((5, 7, 3))))
        with pytest.raises(ValueError, match=r"scales up to e\^88 metres"):
            ply.save(path, make_cloud(activation="exp", scales=np.full((5, 3), 90.0)))
        assert not path.exists()


class TestForeignFiles:
    def load(self, path, content):
        path.write_bytes(content)
        return ply.load(path, scale_activation="exp")

    def test_plain(self, path):
        table = make_table()
        assert_matches(self.load(path, file_of(table)), table)

    def test_other_order_and_further_properties(self, path):
        table = make_table(num_rest=9)
        table["confidence"] = table["x"]
        shuffled = {name: table[name] for name in sorted(table, reverse=True)}
        cloud = self.load(path, file_of(shuffled))
        assert_matches(cloud, table)
        np.testing.assert_array_equal(cloud.harmonics[:, 2, 1], table["f_rest_4"])

    def test_without_normals(self, path):
        table = {name: v for name, v in make_table().items() if not name.startswith("n")}
        assert_matches(self.load(path, file_of(table)), table)

    def test_big_endian_doubles(self, path):
        table = make_table()
        head = header(table, 3, kind="binary_big_endian", number="double")
        assert_matches(self.load(path, head + binary(table, dtype=">f8")), table)

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_ascii(self, path, newline):
        table = make_table()
        assert_matches(self.load(path, ascii_file(newline=newline)), table)

    def test_crlf_header_before_binary_data(self, path):
        table = make_table()
        # The first byte of data is a line feed, which must not be eaten as part of the header.
        table["x"] = np.frombuffer(b"\n\r\n\x3f" * 3, "<f4")
        cloud = self.load(path, header(table, 3, newline="\r\n") + binary(table))
        np.testing.assert_array_equal(cloud.means[:, 0], table["x"])

    def test_integers_of_mixed_width(self, path):
        table = make_table()
        head = header(table, 3).replace(b"property float opacity", b"property uchar opacity")
        names = [(name, "u1" if name == "opacity" else "<f4") for name in table]
        records = np.zeros(3, names)
        for name, values in table.items():
            records[name] = np.abs(values) * 10 if name == "opacity" else values
        cloud = self.load(path, head + records.tobytes())
        np.testing.assert_array_equal(cloud.opacities, records["opacity"])

    def test_elements_around_the_vertices(self, path):
        table = make_table()
        before = b"element camera 2\nproperty float a\nproperty uchar b\nelement vertex"
        after = b"element face 1\nproperty list uchar int vertex_indices\nend_header\n"
        head = header(table, 3).replace(b"element vertex", before).replace(b"end_header\n", after)
        content = head + bytes(10) + binary(table) + bytes(13)
        assert_matches(self.load(path, content), table)

    def test_scales_become_softplus_parameters(self, path):
        table = make_table()
        path.write_bytes(file_of(table))
        scales = np.log1p(np.exp(np.asarray(ply.load(path).scales, np.float64)))
        np.testing.assert_allclose(scales[:, 0], np.exp(table["scale_0"]), rtol=1e-6)


def edit(old, new):
    """Returns a damage: one replacement in a file that has `old` once."""

    def damage(content):
        assert content.count(old) == 1
        return content.replace(old, new)

    return damage


DAMAGES = {
    "empty": (lambda c: b"", r"begins with 'ply', got b''"),
    "other format": (lambda c: b"solid" + c, r"begins with 'ply', got b'solidpl'|got b'solidply'"),
    "truncated data": (lambda c: c[:-1], r"expected 204 bytes of data for 3 vertices, got 203"),
    "trailing data": (lambda c: c + b"\0", r"expected 204 bytes .* got 205; .*copy or export"),
    "truncated header": (lambda c: c[:200], r"expected `end_header` within"),
    "no line ends": (lambda c: b"ply\n" + b"x" * 10**6, r"expected `end_header` within 65536"),
    "huge count": (edit(b"vertex 3", b"vertex 1000000000000"), r"expected 68000000000000 bytes"),
    "absurd count": (edit(b"vertex 3", b"vertex " + b"9" * 5000), r"header lines .* got 'element"),
    "negative count": (
        edit(b"vertex 3", b"vertex -3"),
        r"header lines of a .ply.*'element vertex -",
    ),
    "no vertices": (edit(b"vertex 3", b"vertex 0"), r"at least one vertex, got 0"),
    "no vertex element": (edit(b"vertex 3", b"points 3"), r"element `vertex`, got .*'points'"),
    "list": (
        edit(b"property float x", b"property list uchar int x"),
        r"got list properties vertex.x",
    ),
    "unknown type": (edit(b"property float x", b"property half x"), r"property type .*got 'half'"),
    "two words": (edit(b"property float x", b"property x"), r"property type .*got ''"),
    "property twice": (edit(b"property float y", b"property float x"), r"got 'property float x'"),
    "property before element": (
        edit(b"comment by hand", b"property int a"),
        r"got 'property int a'",
    ),
    "missing property": (edit(b"float rot_3", b"float rot3"), r"got none named rot_3 among x, y"),
    "no format": (edit(b"format binary_little_endian 1.0\n", b""), r"format line .*got none"),
    "unknown format": (edit(b"little", b"middle"), r"got 'format binary_middle_endian 1.0'"),
    "strange f_rest": (edit(b"float nx", b"float f_rest_0"), r"0, 9, 24 or 45 f_rest_\* .*got 1"),
}


class TestDamagedFiles:
    @pytest.mark.parametrize("name", DAMAGES)
    def test_is_refused_with_the_file_name_and_the_reason(self, path, name):
        damage, message = DAMAGES[name]
        path.write_bytes(damage(file_of(make_table())))
        with pytest.raises(ValueError, match=r"cloud\.ply: expected .*; .*") as error:
            ply.load(path)
        assert error.match(message)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("x", np.nan, r"expected finite means, got NaN or infinite .* in 1 of 3"),
            ("scale_2", -np.inf, "finite scales"),
            ("scale_2", 90, r"scales up to e\^88"),
            ("f_rest_7", np.inf, "finite higher harmonics"),
        ],
    )
    def test_values_without_meaning(self, path, name, value, message):
        table = make_table(num_rest=9)
        table[name][1] = value
        path.write_bytes(file_of(table))
        with pytest.raises(ValueError, match=message):
            ply.load(path)

    def test_zero_quaternions(self, path):
        table = make_table()
        table |= {f"rot_{i}": np.array([1, 0, 0], np.float32) for i in range(4)}
        path.write_bytes(file_of(table))
        with pytest.raises(ValueError, match="length 0 in 2 of 3 Gaussians"):
            ply.load(path)

    def test_doubles_beyond_float32(self, path):
        table = {name: values.astype(np.float64) for name, values in make_table().items()}
        table["z"][0] = 1e300
        path.write_bytes(header(table, 3, number="double") + binary(table, dtype="<f8"))
        with pytest.raises(ValueError, match="finite means"):
            ply.load(path)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (b"1 " * 17 + b"\n", "expected 3 lines of data for 3 vertices, got 1"),
            ((b"1 " * 17 + b"\n") * 4, "expected 3 lines .* got 4"),
            ((b"1 " * 16 + b"\n") * 3, "17 numbers in each vertex line, got another .* 3 of 3"),
            ((b"1 " * 16 + b"one\n") * 3, "numbers in the vertex lines, got could not convert"),
            ((b"1 " * 16 + b"nan\n") * 3, "finite quaternions"),
        ],
    )
    def test_ascii(self, path, text, message):
        path.write_bytes(header(make_table(), 3, kind="ascii") + text)
        with pytest.raises(ValueError, match=message):
            ply.load(path)

    @pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
    def test_a_header_allocates_nothing(self, path, kind):
        names = [*make_table(), *(f"further_{i}" for i in range(500))]
        head = header(names, 10**12, kind=kind)
        before = b"element camera 999999999999999\nproperty double a\nelement vertex"
        path.write_bytes(head.replace(b"element vertex", before))
        tracemalloc.start()
        with pytest.raises(ValueError, match="was cut or changed"):
            ply.load(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_any_damage_gives_a_cloud_or_a_value_error(self, tmp_path_factory, data):
        content = bytearray(data.draw(st.sampled_from([file_of(make_table()), ascii_file()])))
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path = tmp_path_factory.getbasetemp() / "damaged.ply"
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        leaves, message = [], "damaged.ply: expected"
        try:
            leaves = jax.tree.leaves(ply.load(path))
        except ValueError as error:
            message = str(error)
        assert "damaged.ply: expected" in message
        assert all(np.isfinite(leaf).all() for leaf in leaves)

    def test_capacity_too_small(self, path):
        path.write_bytes(file_of(make_table()))
        with pytest.raises(ValueError, match="expected capacity of 3 or more, got 2"):
            ply.load(path, capacity=2)

    def test_unknown_activation(self, path):
        path.write_bytes(file_of(make_table()))
        with pytest.raises(ValueError, match="got 'relu'"):
            ply.load(path, scale_activation="relu")

    def test_missing_file(self, path):
        with pytest.raises(FileNotFoundError):
            ply.load(path)

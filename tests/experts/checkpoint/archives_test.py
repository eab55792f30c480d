"""Zip and tar in memory, and the archives that lie."""

import io
import struct
import tarfile
import zipfile

import pytest

from emojax.experts.checkpoint import archives, limits
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files

ENTRIES = [("a/one", b"x" * 100), ("a/empty", b""), ("größe", b"yz")]


def opened(data):
    return archives.Zip(data, limits.Budget(len(data)))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_entries_are_read_by_name(method):
    archive = opened(files.archive(ENTRIES, method=method))
    assert {name: bytes(archive[name]) for name in archive} == dict(ENTRIES)
    assert archive.size("a/one") == 100
    assert "nothing" not in archive
    assert len(archive) == 3


def test_stored_entries_are_views_of_the_file():
    data = files.archive(ENTRIES)
    assert opened(data)["a/one"].obj is data


def test_64_bit_sizes():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, file.open("wide", "w", force_zip64=True) as entry:
        entry.write(b"abc")
    assert bytes(opened(out.getvalue())["wide"]) == b"abc"


def test_a_wide_directory_is_read():
    """The 64-bit end of an archive, which zipfile writes for large ones only."""
    data = files.archive(ENTRIES)
    end = data.rfind(b"PK\x05\x06")
    count, size, start = struct.unpack("<HII", data[end + 10 : end + 20])
    wide = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, start)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    tail = data[end : end + 8] + struct.pack("<HHIIH", 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    assert bytes(opened(data[:end] + wide + locator + tail)["a/one"]) == b"x" * 100


def test_a_bomb_is_refused_before_it_is_unpacked():
    data = files.archive([("a/data.pkl", b"\0" * (80 << 20))], method=zipfile.ZIP_DEFLATED)
    assert len(data) < 1 << 20
    with pytest.raises(CheckpointError, match="unfolds to more"):
        opened(data)


def test_more_than_announced_is_refused():
    data = bytearray(files.archive([("a", b"\0" * 1000)], method=zipfile.ZIP_DEFLATED))
    central = data.rfind(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 10)
    with pytest.raises(CheckpointError, match="another size"):
        opened(bytes(data))["a"]


def test_overlapping_entries_are_refused():
    """One entry's bytes under many names unfold to many times the file."""
    data = files.archive([("a", b"x" * 1000)])
    central = data.rfind(b"PK\x01\x02")
    end = data.rfind(b"PK\x05\x06")
    line = data[central:end]
    lines = b"".join(line.replace(b"a", b"%c" % (97 + n)) for n in range(20))
    tail = data[end : end + 8] + struct.pack("<HHIIH", 20, 20, len(lines), central, 0)
    with pytest.raises(CheckpointError, match="overlap"):
        opened(data[:central] + lines + tail)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "c:\\x", "..\\x"])
def test_names_that_lead_out_are_refused(name):
    with pytest.raises(CheckpointError, match="leads out of the archive"):
        opened(files.archive([(name, b"x")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_a_name_are_refused():
    with pytest.raises(CheckpointError, match="two entries"):
        opened(files.archive([("a", b"x"), ("a", b"y")]))


def test_a_wrong_checksum_is_a_damaged_file():
    data = files.archive(ENTRIES).replace(b"xxx", b"xyx", 1)
    with pytest.raises(CheckpointError, match="checksum"):
        opened(data)["a/one"]


def test_rare_methods_and_ciphers_are_refused():
    with pytest.raises(CheckpointError, match="rare way"):
        opened(files.archive(ENTRIES, method=zipfile.ZIP_BZIP2))


def test_cut_anywhere_it_is_damaged():
    data = files.archive(ENTRIES)
    for length in range(len(data)):
        with pytest.raises(CheckpointError):
            opened(data[:length])


def tar(*members, mode=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=mode) as file:
        for name, content, options in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5
            for key, value in options.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("mode", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_of_a_tar_are_read(mode):
    data = tar(("storages", b"x" * 600, {}), ("./pickle", b"", {}), mode=mode)
    assert archives.is_tar(data)
    members = archives.tar_members(data, limits.Budget(len(data)))
    assert {name: bytes(part) for name, part in members.items()} == {
        "storages": b"x" * 600,
        "pickle": b"",
    }


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_links_devices_and_sparse_files_are_refused(kind):
    data = tar(("storages", b"", {"type": kind, "linkname": "/etc/passwd"}))
    with pytest.raises(CheckpointError, match="no plain file"):
        archives.tar_members(data, limits.Budget(len(data)))


def test_a_tar_that_announces_more_than_it_has_is_damaged():
    data = tar(("storages", b"x" * 600, {}))
    start = data.index(b"storages")
    data = data[: start + 124] + b"77777777777\0" + data[start + 136 :]
    with pytest.raises(CheckpointError, match="ends within storages"):
        archives.tar_members(data, limits.Budget(len(data)))

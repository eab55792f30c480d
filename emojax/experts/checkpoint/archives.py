"""Zip and tar archives in memory: names and bytes, nothing is ever unpacked to a disk.

Zip (PKWARE's APPNOTE 6.3, with 64-bit sizes): stored and deflated entries, each with its checksum.
What would make an archive mean two things, or more than it holds, is refused: two entries of a
name, overlapping entries, names that lead out of the archive, sizes far beyond the file's, ciphers.

Tar (ustar, with pax and GNU headers skipped): plain files alone; links, devices and sparse files
are refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from emojax.experts.checkpoint import limits, refusal

ZIP_MAGIC = b"PK\x03\x04"

_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_CENTRAL = b"PK\x01\x02"
_END_SIZE = 22
_MAX_COMMENT = 1 << 16
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_WIDE = 0xFFFFFFFF  # says that the 64-bit extra field has the number
_BLOCK = 512  # of a tar
_TAR_MAGIC = slice(257, 262)


class Zip(Mapping[str, memoryview]):
    """The entries of a zip archive by name; each is unpacked and checked when asked for.

    Raises:
      CheckpointError: by the constructor and by asking: no archive, or one to refuse.
    """

    def __init__(self, data: bytes, budget: limits.Budget):
        self._data, self._budget = data, budget
        self._entries: dict[str, _Entry] = {}
        try:
            self._read_directory()
        except (struct.error, IndexError):
            raise refusal.damaged("a zip archive that ends early") from None
        total = sum(entry.size for entry in self._entries.values())
        budget.spend(len(self._entries), copied=total)

    def _read_directory(self) -> None:
        count, position = _directory(self._data)
        self._budget.spend(count)
        taken = 0
        for _ in range(count):
            entry, position = _entry(self._data, position)
            if entry.name in self._entries:
                raise refusal.refused(f"two entries of the name {refusal.shown(entry.name)}")
            self._entries[entry.name] = entry
            taken += entry.packed
        if taken > len(self._data):
            raise refusal.refused("a zip archive whose entries overlap (a bomb)")

    def __getitem__(self, name: str) -> memoryview:
        entry = self._entries[name]
        data = entry.unpack(self._data)
        if zlib.crc32(data) != entry.checksum:
            raise refusal.damaged(f"the entry {refusal.shown(name)} with a wrong checksum")
        return data

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self):
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def size(self, name: str) -> int:
        """Returns the bytes of an entry, unpacked.

        Args:
          name: of the entry.
        """
        return self._entries[name].size


class _Entry:
    """One line of the archive's directory."""

    def __init__(self, name, method, checksum, packed, size, header):
        self.name, self.method, self.checksum = name, method, checksum
        self.packed, self.size, self.header = packed, size, header

    def unpack(self, data: bytes) -> memoryview:
        lengths = struct.unpack("<HH", data[self.header + 26 : self.header + 30])
        if data[self.header : self.header + 4] != ZIP_MAGIC:
            raise refusal.damaged(f"no entry {refusal.shown(self.name)} where it should be")
        start = self.header + 30 + sum(lengths)
        packed = memoryview(data)[start : start + self.packed]
        if len(packed) < self.packed:
            raise refusal.damaged(f"an archive that ends within {refusal.shown(self.name)}")
        if self.method == _STORED:
            return packed
        try:
            unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self.size + 1)
        except zlib.error as error:
            raise refusal.damaged(f"{refusal.shown(self.name)}: {error}") from None
        if len(unpacked) != self.size:
            raise refusal.damaged(f"{refusal.shown(self.name)} of another size than announced")
        return memoryview(unpacked)


def _directory(data: bytes) -> tuple[int, int]:
    """How many entries there are, and where their directory begins."""
    tail_start = max(0, len(data) - _END_SIZE - _MAX_COMMENT)
    tail = data[tail_start:]
    found = tail.rfind(_END)
    if found < 0 or len(tail) - found < _END_SIZE:
        raise refusal.damaged("a zip archive without its end")
    end = tail_start + found
    count, _, start = struct.unpack("<HII", data[end + 10 : end + 20])
    if start == _WIDE or count == _WIDE & 0xFFFF:
        locator = data[max(0, end - 20) : end]
        if locator[:4] == _LOCATOR_64:
            (wide,) = struct.unpack("<Q", locator[8:16])
            if data[wide : wide + 4] != _END_64:
                raise refusal.damaged("a zip archive without its directory")
            count, _, start = struct.unpack("<QQQ", data[wide + 32 : wide + 56])
    return count, start


def _entry(data: bytes, position: int) -> tuple[_Entry, int]:
    """One line of the directory at a position, and where the next begins."""
    fields = struct.unpack("<4s6H3I5H2I", data[position : position + 46])
    magic, flags, method, checksum = fields[0], fields[3], fields[4], fields[7]
    packed, size, name_size, extra_size, comment_size = fields[8:13]
    header = fields[16]
    if magic != _CENTRAL:
        raise refusal.damaged("a zip archive with a broken directory")
    start = position + 46
    raw = data[start : start + name_size]
    extra = data[start + name_size : start + name_size + extra_size]
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode("cp437")
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
        raise refusal.refused(f"the entry {refusal.shown(name)}, ciphered or packed in a rare way")
    if _leads_out(name):
        raise refusal.refused(f"an entry that leads out of the archive, {refusal.shown(name)}")
    size, packed, header = _widened(extra, size, packed, header)
    if method == _STORED and size != packed:
        raise refusal.damaged(f"{refusal.shown(name)} of two sizes")
    if packed > len(data) or header > len(data):
        raise refusal.damaged(f"a zip archive that ends before {refusal.shown(name)}")
    following = start + name_size + extra_size + comment_size
    return _Entry(name, method, checksum, packed, size, header), following


def _widened(extra: bytes, *numbers: int) -> list[int]:
    """Size, packed size and place, where they are too large for 32 bits from the extra field."""
    numbers, position = list(numbers), 0
    while position + 4 <= len(extra) and _WIDE in numbers:
        kind, size = struct.unpack("<HH", extra[position : position + 4])
        position += 4
        if kind == 1:
            wide = iter(struct.unpack(f"<{size // 8}Q", extra[position : position + size // 8 * 8]))
            return [next(wide, n) if n == _WIDE else n for n in numbers]
        position += size
    return numbers


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/")


def is_tar(data: bytes) -> bool:
    """Returns whether a file is a tar archive.

    Args:
      data: of the file.
    """
    return data[_TAR_MAGIC] == b"ustar"


def tar_members(data: bytes, budget: limits.Budget) -> dict[str, memoryview]:
    """Returns the plain files of a tar archive, views into it.

    Args:
      data: of the file.
      budget: is spent.

    Raises:
      CheckpointError: the archive is damaged or holds something else than plain files.
    """
    members: dict[str, memoryview] = {}
    position = 0
    while (header := data[position : position + _BLOCK]).strip(b"\0"):
        budget.spend(1)
        if len(header) < _BLOCK or not is_tar(header):
            raise refusal.damaged("a tar archive with a broken header")
        name = header[:100].split(b"\0")[0].decode("latin-1").removeprefix("./")
        try:
            size = int(header[124:136].strip(b" \0") or b"0", 8)
        except ValueError:
            raise refusal.damaged(f"{refusal.shown(name)} without its size") from None
        start, kind = position + _BLOCK, header[156:157]
        if size < 0 or start + size > len(data):
            raise refusal.damaged(f"a tar archive that ends within {refusal.shown(name)}")
        if kind in (b"0", b"\0"):
            if name in members:
                raise refusal.refused(f"two entries of the name {refusal.shown(name)}")
            members[name] = memoryview(data)[start : start + size]
        elif kind not in (b"x", b"g", b"5"):  # pax headers (times of day) and folders
            raise refusal.refused(f"{refusal.shown(name)}, no plain file in a tar archive")
        position = start + -(-size // _BLOCK) * _BLOCK
    return members

"""Files that carry what they say of themselves (`provenance`): where it stands, and reading it.

| file | JSON | XMP |
| --- | --- | --- |
| film | the tag `comment` (the sentence: `description`) | mp4: a box `uuid` behind all others |
| PNG | chunk tEXt, `Comment` | chunk iTXt, `XML:com.adobe.xmp` |
| PLY | a comment of the header | |

Both tags of a film are among those that players and file managers show, and that FFmpeg keeps when
it copies streams into another mp4 or Matroska file; keys of one's own (`use_metadata_tags`) would
take the place of these and be lost in every copy. XMP stands where Adobe's XMP specification, part
3, has it. Sites, messengers and editors that encode a film anew mostly drop all of it.
"""

from __future__ import annotations

import pathlib
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from emojax.data import files, media, provenance
from emojax.data.provenance import Provenance

COMMENT, DESCRIPTION = "comment", "description"  # tags of a film
# XMP specification, part 3, "MPEG-4": the box's name.
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_PNG, _PNG_HEADER = b"\x89PNG\r\n\x1a\n", 8 + 25  # bytes: signature and the chunk IHDR
_PNG_XMP, _PNG_COMMENT = b"XML:com.adobe.xmp", b"Comment"
_PLY = b"ply"
_LONGEST = 1 << 20  # bytes of what is read of a chunk, a box or a header: none of ours is longer
_SOURCE_TYPE = re.compile(r"cv\.iptc\.org/newscodes/digitalsourcetype/(\w+)")


class Said(NamedTuple):
    """What a file says of itself.

    Attributes:
      about: of this package; None where it says nothing.
      source_type: IPTC digital source type that its XMP names, whoever made it, or None.
      is_whole: False where the file ends before it should.
    """

    about: Provenance | None
    source_type: str | None
    is_whole: bool


def tags(about: Provenance) -> dict[str, str]:
    """Returns a film's tags.

    Args:
      about: what to say.
    """
    return {COMMENT: provenance.to_json(about), DESCRIPTION: provenance.sentence(about)}


def append_xmp(path: pathlib.Path, about: Provenance) -> None:
    """Appends the packet of XMP to a finished mp4; no other byte changes.

    Args:
      path: of the film.
      about: what to say.
    """
    packet = _XMP_UUID + provenance.xmp(about).encode()
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 8 + len(packet), b"uuid") + packet)


def write_png(path: pathlib.Path, picture: np.ndarray, about: Provenance) -> None:
    """Writes a picture that says what it is, all at once.

    Args:
      path: ends in .png.
      picture: as `files.write_picture` takes it.
      about: what to say.

    Raises:
      DataError: the disk is full, or the place cannot be written to.
    """
    plain = files.encode_picture(".png", picture)
    # Behind the keyword of iTXt: not compressed (2 bytes), no language, no translated keyword.
    chunks = _chunk(b"tEXt", _PNG_COMMENT + b"\0" + provenance.to_json(about).encode())
    chunks += _chunk(b"iTXt", _PNG_XMP + bytes(5) + provenance.xmp(about).encode())
    files.write_bytes(path, plain[:_PNG_HEADER] + chunks + plain[_PNG_HEADER:])


def read(path: pathlib.Path | str) -> Said:
    """Returns what a film, a PNG picture or a PLY cloud says of itself.

    Args:
      path: of the file; its content decides what it is.

    Raises:
      DataError: there is no such file, it is none of these, or what it says is damaged.
    """
    path = pathlib.Path(path)
    start = b""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(len(_PNG))
    if start == _PNG:
        return _read_png(path)
    if start[:4].rstrip() == _PLY:
        return _read_ply(path)
    return _read_film(path)


def _read_film(path: pathlib.Path) -> Said:
    with media.open_media(path) as container:
        # Matroska writes its keys in capitals.
        found = {key.lower(): value for key, value in container.metadata.items()}
    with path.open("rb") as file:
        packet, is_whole = _walk_boxes(file, path.stat().st_size)
    return Said(provenance.from_json(found.get(COMMENT, "")), _source_type(packet), is_whole)


def _walk_boxes(file: BinaryIO, size: int) -> tuple[bytes, bool]:
    """The packet of XMP of an mp4, and whether its last box ends where the file does."""
    packet, place = b"", 0
    while place + 8 <= size:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        if place == 0 and kind != b"ftyp":
            return b"", True  # no mp4: its length is not known
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if kind == b"uuid" and file.read(16) == _XMP_UUID:
            packet = file.read(min(max(length - 24, 0), _LONGEST))
        length = size - place if length == 0 else length  # 0: up to the end
        if length < 8:
            return packet, False
        place += length
    return packet, place == size


def _read_png(path: pathlib.Path) -> Said:
    about, packet, is_whole = None, b"", False
    with path.open("rb") as file:
        for kind, data in _chunks(file):
            keyword, _, rest = data.partition(b"\0")
            if kind == b"tEXt" and keyword == _PNG_COMMENT:
                about = provenance.from_json(rest.decode("latin-1")) or about
            if kind == b"iTXt" and keyword == _PNG_XMP:
                packet = rest
            is_whole = kind == b"IEND"
    return Said(about, _source_type(packet), is_whole)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the chunks of a PNG file that are whole; of long ones the beginning."""
    file.seek(len(_PNG))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        data = file.read(min(length, _LONGEST))
        file.seek(length - len(data), 1)
        if len(file.read(4)) < 4:  # its check sum
            return
        yield kind, data


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _read_ply(path: pathlib.Path) -> Said:
    about = None
    with path.open("rb") as file:
        header, end, _ = file.read(_LONGEST).partition(b"end_header")
    for line in header.splitlines():
        word, _, text = line.partition(b" ")
        if word == b"comment":
            about = provenance.from_json(text.strip().decode("latin-1")) or about
    return Said(about, None, bool(end))


def _source_type(packet: bytes) -> str | None:
    """The digital source type that a packet of XMP names."""
    found = _SOURCE_TYPE.search(packet.decode("utf-8", errors="replace"))
    return found and found.group(1)

"""What a synthetic film, picture or cloud says of itself.

One line of JSON for programs, a sentence for people, and a packet of XMP that names the digital
source type `trainedAlgorithmicMedia` of the IPTC (https://cv.iptc.org/newscodes/digitalsourcetype/),
which is what other programs look for. `carriers` puts them into files and reads them again.

    {"tool": "emojax", "synthetic": true, "format": 1, "version": "0.1.0",
     "digital_source_type": "http://...", "run": "...", "recipe": "fast", "trained_to": "fuse 900"}

It is a statement, not a proof: whoever has the file can remove it, or write another. There is no
date in it and no name of a file or folder: the same film has the same bits anywhere, and nobody is
named who was not asked.
"""

from __future__ import annotations

import dataclasses
import json

import emojax
from emojax.data.errors import DataError

TOOL = "emojax"
FORMAT = 1  # of the JSON; a later one keeps what `_LASTING` names
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SOURCE_TYPE = "trainedAlgorithmicMedia"  # made by a model that was trained on recordings

_START = f'{{"tool": "{TOOL}"'
_LASTING = ("version", "format")
_LONGEST = 100  # letters of a text
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="{tool} {version}"
    Iptc4xmpExt:DigitalSourceType="{source_type}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Where something synthetic comes from. What is None is not known.

    Attributes:
      run: names what was trained: recipe, data set and seed, as 16 digits.
      recipe: its configuration's name.
      trained_to: stage and step of the checkpoint.
      mark: text that stands on every picture.
      version: of the package.
      format: of the statement.
    """

    run: str | None = None
    recipe: str | None = None
    trained_to: str | None = None
    mark: str | None = None
    version: str = emojax.__version__
    format: int = FORMAT


UNKNOWN = Provenance()  # synthetic, and no more is known


def to_json(about: Provenance) -> str:
    """Returns one line of JSON, ASCII.

    Args:
      about: what to say.
    """
    known = {name: value for name, value in dataclasses.asdict(about).items() if value is not None}
    said = {"tool": TOOL, "synthetic": True, "digital_source_type": SOURCE_TYPES + SOURCE_TYPE}
    return json.dumps(said | known)


def from_json(text: str) -> Provenance | None:
    """Returns what a text says, or None where it is not of this package.

    Of a format of another version, only what all formats have in common is read.

    Args:
      text: of `to_json`, or any other.

    Raises:
      DataError: it began as ours and is damaged.
    """
    if not text.startswith(_START):
        return None
    try:
        said = json.loads(text)
        read = [field.name for field in dataclasses.fields(Provenance)]
        read = read if said["format"] == FORMAT else _LASTING
        about = Provenance(**{name: said[name] for name in read if name in said})
        words = {k: v for k, v in dataclasses.asdict(about).items() if k != "format"}
        if not isinstance(about.format, int) or "version" not in said:
            raise ValueError("no format and version")
        if wrong := [k for k, v in words.items() if not (v is None or _is_plain(v))]:
            raise ValueError(f"{', '.join(wrong)}: no plain text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            expected=f"what a file of {TOOL} says of itself",
            got=f"{text[:60]!r}..., damaged ({type(error).__name__}: {error})",
            fix="Take the file from where it was made.",
        ) from error
    return about


def _is_plain(value: object) -> bool:
    """Whether a value may be shown: a short text without what moves a terminal's cursor."""
    return isinstance(value, str) and len(value) <= _LONGEST and value.isprintable()


def sentence(about: Provenance) -> str:
    """Returns a sentence for people, as players and file managers show it.

    Args:
      about: what to say.
    """
    return (
        f"Synthetic media: rendered by {TOOL} {about.version} from a trained model of a talking "
        "head; not a recording."
    )


def xmp(about: Provenance) -> str:
    """Returns a packet of XMP with the IPTC digital source type.

    Args:
      about: what to say.
    """
    return _XMP.format(tool=TOOL, version=about.version, source_type=SOURCE_TYPES + SOURCE_TYPE)

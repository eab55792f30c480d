import json
import re
from xml.etree import ElementTree

import pytest

import emojax
from emojax.data import provenance
from emojax.data.errors import DataError
from emojax.data.provenance import Provenance

WHOLE = Provenance(run="0123456789abcdef", recipe="fast", trained_to="fuse 900", mark="synthetic")


@pytest.mark.parametrize("about", [Provenance(), WHOLE])
def test_what_was_said_is_read(about):
    text = provenance.to_json(about)
    assert text.isascii()
    assert "\n" not in text
    assert provenance.from_json(text) == about


def test_it_says_synthetic_by_which_version_and_no_more_than_is_known():
    said = json.loads(provenance.to_json(Provenance()))
    assert said == {
        "tool": "emojax",
        "synthetic": True,
        "digital_source_type": provenance.SOURCE_TYPES + "trainedAlgorithmicMedia",
        "version": emojax.__version__,
        "format": 1,
    }
    assert re.search(r"Synthetic.*emojax \d.*not a recording", provenance.sentence(Provenance()))


@pytest.mark.parametrize("text", ["", "holiday", "{}", '{"tool": "other"}', "[1]", "null"])
def test_other_texts_are_not_ours(text):
    assert provenance.from_json(text) is None


def test_of_another_format_only_what_lasts_is_read():
    said = json.loads(provenance.to_json(WHOLE)) | {"format": 2, "version": "9.0", "recipe": [1]}
    found = provenance.from_json(json.dumps(said))
    assert found == Provenance(version="9.0", format=2)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "new"},
        {"version": None},
        {"run": 3},
        {"recipe": ["fast"]},
        {"mark": "\x1b[2J"},
        {"recipe": 101 * "x"},
    ],
)
def test_damaged_statements_are_named(change):
    said = json.loads(provenance.to_json(WHOLE)) | change
    said = {key: value for key, value in said.items() if value is not None}
    with pytest.raises(DataError, match="damaged"):
        provenance.from_json(json.dumps(said))
    with pytest.raises(DataError, match="damaged"):
        provenance.from_json(provenance.to_json(WHOLE)[:-9])
    with pytest.raises(DataError, match="damaged"):
        provenance.from_json(provenance.to_json(WHOLE)[:-1] + ', "more": ' + 100_000 * "[")


def test_xmp_names_the_source_type_where_programs_look_for_it():
    packet = provenance.xmp(Provenance())
    body = packet[packet.index("<x:xmpmeta") : packet.index("<?xpacket end")]
    (found,) = ElementTree.fromstring(body).iter(
        "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
    )
    name = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
    assert found.get(name) == provenance.SOURCE_TYPES + provenance.SOURCE_TYPE
    assert "emojax" in found.get("{http://ns.adobe.com/xap/1.0/}CreatorTool")

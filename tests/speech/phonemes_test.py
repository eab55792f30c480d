import pytest

from emojax.speech import phonemes


@pytest.mark.parametrize(
    ("symbol", "units"),
    [
        ("", ("",)),
        ("ˈaɪ", ("a", "ɪ")),
        ("tʃ", ("t", "ʃ")),
        ("t͡s", ("t", "s")),
        ("əl", ("ə", "l")),
        ("m̩", ("m",)),
        ("ɔ̃", ("ɔ",)),
        ("ç", ("ç",)),
        ("õ", ("o",)),
        ("kʷ", ("k", "w")),
        ("iː5", ("i",)),
        ("tS", ("t", "ʃ")),
        ("ʲ", ()),
    ],
)
def test_names_split_into_units(symbol, units):
    assert phonemes.units(symbol) == units
    assert phonemes.unknown(symbol) == ()


@pytest.mark.parametrize(("symbol", "units"), [("P", ("p",)), ("☃", ("ə",)), ("a☃", ("a", "ə"))])
def test_unknown_symbols_are_mapped_and_reported(symbol, units):
    assert phonemes.units(symbol) == units
    assert phonemes.unknown(symbol) == (symbol[-1],)
    assert phonemes.features("☃") == phonemes.features("ə")
    assert phonemes.viseme("☃") == "schwa"


def test_every_unit_has_features_and_a_viseme():
    for unit, found in phonemes.INVENTORY.items():
        assert phonemes.viseme(unit) in phonemes.VISEMES
        assert phonemes.units(unit) == (unit,)
        assert (found.kind == "vowel") == (found.manner == "" and unit != "")
        assert 0 <= found.height <= 1
    assert set(phonemes.VISEMES) == {phonemes.viseme(unit) for unit in phonemes.INVENTORY}


def test_the_chart_is_the_chart():
    features = phonemes.features
    assert [u for u in phonemes.INVENTORY if features(u).closes_lips] == list("pbmʙɓʘ")
    assert features("i").height < features("e").height < features("ɛ").height < features("a").height
    assert features("y").is_rounded
    assert not features("i").is_rounded
    assert features("u").backness == 1
    assert features("b").is_voiced
    assert not features("p").is_voiced
    assert features("p").is_stop
    assert not features("m").is_stop


def test_visemes_join_what_looks_alike():
    groups = ["pbm", "fv", "θð", "tdnszl", "ʃʒɕ", "kɡxh", "ɹ", "wuy", "oɔœ", "aɑʌ", "ieɛ", "ə"]
    for group in groups:
        assert len({phonemes.viseme(unit) for unit in group}) == 1, group
    assert len({phonemes.viseme(group[0]) for group in groups}) == len(groups)


def test_stress_is_read_from_the_marks():
    assert [phonemes.stress(symbol) for symbol in ("ˈa", "ˌa", "a")] == [2, 1, 0]

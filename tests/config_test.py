import dataclasses
import json
from typing import Literal

import pytest

from emojax import config


@dataclasses.dataclass(frozen=True)
class Growth:
    every: int = 5
    start: int = 0


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    steps: int = 10
    rate: float = 0.5
    limits: tuple[float, float] = (0.0, 1.0)
    until: float | None = None
    growth: Growth | None = None


@dataclasses.dataclass(frozen=True)
class Whole:
    size: int = 256
    kind: Literal["a", "b"] = "a"
    loud: bool = False
    parts: tuple[Part, ...] = (Part("mouth"), Part("face"))


def test_replaces_by_path_name_and_number():
    made = config.override(
        Whole(), ["size=128", "parts.face.steps=3", "parts.0.limits.1=2", "kind=b", "loud=true"]
    )
    assert made == Whole(
        size=128,
        kind="b",
        loud=True,
        parts=(Part("mouth", limits=(0.0, 2.0)), Part("face", steps=3)),
    )


def test_optional_values_can_be_set_and_unset():
    made = config.override(Whole(), ["parts.face.until=2"])
    assert made.parts[1].until == 2.0
    assert config.override(made, ["parts.face.until=null"]) == Whole()


def test_whole_parts_can_be_replaced():
    made = config.override(Whole(), ["parts.face.limits=[1, 2]"])
    assert made.parts[1].limits == (1.0, 2.0)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("size", "path=value"),
        ("siez=3", "did you mean size"),
        ("parts.fase.steps=3", "did you mean face"),
        ("parts.face.step=3", "did you mean steps"),
        ("size=big", "expected int, got 'big'"),
        ("size=2.5", "expected int, got 2.5"),
        ("size=true", "expected int, got True"),
        ("kind=c", "expected one of"),
        ("loud=1", "expected bool"),
        ("size.width=3", "has no parts"),
        ("parts.face.limits=[1]", "expected 2 values, got 1"),
        ("parts.face.limits=1", "expected a list"),
        ("parts.face.until=none", "expected null or float, got 'none'"),
        ("parts.face.growth=none", r"expected null or fields \(every, start\), got 'none'"),
        ('parts.face.growth={"every": "x", "start": 0}', r"growth\.every: expected int, got 'x'"),
    ],
)
def test_refuses_what_it_does_not_know(assignment, message):
    with pytest.raises(ValueError, match=message):
        config.override(Whole(), [assignment])


def test_round_trip_through_json():
    made = config.override(Whole(), ["parts.face.until=1e-3", "size=7"])
    text = json.dumps(config.to_dict(made))
    assert config.from_dict(Whole, json.loads(text)) == made


def test_reading_names_what_is_missing_or_unknown():
    values = config.to_dict(Whole())
    del values["parts"][0]["steps"]
    with pytest.raises(ValueError, match=r"parts\.0\.steps is missing"):
        config.from_dict(Whole, values)
    values["parts"][0] |= {"steps": 1, "stepps": 2}
    with pytest.raises(ValueError, match=r"parts\.0\.stepps is unknown; did you mean steps"):
        config.from_dict(Whole, values)
    with pytest.raises(ValueError, match="expected fields"):
        config.from_dict(Whole, 3)


def test_differences_name_paths():
    made = config.override(Whole(), ["parts.face.steps=3", "loud=true"])
    assert config.differences(Whole(), Whole()) == []
    assert config.differences(Whole(), made) == ["loud: False -> True", "parts.face.steps: 10 -> 3"]
    fewer = dataclasses.replace(Whole(), parts=())
    assert len(config.differences(Whole(), fewer)) == 1
    assert config.differences({"a": 1}, {"b": 2}) == ["a: 1 -> nothing", "b: nothing -> 2"]

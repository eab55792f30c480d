"""The pickle interpreter: what Python writes is read, what runs code or exhausts is refused."""

import collections
import contextlib
import pickle
import time
import tracemalloc

import numpy as np
import pytest

from emojax.experts.checkpoint import limits, pickles, standins
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import hostile

VALUE = {
    "numbers": [0, -1, 255, 65_535, -70_000, 1 << 40, -(1 << 70), 1.5, float("inf")],
    "text": ["", "größe", "x" * 300, "\U0001f600", "quotes ' \" and \\ and \n"],
    "bytes": [b"", b"\x00\xff" * 200],
    "constants": (None, True, False),
    "nested": {"a": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], 5: {}, ("a", 1): []},
    "set": {"a", "b"},
}


def read(data, **options):
    budget = limits.Budget(len(data))
    names = standins.Table(budget).find
    return pickles.load(data, 0, names=names, budget=budget, **options)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_reads_as_python_reads_it(protocol):
    data = pickle.dumps(VALUE, protocol)
    value, end = read(data)
    assert value == pickle.loads(data)
    assert end == len(data)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_shared_and_recursive_lists_stay_so(protocol):
    shared = [1]
    outer = [shared, shared]
    outer.append(outer)
    value, _ = read(pickle.dumps(outer, protocol))
    assert value[0] is value[1]
    assert value[2] is value


def test_python_2s_text_is_latin_1():
    assert read(b"\x80\x02U\x02\xe9a.")[0] == "éa"
    assert read(b"S'\\xe9a'\n.")[0] == "éa"


def test_streams_follow_one_another():
    data = pickle.dumps(1) + pickle.dumps([2])
    budget = limits.Budget(len(data))
    names = standins.Table(budget).find
    first, end = pickles.load(data, 0, names=names, budget=budget)
    second, end = pickles.load(data, end, names=names, budget=budget)
    assert (first, second, end) == (1, [2], len(data))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", "CF")
def test_arrays_and_scalars_of_numpy(protocol, order):
    value = collections.OrderedDict(
        weight=np.asarray(np.random.default_rng(0).normal(size=(3, 4)), np.float32, order=order),
        big=np.arange(3, dtype=">f8"),
        half=np.float16([1, 2]),
        counts=np.int64([3]),
        none=np.zeros((0, 2), np.float32),
        flags=np.array([True, False]),
        rate=np.float64(0.25),
        number=np.array(3, np.int32),
    )
    read_back, _ = read(pickle.dumps(value, protocol))
    assert read_back.pop("rate") == 0.25
    for name, array in read_back.items():
        assert array.shape == value[name].shape
        np.testing.assert_array_equal(array.array(), value[name])
        assert array.array().dtype == value[name].dtype


def test_hostile_pickles_are_refused_by_name_and_nothing_runs(tmp_path):
    place = tmp_path / "made"
    for what, (data, name) in hostile.runners(place).items():
        with pytest.raises(CheckpointError) as caught:
            read(data)
        assert name in str(caught.value), what
        assert not place.exists(), what


def test_the_hostile_pickles_do_run_in_pythons_own_reader(tmp_path):
    """The control: otherwise the test above would pass with harmless ones."""
    makers = 0
    for number, (data, name) in enumerate(hostile.runners("PLACE").values()):
        place = tmp_path / str(number)
        if name == "os.mkdir":
            data, _ = list(hostile.runners(place).values())[number]
            # Some fail after the call, whose result is no object of theirs.
            with contextlib.suppress(TypeError, AttributeError, pickle.UnpicklingError):
                pickle.loads(data)
            makers += place.exists()
    assert makers >= 6


@pytest.mark.parametrize("what", hostile.EXHAUSTING)
def test_exhausting_pickles_end_quickly_in_little_memory(what):
    data = hostile.EXHAUSTING[what]
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(CheckpointError):
            read(data)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 50 << 20
    assert time.process_time() - began < 10  # tracing makes all of it slow


def test_small_opcodes_are_counted():
    data = b"}" * 2000 + b"."
    budget = limits.Budget(len(data), steps=1000)
    with pytest.raises(CheckpointError, match="more parts"):
        pickles.load(data, 0, names=standins.Table(budget).find, budget=budget)


def test_a_memo_bomb_is_as_small_as_it_is_written():
    value, _ = read(hostile.memo_bomb(200))
    assert len(value) == 2
    assert value[0] is value[1]


@pytest.mark.parametrize("kind", ["tuple", "list"])
def test_nesting_is_no_recursion(kind):
    value, _ = read(hostile.nested(kind, 50_000))
    for _ in range(100):
        (value,) = value


def test_calls_cannot_multiply_what_a_small_file_holds():
    text = b"X" + (1 << 20).to_bytes(4, "little") + b"x" * (1 << 20)
    one = b"c_codecs\nencode\n(h\x00S'latin1'\ntR0"
    with pytest.raises(CheckpointError, match="a bomb"):
        read(text + b"q\x00" + one * 1000 + b"N.")


def test_a_missing_end_is_a_damaged_file_at_every_length():
    data = pickle.dumps(VALUE, 4)
    for length in range(len(data)):
        with pytest.raises(CheckpointError):
            read(data[:length])

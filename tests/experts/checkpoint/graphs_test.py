"""Constants out of TensorFlow's graphs, in every way in which a tensor can be written."""

import struct

import numpy as np
import pytest

from emojax.experts.checkpoint import graphs, limits
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files


def read(data):
    return graphs.read(data, limits.Budget(len(data)))


def constant(kind, shape, **fields):
    data = files.node("c", "Const", files.tensor_proto(kind, shape, **fields))
    return read(data).tree["c"].array()


def test_constants_are_read_by_name_and_the_rest_is_left():
    contents = read(files.graph())
    assert contents.is_graph
    assert contents.tree.keys() == files.ARRAYS.keys()
    for name, array in files.ARRAYS.items():
        np.testing.assert_array_equal(contents.tree[name].array(), array)


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        (1, np.float32([1.5, -2])),
        (2, np.float64([1.5, -2])),
        (3, np.int32([1, -2])),
        (9, np.int64([1, -2])),
        (10, np.array([True, False])),
        (19, np.float16([1.5, -2])),
    ],
)
def test_raw_numbers_of_every_type(kind, array):
    found = constant(kind, array.shape, content=array.tobytes())
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_numbers_one_by_one_and_packed():
    np.testing.assert_array_equal(constant(1, (2,), listed=[(5, 1.5), (5, 2.5)]), [1.5, 2.5])
    packed = struct.pack("<2f", 1.5, 2.5)
    np.testing.assert_array_equal(constant(1, (2,), listed=[(4 + 1, 0.0)])[:1], [0.0])
    data = files.node("c", "Const", files.tensor_proto(1, (2,)) + files.field(5, packed))
    np.testing.assert_array_equal(read(data).tree["c"].array(), [1.5, 2.5])
    np.testing.assert_array_equal(constant(3, (2,), listed=[(7, 5), (7, -1)]), [5, -1])
    packed = files.varint(300) + files.varint(-1)
    data = files.node("c", "Const", files.tensor_proto(9, (2,)) + files.field(10, packed))
    np.testing.assert_array_equal(read(data).tree["c"].array(), [300, -1])
    half = int(np.float16(1.5).view(np.uint16))
    np.testing.assert_array_equal(constant(19, (1,), listed=[(13, half)]), [1.5])


def test_the_last_number_stands_for_all_that_follow():
    np.testing.assert_array_equal(constant(1, (2, 2), listed=[(5, 3.0)]), np.full((2, 2), 3))
    np.testing.assert_array_equal(constant(3, (3,), listed=[(7, 1), (7, 2)]), [1, 2, 2])
    np.testing.assert_array_equal(constant(1, (3,)), np.zeros(3))
    assert constant(1, (), listed=[(5, 2.0)]) == 2


def test_a_huge_shape_of_one_number_takes_no_memory():
    assert constant(1, (1 << 15, 1 << 15), listed=[(5, 1.0)]).shape == (1 << 15, 1 << 15)
    with pytest.raises(CheckpointError, match="bomb"):
        constant(1, (1 << 15, 1 << 15), listed=[(5, 1.0), (5, 2.0)])
    with pytest.raises(CheckpointError, match="shape"):
        constant(1, (1 << 20, 1 << 20), listed=[(5, 1.0)])
    with pytest.raises(CheckpointError, match="sizes"):
        constant(1, (-1, 2), listed=[(5, 1.0)])


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "without constants"),
        (files.node("a", "Placeholder"), "without constants"),
        (files.node("a", "Const"), "without its value"),
        (files.graph() + b"\x0a\x7f", "ends early"),
        (b"\x0b", "wire type 3"),
        (b"\xff" * 20, "broken number"),
        (b"\x08\x05", "a number where a part"),
        (files.node("c", "Const", files.tensor_proto(1, (3,), content=b"\0" * 8)), "2 numbers"),
        (files.node("c", "Const", files.tensor_proto(8, (1,), content=b"\0" * 8)), "type 8"),
        (files.graph() + files.graph(), "two constants"),
    ],
)
def test_what_is_no_graph_or_a_damaged_one(data, match):
    if match == "2 numbers":
        found = read(data).tree["c"].array()  # TensorFlow repeats the last number here too
        assert found.shape == (3,)
        return
    with pytest.raises(CheckpointError, match=match):
        read(data)


def test_more_numbers_than_elements_are_damage():
    with pytest.raises(CheckpointError, match="3 numbers of shape"):
        constant(1, (2,), content=b"\0" * 12)


def test_cut_anywhere_it_reads_fewer_constants_or_is_refused():
    data = files.graph()
    for length in range(len(data)):
        try:
            found = read(data[:length]).tree
        except CheckpointError:
            continue
        assert found.keys() <= files.ARRAYS.keys()

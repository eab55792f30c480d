"""Views into storages: strides, sharing, types, and everything that reaches too far."""

import numpy as np
import pytest

from emojax.experts.checkpoint import tensors
from emojax.experts.checkpoint.refusal import CheckpointError

NUMBERS = np.arange(12, dtype=np.float32)


def storage(array=NUMBERS, dtype="float32"):
    return tensors.Storage(dtype, array.nbytes, array.tobytes)


def test_a_view_is_strided_and_shares_its_storage():
    whole = storage()
    rows = tensors.view(whole, 0, (3, 4), (4, 1)).array()
    columns = tensors.view(whole, 1, (3, 3), (1, 4)).array()
    np.testing.assert_array_equal(rows, NUMBERS.reshape(3, 4))
    np.testing.assert_array_equal(columns, NUMBERS.reshape(3, 4).T[1:])
    assert np.shares_memory(rows, tensors.view(whole, 4, (4,), (1,)).array())
    assert np.shares_memory(rows, columns)
    assert not rows.flags.writeable


def test_steps_of_zero_repeat_without_memory():
    view = tensors.view(storage(), 2, (1 << 15, 1 << 15), (0, 0)).array()
    assert view.shape == (1 << 15, 1 << 15)
    assert view[-1, -1] == 2


def test_no_axes_and_no_elements():
    assert tensors.view(storage(), 11, (), ()).array() == 11
    assert tensors.view(storage(), 12, (0, 3), (3, 1)).array().shape == (0, 3)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (13,), (1,)),
        (12, (), ()),
        (1, (3, 4), (4, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (2,), (1 << 62,)),
        (0, (1 << 40,), (0,)),
        (0, (2, 2), (1,)),
        (0, ("a",), (1,)),
        (0, (True,), (1,)),
        (0, (1.0,), (1,)),
        (0, (1,) * 17, (1,) * 17),
        (0, 5, (1,)),
        (None, (1,), (1,)),
    ],
)
def test_what_reaches_out_or_is_no_size_is_refused(offset, shape, strides):
    with pytest.raises(CheckpointError, match="expected a whole file"):
        tensors.view(storage(), offset, shape, strides)


def test_a_storage_that_is_cut_off_is_refused():
    cut = tensors.Storage("float32", 48, lambda: NUMBERS.tobytes()[:40])
    with pytest.raises(CheckpointError, match="40 of 48 bytes"):
        tensors.view(cut, 0, (12,), (1,)).array()


def test_bfloat16_is_widened_exactly():
    values = np.array([1.0, -2.5, 3e38, 0.0, np.inf], np.float32)
    raw = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    wide = tensors.numbers(raw, "bfloat16")
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide.view(np.uint32), values.view(np.uint32) & 0xFFFF0000)


def test_any_byte_but_zero_is_true():
    np.testing.assert_array_equal(tensors.numbers(b"\0\1\2", "bool"), [False, True, True])


def test_a_storage_of_bytes_is_read_as_another_type():
    untyped = storage(dtype="uint8")
    view = tensors.view(untyped, 1, (2,), (1,), dtype="float32")
    np.testing.assert_array_equal(view.array(), [1, 2])
    with pytest.raises(CheckpointError, match="reaches out"):
        tensors.view(untyped, 1, (12,), (1,), dtype="float32")


def test_one_number_stands_for_all():
    array = tensors.Array(np.float32([7]), (2, 3)).array()
    np.testing.assert_array_equal(array, np.full((2, 3), 7))
    assert tensors.Array(NUMBERS, (3, 4), fortran=True).array()[1, 0] == 1

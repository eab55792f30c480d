"""State dicts against a layout: everything that is wrong is named at once."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts.checkpoint import layout
from emojax.experts.checkpoint.refusal import CheckpointError

SHAPES = {"conv.weight": (2, 3), "conv.bias": (2,), "norm.running_var": (2,)}


def state(**changes):
    arrays = {key: np.ones(shape, np.float32) for key, shape in SHAPES.items()}
    return {**arrays, **changes}


def test_what_fits_comes_back_as_own_float32():
    given = state()
    found = layout.check(given, SHAPES)
    assert list(found) == list(SHAPES)
    assert all(array.dtype == np.float32 and array.flags.writeable for array in found.values())
    assert not np.shares_memory(found["conv.bias"], given["conv.bias"])


@pytest.mark.parametrize("kind", [np.float16, np.float64, jnp.bfloat16, ">f4"])
def test_floats_of_any_width_become_float32(kind):
    given = state() | {"conv.bias": np.array([0.5, -2], kind)}
    np.testing.assert_array_equal(layout.check(given, SHAPES)["conv.bias"], [0.5, -2])


def test_counts_of_batches_are_dropped_where_they_are():
    given = state() | {"norm.num_batches_tracked": np.int64(7)}
    assert "norm.num_batches_tracked" not in layout.check(given, SHAPES)
    assert layout.is_count("norm.num_batches_tracked")
    assert not layout.is_count("num_batches.weight")


def test_all_faults_are_named_in_one_error():
    given = state() | {
        "conv.weight": np.ones((3, 2), np.float32),
        "norm.running_var": np.ones(2, np.int64),
        "other": np.ones(1),
    }
    del given["conv.bias"]
    with pytest.raises(CheckpointError) as caught:
        layout.check(given, SHAPES)
    text = str(caught.value)
    assert "1 missing: conv.bias" in text
    assert "1 extra: other" in text
    assert "1 of another shape: conv.weight (3, 2) instead of (2, 3)" in text
    assert "1 of another type: norm.running_var int64" in text


def test_many_faults_are_counted():
    shapes = {f"layer{n}.weight": (1,) for n in range(50)}
    with pytest.raises(CheckpointError, match=r"50 missing: layer0.* and 42 more"):
        layout.check({}, shapes)


def test_optional_and_ignored_patterns():
    given = state() | {"classifier.6.weight": np.ones(5)}
    shapes = {**SHAPES, "latent_avg": (18, 512)}
    found = layout.check(given, shapes, optional=["latent_*"], ignored=["classifier.*"])
    assert found.keys() == SHAPES.keys()
    with pytest.raises(CheckpointError, match="1 missing: latent_avg"):
        layout.check(given, shapes, ignored=["classifier.*"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_refused(bad):
    given = state() | {"conv.bias": np.array([0.0, bad])}
    with pytest.raises(CheckpointError, match=r"NaN or infinite numbers: conv\.bias"):
        layout.check(given, SHAPES)


def test_weights_that_repeat_without_end_are_refused_before_they_are_made():
    huge = np.broadcast_to(np.float32(0), (1 << 15, 1 << 15))
    with pytest.raises(CheckpointError, match=r"1,073,741,824 weights"):
        layout.check({"a": huge}, {"a": huge.shape})


def test_tensors_of_torch_in_memory():
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    given = {"a": torch.nn.Parameter(torch.ones(2)), "b": torch.ones(2, dtype=torch.bfloat16)}
    found = layout.check(given, {"a": (2,), "b": (2,)})
    assert all(array.sum() == 2 for array in found.values())


def test_shapes_and_arrays_of_anything():
    assert layout.shape_of(jnp.zeros((2, 3))) == (2, 3)
    assert layout.shape_of([1, 2]) == (2,)
    assert layout.array_of(jnp.ones(2)).sum() == 2

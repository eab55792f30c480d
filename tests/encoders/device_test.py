"""The device code of the tri-plane encoder, on the emulator or a GPU, against the definition."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import native
from emojax.encoders import triplane
from tests.encoders.native_test import (
    CONFIGS,
    DOUBLE_TOLERANCE,
    FLOAT_TOLERANCE,
    SMALL,
    assert_close,
    make_case,
    step,
)
from tests.splatting.device_test import (
    DEVICE,
    ORDERS,
    assert_same_bits,
    emulated,
    thread_order,
)

__all__ = ["emulated"]  # the fixture
pytestmark = [pytest.mark.usefixtures("emulated"), pytest.mark.xdist_group("emulated")]


def device_step(case, config):
    return step(*case, config, "native", DEVICE)


def cpu_step(case, config):
    """By the CPU kernels, which are held to the definition."""
    with jax.default_device(jax.devices("cpu")[0]):
        return step(*case, config, "native")


@pytest.mark.parametrize("name", CONFIGS)
def test_float32_equals_the_definition(name):
    case = make_case(CONFIGS[name])
    assert_close(step(*case, CONFIGS[name], "xla"), device_step(case, CONFIGS[name]),
                 FLOAT_TOLERANCE)  # fmt: skip


@pytest.mark.parametrize("name", ["face", "dense and hashed", "smooth, hashed, 3 features"])
@pytest.mark.usefixtures("float64")
def test_float64_equals_the_definition(name):
    case = make_case(CONFIGS[name], dtype=np.float64)
    expected = step(*case, CONFIGS[name], "xla")
    assert_close(expected, device_step(case, CONFIGS[name]), DOUBLE_TOLERANCE)


def test_a_level_too_large_for_shared_memory():
    config = dataclasses.replace(triplane.ER_NERF, num_levels=4, finest_resolution=150)
    assert any(level.length > 10_240 for level in config.levels)
    case = make_case(config, num=600)
    assert_close(cpu_step(case, config), device_step(case, config), FLOAT_TOLERANCE)


@pytest.mark.parametrize("num", [0, 1, 255, 256, 257, 1100])
def test_any_number_of_points(num):
    case = make_case(SMALL, num=1100)
    case = (case[0], case[1][:num], case[2][:num])
    assert_close(cpu_step(case, SMALL), device_step(case, SMALL), FLOAT_TOLERANCE)


@pytest.mark.parametrize("name", ["face", "dense and hashed"])
def test_deterministic_sums_do_not_depend_on_the_order_of_threads(name, monkeypatch):
    config, case = CONFIGS[name], make_case(CONFIGS[name], num=600)
    plain = device_step(case, config)
    monkeypatch.setenv("EMOJAX_DETERMINISTIC", "1")
    results = []
    for order in ORDERS:
        with thread_order(order), native.use_isa(DEVICE):
            encode = functools.partial(triplane.encode, config=config, implementation="native")
            features, pull = jax.vjp(encode, *case[:2])
            results.append(jax.tree.map(np.asarray, (features, *pull(case[2]))))
    assert_same_bits(results)
    assert_close(plain, results[0], FLOAT_TOLERANCE)


def test_vmap_shares_tables():
    tables, points, cotangent = make_case(SMALL)
    stacked = jnp.stack([points, points * 0.9, points * 0.8])

    def total(tables, points):
        encode = functools.partial(triplane.encode, config=SMALL, implementation="native")
        codes = jax.vmap(encode, in_axes=(None, 0))(tables, points)
        return jnp.sum(codes * cotangent)

    def run():
        return jax.jit(jax.value_and_grad(lambda *a: total(*a), (0, 1)))(tables, stacked)

    with jax.default_device(jax.devices("cpu")[0]):
        expected = run()
    with native.use_isa(DEVICE):
        assert_close(expected, run(), FLOAT_TOLERANCE)

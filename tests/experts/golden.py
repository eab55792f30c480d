"""Parity data of the originals: where it lies, its rule for parameters, its gates.

The smallest of it lies in `data`. The rest is no part of the project: it is read from
../shared/golden beside the repository or from the folder that EMOJAX_GOLDEN names; tests that need
it skip with a reason where it is absent.
"""

import functools
import hashlib
import json
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import experts

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = pathlib.Path(__file__).resolve().parent / "data"
OUTPUT_GATE = 2e-5  # of the largest magnitude, float32
GRADIENT_GATE = 1e-4
# Rectifiers and max pools choose by the last bit, and one other choice changes a gradient wherever
# it is seen. The stored gradients leave the exact ones, of float64, by up to 4e-2 of the largest
# magnitude and 1.2 % in the root mean square (benchmarks/expert_gradients.json); where they do, the
# root mean square of the difference counts, and where no rectifier lies within rounding of zero,
# ours must be the exact one in EXACT to the gate.
ROUTED_GATE = 2e-2
EXACT = OWN / "gradients_float64.npz"
NUM_EXACT = 512  # numbers kept of a gradient


def folder():
    """Where all of the data lies, or a skip."""
    place = pathlib.Path(os.environ.get("EMOJAX_GOLDEN") or ROOT.parent / "shared" / "golden")
    if not (place / "README.md").exists():
        pytest.skip("needs the originals' numbers: EMOJAX_GOLDEN names their folder")
    return place


@functools.cache
def facts(name):
    return json.loads(_file(f"{name}.json").read_text())


@functools.cache
def data(name):
    with np.load(_file(f"{name}.npz")) as file:
        return dict(file)


def _file(name):
    """One file of the data."""
    return OWN / name if (OWN / name).exists() else folder() / name


def noise(seed, shape):
    """The rule's generator, from any string."""
    digest = int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16)
    return np.random.Generator(np.random.PCG64(digest)), tuple(shape)


def filled(key, shape, fill):
    """One array by the rule of the data's README."""
    kind, _, factor = fill.partition("*")
    generator, shape = noise(key, shape)
    if kind == "bn_var":
        value = generator.uniform(0.5, 1.5, shape)
    else:
        draw = generator.standard_normal(shape)
        if kind == "weight":
            value = draw * np.sqrt(2 / np.prod(shape[1:]))
        else:
            one = 1.0 if kind in ("bn_weight", "one") else 0.0
            scale = {"bias": 0.01, "unit": 1.0, "x10": 10.0, "x100": 100.0}.get(kind, 0.1)
            value = one + scale * draw
    value = np.float32(value)
    return np.float32(np.float64(value) * float(factor)) if factor else value


def state_dict(name, *fields):
    """The parameters of one or several layouts ("keys" by default) of a network."""
    found = {}
    for field in fields or ("keys",):
        fixed = facts(name).get(f"{field}_fixed_values") or facts(name).get("fixed_values", {})
        for key, shape, dtype, fill in facts(name)[field]:
            kind, _, other = fill.partition(":")
            if kind == "alias":
                found[key] = found[other]
            elif kind == "bn_count":
                found[key] = np.zeros((), np.int64)
            elif kind == "fixed":
                found[key] = np.asarray(fixed[key], np.float32)
            else:
                found[key] = filled(key, shape, fill).astype(dtype)
    return found


def shapes(name, field="keys"):
    """The layout that the data states, without counters."""
    return {
        key: tuple(shape)
        for key, shape, *_ in facts(name)[field]
        if not key.endswith("num_batches_tracked")
    }


def cotangent(name, tag, shape):
    """The weights of an output in the sum whose gradient is stored."""
    generator, shape = noise(f"cotangent:{name}:{tag}", shape)
    return np.float32(generator.standard_normal(shape))


def names(name, start):
    """What is stored of a network under "out.", "mid." or "grad.", without that."""
    keys = {key.removesuffix(".sub") for key in data(name) if key.startswith(start)}
    return sorted(
        key.removeprefix(start) for key in keys if not key.endswith((".step", ".shape", ".stats"))
    )


def check(name, stored, found, *, gate=OUTPUT_GATE, routed=False):
    """Compares an array with a stored one, say "out.image", whole or sampled; returns the error.

    The found one may have the first entries of the batch alone.
    routed: that of a gradient whose rectifiers may choose otherwise, see `ROUTED_GATE`.
    """
    arrays, found = data(name), np.asarray(found)
    if f"{stored}.sub" in arrays:
        shape = tuple(int(length) for length in arrays[f"{stored}.shape"])
        largest = np.abs(arrays[f"{stored}.stats"][2:4]).max()
        step = int(arrays[f"{stored}.step"])
        want = arrays[f"{stored}.sub"][: -(-found.size // step)]
        if found.shape == shape:
            norm = np.linalg.norm(np.float64(found)) / arrays[f"{stored}.stats"][4]
            assert abs(norm - 1) < (ROUTED_GATE if routed else gate), f"{stored}: norm {norm}"
    else:
        shape, step = arrays[stored].shape, 1
        largest = np.abs(arrays[stored]).max()
        want = arrays[stored].ravel()[: found.size]
    assert found.ndim == len(shape), stored
    assert found.shape[1:] == shape[1:], stored
    errors = np.float64(found.ravel()[::step]) - want
    if routed:
        error = np.linalg.norm(errors) / np.linalg.norm(np.float64(want))
        assert error < ROUTED_GATE, f"{stored}: {error:.2e} in the root mean square"
    else:
        error = np.abs(errors).max() / largest
        assert error < gate, f"{stored}: {error:.2e} of the largest magnitude"
    return error


@functools.lru_cache(maxsize=2)  # the largest one takes a gigabyte
def expert(name, *fields):
    """A network with the parameters of one or several layouts."""
    return experts.from_state_dict(name, state_dict(name, *fields))


def parity(name, *inputs, fields=(), skip=(), is_heard=False):
    """Compares all that is stored of a network's outputs and intermediates but `skip`.

    Inputs are the stored ones, through the public function alone. Returns the outputs.
    is_heard: an input is a wave, whose front end runs on the host.
    """
    network = expert(name, *fields)
    wanted = [key for key in names(name, "out.") if key not in skip]
    wanted += [f"mid.{key}" for key in names(name, "mid.") if f"mid.{key}" not in skip]

    def run(params, *inputs):
        return network.apply(params, *inputs, outputs=wanted)

    run = run if is_heard else jitted(run)
    found = run(network.params, *inputs)
    errors = {
        key: check(name, key if key.startswith("mid.") else f"out.{key}", found[key])
        for key in wanted
    }
    _show(name, errors)
    return found


def gradients(name, sums, *inputs, fields=(), place=0, routed=False):
    """Compares gradients of inputs[place].

    sums: stored name -> the outputs in its sum. Cotangents are cut to the batch of the input.
    """
    network = expert(name, *fields)
    tags = sorted({tag for wanted in sums.values() for tag in wanted})

    def run(params, *inputs):
        def forward(x):
            given = [*inputs[:place], x, *inputs[place + 1 :]]
            return network.apply(params, *given, outputs=tags)

        found, pull = jax.vjp(forward, inputs[place])
        zeros = jax.tree.map(jnp.zeros_like, found)
        pulled = {}
        for key, wanted in sums.items():
            weights = {
                tag: cotangent(name, tag, shape(name, tag))[: len(zeros[tag])] for tag in wanted
            }
            pulled[key] = pull(zeros | weights)[0]
        return pulled

    pulled = jitted(run)(network.params, *(jnp.asarray(value) for value in inputs))
    errors = {}
    for key, gradient in pulled.items():
        stored = f"grad.{key}"
        errors[key] = check(name, stored, gradient, gate=GRADIENT_GATE, routed=routed)
        if routed and (exact := _exact().get(f"{name}.{key}")) is not None:
            found = np.asarray(gradient).ravel()[:: int(data(name).get(f"{stored}.step", 1))]
            error = np.abs(thinned(found) - exact).max() / np.abs(exact).max()
            assert error < GRADIENT_GATE, f"{stored}: {error:.2e} from the exact one"
            errors[f"{key}, exact"] = error
    _show(name, errors)


def jitted(run):
    """A function compiled in a quarter of the time; convolutions are a library's either way."""
    return jax.jit(run, compiler_options={"xla_backend_optimization_level": 0})


def thinned(numbers):
    """Some of many numbers, evenly spread."""
    return numbers[:: max(1, len(numbers) // NUM_EXACT)]


@functools.cache
def _exact():
    """Exact gradients of the first entry of the batch, by network and name."""
    with np.load(EXACT) as file:
        return dict(file)


def shape(name, tag):
    """The whole shape of a stored output."""
    stored = data(name)
    found = stored.get(f"out.{tag}.shape")
    return stored[f"out.{tag}"].shape if found is None else tuple(int(n) for n in found)


def _show(name, errors):
    """Prints errors where they are asked for."""
    if os.environ.get("EMOJAX_SHOW_ERRORS"):
        print(name, {key: f"{error:.1e}" for key, error in errors.items()})

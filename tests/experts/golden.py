"""Parity data of the originals: where it lies, its rule for parameters, its gates.

The data is no part of the project. It is read from ../shared/golden beside the repository or from
the folder that EMOJAX_GOLDEN names; tests that need it skip with a reason where it is absent.
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
OUTPUT_GATE = 2e-5  # of the largest magnitude, float32
GRADIENT_GATE = 1e-4
# Rectifiers and max pools choose by the last bit, and one other choice changes a gradient wherever
# it is seen: run in float64, the originals' own gradients leave the stored ones by up to 7e-2 of
# the largest magnitude (EmoNet; VGGFace2 6e-3, face normals 8e-3, StyleGAN2 7e-4), 0.8 % in the
# root mean square. Where that happens, the root mean square of the error counts.
ROUTED_GATE = 2e-2


def folder():
    """Where the data lies, or a skip."""
    place = pathlib.Path(os.environ.get("EMOJAX_GOLDEN") or ROOT.parent / "shared" / "golden")
    if not (place / "README.md").exists():
        pytest.skip("needs the originals' numbers: EMOJAX_GOLDEN names their folder")
    return place


@functools.cache
def facts(name):
    return json.loads((folder() / f"{name}.json").read_text())


@functools.cache
def data(name):
    with np.load(folder() / f"{name}.npz") as file:
        return dict(file)


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


def check(name, stored, found, *, gate=OUTPUT_GATE, routed=False):
    """Compares an array with a stored one, say "out.image", whole or sampled; returns the error.

    routed: that of a gradient whose rectifiers may choose otherwise, see `ROUTED_GATE`.
    """
    arrays, found = data(name), np.asarray(found)
    if f"{stored}.sub" in arrays:
        assert found.shape == tuple(arrays[f"{stored}.shape"]), stored
        largest = np.abs(arrays[f"{stored}.stats"][2:4]).max()
        want = arrays[f"{stored}.sub"]
        norm = np.linalg.norm(np.float64(found)) / arrays[f"{stored}.stats"][4]
        assert abs(norm - 1) < (ROUTED_GATE if routed else gate), f"{stored}: norm {norm}"
        found = found.ravel()[:: int(arrays[f"{stored}.step"])]
    else:
        want = arrays[stored]
        assert found.shape == want.shape, stored
        largest = np.abs(want).max()
    errors = np.float64(found) - want
    if routed:
        error = np.linalg.norm(errors) / np.linalg.norm(np.float64(want))
        assert error < ROUTED_GATE, f"{stored}: {error:.2e} in the root mean square"
    else:
        error = np.abs(errors).max() / largest
        assert error < gate, f"{stored}: {error:.2e} of the largest magnitude"
    return error


@functools.cache
def expert(name, *fields):
    """A network with the parameters of one or several layouts."""
    return experts.from_state_dict(name, state_dict(name, *fields))


def parity(name, *inputs, fields=(), extras=(), gradients=None, place=0, skip=(), routed=False):
    """Compares outputs, all intermediates and gradients; all of it is one compiled program.

    gradients: {stored name: outputs in its sum}, of inputs[place]. Returns the outputs.
    """
    gradients = gradients or {}
    network = expert(name, *fields)
    stored = {key.removesuffix(".sub") for key in data(name)} - set(skip)
    ends = (".step", ".shape", ".stats")
    mids = sorted(key for key in stored if key.startswith("mid.") and not key.endswith(ends))
    outputs = [key for key in network.spec.outputs if f"out.{key}" in stored]
    tags = sorted({tag for sums in gradients.values() for tag in sums})
    static = {}
    if network.spec.front is not None:
        inputs, static = network.spec.front(*inputs)
    inputs = [jnp.asarray(value) for value in inputs]

    def run(params, *inputs):
        def forward(x):
            given = [*inputs[:place], x, *inputs[place + 1 :]]
            found = network.spec.forward(params, *given[: len(network.spec.inputs)], **static)
            found |= {key: network.spec.extras[key](params, *given) for key in extras}
            kept = {key: found[key] for key in {*outputs, *mids, *extras, *tags}}
            return {tag: found[tag] for tag in tags}, kept

        if not tags:
            return forward(inputs[place])[1], {}
        tagged, pull, kept = jax.vjp(forward, inputs[place], has_aux=True)
        zeros = jax.tree.map(jnp.zeros_like, tagged)
        pulled = {
            key: pull(zeros | {tag: cotangent(name, tag, tagged[tag].shape) for tag in sums})[0]
            for key, sums in gradients.items()
        }
        return kept, pulled

    found, pulled = jax.jit(run)(network.params, *inputs)
    errors = {}
    for key in [*(f"out.{output}" for output in [*outputs, *extras]), *mids]:
        errors[key] = check(name, key, found[key.removeprefix("out.")])
    for key, gradient in pulled.items():
        errors[key] = check(name, f"grad.{key}", gradient, gate=GRADIENT_GATE, routed=routed)
    if os.environ.get("EMOJAX_SHOW_ERRORS"):
        print(name, {key: f"{error:.1e}" for key, error in errors.items()})
    return found

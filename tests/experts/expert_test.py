"""Experts by name: weights in, a pure function out; what is refused, and how it is said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import experts
from emojax.experts import deepspeech, expert, probe, registry
from emojax.experts.checkpoint import safetensors
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files

NAME = "deepspeech"  # the smallest: its width is free
WIDTH = 8


@pytest.fixture(scope="module")
def weights():
    generator = np.random.default_rng(0)
    layout = deepspeech.layout({"h1": (deepspeech.VECTOR, WIDTH)})
    return {key: np.float32(0.2 * generator.normal(size=shape)) for key, shape in layout.items()}


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(1).normal(size=(6, deepspeech.VECTOR)).astype(np.float32)


def test_a_network_is_a_function_of_its_weights(weights, vectors):
    network = experts.from_state_dict(NAME, weights)
    found = network.apply(network.params, vectors)
    assert found["logits"].shape == (6, 1, 29)
    moved = {**network.params, "b6": network.params["b6"] + 1}
    again = network.apply(moved, vectors)
    np.testing.assert_allclose(again["logits"], found["logits"] + 1, rtol=1e-5, atol=1e-5)


def test_only_what_is_asked_for_comes(weights, vectors):
    network = experts.from_state_dict(NAME, weights)
    found = network.apply(network.params, vectors, outputs=["mid.layer_1"])
    assert list(found) == ["mid.layer_1"]
    with pytest.raises(CheckpointError, match=r"logits.*got letters"):
        network.apply(network.params, vectors, outputs=["letters"])
    with pytest.raises(CheckpointError, match="got 2 inputs"):
        network.apply(network.params, vectors, vectors)


def test_what_a_wave_gives_depends_on_what_is_given(weights, vectors):
    network = experts.from_state_dict(NAME, weights)
    wave = np.arange(8000, dtype=np.int16) % 321
    assert network.outputs(wave) == tuple(network.spec.outputs)
    assert network.outputs(vectors) == ("input_vector", "logits")
    assert set(network.apply(network.params, wave)) == set(network.spec.outputs)
    with pytest.raises(CheckpointError, match="got 2 inputs"):
        network.outputs(vectors, vectors)


def test_extras_come_where_their_inputs_are():
    name = "stylegan2_rosinality"
    network = experts.from_state_dict(name, probe.weights(probe.small_layout(name)))
    (codes,) = probe.inputs(name)
    z = probe.draw("z", (2, 512))
    abstract = jax.eval_shape(network.apply, network.params, codes)
    assert set(abstract) == {"image"}
    abstract = jax.eval_shape(network.apply, network.params, codes, z)
    assert abstract["mapped_w"].shape == (2, 512)
    abstract = jax.eval_shape(network.apply, network.params, codes, z, z[:1])
    assert set(abstract) == {"image", "mapped_w", "image_truncated_0.7"}
    with pytest.raises(CheckpointError, match="give the further inputs too"):
        network.apply(network.params, codes, outputs=["mapped_w"])


def test_an_extra_that_reads_its_inputs_otherwise_is_only_given_when_asked_for():
    name = "lpips_alex"
    network = experts.from_state_dict(name, probe.weights(probe.small_layout(name)))
    pair = probe.inputs(name)
    assert "distance_normalize_flag" not in jax.eval_shape(network.apply, network.params, *pair)
    found = network.apply(network.params, *pair, outputs=["distance", "distance_normalize_flag"])
    np.testing.assert_allclose(*found.values(), rtol=1e-3)  # bytes mean the same to both


def test_it_can_be_jitted_mapped_and_differentiated(weights, vectors):
    network = experts.from_state_dict(NAME, weights)

    def total(vectors):
        return jnp.sum(network.apply(network.params, vectors)["logits"] ** 2)

    batch = np.stack([vectors, 2 * vectors])
    gradients = jax.jit(jax.vmap(jax.grad(total)))(batch)
    assert gradients.shape == batch.shape
    np.testing.assert_allclose(gradients[1], jax.grad(total)(batch[1]), rtol=1e-3, atol=1e-4)


def test_weights_of_any_float_type_are_taken(weights, vectors):
    network = experts.from_state_dict(NAME, weights)
    want = network.apply(network.params, vectors)["logits"]
    wide = experts.from_state_dict(NAME, {k: np.float64(v) for k, v in weights.items()})
    np.testing.assert_array_equal(wide.apply(wide.params, vectors)["logits"], want)
    narrow = experts.from_state_dict(NAME, {k: np.float16(v) for k, v in weights.items()})
    assert narrow.params["h1"].dtype == jnp.float32
    np.testing.assert_allclose(narrow.apply(narrow.params, vectors)["logits"], want, atol=0.05)


def test_products_in_bfloat16_are_near(weights, vectors):
    network = experts.from_state_dict(NAME, weights)
    want = network.apply(network.params, vectors)["logits"]
    short = experts.from_state_dict(NAME, weights, dtype=jnp.bfloat16)
    assert short.params["h1"].dtype == jnp.bfloat16
    assert short.params["b1"].dtype == jnp.float32
    found = short.apply(short.params, vectors)["logits"]
    assert found.dtype == jnp.float32
    assert 0 < np.abs(found - want).max() < 0.02 * np.abs(want).max()


def test_nestings_and_prefixes_are_stripped(weights, vectors):
    network = experts.from_state_dict(NAME, weights)
    nested = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in weights.items()}}
    again = experts.from_state_dict(NAME, nested)
    np.testing.assert_array_equal(again.params["h1"], network.params["h1"])
    older = {
        key.replace("/kernel", "/weights").replace("/bias", "/biases"): value
        for key, value in weights.items()
    }
    np.testing.assert_array_equal(
        experts.from_state_dict(NAME, older).params["h6"], network.params["h6"]
    )


def test_the_decoder_in_e4es_file_is_found():
    weights = probe.weights(probe.small_layout("stylegan2_rosinality"))
    file = {f"decoder.{key}": value for key, value in weights.items()}
    file["encoder.input_layer.0.weight"] = np.zeros((64, 3, 3, 3), np.float32)
    whole = {"state_dict": file, "latent_avg": np.zeros((18, 512), np.float32), "opts": {}}
    found = experts.from_state_dict("stylegan2_rosinality", whole)
    direct = experts.from_state_dict("stylegan2_rosinality", weights)
    assert found.params.keys() == direct.params.keys()
    np.testing.assert_array_equal(
        found.params["convs.1.conv.weight"], direct.params["convs.1.conv.weight"]
    )


def test_a_state_dict_with_faults_is_refused_by_name(weights):
    cases = {
        "1 missing: h6": {k: v for k, v in weights.items() if k != "h6"},
        "1 extra: h7": {**weights, "h7": np.zeros(3, np.float32)},
        r"b5 \(9,\) instead of \(8,\)": {**weights, "b5": np.zeros(9, np.float32)},
        "b2 int64": {**weights, "b2": np.zeros(WIDTH, np.int64)},
        "1 arrays with NaN or infinite numbers: h2": {**weights, "h2": weights["h2"] * np.nan},
    }
    for message, mapping in cases.items():
        with pytest.raises(CheckpointError, match=message):
            experts.from_state_dict(NAME, mapping)


def test_another_networks_checkpoint_is_called_by_its_name():
    layout = registry.get("syncnet").layout({})
    mapping = {key: np.zeros(shape, np.float32) for key, shape in layout.items()}
    with pytest.raises(CheckpointError, match="looks like syncnet"):
        experts.from_state_dict("fan", mapping)
    with pytest.raises(CheckpointError, match="no arrays at all"):
        experts.from_state_dict("fan", {})


def test_converted_weights_are_loaded(weights, vectors, tmp_path, monkeypatch):
    network = experts.from_state_dict(NAME, weights)
    want = network.apply(network.params, vectors)["logits"]
    monkeypatch.setenv("EMOJAX_WEIGHTS", str(tmp_path))
    assert not expert.is_installed(NAME)
    with pytest.raises(CheckpointError, match=r"convert\.py --network=deepspeech"):
        experts.load(NAME)
    safetensors.write(tmp_path / f"{NAME}.safetensors", weights, {})
    assert expert.is_installed(NAME)
    for path in (None, tmp_path, tmp_path / f"{NAME}.safetensors"):
        found = experts.load(NAME, path=path)
        np.testing.assert_array_equal(found.apply(found.params, vectors)["logits"], want)
    (tmp_path / "graph.pb").write_bytes(files.graph({**weights, "concat/axis": np.float32([1])}))
    found = experts.load(NAME, path=tmp_path / "graph.pb")  # it has constants of its own
    np.testing.assert_array_equal(found.params["h1"], network.params["h1"])
    np.savez(tmp_path / "plain.npz", **weights)
    found = experts.load(NAME, path=tmp_path / "plain.npz")
    np.testing.assert_array_equal(found.params["h1"], network.params["h1"])


def test_other_sources_are_refused():
    for source in ("builtin", "cloud"):
        with pytest.raises(CheckpointError, match=source):
            experts.load(NAME, source=source)

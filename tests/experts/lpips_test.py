"""LPIPS: parity with the original's numbers, an independent forward pass, laws, damaged files."""

import hashlib
import json
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import lpips


def _filled(name, shape, fill):
    """One array of the golden data's rule: reproducible from its name."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    kind, _, factor = fill.partition("*")
    scale = {"weight": np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 1, "bias": 0.01}[kind]
    return np.float32(np.float64(np.float32(noise * scale)) * float(factor or 1))


def _arrays():
    """Random weights in the official layout."""
    return {
        name: _filled(name, shape, "weight" if len(shape) > 1 else "bias*10")
        for name, shape in lpips._shapes().items()
    }


@pytest.fixture(scope="module")
def arrays():
    return _arrays()


@pytest.fixture(scope="module")
def params(arrays):
    return lpips.from_official(arrays)


@pytest.fixture(scope="module")
def golden():
    folder = os.environ.get("EMOJAX_GOLDEN")
    if not folder:
        pytest.skip("needs the original's numbers: EMOJAX_GOLDEN names their folder")
    facts = json.loads((pathlib.Path(folder) / "lpips_alex.json").read_text())
    arrays = {k: _filled(k, s, fill) for k, s, _, fill in facts["keys_trunk"] + facts["keys"]}
    return np.load(pathlib.Path(folder) / "lpips_alex.npz"), lpips.from_official(arrays)


def _golden_images(golden):
    data, _ = golden
    return (jnp.asarray(data[f"in.image{i}_u8"].transpose(0, 2, 3, 1) / 255.0) for i in range(2))


def test_distances_are_the_originals(golden):
    data, params = golden
    image, target = _golden_images(golden)
    want = data["out.distance"].ravel()
    np.testing.assert_allclose(
        lpips.distance(params, image, target), want, atol=2e-5 * np.abs(want).max()
    )
    shares = np.stack(lpips.layer_distances(params, image, target))
    np.testing.assert_allclose(
        shares, data["out.per_layer"], atol=2e-5 * np.abs(data["out.per_layer"]).max()
    )


def test_features_are_the_originals(golden):
    data, params = golden
    image, _ = _golden_images(golden)
    for k, found in enumerate(lpips.features(params, image)):
        name = f"mid.relu_feature{k}_of_image0"
        flat = np.asarray(found).transpose(0, 3, 1, 2).ravel()[:: int(data[f"{name}.step"])]
        want = data[f"{name}.sub"]
        np.testing.assert_allclose(flat, want, atol=2e-5 * np.abs(want).max())


def test_gradients_are_the_originals(golden):
    data, params = golden
    image, target = _golden_images(golden)
    seed = int(hashlib.sha256(b"cotangent:lpips_alex:distance").hexdigest()[:8], 16)
    cotangent = np.random.Generator(np.random.PCG64(seed)).standard_normal((2, 1, 1, 1))
    weights = np.float32(cotangent).ravel()
    gradient = jax.grad(lambda image: jnp.sum(lpips.distance(params, image, target) * weights))(
        image
    )
    # The original's pictures run from -1 to 1: their gradient is half of ours.
    flat = (np.asarray(gradient).transpose(0, 3, 1, 2) / 2).ravel()
    want = data["grad.distance_wrt_image0.sub"]
    np.testing.assert_allclose(
        flat[:: int(data["grad.distance_wrt_image0.step"])], want, atol=1e-4 * np.abs(want).max()
    )


def _numpy_features(arrays, image):
    """The trunk with explicit windows, channels first, float64."""
    x = (2 * np.float64(image) - 1 - np.array(lpips.SHIFT)) / np.array(lpips.SCALE)
    x = x.transpose(2, 0, 1)
    for layer, stride, pad, pool in [
        (0, 4, 2, 0),
        (3, 1, 2, 1),
        (6, 1, 1, 1),
        (8, 1, 1, 0),
        (10, 1, 1, 0),
    ]:
        if pool:
            view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
            x = view[:, ::2, ::2].max(axis=(-1, -2))
        weight = np.float64(arrays[f"features.{layer}.weight"])
        x = np.pad(x, [(0, 0), (pad, pad), (pad, pad)])
        view = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))
        view = view[:, ::stride, ::stride]
        x = np.tensordot(weight, view, axes=[(1, 2, 3), (0, 3, 4)])
        x = np.maximum(x + arrays[f"features.{layer}.bias"][:, None, None], 0)
        yield x


def test_an_independent_forward_pass_agrees(arrays, params):
    image, target = np.random.default_rng(0).uniform(size=(2, 33, 40, 3)).astype(np.float32)
    total = 0.0
    for i, (a, b) in enumerate(
        zip(_numpy_features(arrays, image), _numpy_features(arrays, target), strict=True)
    ):
        a, b = (x / (np.sqrt((x * x).sum(axis=0)) + 1e-10) for x in (a, b))
        weights = np.float64(arrays[f"lin{i}.model.1.weight"]).ravel()
        total += np.tensordot(weights, (a - b) ** 2, axes=1).mean()
    assert lpips.distance(params, image, target) == pytest.approx(total, rel=1e-4, abs=1e-5)


def test_equal_pictures_are_at_distance_zero_with_finite_gradients(params):
    for value in (0.0, 0.5):
        image = jnp.full((31, 31, 3), value)
        distance, gradient = jax.value_and_grad(lpips.distance, argnums=1)(params, image, image)
        assert distance == 0
        assert np.isfinite(gradient).all()
    dead = {k: jnp.full_like(v, -1.0) if k.endswith("bias") else 0 * v for k, v in params.items()}
    gradient = jax.grad(lpips.distance, argnums=1)(dead, image, jnp.zeros_like(image))
    np.testing.assert_array_equal(gradient, 0)  # all features zero: the original returns NaN


def test_a_batch_is_its_pictures(params):
    image, target = np.random.default_rng(1).uniform(size=(2, 3, 32, 32, 3)).astype(np.float32)
    together = lpips.distance(params, image, target)
    alone = [lpips.distance(params, a, b) for a, b in zip(image, target, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_too_small_pictures_are_refused(params):
    with pytest.raises(ValueError, match="31 x 31"):
        lpips.distance(params, jnp.zeros((30, 64, 3)), jnp.zeros((30, 64, 3)))


def test_the_file_is_read_and_named(arrays, params, tmp_path):
    np.savez(tmp_path / "w.npz", **arrays, **{"classifier.1.bias": np.zeros(3)})
    read = lpips.load(tmp_path / "w.npz")
    assert lpips.fingerprint(read) == lpips.fingerprint(params)
    changed = {**read, "features.0.bias": read["features.0.bias"] + 1}
    assert lpips.fingerprint(changed) != lpips.fingerprint(params)


def test_damaged_files_are_refused_in_words(arrays, tmp_path):
    with pytest.raises(ValueError, match="holds no LPIPS weights"):
        lpips.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no weights")
    (tmp_path / "empty.npz").touch()
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 and then nothing")
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name in ("text.npz", "empty.npz", "half.npz", "one.npy"):
        with pytest.raises(ValueError, match="holds no LPIPS weights"):
            lpips.load(tmp_path / name)
    np.savez(tmp_path / "lin.npz", **{k: v for k, v in arrays.items() if k.startswith("lin")})
    with pytest.raises(ValueError, match=r"lack features\.0\.weight"):
        lpips.load(tmp_path / "lin.npz")
    with pytest.raises(ValueError, match=r"lin0\.model\.1\.weight of LPIPS is \(1, 64, 1, 1\)"):
        lpips.from_official({**arrays, "lin0.model.1.weight": np.zeros((64,))})
    with pytest.raises(ValueError, match="not finite"):
        lpips.from_official({**arrays, "features.0.bias": np.full(64, np.nan)})

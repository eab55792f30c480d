"""LPIPS: parity with the original's numbers, an independent forward pass, laws, damaged files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import experts
from emojax.experts import lpips
from tests.experts import golden

FIELDS = ("keys_trunk", "keys")  # two official files


def _arrays():
    """Random weights in the official layout."""
    return {
        name: golden.filled(name, shape, "weight" if len(shape) > 1 else "bias*10")
        for name, shape in lpips.layout({}, trunk="alex").items()
    }


@pytest.fixture(scope="module")
def arrays():
    return _arrays()


@pytest.fixture(scope="module")
def params(arrays):
    return lpips.from_official(arrays)


@pytest.mark.parametrize("name", ["lpips_alex", "lpips_vgg"])
def test_outputs_and_intermediates_are_the_originals(name):
    pair = [golden.data(name)[f"in.image{i}_u8"] for i in range(2)]
    golden.parity(name, *pair, fields=FIELDS)


@pytest.mark.parametrize("name", ["lpips_alex", "lpips_vgg"])
def test_gradients_are_the_originals(name):
    pair = [golden.data(name)[f"in.image{i}_u8"][:1] / np.float32(127.5) - 1 for i in range(2)]
    sums = {"distance_wrt_image0": ["distance"]}
    golden.gradients(name, sums, *pair, fields=FIELDS, routed=name == "lpips_vgg")


def test_pictures_from_0_to_1_have_the_originals_distance():
    data = golden.data("lpips_alex")
    params = golden.expert("lpips_alex", *FIELDS).params
    image, target = (
        data[f"in.image{i}_u8"].transpose(0, 2, 3, 1) / np.float32(255) for i in (0, 1)
    )
    shares = golden.jitted(lpips.layer_distances)(params, image, target)
    golden.check("lpips_alex", "out.per_layer", np.stack(shares))
    golden.check("lpips_alex", "out.distance", sum(shares)[:, None, None, None])


def test_a_whole_module_of_lpips_is_taken(arrays, params):
    whole = {"scaling_layer.shift": np.zeros((1, 3, 1, 1), np.float32)}
    slices = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}
    for name, array in arrays.items():
        head, place, *rest = name.split(".")
        if head == "features":
            whole[".".join([f"net.slice{slices[int(place)]}", place, *rest])] = array
        else:
            whole[name] = whole[f"lins.{head[3:]}.{'.'.join([place, *rest])}"] = array
    found = experts.from_state_dict("lpips_alex", whole)
    assert lpips.fingerprint(found.params) == lpips.fingerprint(params)


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
    found = golden.jitted(lpips.distance)(params, image, target)
    assert found == pytest.approx(total, rel=1e-4, abs=1e-5)


def test_equal_pictures_are_at_distance_zero_with_finite_gradients(params):
    run = golden.jitted(jax.value_and_grad(lpips.distance, argnums=1))
    for value in (0.0, 0.5):
        image = jnp.full((31, 31, 3), value)
        distance, gradient = run(params, image, image)
        assert distance == 0
        assert np.isfinite(gradient).all()
    dead = {k: jnp.full_like(v, -1.0) if k.endswith("bias") else 0 * v for k, v in params.items()}
    _, gradient = run(dead, image, jnp.zeros_like(image))
    np.testing.assert_array_equal(gradient, 0)  # all features zero: the original returns NaN


def test_a_batch_is_its_pictures(params):
    image, target = np.random.default_rng(1).uniform(size=(2, 3, 32, 32, 3)).astype(np.float32)
    run = golden.jitted(lpips.distance)
    together = run(params, image, target)
    alone = [run(params, a, b) for a, b in zip(image, target, strict=True)]
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

"""Official weights: the same motion as an independent forward pass, round trips, refusals.

Two references that share no code with the networks: one in numpy, step by step as the source's
equations stand, and one of PyTorch's own layers where PyTorch is installed.
"""

import jax
import numpy as np
import pytest

from emojax.deformation import official
from emojax.deformation.face import FaceMotion
from emojax.deformation.mouth import MouthMotion
from emojax.encoders import TALKING_GAUSSIAN_FACE, TALKING_GAUSSIAN_MOUTH, triplane
from tests.deformation import examples

SIZES = {
    "audio_net.encoder_conv.0": (32, 29, 3),
    "audio_net.encoder_conv.2": (32, 32, 3),
    "audio_net.encoder_conv.4": (64, 32, 3),
    "audio_net.encoder_conv.6": (64, 64, 3),
    "audio_net.encoder_fc1.0": (64, 64),
    "audio_net.encoder_fc1.2": (32, 64),
    "audio_att_net.attentionConvNet.0": (16, 32, 3),
    "audio_att_net.attentionConvNet.2": (8, 16, 3),
    "audio_att_net.attentionConvNet.4": (4, 8, 3),
    "audio_att_net.attentionConvNet.6": (2, 4, 3),
    "audio_att_net.attentionConvNet.8": (1, 2, 3),
    "audio_att_net.attentionNet.0": (8, 8),
    "aud_ch_att_net.net.0": (32, 36),
    "aud_ch_att_net.net.1": (32, 32),
}
FACE_SIZES = SIZES | {
    "sigma_net.net.0": (64, 74),
    "sigma_net.net.1": (64, 64),
    "sigma_net.net.2": (11, 64),
    "eye_att_net.net.0": (16, 36),
    "eye_att_net.net.1": (6, 16),
    "exp_encode_net.net.0": (16, 5),
    "exp_encode_net.net.1": (5, 16),
}
MOUTH_SIZES = SIZES | {
    "sigma_net.net.0": (32, 68),
    "sigma_net.net.1": (32, 32),
    "sigma_net.net.2": (3, 32),
}


def checkpoint(sizes, grid):
    """Returns random float32 parameters under official names."""
    rng = np.random.default_rng(0)
    state = {}
    for layer, size in sizes.items():
        limit = np.prod(size[1:]) ** -0.5
        state[f"{layer}.weight"] = rng.uniform(-2 * limit, 2 * limit, size).astype(np.float32)
        if layer.startswith("audio"):
            state[f"{layer}.bias"] = rng.uniform(-limit, limit, size[0]).astype(np.float32)
    for plane in ("xy", "yz", "xz"):
        entries = rng.uniform(-1, 1, (grid.num_entries, 1)).astype(np.float32)
        state[f"encoder_{plane}.embeddings"] = entries
        state[f"encoder_{plane}.offsets"] = np.array(grid.offsets, np.int32)
    return state


FACE = checkpoint(FACE_SIZES, TALKING_GAUSSIAN_FACE)
MOUTH = checkpoint(MOUTH_SIZES, TALKING_GAUSSIAN_MOUTH)
MEANS = examples.means(40, half_size=0.16)  # a few lie outside
CONDITION = examples.condition()


def leaky(x):
    return np.where(x > 0, x, 0.02 * x)


def convolve(x, weight, bias, stride):
    """Conv1d with padding 1 of [channels, steps], one output after the other."""
    x = np.pad(x, ((0, 0), (1, 1)))
    starts = range(0, x.shape[1] - 2, stride)
    return np.stack([np.tensordot(weight, x[:, s : s + 3], 2) + bias for s in starts], axis=1)


def perceive(state, name, x):
    layers = [k for k in sorted(state) if k.startswith(f"{name}.net.")]
    for i, layer in enumerate(layers):
        x = x @ state[layer].T
        x = np.maximum(x, 0) if i + 1 < len(layers) else x
    return x


def hear(state, audio):
    """The code [32] of windows [8, W, D], in numpy."""
    codes = []
    for window in audio:
        x = window.T
        for i in (0, 2, 4, 6):
            layer = f"audio_net.encoder_conv.{i}"
            x = leaky(convolve(x, state[f"{layer}.weight"], state[f"{layer}.bias"], 2))
        x = x[:, 0]
        for i, after in ((0, leaky), (2, np.asarray)):
            layer = f"audio_net.encoder_fc1.{i}"
            x = after(state[f"{layer}.weight"] @ x + state[f"{layer}.bias"])
        codes.append(x)
    x = np.stack(codes, axis=1)
    for i in (0, 2, 4, 6, 8):
        layer = f"audio_att_net.attentionConvNet.{i}"
        x = leaky(convolve(x, state[f"{layer}.weight"], state[f"{layer}.bias"], 1))
    layer = "audio_att_net.attentionNet.0"
    weights = np.exp(state[f"{layer}.weight"] @ x[0] + state[f"{layer}.bias"])
    return weights @ np.stack(codes) / weights.sum()


def encode(state, points, grid):
    """The encoding [N, 36] of points: dense grids, one node after the other."""
    features = []
    for plane, axes in {"xy": (0, 1), "yz": (1, 2), "xz": (0, 2)}.items():
        table = state[f"encoder_{plane}.embeddings"][:, 0]
        for level in grid.levels:
            t = (points[:, axes] + grid.bound) / (2 * grid.bound)
            inside = ((t >= 0) & (t <= 1)).all(axis=1)
            u = np.where(inside[:, None], t, 0) * level.scale + 0.5
            cell = np.floor(u).astype(int)
            f = u - cell
            value = 0
            for i in (0, 1):
                for j in (0, 1):
                    share = np.abs(1 - i - f[:, 0]) * np.abs(1 - j - f[:, 1])
                    node = cell[:, 0] + i + (cell[:, 1] + j) * (level.resolution + 1)
                    value = value + share * table[level.offset + node]
            features.append(np.where(inside, value, 0))
    return np.stack(features, axis=1)


def float64(state):
    return {k: v.astype(np.float64) for k, v in state.items()}


def face_in_numpy(state, means, condition):
    state = float64(state)
    h = encode(state, np.asarray(means, np.float64), TALKING_GAUSSIAN_FACE)
    sound = hear(state, np.asarray(condition.audio, np.float64))
    units = np.asarray(condition.action_units, np.float64)
    expression = np.append(perceive(state, "exp_encode_net", units[:5]), np.clip(units[5], 0, 2))
    heard = perceive(state, "aud_ch_att_net", h)
    shown = np.maximum(perceive(state, "eye_att_net", h), 0)
    d = perceive(state, "sigma_net", np.hstack([h, heard * sound, shown * expression]))
    lengths = (np.linalg.norm(x, axis=1) for x in (heard, shown))
    return d[:, :3] * 1e-2, d[:, 3:7], d[:, 8:11], *lengths


def mouth_in_numpy(state, means, condition):
    state = float64(state)
    h = encode(state, np.asarray(means, np.float64), TALKING_GAUSSIAN_MOUTH)
    sound = np.tile(hear(state, np.asarray(condition.audio, np.float64)), (len(h), 1))
    d = perceive(state, "sigma_net", np.hstack([h, sound])) * 1e-2
    return d / [5, 1, 5]


# Relative to the largest value of each array. In float32 a point's place within its cell is good to
# 1e-6 or so, and these tables are random from node to node.
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}


def assert_close(got, expected, dtype):
    atol = TOLERANCE[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


def as_dtype(tree, dtype):
    return jax.tree.map(lambda x: np.asarray(x, dtype), tree)


class TestParity:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.usefixtures("float64")
    def test_face(self, dtype):
        variables = as_dtype(official.face_from_official(FACE), dtype)
        means, condition = as_dtype((MEANS, CONDITION), dtype)
        motion = jax.jit(FaceMotion().apply)(variables, means, condition)
        expected = face_in_numpy(FACE, MEANS, CONDITION)
        for got, want in zip(jax.tree.leaves(motion), expected, strict=True):
            assert np.ptp(want) > 0
            assert got.dtype == dtype
            assert_close(got, want, dtype)

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.usefixtures("float64")
    def test_mouth(self, dtype):
        variables = as_dtype(official.mouth_from_official(MOUTH), dtype)
        means, condition = as_dtype((MEANS, CONDITION), dtype)
        motion = jax.jit(MouthMotion().apply)(variables, means, condition)
        assert_close(motion.means, mouth_in_numpy(MOUTH, MEANS, CONDITION), dtype)

    def test_code_of_the_sound_in_pytorch(self):
        """The reference itself, and so the networks, against PyTorch's own layers."""
        torch = pytest.importorskip("torch", reason="compares with PyTorch's layers")
        state = {k: torch.from_numpy(v.copy()) for k, v in FACE.items()}

        def parameters(layer):
            return state[f"{layer}.weight"], state[f"{layer}.bias"]

        functional = torch.nn.functional
        x = torch.from_numpy(np.array(CONDITION.audio)).transpose(1, 2)
        for i in (0, 2, 4, 6):
            x = functional.conv1d(
                x, *parameters(f"audio_net.encoder_conv.{i}"), stride=2, padding=1
            )
            x = functional.leaky_relu(x, 0.02)
        x = functional.linear(x.squeeze(-1), *parameters("audio_net.encoder_fc1.0"))
        codes = functional.linear(
            functional.leaky_relu(x, 0.02), *parameters("audio_net.encoder_fc1.2")
        )
        y = codes.T[None]
        for i in (0, 2, 4, 6, 8):
            y = functional.conv1d(y, *parameters(f"audio_att_net.attentionConvNet.{i}"), padding=1)
            y = functional.leaky_relu(y, 0.02)
        weights = functional.linear(y.view(8), *parameters("audio_att_net.attentionNet.0"))
        expected = (torch.softmax(weights, 0) @ codes).numpy()
        assert_close(hear(FACE, np.asarray(CONDITION.audio)), expected, np.float32)

    def test_cpu_tensors_are_taken(self):
        torch = pytest.importorskip("torch", reason="checkpoints may hold PyTorch's tensors")
        state = {k: torch.from_numpy(v.copy()) for k, v in FACE.items()}
        jax.tree.map(
            np.testing.assert_array_equal,
            official.face_from_official(state),
            official.face_from_official(FACE),
        )


CASES = pytest.mark.parametrize(
    ("network", "load", "save", "state"),
    [
        (FaceMotion(), official.face_from_official, official.face_to_official, FACE),
        (MouthMotion(), official.mouth_from_official, official.mouth_to_official, MOUTH),
    ],
    ids=["face", "mouth"],
)


class TestRoundTrip:
    @CASES
    def test_ours_comes_back(self, network, load, save, state):
        variables = examples.fill(network, MEANS[:1], CONDITION)
        saved = save(variables, prefix="net.")
        assert set(saved) == {f"net.{name}" for name in state}
        again = load(saved, prefix="net.")
        jax.tree.map(np.testing.assert_array_equal, again, variables)

    @CASES
    def test_theirs_comes_back_but_for_what_has_no_effect(self, network, load, save, state):
        saved = save(load(state))
        assert {k: (v.shape, v.dtype) for k, v in saved.items()} == {
            k: (v.shape, v.dtype) for k, v in state.items()
        }
        expected = {k: v.copy() for k, v in state.items()}
        if isinstance(network, FaceMotion):
            expected["sigma_net.net.2.weight"][7] = 0
        else:
            expected["aud_ch_att_net.net.0.weight"][:] = 0
            expected["aud_ch_att_net.net.1.weight"][:] = 0
        jax.tree.map(np.testing.assert_array_equal, saved, expected)

    def test_other_features_and_grids(self):
        network = FaceMotion(triplane=examples.GRID)
        window = (2, 1024)
        variables = examples.variables(network, window=window)
        saved = official.face_to_official(variables, grid=examples.GRID)
        assert saved["audio_net.encoder_conv.0.weight"].shape == (32, 1024, 3)
        again = official.face_from_official(saved, grid=examples.GRID)
        jax.tree.map(np.testing.assert_array_equal, again, variables)


class TestRefusals:
    @CASES
    def test_every_missing_parameter_is_named(self, network, load, save, state):
        del network, save
        unused = [k for k in state if state is MOUTH and k.startswith("aud_ch")]
        prefixed = {f"net.{k}": v for k, v in state.items()}
        for name in ("audio_net.encoder_conv.0.weight", "sigma_net.net.2.weight",
                     "audio_att_net.attentionNet.0.bias", "encoder_xy.offsets"):  # fmt: skip
            part = {k: v for k, v in prefixed.items() if k != f"net.{name}"}
            with pytest.raises(ValueError, match=rf"^net\.{name} is missing, found \['net\.aud"):
                load(part, prefix="net.")
        load({k: v for k, v in state.items() if k not in unused})

    @pytest.mark.parametrize(
        ("name", "shape", "message"),
        [
            ("sigma_net.net.2.weight", (10, 64), r"\(10, 64\), expected \(11, 64\)"),
            ("sigma_net.net.0.weight", (64, 78), r"\(64, 78\), expected \(64, 74\)"),
            ("audio_net.encoder_conv.0.weight", (32, 29), r"\(32, 29\), expected \(32, D, 3\)"),
            ("audio_net.encoder_conv.2.bias", (31,), r"\(31,\), expected \(32,\)"),
            ("eye_att_net.net.1.weight", (), r"\(\), expected \(6, 16\)"),
        ],
    )
    def test_wrong_shapes(self, name, shape, message):
        with pytest.raises(ValueError, match=rf"^{name} has shape {message}$"):
            official.face_from_official({**FACE, name: np.zeros(shape, np.float32)})

    def test_a_mouth_is_no_face(self):
        with pytest.raises(ValueError, match=r"^encoder_xy\.embeddings has shape \(46600, 1\)"):
            official.face_from_official(MOUTH)


def test_the_small_grid_is_a_dense_one():
    """`encode` above knows no hashing."""
    for grid in (TALKING_GAUSSIAN_FACE, TALKING_GAUSSIAN_MOUTH):
        assert not any(level.is_hashed for level in grid.levels)
        assert isinstance(grid, triplane.TriplaneConfig)

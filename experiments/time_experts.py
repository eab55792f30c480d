"""Times frozen networks on this machine: jitted and batched, float32 and bfloat16, beside PyTorch.

    python experiments/time_experts.py --network emonet_8 --network syncnet --out experts.json

Weights are made up. Where torch is installed, EmoNet, FAN, SyncNet and LPIPS are also run by plain
PyTorch layers of the same weights, in turns with ours, and must agree; a ratio above 1 says that
ours is faster. Ratios are of wall-clock time and of processor time, which counts where others
share the machine. The error of bfloat16 is over the largest magnitude of the output. Medians.
"""

import importlib.util
import json
import os
import pathlib
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from emojax import experts
from emojax.experts import lpips, probe

_NETWORKS = flags.DEFINE_multi_string(
    "network", ["emonet_8", "syncnet", "lpips_alex"], "which networks"
)
_BATCH = flags.DEFINE_integer("batch", 4, "inputs at a time", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 5, "timed passes of each", lower_bound=1)
_BFLOAT16 = flags.DEFINE_bool("bfloat16", True, "also products in bfloat16")
_OUT = flags.DEFINE_string("out", None, "JSON file to write")

PARITY = 1e-4  # of the largest magnitude, between ours and PyTorch's


class Torch:
    """PyTorch's layers on a state dict, by name; pictures are channels first."""

    def __init__(self, weights: dict[str, np.ndarray]):
        import torch

        self.functional = torch.nn.functional
        self.torch = torch
        self.weights = {key: torch.from_numpy(value) for key, value in weights.items()}

    def conv(self, name, x, stride=1, padding=0):
        """A convolution, of as many axes as its kernel has."""
        kernel = self.weights[f"{name}.weight"]
        run = self.functional.conv3d if kernel.ndim == 5 else self.functional.conv2d
        bias = self.weights.get(f"{name}.bias")
        return run(x, kernel, bias, stride=stride, padding=padding)

    def norm(self, name, x):
        """A batch normalisation by running statistics."""
        parts = ("running_mean", "running_var", "weight", "bias")
        return self.functional.batch_norm(x, *(self.weights[f"{name}.{part}"] for part in parts))

    def active(self, name, x):
        """A batch normalisation, rectified."""
        return self.functional.relu(self.norm(name, x))

    def dense(self, name, x):
        """A linear layer."""
        return self.functional.linear(
            x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        )


def torch_hourglasses(net: Torch, image, *, pool, count: int) -> tuple:
    """Returns the stem's map, what each module hands on, and the last heat maps."""

    def block(name, x):
        parts, out = [], x
        for i in (1, 2, 3):
            out = net.conv(f"{name}.conv{i}", net.active(f"{name}.bn{i}", out), padding=1)
            parts.append(out)
        if f"{name}.downsample.2.weight" in net.weights:
            x = net.conv(f"{name}.downsample.2", net.active(f"{name}.downsample.0", x))
        return net.torch.cat(parts, 1) + x

    def level(name, depth, x):
        aside = block(f"{name}.b1_{depth}", x)
        low = block(f"{name}.b2_{depth}", pool(x, 2))
        low = level(name, depth - 1, low) if depth > 1 else block(f"{name}.b2_plus_1", low)
        low = block(f"{name}.b3_{depth}", low)
        return aside + net.functional.interpolate(low, scale_factor=2)

    x = block("conv2", net.active("bn1", net.conv("conv1", image, 2, 3)))
    x = stem = block("conv4", block("conv3", pool(x, 2)))
    handed = []
    for i in range(count):
        top = block(f"top_m_{i}", level(f"m{i}", 4, x))
        top = net.active(f"bn_end{i}", net.conv(f"conv_last{i}", top))
        maps = net.conv(f"l{i}", top)
        if i < count - 1:
            top = net.conv(f"bl{i}", top)
            x = x + top + net.conv(f"al{i}", maps)
        handed.append(top)
    return block, stem, handed, maps


def torch_fan(net: Torch, image):
    """Returns the heat maps."""
    pool = net.functional.avg_pool2d
    return torch_hourglasses(net, image, pool=pool, count=4)[-1]


def torch_emonet(net: Torch, image):
    """Returns expression, valence and arousal, side by side."""
    pool = net.functional.max_pool2d
    block, stem, handed, maps = torch_hourglasses(net, image, pool=pool, count=2)
    attended = net.torch.cat(handed, 1) * maps.sum(1, keepdim=True)
    x = net.conv("conv1x1_input_emo_2", net.torch.cat([stem, attended], 1))
    for i in range(4):
        x = pool(block(f"emo_net_2.{2 * i}", x), 2)
    x = net.dense("emo_fc_2.0", net.functional.avg_pool2d(x, 4).flatten(1))
    return net.dense("emo_fc_2.3", net.active("emo_fc_2.1", x))


def torch_syncnet(net: Torch, windows, mfcc):
    """Returns both embeddings, one under the other."""
    relu_pool3, relu_pool2 = net.functional.max_pool3d, net.functional.max_pool2d
    x = net.active("netcnnlip.1", net.conv("netcnnlip.0", windows, (1, 2, 2)))
    x = relu_pool3(x, (1, 3, 3), (1, 2, 2))
    x = net.active("netcnnlip.5", net.conv("netcnnlip.4", x, (1, 2, 2), (0, 1, 1)))
    x = relu_pool3(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for place in (8, 11, 14):
        name = f"netcnnlip.{place}"
        x = net.active(f"netcnnlip.{place + 1}", net.conv(name, x, 1, (0, 1, 1)))
    x = relu_pool3(x, (1, 3, 3), (1, 2, 2))
    lips = net.active("netcnnlip.19", net.conv("netcnnlip.18", x)).flatten(1)
    x = net.active("netcnnaud.1", net.conv("netcnnaud.0", mfcc, 1, 1))
    x = net.active("netcnnaud.5", net.conv("netcnnaud.4", x, 1, 1))
    x = relu_pool2(x, 3, (1, 2))
    for place in (8, 11, 14):
        x = net.active(f"netcnnaud.{place + 1}", net.conv(f"netcnnaud.{place}", x, 1, 1))
    x = relu_pool2(x, 3, 2)
    sound = net.active("netcnnaud.19", net.conv("netcnnaud.18", x)).flatten(1)
    both = []
    for name, features in (("netfclip", lips), ("netfcaud", sound)):
        hidden = net.active(f"{name}.1", net.dense(f"{name}.0", features))
        both.append(net.dense(f"{name}.3", hidden))
    return net.torch.cat(both)


def torch_lpips(net: Torch, image0, image1):
    """Returns the distance."""
    trunk = lpips.trunk_of(net.weights)
    shift, scale = (
        net.torch.tensor(values)[None, :, None, None] for values in (lpips.SHIFT, lpips.SCALE)
    )
    found = []
    for x in (image0, image1):
        x, maps = (x - shift) / scale, []
        for place, (*_, stride, padding) in trunk.convs.items():
            if place in trunk.pooled_before:
                x = net.functional.max_pool2d(x, trunk.pool, 2)
            x = net.functional.relu(net.conv(f"features.{place}", x, stride, padding))
            if place in trunk.compared:
                maps.append(x / (x.square().sum(1, keepdim=True).sqrt() + lpips.EPSILON))
        found.append(maps)
    shares = [
        net.conv(f"lin{i}.model.1", (a - b).square()).mean((2, 3))
        for i, (a, b) in enumerate(zip(*found, strict=True))
    ]
    return sum(shares)


# PyTorch's passes, and the outputs of ours that make the same array.
_TORCH = {
    "emonet_8": (torch_emonet, ("expression", "valence", "arousal")),
    "emonet_5": (torch_emonet, ("expression", "valence", "arousal")),
    "fan": (torch_fan, ("heatmap3",)),
    "syncnet": (torch_syncnet, ("lip_embedding", "audio_embedding")),
    "lpips_alex": (torch_lpips, ("distance",)),
    "lpips_vgg": (torch_lpips, ("distance",)),
}
_SIDES = {"lpips_alex": 256, "lpips_vgg": 256, "bisenet": 512, "easyportrait_fpn": 512}


def batch(name: str, size: int) -> list[np.ndarray]:
    """Returns float inputs of a network's native size, `size` of each."""
    found = []
    for i, one in enumerate(probe.inputs(name)):
        shape = (size, *one.shape[1:])
        if name in _SIDES:
            shape = (*shape[:2], _SIDES[name], _SIDES[name])
        draw = probe.draw(f"{name}:{i}", shape, kind="bytes" if one.dtype == np.uint8 else "normal")
        if name == "syncnet" or one.dtype != np.uint8:
            found.append(np.float32(draw))
        else:
            found.append(np.float32(draw) / 255)
    return found


def measure(name: str) -> dict:
    """Returns the figures of one network."""
    weights = probe.weights(probe.small_layout(name))
    given = batch(name, _BATCH.value)
    network = experts.from_state_dict(name, weights)
    torch_pass, outputs = _TORCH.get(name) or (None, network.outputs(*given))
    passes = {"float32": _ours(network, given, outputs)}
    if _BFLOAT16.value:
        short = experts.from_state_dict(name, weights, dtype=jnp.bfloat16)
        passes["bfloat16"] = _ours(short, given, outputs)
    if torch_pass is not None and importlib.util.find_spec("torch"):
        passes["torch"] = _theirs(Torch(weights), torch_pass, given)
    found = {key: run() for key, run in passes.items()}  # compiles
    seconds: dict[str, list[tuple[float, float]]] = {key: [] for key in passes}
    for _ in range(_REPEATS.value):
        for key, run in passes.items():
            wall, work = time.perf_counter(), time.process_time()
            run()
            seconds[key].append((time.perf_counter() - wall, time.process_time() - work))
    medians, works = (
        {key: statistics.median(pair[i] for pair in pairs) for key, pairs in seconds.items()}
        for i in (0, 1)
    )
    figures = {
        "batch": _BATCH.value,
        "per_second": {key: _BATCH.value / value for key, value in medians.items()},
        "processor_seconds": {key: value / _BATCH.value for key, value in works.items()},
        "error": {key: _error(found[key], found["float32"]) for key in passes if key != "float32"},
    }
    if "torch" in medians:
        figures["ratio"] = medians["torch"] / medians["float32"]
        figures["processor_ratio"] = works["torch"] / works["float32"]
        if figures["error"]["torch"] > PARITY:
            raise ValueError(f"{name}: {figures['error']['torch']:.1e} from PyTorch's numbers")
    return figures


def _ours(network: experts.Expert, given: list[np.ndarray], outputs: tuple[str, ...]):
    """A pass that gives one array for each output, on the host."""
    inputs = [jnp.asarray(value) for value in given]

    def run():
        found = network.apply(network.params, *inputs, outputs=outputs)
        return [np.asarray(jax.block_until_ready(found[key])) for key in outputs]

    return run


def _theirs(net: Torch, forward, given: list[np.ndarray]):
    """PyTorch's pass."""
    inputs = [net.torch.from_numpy(value) for value in given]
    net.torch.set_num_threads(os.cpu_count() or 1)

    def run():
        with net.torch.inference_mode():
            return [forward(net, *inputs).numpy()]

    return run


def _error(found: list[np.ndarray], want: list[np.ndarray]) -> float:
    """The largest difference over the largest magnitude; PyTorch's parts come in one array."""
    columns = len(found) < len(want) and any(part.ndim == 1 for part in want)
    if columns:
        want = [np.concatenate([part.reshape(len(part), -1) for part in want], axis=1)]
    elif len(found) < len(want):
        want = [np.concatenate(want)]
    return max(
        float(np.abs(a.ravel() - b.ravel()).max() / np.abs(b).max())
        for a, b in zip(found, want, strict=True)
        if b.dtype.kind == "f"  # labels may turn at near-ties
    )


def main(argv: list[str]) -> None:
    """Times the networks and prints a line for each."""
    del argv
    figures = {}
    for name in _NETWORKS.value:
        figures[name] = measure(name)
        speeds = ", ".join(f"{key} {v:.2f}/s" for key, v in figures[name]["per_second"].items())
        errors = ", ".join(f"{key} {v:.1e}" for key, v in figures[name]["error"].items())
        ratio, errors = "", f"; errors: {errors}" if errors else ""
        if "ratio" in figures[name]:
            wall, work = figures[name]["ratio"], figures[name]["processor_ratio"]
            ratio = f"; ratio {wall:.2f}, of processor time {work:.2f}"
        print(f"{name}, {_BATCH.value} at a time: {speeds}{ratio}{errors}", flush=True)
    if _OUT.value:
        device = jax.devices()[0].device_kind
        facts = {"device": device, "cores": os.cpu_count(), "jax": jax.__version__}
        place = pathlib.Path(_OUT.value)
        place.write_text(json.dumps({"machine": facts, "networks": figures}, indent=2) + "\n")


if __name__ == "__main__":
    app.run(main)

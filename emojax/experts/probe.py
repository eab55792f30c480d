"""A stored probe of every network: whether this machine computes what was computed and proven.

Weights and inputs are made from the names of keys, so nothing large is stored. `VALUES` holds a few
numbers of each output, recorded when the same functions met the originals' stored outputs (the
parity tests). Large networks are probed at a smaller size, which their layouts allow.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from emojax.experts import (
    deepspeech,
    expert,
    registry,
    spec,
    stylegan2,
    stylegan2_ada,
    stylegan2_rosinality,
)

NUM_SAMPLES = 4  # of each output
_SMALL_SIDE = 16  # of StyleGAN2's pictures
_SMALL_WIDTH = 32  # of DeepSpeech
_FEW_STYLES = 4  # of e4e's encoder and EmoStyle's mapping

# Inputs: bytes where they are pictures, else normal numbers.
_PICTURE = {
    "emonet_8": (1, 3, 256, 256),
    "emonet_5": (1, 3, 256, 256),
    "fan": (1, 3, 256, 256),
    "bisenet": (1, 3, 64, 96),
    "easyportrait_fpn": (1, 3, 64, 96),
    "face_normals": (1, 3, 64, 96),
    "vggface2": (1, 3, 80, 72),
    "e4e_encoder": (1, 3, 256, 256),
}
_OTHERS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "syncnet": (("bytes", (1, 3, 5, 224, 224)), ("normal", (2, 1, 13, 20))),
    "wav2lip_syncnet": (("bytes", (1, 15, 48, 96)), ("normal", (1, 1, 80, 16))),
    "lpips_alex": (("bytes", (1, 3, 40, 48)), ("bytes", (1, 3, 40, 48))),
    "lpips_vgg": (("bytes", (1, 3, 40, 48)), ("bytes", (1, 3, 40, 48))),
    "stylegan2_ada": (("normal", (1, stylegan2.num_styles(_SMALL_SIDE), stylegan2.LATENT)),),
    "stylegan2_rosinality": (("normal", (1, stylegan2.num_styles(_SMALL_SIDE), stylegan2.LATENT)),),
    "emo_mapping": (("normal", (1, _FEW_STYLES, stylegan2.LATENT)), ("normal", (1, 2))),
    "deepspeech": (("normal", (12, deepspeech.VECTOR)),),
}


def parity(name: str) -> dict[str, float] | None:
    """Returns the largest error of each output over its largest magnitude; None without a probe.

    Args:
      name: of the network.
    """
    if name not in VALUES:
        return None
    errors = {}
    for output, found in record(name).items():
        stored = VALUES[name][output]
        worst = max(abs(a - b) for a, b in zip(found, stored, strict=True))
        errors[output] = worst / max(abs(stored[-1]), 1e-30)
    return errors


def record(name: str) -> dict[str, list[float]]:
    """Returns some numbers of each output of a network's probe, the largest magnitude at the end.

    Args:
      name: of the network.
    """
    network = expert.from_state_dict(name, weights(small_layout(name)))
    given = inputs(name)
    found = network.apply(network.params, *given, outputs=network.outputs(*given))
    floats = {k: np.asarray(v) for k, v in found.items() if np.asarray(v).dtype == np.float32}
    return {
        key: [*_samples(value), float(np.abs(value).max())]
        for key, value in floats.items()
        if key != "input_vector" and not key.startswith("landmarks")
    }


def inputs(name: str) -> list[np.ndarray]:
    """Returns the inputs of a network's probe.

    Args:
      name: of the network.
    """
    kinds = _OTHERS.get(name) or (("bytes", _PICTURE[name]),)
    return [draw(f"{name}:{i}", shape, kind=kind) for i, (kind, shape) in enumerate(kinds)]


def weights(layout: spec.Shapes) -> dict[str, np.ndarray]:
    """Returns made-up weights of a layout, which keep activations of moderate size.

    Args:
      layout: key -> shape.
    """
    return {key: _weight(key, shape, layout) for key, shape in layout.items()}


def draw(seed: str, shape: Sequence[int], *, kind: str = "normal") -> np.ndarray:
    """Returns random numbers that depend on a text alone.

    Args:
      seed: the text.
      shape: of the result.
      kind: "normal" for float32, "bytes" for uint8.
    """
    digest = int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16)
    generator = np.random.Generator(np.random.PCG64(digest))
    if kind == "bytes":
        return generator.integers(0, 256, size=tuple(shape), dtype=np.uint8)
    return generator.standard_normal(tuple(shape), dtype=np.float32)


def small_layout(name: str) -> spec.Shapes:
    """Returns the layout that a network is probed in.

    Args:
      name: of the network.
    """
    layout = registry.get(name).layout
    makers: Mapping[str, Callable[[], dict[str, Any]]] = {
        "deepspeech": lambda: {"h1": (deepspeech.VECTOR, _SMALL_WIDTH)},
        "stylegan2_ada": functools.partial(_small_sides, stylegan2_ada.layout({})),
        "stylegan2_rosinality": functools.partial(_small_convs, stylegan2_rosinality.layout({})),
        "emo_mapping": lambda: {f"latent_net.{_FEW_STYLES - 1}.0.weight": (2048, 576)},
        "e4e_encoder": lambda: {
            f"encoder.styles.{i}.linear.weight": (512, 512) for i in range(_FEW_STYLES)
        },
    }
    return layout(makers[name]() if name in makers else {})


def _weight(key: str, shape: Sequence[int], layout: spec.Shapes) -> np.ndarray:
    """One array, of a size that fits what it is for."""
    noise = draw(key, shape)
    stem, _, part = key.rpartition(".")
    if part == "running_var":
        return np.float32(0.75) + np.abs(noise) / 2
    if f"{stem}.running_var" in layout and part == "weight":
        return 1 + noise / 10
    if len(shape) < 2:
        return noise / 10
    # TensorFlow's matrices are [in, out], PyTorch's [out, in, ...].
    inside = shape[0] if key.startswith("h") or key.endswith("/kernel") else math.prod(shape[1:])
    return noise / np.float32(math.sqrt(inside))


def _small_sides(usual: spec.Shapes) -> dict[str, Any]:
    """NVIDIA's keys of small pictures."""
    sides = [side for side in stylegan2_ada.sides(usual) if side <= _SMALL_SIDE]
    names = [f"synthesis.b{side}.conv1.weight" for side in sides]
    return {name: usual[name] for name in names}


def _small_convs(usual: spec.Shapes) -> dict[str, Any]:
    """Rosinality's keys of small pictures."""
    count = stylegan2.num_styles(_SMALL_SIDE) - 2
    return {f"convs.{i}.conv.weight": usual[f"convs.{i}.conv.weight"] for i in range(count)}


def _samples(value: np.ndarray) -> list[float]:
    """Some numbers of an array, evenly spread."""
    places = np.linspace(0, value.size - 1, NUM_SAMPLES).astype(int)
    return [float(number) for number in value.ravel()[places]]


VALUES: Mapping[str, Mapping[str, Sequence[float]]] = {
    "emonet_8": {
        "arousal": (-22427.17, -22427.17, -22427.17, -22427.17, 22427.17),
        "expression": (7068.071, 11058.53, 3378.589, 11752.17, 21524.46),
        "heatmap": (-4.468944, 51.89434, 8.393972, -43.40843, 317.5728),
        "valence": (14051.19, 14051.19, 14051.19, 14051.19, 14051.19),
    },
    "emonet_5": {
        "arousal": (-4814.12, -4814.12, -4814.12, -4814.12, 4814.12),
        "expression": (7773.758, -17064.09, 11129.81, 4102.138, 17064.09),
        "heatmap": (-5.584511, 51.31526, -0.06404728, -40.07148, 322.1688),
        "valence": (21663.73, 21663.73, 21663.73, 21663.73, 21663.73),
    },
    "syncnet": {
        "audio_embedding": (0.3972919, -0.5711581, -0.01689398, -0.5252419, 1.091095),
        "lip_embedding": (15.2095, -4.960691, 34.47341, 19.92474, 85.7086),
        "lip_feature_512": (100.1246, 0, 76.80088, 39.71822, 172.7544),
    },
    "wav2lip_syncnet": {
        "audio_embedding": (0, 0, 0.006745986, 0, 0.1735013),
        "cosine": (0.2893073, 0.2893073, 0.2893073, 0.2893073, 0.2893073),
        "face_embedding": (0, 0, 0.03201059, 0.05437247, 0.2194674),
    },
    "fan": {
        "heatmap0": (1.878488, 3.236188, -5.934556, -1.473427, 9.999639),
        "heatmap1": (-15.21881, 22.8235, -2.058996, -7.718456, 108.7701),
        "heatmap2": (-95.57851, -0.7566606, 283.2429, 110.5157, 668.6741),
        "heatmap3": (1721.896, 881.1679, 5160.952, -1061.341, 7250.419),
        "scores": (3885.181, 1921.652, -156.4936, 2435.091, 7250.419),
    },
    "bisenet": {
        "logits": (-0.885016, -0.1410287, -0.9204073, -0.09393704, 5.31163),
        "logits16": (0.1807338, 0.2882546, -0.1619971, 0.1675943, 1.569637),
        "logits32": (-0.1896559, 0.2538904, 0.05965769, 0.6152241, 2.080378),
    },
    "easyportrait_fpn": {
        "logits": (0.5180261, -5.56902, -2.53375, -0.6946467, 6.116354),
        "probabilities": (0.1013178, 0.0003498425, 0.007871958, 0.03444062, 0.8384584),
    },
    "lpips_alex": {
        "distance": (-0.01153271, -0.01153271, -0.01153271, -0.01153271, 0.01153271),
        "per_layer": (-0.01327615, 0.00085405, 0.0003873421, 0.000343317, 0.01327615),
    },
    "lpips_vgg": {
        "distance": (0.001813086, 0.001813086, 0.001813086, 0.001813086, 0.001813086),
        "per_layer": (-0.0001416565, 0.001969614, -4.549483e-05, 2.286339e-06, 0.001969614),
    },
    "face_normals": {
        "image_branch": (0.2483054, 0.271833, -0.268116, 0.004911177, 0.4105694),
        "normals_raw": (-0.1423262, -0.009978555, -0.05929865, -0.09557955, 0.3635653),
        "normals_unit": (-0.68023, -0.08836689, -0.5251299, -0.8464218, 0.9999283),
    },
    "vggface2": {
        "embedding": (0.01589762, 0.01068963, 0.02353282, 0.0003064712, 0.09681296),
        "logits_8631": (16.82391, -68.98664, 48.37185, -16.57906, 351.2119),
    },
    "stylegan2_ada": {
        "image": (-0.01367443, 0.01868711, 0.1460624, -0.007762901, 3.385499),
    },
    "stylegan2_rosinality": {
        "image": (0.3182077, 0.5528787, 1.368792, -1.571622, 3.852536),
    },
    "emo_mapping": {
        "delta_wplus": (0.1172537, 0.268368, -0.1080127, 1.026293, 1.272287),
        "edited_latent": (-1.643247, 1.07845, -1.974064, 0.8583578, 3.625),
    },
    "e4e_encoder": {
        "codes": (-0.02419909, 0.1153328, -0.06319533, -0.1531489, 0.5096408),
        "wplus": (-0.08108357, 0.08833973, -0.002275437, -0.1900821, 0.4957954),
    },
    "deepspeech": {
        "logits": (-0.1077866, 0.119357, 0.08652344, 0.04685466, 0.4657237),
    },
}

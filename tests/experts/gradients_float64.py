"""Compares float32 gradients, the originals' and ours, with exact ones: why `ROUTED_GATE`.

    python -m tests.experts.gradients_float64 > benchmarks/expert_gradients.json

Rectifiers and max pools choose by the last bit: where float32 chooses otherwise than float64, a
gradient is another one wherever that choice is seen, and no order of operations chooses alike. For
each stored gradient, its first picture: how far the stored one, and ours in float32, are from ours
in float64, and from each other, over the largest magnitude and in the root mean square; and how far
the exact one is from a central difference along a random direction: far where a rectifier turns
within the step. Where none does, and ours are exact to the gate and the stored ones are not, some
exact numbers are kept for the tests (`golden.EXACT`).
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

from emojax import experts
from tests.experts import golden

STEP = 1e-7  # of the central difference, over a normal direction
SMOOTH = 1e-5  # of the gradient's length: below, no rectifier turned within the step

_EMOTION = ["valence", "arousal", "expression"]
_PAIR = {"distance_wrt_image0": ["distance"]}


def _unit(name, key):
    return golden.data(name)[key][:1] / np.float32(255)


def _sounds():
    clip = np.float32(golden.data("syncnet")["in.clip_bgr_u8"])[None, :, :5]
    wave = golden.data("syncnet")["in.wave_int16_16k"]
    return clip, experts.registry.get("syncnet").front(clip, wave)[0][1][:1]


def _pair(name):
    images = (golden.data(name)[f"in.image{i}_u8"][:1] for i in (0, 1))
    return tuple(image / np.float32(127.5) - 1 for image in images)


# Network: its inputs, {stored gradient: outputs in its sum}, the input that it is of, its layouts.
CASES = {
    "emonet_8": (
        lambda: (_unit("emonet_8", "in.image_u8"),),
        {"emotion_wrt_x": _EMOTION, "heatmap_wrt_x": ["heatmap"]},
    ),
    "emonet_5": (
        lambda: (_unit("emonet_5", "in.image_u8"),),
        {"emotion_wrt_x": _EMOTION, "heatmap_wrt_x": ["heatmap"]},
    ),
    "fan": (lambda: (_unit("fan", "in.image_u8"),), {"heatmap3_wrt_x": ["heatmap3"]}),
    "syncnet": (_sounds, {"lip_embedding_wrt_windows": ["lip_embedding"]}),
    "vggface2": (
        lambda: (_unit("vggface2", "in.image_u8"),),
        {"embedding_wrt_x": ["embedding"]},
    ),
    "face_normals": (
        lambda: (_unit("face_normals", "in.image_u8"),),
        {"normals_unit_wrt_x": ["normals_unit"], "normals_raw_wrt_x": ["normals_raw"]},
    ),
    "stylegan2_ada": (
        lambda: (golden.data("stylegan2_ada")["in.ws"][:1],),
        {"image_wrt_ws": ["image"]},
    ),
    "stylegan2_rosinality": (
        lambda: (golden.data("stylegan2_rosinality")["in.wplus"][:1],),
        {"image_wrt_wplus": ["image"]},
    ),
    "lpips_alex": (lambda: _pair("lpips_alex"), _PAIR),
    "lpips_vgg": (lambda: _pair("lpips_vgg"), _PAIR),
}


def _slope(name, tags, inputs, dtype):
    """The sum of some outputs and its gradient, a function of the first input, compiled once."""
    fields = ("keys_trunk", "keys") if name.startswith("lpips") else ()
    network = experts.from_state_dict(name, golden.state_dict(name, *fields), dtype=dtype)
    rest = [jnp.asarray(value, dtype) for value in inputs[1:]]

    def total(x, params):
        found = network.apply(params, x, *rest, outputs=tags)
        return sum(
            jnp.sum(found[tag] * golden.cotangent(name, tag, golden.shape(name, tag))[:1])
            for tag in tags
        )

    run = jax.jit(jax.value_and_grad(total))
    return lambda x: run(x, network.params)


def _stored(name, key, size):
    """The stored gradient of the first picture, its places, and the largest magnitude of all."""
    arrays = golden.data(name)
    if f"grad.{key}.sub" not in arrays:
        return arrays[f"grad.{key}"].ravel()[:size], 1, np.abs(arrays[f"grad.{key}"]).max()
    step = int(arrays[f"grad.{key}.step"])
    largest = np.abs(arrays[f"grad.{key}.stats"][2:4]).max()
    return arrays[f"grad.{key}.sub"][: -(-size // step)], step, largest


def study(name, key, tags, inputs):
    """Returns the distances of one gradient, plain numbers, and some exact numbers of it."""
    ours = np.asarray(_slope(name, tags, inputs, jnp.float32)(jnp.asarray(inputs[0]))[1])
    with jax.enable_x64(True):
        run = _slope(name, tags, inputs, jnp.float64)
        x = np.float64(inputs[0])
        exact = np.asarray(run(x)[1])
        along = np.random.default_rng(0).standard_normal(x.shape)
        rise = (float(run(x + STEP * along)[0]) - float(run(x - STEP * along)[0])) / (2 * STEP)
    stored, step, largest = _stored(name, key, ours.size)
    parts = {"stored": stored, "ours": ours.ravel()[::step], "exact": exact.ravel()[::step]}

    def apart(a, b):
        off = np.float64(parts[a]) - parts[b]
        return {
            "largest": float(np.abs(off).max() / largest),
            "rms": float(np.linalg.norm(off) / np.linalg.norm(parts["exact"])),
            "share_beyond_1e-4": float((np.abs(off) > golden.GRADIENT_GATE * largest).mean()),
        }

    slope = float(np.sum(exact * along))
    figures = {
        "stored_from_exact": apart("stored", "exact"),
        "ours_from_exact": apart("ours", "exact"),
        "ours_from_stored": apart("ours", "stored"),
        "difference_quotient_from_exact": abs(rise - slope) / float(np.linalg.norm(exact)),
    }
    return figures, np.float32(golden.thinned(parts["exact"]))


def main(names):
    """Prints the study of networks, all by default, as JSON."""
    found, kept = {}, {}
    for name in names or CASES:
        inputs, sums = CASES[name]
        for key, tags in sums.items():
            full = f"{name}.{key}"
            figures, exact = study(name, key, tags, inputs())
            found[full] = figures
            off = {who: figures[f"{who}_from_exact"]["largest"] for who in ("stored", "ours")}
            smooth = figures["difference_quotient_from_exact"] < SMOOTH
            if smooth and off["ours"] < golden.GRADIENT_GATE < off["stored"]:
                kept[full] = exact
            print(full, figures, file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))
    if not names:
        np.savez(golden.EXACT, **kept)


if __name__ == "__main__":
    main(sys.argv[1:])

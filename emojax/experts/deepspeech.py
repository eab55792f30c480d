"""Mozilla's DeepSpeech 0.1.0 and the features that AD-NeRF and TalkingGaussian take from it.

A wave [N] at 16 kHz in the range of int16 becomes input vectors [T, 494] at 50 Hz (26 MFCC of 19
steps, whitened over the whole clip), these become logits [T, 1, 29] (28 characters and a blank),
and these windows [n, 16, 29], one a frame at 25 fps. Whitening makes features depend on the clip's
length, and the windowing drops the last step at 50 Hz, both as in the original (TalkingGaussian,
data_utils/deepspeech_features). Matrices are [in, out]; the width is read from the file.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import inputs, layers, spec, speech_features
from emojax.experts.layers import Params

NUM_CEPSTRA = 26
STRIDE = 2  # steps of 10 ms
CONTEXT = 9  # steps of 20 ms on each side
VECTOR = NUM_CEPSTRA * (2 * CONTEXT + 1)
CLASSES = 29
HIDDEN = 2048
CLIP = 20.0  # of the rectified layers
FORGET_BIAS = 1.0  # added at run time
STEP_RATE = 50
WINDOW, WINDOW_STRIDE, WINDOW_PADDING = 16, 2, 8

_CELL = "bidirectional_rnn/{}/basic_lstm_cell"


def input_vector(wave: np.ndarray) -> np.ndarray:
    """Returns what the network hears, [T, 494] float64 at 50 Hz.

    Args:
      wave: [N] samples at 16 kHz in the range of int16.

    Raises:
      CheckpointError: shorter than a frame, not mono, not finite, or all samples equal.
    """
    steps = speech_features.mfcc(wave, num_cepstra=NUM_CEPSTRA)[::STRIDE]
    padded = np.pad(steps, ((CONTEXT, CONTEXT), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, 2 * CONTEXT + 1, axis=0)
    vector = views.swapaxes(1, 2).reshape(len(steps), VECTOR)
    return (vector - vector.mean()) / vector.std()


def forward(params: Params, vector: jax.Array, *, num_samples: int | None = None) -> spec.Outputs:
    """Returns the logits of input vectors, and features where the sound's length is known.

    Args:
      params: of the network.
      vector: [T, 494].
      num_samples: of the wave; static.
    """
    vector = layers.floats(inputs.array("input_vector", vector, ("B", VECTOR)))
    x, mid = vector, {}
    for i in (1, 2, 3):
        x = mid[f"layer_{i}"] = _clipped(params, i, x)
    ahead = _lstm(params, "fw", x)
    behind = _lstm(params, "bw", x[::-1])[::-1]
    mid |= {"lstm_fw": ahead[:, None], "lstm_bw": behind[:, None]}
    x = mid["layer_5"] = _clipped(params, 5, jnp.concatenate([ahead, behind], axis=-1))
    logits = layers.product("ti,io->to", x, params["h6"]) + params["b6"]
    more = {}
    if num_samples is not None:
        steps = features(logits[:, None], num_samples)
        more = {"features_50hz": steps, "windows_25fps": windows(steps)}
    return {
        "input_vector": vector,
        "logits": logits[:, None],
        **more,
        **{f"mid.{name}": value for name, value in mid.items()},
    }


def cell(
    params: Params, direction: str, x: jax.Array, state: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Returns the next state (c, h) of TensorFlow's BasicLSTMCell.

    Gates are in the order i, j, f, o, not PyTorch's and Flax's i, f, g, o.

    Args:
      params: of the network.
      direction: "fw" or "bw".
      x: [..., 2 H].
      state: (c, h), [..., H] each.
    """
    kernel, bias = _of_input(params, direction)
    gates = layers.product("...i,io->...o", x, kernel) + bias
    return _step(_of_output(params, direction), gates, state)


def features(logits: jax.Array, num_samples: int) -> jax.Array:
    """Returns logits at 50 Hz of the sound's length, [M, 29], as AD-NeRF interpolates them.

    Args:
      logits: [T, 1, 29].
      num_samples: of the sound; static.
    """
    found = logits[:, 0]
    count = round(STEP_RATE * num_samples / speech_features.SAMPLE_RATE)
    # The original's windowing of length one leaves the last step out.
    there, wanted = (np.arange(n) / STEP_RATE for n in (len(found), count))
    place = np.interp(wanted, there, np.arange(len(found)))[: max(count - 1, 0)]
    low = np.minimum(place.astype(int), len(found) - 1)
    high = np.minimum(low + 1, len(found) - 1)
    share = jnp.asarray((place - low)[:, None], logits.dtype)
    return found[low] * (1 - share) + found[high] * share


def windows(steps: jax.Array) -> jax.Array:
    """Returns one window a frame at 25 fps, [n, 16, 29].

    Args:
      steps: [M, 29] of `features`.
    """
    padded = jnp.pad(steps, ((WINDOW_PADDING, WINDOW_PADDING), (0, 0)))
    starts = np.arange(0, len(padded) - WINDOW + 1, WINDOW_STRIDE)
    return padded[starts[:, None] + np.arange(WINDOW)]


def front(wave: np.ndarray) -> tuple[tuple, dict[str, int], spec.Outputs]:
    """Returns the input of `forward`, made from a wave where that is given.

    Args:
      wave: [N], or input vectors [T, 494].
    """
    if np.ndim(wave) != 1:
        return (wave,), {}, {}
    return (jnp.asarray(input_vector(wave), jnp.float32),), {"num_samples": len(wave)}, {}


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the layout at the file's width.

    Args:
      shapes: of the file.
    """
    first = shapes.get("h1", ())
    width = first[1] if len(first) == 2 else HIDDEN
    sizes = {
        1: (VECTOR, width),
        2: (width, width),
        3: (width, 2 * width),
        5: (2 * width, width),
        6: (width, CLASSES),
    }
    found: dict[str, spec.Shape] = {}
    for i, size in sizes.items():
        found |= {f"h{i}": size, f"b{i}": size[1:]}
    for direction in ("fw", "bw"):
        name = _CELL.format(direction)
        found |= {f"{name}/kernel": (3 * width, 4 * width), f"{name}/bias": (4 * width,)}
    return found


def _clipped(params: Params, i: int, x: jax.Array) -> jax.Array:
    """A dense layer between 0 and 20."""
    return jnp.clip(layers.product("ti,io->to", x, params[f"h{i}"]) + params[f"b{i}"], 0, CLIP)


def _lstm(params: Params, direction: str, x: jax.Array) -> jax.Array:
    """The outputs [T, H] of one direction.

    What the inputs do to the gates is one product for all steps: two thirds of the kernel need not
    be read again at each.
    """
    kernel, bias = _of_input(params, direction)
    gates = layers.product("ti,io->to", x, kernel) + bias
    kernel = _of_output(params, direction)
    zeros = jnp.zeros(kernel.shape[0], gates.dtype)

    def step(state, gates):
        state = _step(kernel, gates, state)
        return state, state[1]

    return jax.lax.scan(step, (zeros, zeros), gates)[1]


def _step(
    kernel: jax.Array, gates: jax.Array, state: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """The next state, given the inputs' share of the gates."""
    c, h = state
    gates = gates + layers.product("...i,io->...o", h, kernel)
    i, j, f, o = jnp.split(gates, 4, axis=-1)
    c = c * jax.nn.sigmoid(f + FORGET_BIAS) + jax.nn.sigmoid(i) * jnp.tanh(j)
    return c, jnp.tanh(c) * jax.nn.sigmoid(o)


def _of_input(params: Params, direction: str) -> tuple[jax.Array, jax.Array]:
    """The rows [2 H, 4 H] of a cell's kernel for its input, and its bias."""
    name = _CELL.format(direction)
    bias = params[f"{name}/bias"]
    return params[f"{name}/kernel"][: bias.shape[0] // 2], bias


def _of_output(params: Params, direction: str) -> jax.Array:
    """The rows [H, 4 H] of a cell's kernel for its last output."""
    name = _CELL.format(direction)
    return params[f"{name}/kernel"][params[f"{name}/bias"].shape[0] // 2 :]


SPEC = spec.Spec(
    name="deepspeech",
    task="letters from speech; features that drive lips",
    inputs={"wave": "[N] at 16 kHz in the range of int16; or input vectors [T, 494]"},
    outputs={
        "input_vector": "[T, 494] at 50 Hz",
        "logits": "[T, 1, 29]",
        "features_50hz": "[M, 29] (of a wave)",
        "windows_25fps": "[n, 16, 29] (of a wave), what aud_ds.npy holds",
    },
    forward=forward,
    layout=layout,
    front=front,
    products=("h?", "*/kernel"),
    # TensorFlow up to 1.1 called them weights and biases; graphs read through an identity.
    renames=((r"/weights$", "/kernel"), (r"/biases$", "/bias"), (r"/read$", "")),
    official="deepspeech-0_1_0-b90017e8.pb of https://github.com/osmr/deepspeech_features",
    licence="MPL-2.0",
    gradients="to input vectors; not through sound",
)

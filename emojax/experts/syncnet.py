"""SyncNet: do lips and sound belong together (Chung & Zisserman 2016; joonson/syncnet_python).

Two towers give embeddings of 1024 numbers: one of five frames of a face, one of 0.2 s of sound.
Frames are BGR from 0 to 255, not normalised, [B, 3, 5, 224, 224]; sound is 13 MFCC at 100 Hz,
[B, 1, 13, 20]. The window of sound that starts with frame i at 25 fps starts at step 4i. Which
crop, offset and confidence: `lip_sync`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import inputs, layers, spec, speech_features
from emojax.experts.checkpoint.refusal import CheckpointError
from emojax.experts.layers import Params

SIDE = 224
FRAMES = 5
NUM_CEPSTRA, STEPS = 13, 20
STEPS_PER_FRAME = 4
HIDDEN, EMBEDDING = 512, 1024

# Place in the Sequential of each convolution: (out, in, kernel, stride, padding), batch norm and
# ReLU follow; then pools: place -> (kernel, stride, padding). The lips' kernels have an axis of
# time, but the first spans all five frames and the others one: frames are run as channels.
_LIP = {
    0: (96, 3, (FRAMES, 7, 7), 2, 0),
    4: (256, 96, (1, 5, 5), 2, 1),
    8: (256, 256, (1, 3, 3), 1, 1),
    11: (256, 256, (1, 3, 3), 1, 1),
    14: (256, 256, (1, 3, 3), 1, 1),
    18: (512, 256, (1, 6, 6), 1, 0),
}
_LIP_POOLS = {3: (3, 2, 0), 7: (3, 2, 1), 17: (3, 2, 0)}
_SOUND = {
    0: (64, 1, (3, 3), 1, 1),
    4: (192, 64, (3, 3), 1, 1),
    8: (384, 192, (3, 3), 1, 1),
    11: (256, 384, (3, 3), 1, 1),
    14: (256, 256, (3, 3), 1, 1),
    18: (512, 256, (5, 4), 1, 0),
}
_SOUND_POOLS = {7: ((3, 3), (1, 2), 0), 17: ((3, 3), (2, 2), 0)}  # the pool at 3 is the identity


def lip_tower(params: Params, windows: jax.Array) -> spec.Outputs:
    """Returns the embedding of windows of frames, its features and intermediates.

    Args:
      params: of the network.
      windows: [B, 3, 5, 224, 224] BGR, 0 to 255.
    """
    windows = inputs.array("windows", windows, ("B", 3, FRAMES, SIDE, SIDE))
    x = jnp.moveaxis(layers.floats(windows, scale=1.0), (2, 1), (-2, -1))
    x = x.reshape(len(windows), SIDE, SIDE, -1)
    maps = _tower(params, "netcnnlip", x, _LIP, _LIP_POOLS)
    features = maps["last"].reshape(len(windows), -1)
    mid = {"lip_conv1": "conv0", "lip_pool1": "pool3", "lip_pool2": "pool7", "lip_conv6": "conv18"}
    return {
        "lip_embedding": _head(params, "netfclip", features),
        "lip_feature_512": features,
        **{f"mid.{k}": layers.channels_first(maps[v])[:, :, None] for k, v in mid.items()},
    }


def sound_tower(params: Params, mfcc: jax.Array) -> spec.Outputs:
    """Returns the embedding of windows of sound, and intermediates.

    Args:
      params: of the network.
      mfcc: [B, 1, 13, 20].
    """
    mfcc = inputs.array("mfcc", mfcc, ("B", 1, NUM_CEPSTRA, STEPS))
    x = layers.channels_last(layers.floats(mfcc))
    maps = _tower(params, "netcnnaud", x, _SOUND, _SOUND_POOLS)
    mid = {"aud_conv1": "conv0", "aud_pool2": "pool7", "aud_conv6": "conv18"}
    return {
        "audio_embedding": _head(params, "netfcaud", maps["last"].reshape(len(mfcc), -1)),
        **{f"mid.{k}": layers.channels_first(maps[v]) for k, v in mid.items()},
    }


def forward(params: Params, windows: jax.Array, mfcc: jax.Array) -> spec.Outputs:
    """Returns what both towers give.

    Args:
      params: of the network.
      windows: [B, 3, 5, 224, 224] BGR, 0 to 255.
      mfcc: [B', 1, 13, 20].
    """
    return lip_tower(params, windows) | sound_tower(params, mfcc)


def clip_windows(clip: jax.Array) -> jax.Array:
    """Returns all windows of five frames in a row, [T - 4, 3, 5, 224, 224].

    Args:
      clip: [3, T, 224, 224] BGR, 0 to 255.

    Raises:
      CheckpointError: fewer than five frames.
    """
    clip = jnp.asarray(clip)
    if clip.ndim != 4 or clip.shape[1] < FRAMES:
        raise CheckpointError(
            expected=f"a clip [3, T, {SIDE}, {SIDE}] of at least {FRAMES} frames",
            got=f"shape {list(clip.shape)}",
            fix="Give a longer clip.",
        )
    starts = range(clip.shape[1] - FRAMES + 1)
    return jnp.stack([clip[:, start : start + FRAMES] for start in starts])


def bgr_windows(images: jax.Array) -> jax.Array:
    """Returns the windows of rendered faces; gradients flow.

    Args:
      images: [T, 224, 224, 3] RGB, 0 to 1.
    """
    return clip_windows(255 * jnp.moveaxis(images[..., ::-1], -1, 0))


def mfcc_windows(wave: np.ndarray) -> np.ndarray:
    """Returns the sound of every window of five frames, [n, 1, 13, 20] float32.

    Args:
      wave: [N] samples at 16 kHz in the range of int16.

    Raises:
      CheckpointError: shorter than one window.
    """
    return _cut(speech_features.mfcc(wave, num_cepstra=NUM_CEPSTRA))


def _cut(steps: np.ndarray) -> np.ndarray:
    """Cepstra [T, 13] as windows of five frames, [n, 1, 13, 20] float32."""
    if len(steps) < STEPS:
        raise CheckpointError(
            expected=f"sound of at least one window, {STEPS} steps of 10 ms",
            got=f"{len(steps)} steps",
            fix="Give at least 0.21 s of sound.",
        )
    views = np.lib.stride_tricks.sliding_window_view(steps, STEPS, axis=0)[::STEPS_PER_FRAME]
    return np.ascontiguousarray(views[:, None], np.float32)


def front(clip: jax.Array, wave: jax.Array) -> tuple[tuple, dict[str, int], spec.Outputs]:
    """Returns both inputs of `forward`, made from a clip and a wave where those are given.

    Args:
      clip: [3, T, 224, 224], or windows.
      wave: [N], or windows of MFCC.
    """
    if np.ndim(clip) == 4:
        clip = clip_windows(clip)
    if np.ndim(wave) != 1:
        return (clip, wave), {}, {}
    steps = speech_features.mfcc(wave, num_cepstra=NUM_CEPSTRA)
    return (clip, jnp.asarray(_cut(steps))), {}, {"mfcc": steps}


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the one layout; `shapes` of the file do not matter."""
    del shapes
    found: dict[str, spec.Shape] = {}
    for tower, head, table in (
        ("netcnnaud", "netfcaud", _SOUND),
        ("netcnnlip", "netfclip", _LIP),
    ):
        for place, (out, inside, kernel, *_) in table.items():
            found |= spec.conv(f"{tower}.{place}", out, inside, *kernel)
            found |= spec.norm(f"{tower}.{place + 1}", out)
        found |= spec.dense(f"{head}.0", HIDDEN, HIDDEN) | spec.norm(f"{head}.1", HIDDEN)
        found |= spec.dense(f"{head}.3", EMBEDDING, HIDDEN)
    return found


def prepare(name: str, array: np.ndarray) -> np.ndarray:
    """Returns an array as `forward` takes it.

    Args:
      name: its key.
      array: of the file; kernels [out, in, T, h, w] become [h, w, T in, out].
    """
    if array.ndim < 5:
        return layers.kernels_last(name, array)
    kernel = array.transpose(3, 4, 2, 1, 0)
    return np.ascontiguousarray(kernel.reshape(*kernel.shape[:2], -1, kernel.shape[4]))


def _tower(
    params: Params, name: str, x: jax.Array, convs: dict, pools: dict
) -> dict[str, jax.Array]:
    """All maps of a tower; the last one under "last"."""
    maps: dict[str, jax.Array] = {}
    for place in sorted({*convs, *pools}):
        if place in pools:
            size, stride, padding = pools[place]
            x = maps[f"pool{place}"] = layers.max_pool(x, size, stride=stride, padding=padding)
            continue
        _, inside, _, stride, padding = convs[place]
        if inside == 3:  # the picture itself: the kernel spans it without padding
            kernel, bias = params[f"{name}.{place}.weight"], params[f"{name}.{place}.bias"]
            layer = layers.convolve_thin(x, kernel, stride=stride) + bias
        else:
            layer = layers.conv(params, f"{name}.{place}", x, stride=stride, padding=padding)
        maps[f"conv{place}"] = layer
        x = jax.nn.relu(layers.batch_norm(params, f"{name}.{place + 1}", layer))
    return {**maps, "last": x}


def _head(params: Params, name: str, features: jax.Array) -> jax.Array:
    """The two dense layers of a tower."""
    hidden = layers.batch_norm(params, f"{name}.1", layers.linear(params, f"{name}.0", features))
    return layers.linear(params, f"{name}.3", jax.nn.relu(hidden))


SPEC = spec.Spec(
    name="syncnet",
    task="embeddings of lips and of sound, near where they belong together",
    inputs={
        "clip": "[3, T, 224, 224] BGR, 0 to 255; or its windows [B, 3, 5, 224, 224]",
        "wave": "[N] at 16 kHz in the range of int16; or windows of MFCC [B', 1, 13, 20]",
    },
    outputs={
        "lip_embedding": "[B, 1024]",
        "audio_embedding": "[B', 1024]",
        "lip_feature_512": "[B, 512], before the dense layers",
        "mfcc": "[T, 13] float64 at 100 Hz (of a wave)",
    },
    forward=forward,
    layout=layout,
    prepare=prepare,
    front=front,
    official="syncnet_v2.model of https://www.robots.ox.ac.uk/~vgg/software/lipsync/",
    licence="not stated for the weights (code: MIT); treat as research use",
    gradients="to the frames and the MFCC",
)

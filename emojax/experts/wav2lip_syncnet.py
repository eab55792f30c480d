"""Wav2Lip's expert: do the mouth and the sound belong together (Prajwal et al. 2020).

Faces are the lower halves of five BGR frames from 0 to 1 at 96 x 96, frame after frame in the
channels, [B, 15, 48, 96]; sound is a mel spectrogram at 80 steps a second, [B, 1, 80, 16], which
starts at step int(80 i / 25) for frame i (`mel`). Both embeddings have length one and no negative
number, so their cosine lies in 0 to 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import inputs, layers, mel, spec
from emojax.experts.checkpoint.refusal import CheckpointError
from emojax.experts.layers import Params

FRAMES, HEIGHT, WIDTH = 5, 48, 96
MELS, STEPS = mel.NUM_MELS, 16
FRAME_RATE = 25

# Blocks in order: (out, kernel, stride, padding); None repeats the width with a residual.
_FACE = (
    (32, 7, 1, 3),
    (64, 5, (1, 2), 1), None, None,
    (128, 3, 2, 1), None, None, None,
    (256, 3, 2, 1), None, None,
    (512, 3, 2, 1), None, None,
    (512, 3, 2, 1), (512, 3, 1, 0), (512, 1, 1, 0),
)  # fmt: skip
_SOUND = (
    (32, 3, 1, 1), None, None,
    (64, 3, (3, 1), 1), None, None,
    (128, 3, 3, 1), None, None,
    (256, 3, (3, 2), 1), None, None,
    (512, 3, 1, 0), (512, 1, 1, 0),
)  # fmt: skip
_RESIDUAL = (3, 1, 1)


def forward(params: Params, face: jax.Array, mel_window: jax.Array) -> spec.Outputs:
    """Returns both embeddings and their cosine.

    Args:
      params: of the network.
      face: [B, 15, 48, 96] BGR, 0 to 1, or uint8.
      mel_window: [B, 1, 80, 16].
    """
    face = inputs.array("face", face, ("B", 3 * FRAMES, HEIGHT, WIDTH))
    mel_window = inputs.array("mel_window", mel_window, (len(face), 1, MELS, STEPS))
    lips = _encode(params, "face_encoder", layers.channels_last(layers.floats(face)), _FACE)
    sound = _encode(
        params, "audio_encoder", layers.channels_last(layers.floats(mel_window)), _SOUND
    )
    face_embedding, audio_embedding = (
        layers.unit(blocks[-1].reshape(len(face), -1)) for blocks in (lips, sound)
    )
    mid = {f"face_block{i}": lips[i] for i in (0, 4, 14)} | {
        f"audio_block{i}": sound[i] for i in (3, 9)
    }
    return {
        "audio_embedding": audio_embedding,
        "face_embedding": face_embedding,
        "cosine": jnp.sum(audio_embedding * face_embedding, axis=-1),
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def face_windows(images: jax.Array) -> jax.Array:
    """Returns windows of five frames in a row, [T - 4, 15, 48, 96]; gradients flow.

    Args:
      images: [T, 96, 96, 3] RGB, 0 to 1, of the face crop.

    Raises:
      CheckpointError: fewer than five frames, or another size.
    """
    images = inputs.array("images", images, ("T", WIDTH, WIDTH, 3))
    if len(images) < FRAMES:
        raise CheckpointError(
            expected=f"at least {FRAMES} frames",
            got=str(len(images)),
            fix="Give a longer clip.",
        )
    lower = jnp.moveaxis(images[:, HEIGHT:, :, ::-1], -1, 1)
    starts = range(len(images) - FRAMES + 1)
    return jnp.stack([lower[i : i + FRAMES].reshape(-1, HEIGHT, WIDTH) for i in starts])


def mel_windows(wave: np.ndarray, num_windows: int) -> np.ndarray:
    """Returns the sound of windows of five frames, [num_windows, 1, 80, 16].

    Args:
      wave: [N] samples at 16 kHz, -1 to 1.
      num_windows: the first starts with the first frame.

    Raises:
      CheckpointError: the sound is too short for so many.
    """
    return _cut(mel.spectrogram(wave), num_windows)


def front(
    face_window: jax.Array, mel_window: jax.Array
) -> tuple[tuple, dict[str, int], spec.Outputs]:
    """Returns both inputs of `forward`, made from one window and a wave where those are given.

    Args:
      face_window: [B, 15, 48, 96], the first from the first frame; or one of them.
      mel_window: [B, 1, 80, 16], or a wave [N], -1 to 1.
    """
    if np.ndim(face_window) == 3:
        face_window = face_window[None]
    if np.ndim(mel_window) != 1:
        return (face_window, mel_window), {}, {}
    spectrogram = mel.spectrogram(mel_window)
    windows = _cut(spectrogram, len(face_window))
    return (face_window, jnp.asarray(windows)), {}, {"mel": spectrogram}


def _cut(spectrogram: np.ndarray, num_windows: int) -> np.ndarray:
    """A spectrogram [80, T] as windows, [num_windows, 1, 80, 16]."""
    starts = [int(mel.STEP_RATE * i / FRAME_RATE) for i in range(num_windows)]
    if not starts or starts[-1] + STEPS > spectrogram.shape[1]:
        raise CheckpointError(
            expected=f"sound of at least {STEPS} steps (0.2 s) after the start of each window",
            got=f"{spectrogram.shape[1]} steps for {num_windows} windows",
            fix="Give longer sound, or ask for fewer windows (but one at least).",
        )
    return np.stack([spectrogram[None, :, i : i + STEPS] for i in starts])


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the one layout; `shapes` of the file do not matter."""
    del shapes
    found: dict[str, spec.Shape] = {}
    for name, inside, table in (
        ("face_encoder", 3 * FRAMES, _FACE),
        ("audio_encoder", 1, _SOUND),
    ):
        for i, entry in enumerate(table):
            out, kernel, *_ = entry or (inside, *_RESIDUAL)
            found |= spec.conv(f"{name}.{i}.conv_block.0", out, inside, kernel)
            found |= spec.norm(f"{name}.{i}.conv_block.1", out)
            inside = out
    return found


def _encode(params: Params, name: str, x: jax.Array, table: tuple) -> list[jax.Array]:
    """The outputs of all blocks."""
    blocks = []
    for i, entry in enumerate(table):
        *_, stride, padding = entry or _RESIDUAL
        out = layers.conv(params, f"{name}.{i}.conv_block.0", x, stride=stride, padding=padding)
        out = layers.batch_norm(params, f"{name}.{i}.conv_block.1", out)
        x = jax.nn.relu(out if entry else out + x)
        blocks.append(x)
    return blocks


SPEC = spec.Spec(
    name="wav2lip_syncnet",
    task="embeddings of mouth and sound, and their cosine",
    inputs={
        "face_window": "[B, 15, 48, 96] BGR of five frames, 0 to 1, or uint8; or one of them",
        "mel_window": "[B, 1, 80, 16]; or a wave [N] at 16 kHz, -1 to 1, of frames in a row",
    },
    outputs={
        "audio_embedding": "[B, 512], length one",
        "face_embedding": "[B, 512], length one",
        "cosine": "[B], 0 to 1",
        "mel": "[80, T] (of a wave)",
    },
    forward=forward,
    front=front,
    layout=layout,
    prefixes=("module.",),
    official="lipsync_expert.pth of https://github.com/Rudrabha/Wav2Lip (earlier README)",
    licence="personal, research, non-commercial use only (trained on LRS2)",
    gradients="to the frames and the spectrogram",
)

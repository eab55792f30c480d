"""Weights of motion networks: those of a TalkingGaussian checkpoint <-> ours.

A checkpoint's `state` holds PyTorch parameters by name: Linear weights as [outputs, inputs] (ours
are [inputs, outputs]), Conv1d weights as [outputs, inputs, steps] (ours are [steps, inputs,
outputs]), tables as in `encoders.triplane`. Two of its parts have no effect and none here: row 7 of
the face's last layer predicts a change of opacity that is not used, and the mouth's attention to
sound is never called. Both are ignored when read and written as zeros, so that the original's
strict loading accepts what is written.

Source: TalkingGaussian, Li et al. 2024, scene/motion_net.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from emojax.deformation.face import FaceMotion
from emojax.deformation.mouth import MouthMotion
from emojax.encoders import audio_net, triplane
from emojax.types import Condition

# Official name of a layer: its path here. With biases:
_AUDIO_LAYERS = {
    **{f"audio_net.encoder_conv.{2 * i}": ("audio", "net", f"conv_{i}") for i in range(4)},
    **{f"audio_net.encoder_fc1.{2 * i}": ("audio", "net", f"dense_{i}") for i in range(2)},
    **{
        f"audio_att_net.attentionConvNet.{2 * i}": ("audio", "attention", f"conv_{i}")
        for i in range(5)
    },
    "audio_att_net.attentionNet.0": ("audio", "attention", "dense"),
}
# Without:
_MOTION_LAYERS = {f"sigma_net.net.{i}": ("motion", f"kernel_{i}") for i in range(3)}
_FACE_LAYERS = {
    **_MOTION_LAYERS,
    **{f"aud_ch_att_net.net.{i}": ("audio_attention", f"kernel_{i}") for i in range(2)},
    **{f"eye_att_net.net.{i}": ("expression_attention", f"kernel_{i}") for i in range(2)},
    **{f"exp_encode_net.net.{i}": ("expression", "perceptron", f"kernel_{i}") for i in range(2)},
}

_FIRST_AUDIO = "audio_net.encoder_conv.0.weight"  # [32, D, 3]: tells the width of sound features
_OUTPUT = "sigma_net.net.2.weight"
_OPACITY_ROW = 7  # of the face's output: 3 for means, 4 for quaternions, this one, 3 for scales
_UNUSED_HIDDEN = 32  # of the mouth's attention to sound
_NUM_UNITS = 6  # action units that the original knows


def face_from_official(
    state: Mapping[str, Any],
    *,
    prefix: str = "",
    grid: triplane.TriplaneConfig = triplane.TALKING_GAUSSIAN_FACE,
) -> dict[str, Any]:
    """Returns the variables of a `FaceMotion` with the weights of a checkpoint's MotionNetwork.

    Args:
      state: parameters by name, numpy arrays or CPU tensors; further names are ignored.
      prefix: of these names.
      grid: shape of the encoder of positions.

    Returns:
      As `FaceMotion(triplane=grid).init` makes them, in the dtypes of the checkpoint.

    Raises:
      ValueError: a parameter is missing or has another shape.
    """
    return _from_official(
        state, prefix, FaceMotion(triplane=grid), _FACE_LAYERS, unused_row=_OPACITY_ROW
    )


def mouth_from_official(
    state: Mapping[str, Any],
    *,
    prefix: str = "",
    grid: triplane.TriplaneConfig = triplane.TALKING_GAUSSIAN_MOUTH,
) -> dict[str, Any]:
    """Returns the variables of a `MouthMotion` with a checkpoint's MouthMotionNetwork's weights.

    Args:
      state: parameters by name, numpy arrays or CPU tensors; further names are ignored.
      prefix: of these names.
      grid: shape of the encoder of positions.

    Returns:
      As `MouthMotion(triplane=grid).init` makes them, in the dtypes of the checkpoint.

    Raises:
      ValueError: a parameter is missing or has another shape.
    """
    return _from_official(state, prefix, MouthMotion(triplane=grid), _MOTION_LAYERS)


def face_to_official(
    variables: Mapping[str, Any],
    *,
    prefix: str = "",
    grid: triplane.TriplaneConfig = triplane.TALKING_GAUSSIAN_FACE,
) -> dict[str, np.ndarray]:
    """Returns a face's weights under official names: the inverse of `face_from_official`.

    Args:
      variables: of `FaceMotion(triplane=grid)`.
      prefix: of the names.
      grid: shape of the encoder of positions.
    """
    state = _to_official(variables, grid, _FACE_LAYERS)
    state[_OUTPUT] = np.insert(state[_OUTPUT], _OPACITY_ROW, 0, axis=0)
    return {prefix + name: array for name, array in state.items()}


def mouth_to_official(
    variables: Mapping[str, Any],
    *,
    prefix: str = "",
    grid: triplane.TriplaneConfig = triplane.TALKING_GAUSSIAN_MOUTH,
) -> dict[str, np.ndarray]:
    """Returns a mouth's weights under official names: the inverse of `mouth_from_official`.

    Args:
      variables: of `MouthMotion(triplane=grid)`.
      prefix: of the names.
      grid: shape of the encoder of positions.
    """
    state = _to_official(variables, grid, _MOTION_LAYERS)
    first = state["sigma_net.net.0.weight"]
    audio_width = first.shape[1] - grid.num_outputs
    for i, shape in enumerate([(_UNUSED_HIDDEN, grid.num_outputs), (audio_width, _UNUSED_HIDDEN)]):
        state[f"aud_ch_att_net.net.{i}.weight"] = np.zeros(shape, first.dtype)
    return {prefix + name: array for name, array in state.items()}


def _from_official(
    state: Mapping[str, Any],
    prefix: str,
    network: FaceMotion | MouthMotion,
    layers: Mapping[str, tuple[str, ...]],
    *,
    unused_row: int | None = None,
) -> dict[str, Any]:
    """Variables of `network`, each parameter checked against what its `init` would make."""
    first = _find(state, prefix + _FIRST_AUDIO)
    if first.ndim != 3:
        raise ValueError(f"{prefix}{_FIRST_AUDIO} has shape {first.shape}, expected (32, D, 3)")
    means, audio, action_units = (
        jax.ShapeDtypeStruct(shape, jnp.float32)
        for shape in (
            (1, 3),
            (audio_net.NUM_WINDOWS, audio_net.MAX_STEPS, first.shape[1]),
            (_NUM_UNITS,),
        )
    )
    condition = Condition(audio=audio, action_units=action_units)
    shapes = jax.eval_shape(network.init, jax.random.key(0), means, condition)
    expected = traverse_util.flatten_dict(shapes["params"])

    found = {("tables",): triplane.from_official(state, network.triplane, prefix=prefix)}
    for name, path in _parameters(layers).items():
        array = _find(state, prefix + name)
        shape = expected[path].shape[::-1]  # the official order is the reverse of ours
        has_unused = name == _OUTPUT and unused_row is not None
        if has_unused:
            shape = (shape[0] + 1, *shape[1:])
        if array.shape != shape:
            raise ValueError(f"{prefix}{name} has shape {array.shape}, expected {shape}")
        if has_unused:
            array = np.delete(array, unused_row, axis=0)
        found[path] = jnp.asarray(array.T)
    return {"params": traverse_util.unflatten_dict(found)}


def _to_official(
    variables: Mapping[str, Any], grid: triplane.TriplaneConfig, layers: Mapping[str, tuple]
) -> dict[str, np.ndarray]:
    found = traverse_util.flatten_dict(variables["params"])
    names = _parameters(layers)
    return {
        **triplane.to_official(found["tables",], grid),
        **{name: np.ascontiguousarray(np.asarray(found[path]).T) for name, path in names.items()},
    }


def _parameters(layers: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Official names of all parameters but the tables, and their paths here."""
    names = {f"{layer}.weight": path for layer, path in layers.items()}
    for layer, path in _AUDIO_LAYERS.items():
        names[f"{layer}.weight"] = (*path, "kernel")
        names[f"{layer}.bias"] = (*path, "bias")
    return names


def _find(state: Mapping[str, Any], name: str) -> np.ndarray:
    if name not in state:
        raise ValueError(f"{name} is missing, found {sorted(state)}")
    return np.asarray(state[name])

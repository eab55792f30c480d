"""Checks of what is given to a frozen network, before any work: one error, in words."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from emojax.experts.checkpoint.refusal import CheckpointError


def array(
    name: str, value: jax.Array, shape: Sequence[int | str], *, multiple: int = 1
) -> jax.Array:
    """Returns an input as an array, after checking its shape.

    Args:
      name: of the input, for the error.
      value: the input.
      shape: a number an axis, or a word where any length from 1 is right.
      multiple: what lengths given in words must be divisible by; axes called "B" are free.

    Raises:
      CheckpointError: another rank, another length, or no length at all (an empty batch).
    """
    value = jnp.asarray(value)
    wanted = f"{name} of shape [{', '.join(map(str, shape))}]"
    if multiple > 1:
        wanted += f", sides divisible by {multiple}"
    fits = value.ndim == len(shape) and all(
        length == want
        if isinstance(want, int)
        else length > 0 and (want == "B" or length % multiple == 0)
        for length, want in zip(value.shape, shape, strict=False)
    )
    if not fits:
        fix = "Give it in PyTorch's order, channels before height and width, with a batch axis."
        if value.size == 0:
            fix = "Give at least one: an empty batch has no result."
        raise CheckpointError(expected=wanted, got=f"shape {list(value.shape)}", fix=fix)
    return value


def at_least(name: str, size: Sequence[int], side: int) -> None:
    """Refuses pictures whose sides are too small.

    Args:
      name: of the input, for the error.
      size: its height and width.
      side: the smallest allowed.

    Raises:
      CheckpointError: a side is smaller.
    """
    if min(size) < side:
        raise CheckpointError(
            expected=f"{name} of at least {side} x {side} pixels",
            got=f"{size[0]} x {size[1]}",
            fix="Resize it.",
        )

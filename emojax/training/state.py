"""What training carries from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from emojax.gaussians import DensityStatistics, init_statistics
from emojax.head import BRANCHES, Head
from emojax.training import optimizer
from emojax.training.recipe import SLOTTED, Stage

# The cameras' extent is this times the largest distance from their mean (3DGS).
EXTENT_MARGIN = 1.1


@struct.dataclass
class State:
    """Everything that decides the rest of a stage.

    Attributes:
      head: as it is now.
      moments: optimizer state by what trains (`recipe.TRAINABLE`).
      statistics: of each branch's Gaussians since the last round of density.
      step: int32 [], the next step of the stage.
      key: of the stage; step s uses fold_in(key, s).
    """

    head: Head
    moments: Mapping[str, Any]
    statistics: Mapping[str, DensityStatistics]
    step: jax.Array
    key: jax.Array


def begin(key: jax.Array, head: Head, stage: Stage) -> State:
    """Returns the state before a stage's first step.

    Args:
      key: of the stage; consumed.
      head: from the stages before.
      stage: that begins.
    """
    trains = sorted({name for phase in stage.phases for name in phase.trains})
    parts = get(head, trains)
    return State(
        head=head,
        moments={name: optimizer.init(part) for name, part in parts.items()},
        statistics={b: init_statistics(getattr(head, b).capacity) for b in BRANCHES},
        step=jnp.int32(0),
        key=key,
    )


def get(head: Head, names: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """Returns what trains, by name.

    Args:
      head: to take from.
      names: of `recipe.TRAINABLE`.
    """
    parts = {}
    for name in names:
        branch, _, field = name.partition(".")
        if field == "motion":
            parts[name] = getattr(head, f"{branch}_motion")
        else:
            parts[name] = getattr(getattr(head, branch), field)
    return parts


def put(head: Head, parts: Mapping[str, Any]) -> Head:
    """Returns the head with the parts in their places: the inverse of `get`.

    Args:
      head: to take the rest from.
      parts: by name.
    """
    for branch in BRANCHES:
        fields = {f: parts[f"{branch}.{f}"] for f in SLOTTED if f"{branch}.{f}" in parts}
        changed = {branch: getattr(head, branch).replace(**fields)} if fields else {}
        if f"{branch}.motion" in parts:
            changed[f"{branch}_motion"] = parts[f"{branch}.motion"]
        head = head.replace(**changed)
    if "emotion.motion" in parts:
        head = head.replace(emotion_motion=parts["emotion.motion"])
    return head


def extent(world_to_camera: np.ndarray) -> float:
    """Returns 1.1 times the largest distance of a camera from the mean camera, metres (3DGS).

    Args:
      world_to_camera: [T, 4, 4] of the training frames.
    """
    rotations, translations = world_to_camera[:, :3, :3], world_to_camera[:, :3, 3]
    centers = -np.einsum("tji,tj->ti", rotations, translations)
    return EXTENT_MARGIN * float(np.linalg.norm(centers - centers.mean(0), axis=1).max())

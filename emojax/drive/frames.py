"""A head and a script -> pictures, several to a dispatch, one compilation for a whole film."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from emojax import head
from emojax.data import ahead
from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.drive import script as scripts
from emojax.drive.script import Script
from emojax.head import Head
from emojax.types import Condition, Gaussians

# Frames to a dispatch. What is shared (the tri-planes' features) is computed once for all of them;
# beyond 8 little is gained and memory grows.
CHUNK = 8


def ready(trained: Head) -> Head:
    """Returns a head for drawing only: free slots are dropped, and its numbers have been checked.

    Args:
      trained: as training left it.

    Raises:
      DataError: a number of a living Gaussian or of a network is NaN or infinite, or a branch has
        no Gaussians.
    """
    lean = trained
    for branch in head.BRANCHES:
        cloud = getattr(trained, branch)
        alive = np.asarray(cloud.alive)
        if not alive.any():
            raise DataError(
                expected="Gaussians in both branches",
                got=f"none in the {branch}",
                fix="Train longer: this checkpoint holds no head yet.",
            )
        lean = lean.replace(**{branch: jax.tree.map(lambda x, a=alive: np.asarray(x)[a], cloud)})
    for path, leaf in jax.tree_util.tree_leaves_with_path(lean):
        if not np.isfinite(leaf).all():
            raise DataError(
                expected="finite numbers in the head",
                got=f"NaN or infinity in {jax.tree_util.keystr(path)}",
                fix="Use an earlier checkpoint.",
            )
    return jax.tree.map(jnp.asarray, lean)


def render(
    trained: Head,
    clip: Clip,
    script: Script,
    *,
    chunk: int = CHUNK,
    seconds: dict[str, float] | None = None,
) -> Iterator[np.ndarray]:
    """Yields the pictures of a film, uint8 [S, S, 3].

    Args:
      trained: head, of `ready`.
      clip: that it was trained on.
      script: of the film.
      chunk: frames to a dispatch.
      seconds: where given, what "prepare" and "draw" took is added there; they run side by side.
    """
    seconds = {} if seconds is None else seconds
    chunk = min(chunk, len(script))
    focal, principal = jnp.asarray(clip.focal), jnp.asarray(clip.principal)

    def prepare() -> Iterator[scripts.Scenes]:
        for first in range(0, len(script), chunk):
            # The last chunk repeats its last frame: every chunk has one shape.
            frames = np.minimum(np.arange(first, first + chunk), len(script) - 1)
            yield scripts.scenes(script, clip, frames)

    def drawn() -> Iterator[np.ndarray]:
        for some in ahead.ahead(ahead.timed(prepare(), seconds, "prepare")):
            yield np.asarray(draw(trained, some, focal, principal))

    left = len(script)
    for some in ahead.timed(drawn(), seconds, "draw"):
        yield from some[:left]
        left -= len(some)


@jax.jit
def draw(trained: Head, some: scripts.Scenes, focal: jax.Array, principal: jax.Array) -> jax.Array:
    """Returns pictures of scenes, uint8 [B, S, S, 3]; compiles once for each B.

    Args:
      trained: head, of `ready`.
      some: scenes, B of them.
      focal: [2] of the clip, pixels.
      principal: [2] of the clip, pixels.
    """
    drawn = head.render_batch(
        trained, some.condition, some.world_to_camera, some.backdrops, focal, principal
    )
    return jnp.uint8(jnp.clip(drawn, 0, 1) * 255 + 0.5)


def clouds(trained: Head, script: Script) -> Iterator[Gaussians]:
    """Yields the moved Gaussians of both branches as one cloud for each frame, world frame.

    Args:
      trained: head, of `ready`.
      script: of the film.
    """
    for frame in range(len(script)):
        condition = script.conditions(np.array([frame]))
        yield cloud(trained, jax.tree.map(lambda x: x[0], condition))


@jax.jit
def cloud(trained: Head, condition: Condition) -> Gaussians:
    """Returns the moved Gaussians of both branches as one cloud, world frame.

    Args:
      trained: head, of `ready`.
      condition: unbatched.
    """
    face, mouth = (
        head.move(trained, branch, condition).replace(normals=None) for branch in head.BRANCHES
    )
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), face, mouth)

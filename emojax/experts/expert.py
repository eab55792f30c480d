"""Frozen networks by name: weights in, a pure function out.

    expert = experts.from_state_dict("emonet_8", state_dict)
    out = expert.apply(expert.params, image)  # {"valence": [B], "arousal": [B], ...}

Inputs and outputs have the order, layout and range of the original (PyTorch: channels before height
and width); `python -m emojax.experts` lists them. `apply` can be jitted, mapped and differentiated.
Some outputs cost a pass of their own: `outputs` picks some, and only what they need is computed.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emojax import caches
from emojax.experts import registry
from emojax.experts.checkpoint import reading, state
from emojax.experts.checkpoint.refusal import CheckpointError
from emojax.experts.layers import Params
from emojax.experts.spec import Outputs, Spec

OFFICIAL, BUILTIN = "official", "builtin"
SUFFIX = ".safetensors"


@dataclasses.dataclass(frozen=True)
class Expert:
    """A frozen network with its weights.

    Attributes:
      spec: what it is.
      params: arrays as `apply` takes them; kernels are [..., in, out], not as in the file.
    """

    spec: Spec
    params: Params

    def apply(self, params: Params, *inputs: Any, outputs: Sequence[str] | None = None) -> Outputs:
        """Returns what the network makes of its inputs, by name.

        Args:
          params: `self.params`, or others of the same structure.
          *inputs: as `spec.inputs` says, and perhaps those of `spec.further`.
          outputs: names of `spec.outputs`, of `spec.extras`, or "mid.NAME" for intermediates; by
            default all outputs and extras that these inputs allow.

        Raises:
          CheckpointError: an input has another shape, or there is no such output.
        """
        inputs, static, ready = self._prepared(inputs)
        names = None if outputs is None else tuple(name for name in outputs if name not in ready)
        found: Outputs = {}
        if names != ():
            found = _compiled(self.spec.name, names, tuple(static.items()))(params, *inputs)
        if outputs is None:
            return ready | found
        return {name: ready[name] if name in ready else found[name] for name in outputs}

    def outputs(self, *inputs: Any) -> tuple[str, ...]:
        """Returns the names of `spec.outputs` that these weights and inputs give, in one pass.

        Args:
          *inputs: as for `apply`.

        Raises:
          CheckpointError: an input has another shape.
        """
        inputs, static, ready = self._prepared(inputs)
        forward = functools.partial(self.spec.forward, **static)
        found = jax.eval_shape(forward, self.params, *inputs[: len(self.spec.inputs)])
        return tuple(name for name in self.spec.outputs if name in found or name in ready)

    def _prepared(self, inputs: tuple) -> tuple[tuple, dict[str, Any], Outputs]:
        """Inputs of `forward`, its static options, and outputs that are ready."""
        known = [*self.spec.inputs, *self.spec.further]
        if not len(self.spec.inputs) <= len(inputs) <= len(known):
            further = f" (and {', '.join(self.spec.further)})" if self.spec.further else ""
            raise CheckpointError(
                expected=f"{', '.join(self.spec.inputs)}{further} after the parameters",
                got=f"{len(inputs)} inputs",
                fix="`python -m emojax.experts` lists what a network takes.",
            )
        return (inputs, {}, {}) if self.spec.front is None else self.spec.front(*inputs)


def from_state_dict(
    name: str, mapping: Mapping[str, Any], *, dtype: jax.typing.DTypeLike | None = None
) -> Expert:
    """Returns a network with the weights of a checkpoint.

    Args:
      name: of the network.
      mapping: official key -> array; known nestings and prefixes are stripped.
      dtype: of products: bfloat16 halves the kernels' memory; by default float32. float64, where
        JAX has it switched on, is that of everything.

    Raises:
      CheckpointError: no such network, or the mapping does not have its keys, shapes and finite
        numbers; the error names what is missing or extra, and what the mapping looks like.
    """
    return _arranged(registry.get(name), mapping, (), dtype)


def load(
    name: str,
    *,
    source: str = OFFICIAL,
    path: str | os.PathLike | None = None,
    dtype: jax.typing.DTypeLike | None = None,
) -> Expert:
    """Returns a network with weights from this machine; nothing is downloaded.

    Args:
      name: of the network.
      source: "official": weights that others trained; "builtin": the project's own, where it has
        some.
      path: of a file, converted or as published, or of a folder of converted ones; by default
        `weights_folder()`.
      dtype: see `from_state_dict`.

    Raises:
      CheckpointError: there is no such network, source or file, or the file is of another one.
    """
    spec = registry.get(name)
    if source != OFFICIAL:
        fix = f"Convert the official file: {spec.official}."
        if source not in (OFFICIAL, BUILTIN):
            fix = f"Take {OFFICIAL!r} or {BUILTIN!r}."
        raise CheckpointError(expected=f"a source of {name}", got=repr(source), fix=fix)
    file = pathlib.Path(path or weights_folder())
    if file.is_dir():
        file = file / f"{name}{SUFFIX}"
    if not file.exists():
        raise CheckpointError(
            expected=f"weights of {name}",
            got=f"no file {file}",
            fix=f"Get {spec.official}, then experiments/convert.py --network={name} "
            f"--checkpoint=FILE --out={file.parent}.",
        )
    contents = reading.read(file)
    # A graph has constants of its own among the weights.
    return _arranged(spec, contents.tree, ("*",) if contents.is_graph else (), dtype)


def weights_folder() -> pathlib.Path:
    """Returns the folder of converted weights: EMOJAX_WEIGHTS, or `weights` in the user's cache."""
    return pathlib.Path(os.environ.get("EMOJAX_WEIGHTS") or caches.user_folder() / "weights")


def is_installed(name: str) -> bool:
    """Returns whether converted weights of the network called `name` lie in `weights_folder()`."""
    return weights_file(name).exists()


def weights_file(name: str) -> pathlib.Path:
    """Returns where the converted weights of the network called `name` lie, if they do."""
    return weights_folder() / f"{name}{SUFFIX}"


def _arranged(
    spec: Spec, tree: object, ignored: Sequence[str], dtype: jax.typing.DTypeLike | None
) -> Expert:
    """The network with the weights of a checkpoint; further keys of some patterns are ignored."""
    try:
        arranged = state.arrange(
            [tree],
            spec.layout,
            prefixes=spec.prefixes,
            renames=spec.renames,
            optional=spec.optional,
            ignored=(*spec.ignored, *ignored),
        )
    except CheckpointError as error:
        raise _with_likeness(error, spec.name, tree) from None
    return Expert(spec, _params(spec, arranged.arrays, dtype))


def _with_likeness(error: CheckpointError, name: str, mapping: object) -> CheckpointError:
    """The refusal of a checkpoint that may be another network's."""
    other = registry.find(state.shapes_of(mapping))
    if other in (None, name):
        return error
    return CheckpointError(
        expected=f"weights of {name}",
        got=f"a checkpoint that looks like {other}",
        fix=f"Load it as {other}, or give the file of {name}.",
    )


def _params(
    spec: Spec, arrays: Mapping[str, np.ndarray], dtype: jax.typing.DTypeLike | None
) -> Params:
    """Arrays as `forward` takes them."""
    products = jnp.float32 if dtype is None else dtype
    others, params = jnp.promote_types(products, jnp.float32), {}
    for key, array in arrays.items():
        array = spec.prepare(key, array)
        is_product = array.ndim > 1 and any(fnmatch.fnmatchcase(key, p) for p in spec.products)
        params[key] = jnp.asarray(array, products if is_product else others)
    return params


@functools.cache
def _compiled(
    name: str, outputs: tuple[str, ...] | None, static: tuple[tuple[str, Any], ...]
) -> Callable[..., Outputs]:
    """The jitted pass that gives these outputs."""
    spec = registry.get(name)

    def run(params: Params, *inputs: jax.Array) -> Outputs:
        found = spec.forward(params, *inputs[: len(spec.inputs)], **dict(static))
        possible = {key: e for key, e in spec.extras.items() if e.inputs <= len(inputs)}
        wanted = outputs
        if outputs is None:
            wanted = [key for key in spec.outputs if key in found]
            wanted += [key for key, extra in possible.items() if not extra.is_asked]
        if unknown := [key for key in wanted if key not in found and key not in possible]:
            raise CheckpointError(
                expected=f"outputs of {name} from {len(inputs)} inputs: "
                + ", ".join([*found, *possible]),
                got=", ".join(unknown),
                fix="Take other names, or give the further inputs too.",
            )
        made = {
            key: extra.run(params, found, *inputs[: extra.inputs])
            for key, extra in possible.items()
            if key in wanted
        }
        return {key: made[key] if key in made else found[key] for key in wanted}

    return jax.jit(run)

"""The one door to compiled kernels: find or build the library, register it, call it.

Nothing is loaded on import. The first call of `available` or `call` looks for a library that was
built from these very sources for this very jaxlib: in the installed package, then in the user's
cache. If there is none and a C++ compiler is present, it is built into the cache (about half a
minute, once, with one line on stderr). If that fails too, one warning says why, and the XLA
implementations serve.

Environment: EMOJAX_NATIVE=0 never uses kernels; EMOJAX_ISA=avx512|avx2|portable chooses the
instruction set; EMOJAX_CACHE names another cache folder; CXX names a compiler.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import pathlib
import sys
import typing
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import jaxlib

from emojax import native_build

OPERATIONS = ("splat_forward", "splat_backward", "triplane_forward", "triplane_backward")

Implementation = Literal["auto", "xla", "native"]

_forced_isa: list[str] = []


class NativeError(RuntimeError):
    """Kernels were asked for by name and cannot be had; the message says why and what to do."""


def isa() -> str:
    """Returns the instruction set whose kernels are used: one of `native_build.ISA_FLAGS`."""
    return _forced_isa[-1] if _forced_isa else _default_isa()


def _default_isa() -> str:
    asked = os.environ.get("EMOJAX_ISA")
    supported = native_build.supported_isas()
    if asked and asked not in supported:
        raise ValueError(f"EMOJAX_ISA is {asked!r}, expected one of {supported} on this processor")
    return asked or supported[0]


@contextlib.contextmanager
def use_isa(name: str) -> Iterator[None]:
    """Traces with the kernels of another instruction set inside a `with` block, for comparisons."""
    if name not in native_build.supported_isas():
        raise ValueError(f"isa is {name!r}, expected one of {native_build.supported_isas()}")
    _forced_isa.append(name)
    try:
        yield
    finally:
        _forced_isa.pop()


def available() -> bool:
    """Returns whether kernels can be called; builds them if need be, warns once if not."""
    library, reason = _library(isa())
    if library is None and reason:
        _warn_once(reason)
    return library is not None


def wants_kernels(implementation: Implementation, dtype: jnp.dtype) -> bool:
    """Returns whether an operation is to be done by kernels.

    Args:
      implementation: "native" asks for kernels, "xla" for plain JAX, "auto" for kernels where they
        exist for the default backend and the dtype.
      dtype: of the operands.

    Raises:
      ValueError: `implementation` is none of the three, or kernels do not know `dtype`.
      NativeError: kernels are asked for and cannot be had.
    """
    if implementation not in typing.get_args(Implementation):
        raise ValueError(
            f"implementation is {implementation!r}, expected 'auto', 'xla' or 'native'"
        )
    has_dtype = dtype in (jnp.float32, jnp.float64)
    if implementation == "native":
        if not has_dtype:
            raise ValueError(f"operands have dtype {dtype}, kernels expect float32 or float64")
        require()
        return True
    return implementation == "auto" and has_dtype and jax.default_backend() == "cpu" and available()


def require() -> None:
    """Raises NativeError with the reason where kernels cannot be had."""
    library, reason = _library(isa())
    if library is None:
        raise NativeError(reason or "kernels are switched off by EMOJAX_NATIVE=0; unset it")


def set_thread_limit(threads: int) -> None:
    """Bounds the threads of one kernel call; 0 gives all back. Results do not depend on it."""
    require()
    if threads < 0:
        raise ValueError(f"threads is {threads}, expected at least 0")
    _library(isa())[0].emojax_set_thread_limit(threads)


def call(
    operation: str,
    results: Sequence[jax.ShapeDtypeStruct],
    *operands: jax.Array,
    isa_name: str,
    **attributes: Any,
) -> list[jax.Array]:
    """Calls a registered kernel; under `vmap`, once for the whole batch, shared operands in place.

    Args:
      operation: one of `OPERATIONS`.
      results: shapes and dtypes of the results of one example.
      *operands: arrays of one example.
      isa_name: which library; part of the caller's static arguments, as it decides the trace.
      **attributes: static values with their numpy type (np.int64, np.float64, np.bool_).

    Returns:
      The results, varying over the same mesh axes as the operands together.
    """
    target = _register(isa_name, operation)
    operands = match_varying(operands)
    outputs = jax.ffi.ffi_call(target, list(results), vmap_method="expand_dims")(
        *operands, **attributes
    )
    return match_varying(outputs, like=operands)


def match_varying(
    arrays: Sequence[jax.Array], *, like: Sequence[jax.Array] = ()
) -> list[jax.Array]:
    """Casts arrays to the union of the mesh axes over which any of them varies inside `shard_map`.

    `ffi_call` and constants are typed as equal on all devices. Inside `shard_map` they meet arrays
    that differ by device, and a custom derivative then mismatches its types. Outside of `shard_map`
    nothing happens. The cast's transpose is the sum over devices that shared operands need.

    Args:
      arrays: what is cast and returned.
      like: further arrays whose axes count.
    """
    axes = frozenset().union(*(_varying(x) for x in (*arrays, *like)))
    return [
        jax.lax.pcast(x, tuple(sorted(axes - _varying(x))), to="varying")
        if axes - _varying(x)
        else x
        for x in arrays
    ]


def _varying(x: jax.Array) -> frozenset[str]:
    return frozenset(jax.typeof(x).manual_axis_type.varying)


@functools.cache
def _library(isa_name: str) -> tuple[ctypes.CDLL | None, str | None]:
    """The loaded library, or None and the reason (None: switched off on purpose)."""
    if os.environ.get("EMOJAX_NATIVE") == "0":
        return None, None
    key = native_build.build_key(isa_name, jaxlib.__version__)
    name = native_build.library_name(isa_name, jaxlib.__version__)
    for folder in (_package_folder(), _cache_folder()):
        library = _load(folder / name, key)
        if library is not None:
            return library, None
    print(
        f"emojax: building CPU kernels for jaxlib {jaxlib.__version__} ({isa_name}), once",
        file=sys.stderr,
        flush=True,
    )
    try:
        (path,) = native_build.build(
            [isa_name],
            _cache_folder(),
            include=jax.ffi.include_dir(),
            jaxlib_version=jaxlib.__version__,
        )
    except (native_build.BuildError, OSError) as error:
        return None, (
            f"no CPU kernels for jaxlib {jaxlib.__version__}{_others()}: {error} "
            "(install g++ or clang++, or name one in CXX)"
        )
    return ctypes.CDLL(str(path)), None


def _load(path: pathlib.Path, key: str) -> ctypes.CDLL | None:
    """The library at a path; None where there is none, or it is damaged or not what it says."""
    if not path.exists():
        return None
    try:
        library = ctypes.CDLL(str(path))
        library.emojax_build_key.restype = ctypes.c_char_p
        return library if library.emojax_build_key().decode() == key else None
    except (OSError, AttributeError):  # truncated, for another machine, or no library of ours
        return None


def _others() -> str:
    """Names the jaxlib of kernels that are there but do not fit, for the warning."""
    folders = (_package_folder(), _cache_folder())
    found = {
        p.stem.split("-jaxlib-")[1] for f in folders for p in f.glob("emojax_cpu_*-jaxlib-*.so")
    }
    return f" (there are some for jaxlib {', '.join(sorted(found))})" if found else ""


@functools.cache
def _register(isa_name: str, operation: str) -> str:
    library, _ = _library(isa_name)
    if library is None:
        require()
    # The plain name is for the machine's own instruction set: a CUDA kernel shares it.
    suffix = "" if isa_name == _default_isa() else f".{isa_name}"
    target = f"emojax_{operation}{suffix}"
    handler = jax.ffi.pycapsule(getattr(library, f"emojax_{operation}"))
    jax.ffi.register_ffi_target(target, handler, platform="cpu")
    return target


@functools.cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"emojax: {reason}; splatting and encoding use XLA, slower", RuntimeWarning, stacklevel=2
    )


def _package_folder() -> pathlib.Path:
    return pathlib.Path(__file__).resolve().parent / "_native"


def _cache_folder() -> pathlib.Path:
    if "EMOJAX_CACHE" in os.environ:
        return pathlib.Path(os.environ["EMOJAX_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "emojax"

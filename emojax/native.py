"""The one door to compiled kernels: find or build the library, register it, call it.

Nothing is loaded on import. The first call of `available` or `call` looks for a library that was
built from these very sources for this very jaxlib: in the installed package, then in the user's
cache (`caches`). If there is none and a C++ compiler is present, it is built into the cache (about
half a minute, once, with one line on stderr), or into a temporary folder where the cache is closed.
If that fails too, one warning says why, and the XLA implementations serve.

On a machine whose default device is an NVIDIA GPU the same holds for the CUDA kernels, which nvcc
compiles for that GPU. Where a call will run is decided when it is traced: by `jax.default_device`
where that is set, else by JAX's default backend.

Environment: EMOJAX_NATIVE=0 never uses kernels; EMOJAX_ISA=avx512|avx2|portable chooses the
instruction set; EMOJAX_CACHE names another cache folder; CXX names a compiler, CUDA_HOME a toolkit
and EMOJAX_CUDA_ARCH the architectures to compile for; EMOJAX_DETERMINISTIC=1 makes sums of CUDA
kernels the same bits in every run (those of CPU kernels always are).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import pathlib
import re
import sys
import typing
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import jaxlib
from jax import extend

from emojax import caches, native_build

OPERATIONS = ("splat_forward", "splat_backward", "triplane_forward", "triplane_backward")

Implementation = Literal["auto", "xla", "native"]

_forced_isa: list[str] = []


class NativeError(RuntimeError):
    """Kernels were asked for by name and cannot be had; the message says why and what to do."""


def isa() -> str:
    """Returns whose kernels are used: a CPU's of `native_build.ISA_FLAGS`, or a device's."""
    if _forced_isa:
        return _forced_isa[-1]
    return native_build.CUDA if platform() == "cuda" else _default_isa()


def platform() -> str:
    """Returns where a call that is traced now will run: "cpu", "cuda", or JAX's name of another."""
    device = jax.config.jax_default_device
    name = getattr(device, "platform", device) or jax.default_backend()
    if name != "gpu":
        return name
    return "cuda" if "cuda" in extend.backend.get_backend("gpu").platform_version.lower() else name


def is_device(isa_name: str) -> bool:
    """Returns whether kernels are the device code's, on a GPU or emulated: isa_name is whose."""
    return isa_name in native_build.DEVICE_KINDS


def wants_determinism() -> bool:
    """Returns whether device kernels shall give the same bits in every run.

    So they do with EMOJAX_DETERMINISTIC=1, and where XLA is asked for the same by
    --xla_gpu_deterministic_ops.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    by_xla = re.search(r"--xla_gpu_(deterministic_ops|exclude_nondeterministic_ops)(=true|\b(?!=))",
                       flags)  # fmt: skip
    return os.environ.get("EMOJAX_DETERMINISTIC") == "1" or bool(by_xla)


def _default_isa() -> str:
    asked = os.environ.get("EMOJAX_ISA")
    supported = native_build.supported_isas()
    if asked and asked not in supported:
        raise ValueError(f"EMOJAX_ISA is {asked!r}, expected one of {supported} on this processor")
    return asked or supported[0]


@contextlib.contextmanager
def use_isa(name: str) -> Iterator[None]:
    """Traces with the kernels of another instruction set inside a `with` block, for comparisons.

    Args:
      name: one of `native_build.supported_isas()`, "cuda", or "emulated": the device code on an
        emulator of a GPU's threads, for tests alone; it needs no GPU and is far too slow for
        anything else.
    """
    known = (*native_build.supported_isas(), *native_build.DEVICE_KINDS)
    if name not in known:
        raise ValueError(f"isa is {name!r}, expected one of {known}")
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
    has_kernels = platform() in ("cpu", "cuda")
    return implementation == "auto" and has_dtype and has_kernels and available()


def require(*, isa_name: str | None = None) -> None:
    """Raises NativeError with the reason where kernels, of isa_name or the usual, cannot be had."""
    library, reason = _library(isa_name or isa())
    if library is None:
        raise NativeError(reason or "kernels are switched off by EMOJAX_NATIVE=0; unset it")


def set_thread_limit(threads: int) -> None:
    """Bounds the threads of one CPU kernel call; 0 gives all back. Results do not depend on it."""
    require()
    if threads < 0:
        raise ValueError(f"threads is {threads}, expected at least 0")
    _library(isa())[0].emojax_set_thread_limit(threads)


def number(isa_name: str, function: str, *arguments: int) -> int:
    """Returns what a plain C function of a library says, such as how much scratch a kernel wants.

    Args:
      isa_name: which library.
      function: its name there.
      *arguments: whole numbers.
    """
    require(isa_name=isa_name)
    called = getattr(_library(isa_name)[0], function)
    called.restype = ctypes.c_int64
    called.argtypes = [ctypes.c_int64] * len(arguments)
    return called(*arguments)


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

    def load_from(folder: pathlib.Path) -> ctypes.CDLL | None:
        paths = native_build.libraries(isa_name, folder, jaxlib.__version__)
        return next((library for path in paths if (library := _load(path, key))), None)

    for folder in (_package_folder(), caches.user_folder()):
        if library := load_from(folder):
            return library, None
    folder, remark = caches.user_folder(), ""
    try:
        if why := caches.why_closed(folder):
            remark = f" in a temporary folder: {folder} is closed to us ({why}); {caches.CURE}"
            folder = caches.temporary_folder()
            if library := load_from(folder):
                return library, None
        text = f"building {_title(isa_name)} for jaxlib {jaxlib.__version__}, once{remark}"
        print(f"emojax: {text}", file=sys.stderr, flush=True)
        (path,) = native_build.build(
            [isa_name],
            folder,
            include=jax.ffi.include_dir(),
            jaxlib_version=jaxlib.__version__,
        )
        return ctypes.CDLL(str(path)), None
    except native_build.BuildError as error:
        why, cure = error, "install g++ or clang++, or name one in CXX"
        if isa_name == native_build.CUDA:
            cure = "install CUDA's toolkit, or name its folder in CUDA_HOME; and g++"
    except OSError as error:  # no room to build in, or none that libraries may be loaded from
        why, cure = error, caches.CURE
    kind = "CUDA" if isa_name == native_build.CUDA else "CPU"
    return None, f"no {kind} kernels for jaxlib {jaxlib.__version__}{_others()}: {why} ({cure})"


def _title(isa_name: str) -> str:
    """What is built, for the line that says so."""
    if isa_name == native_build.CUDA:
        names = ", ".join(f"sm_{a}" for a in native_build.cuda_architectures())
        return f"CUDA kernels ({names}; a minute or two)"
    return f"CPU kernels ({isa_name})"


def _load(path: pathlib.Path, key: str) -> ctypes.CDLL | None:
    """The library at a path; None where there is none, or it is damaged or not what it says."""
    if not path.exists():
        return None
    try:
        # Looked for before it is loaded: a wrong one would stay, under its successor's name.
        if key.encode() not in path.read_bytes():
            return None
        library = ctypes.CDLL(str(path))
        library.emojax_build_key.restype = ctypes.c_char_p
        return library if library.emojax_build_key().decode() == key else None
    except (OSError, AttributeError):  # truncated, for another machine, or no library of ours
        return None


def _others() -> str:
    """Names the jaxlib of kernels that are there but do not fit, for the warning."""
    folders = (_package_folder(), caches.user_folder())
    found = {
        p.stem.split("-jaxlib-")[1] for f in folders for p in f.glob("emojax_cpu_*-jaxlib-*.so")
    }
    return f" (there are some for jaxlib {', '.join(sorted(found))})" if found else ""


@functools.cache
def _register(isa_name: str, operation: str) -> str:
    library, _ = _library(isa_name)
    if library is None:
        require(isa_name=isa_name)
    # The plain name is for the machine's own instruction set: a CUDA kernel shares it.
    suffix = "" if isa_name in (native_build.CUDA, _default_isa()) else f".{isa_name}"
    target = f"emojax_{operation}{suffix}"
    handler = jax.ffi.pycapsule(getattr(library, f"emojax_{operation}"))
    on = "CUDA" if isa_name == native_build.CUDA else "cpu"
    jax.ffi.register_ffi_target(target, handler, platform=on)
    return target


@functools.cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"emojax: {reason}; splatting and encoding use XLA, slower", RuntimeWarning, stacklevel=2
    )


def _package_folder() -> pathlib.Path:
    return pathlib.Path(__file__).resolve().parent / "_native"

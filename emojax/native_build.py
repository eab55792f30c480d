"""Compiling the kernels: which sources, which flags, which file name.

Used by `setup.py` (which has no jax at hand) and at first use by `native.py`; needs the standard
library alone. A library's name carries a key over everything that its machine code depends on: the
sources, the flags and the version of jaxlib whose headers it was built against. A library for
another jaxlib is therefore never loaded: a handler newer than the jaxlib that runs it would make
XLA refuse its whole CPU backend.

Beside the instruction sets of a CPU there are two more kinds of library: CUDA, of the device code,
by nvcc; and EMULATED, of the same device code as plain C++ on an emulator of a block of threads
(kernels/check/emulator.h), which tests run where there is no GPU.
"""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

SOURCES = ("splat/splat_ffi.cc", "triplane/triplane_ffi.cc", "common/library.cc")
DEVICE_SOURCES = ("splat/splat_cuda.cu", "triplane/triplane_cuda.cu", "common/library.cc")
CUDA, EMULATED = "cuda", "emulated"
DEVICE_KINDS = (CUDA, EMULATED)
# No -ffast-math: NaN and Inf must stay visible. The two relaxations let square roots and selections
# become vector instructions.
COMMON_FLAGS = (
    *("-std=c++20", "-O3", "-fPIC", "-pthread", "-fvisibility=hidden"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
)
WARNING_FLAGS = ("-Wall", "-Wextra", "-Wno-psabi", "-Wno-ignored-attributes")
_AVX2 = ("-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mpopcnt")
ISA_FLAGS = {
    "avx512": ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", *_AVX2),
    "avx2": _AVX2,
    "portable": (),
}
# What a wheel is built for: Ampere, Hopper and both Blackwells; later GPUs compile the last one's
# PTX.
CUDA_ARCHITECTURES = ("80", "90", "100", "120")
CUDA_FLAGS = (
    *("-std=c++20", "-O3", "--cudart=static", "--threads=0"),
    "-Xcompiler=-fPIC,-fvisibility=hidden,-pthread,-Wall,-Wextra",
)
# Every rounding as it is written: the emulated code is compared with definitions in float64.
EMULATED_FLAGS = (
    *("-std=c++20", "-O1", "-fPIC", "-pthread", "-fvisibility=hidden"),
    *("-ffp-contract=off", "-fno-math-errno"),
)
_AVX2_CPU_FLAGS = {"avx2", "fma", "bmi1", "bmi2", "popcnt"}
_CPU_FLAGS = {
    "avx512": {"avx512f", "avx512dq", "avx512bw", "avx512vl"} | _AVX2_CPU_FLAGS,
    "avx2": _AVX2_CPU_FLAGS,
}


class BuildError(RuntimeError):
    """The kernels could not be compiled; the message says why in one line."""


def buildable_isas() -> list[str]:
    """Returns the instruction sets that this kind of machine can have, best first."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return list(ISA_FLAGS) if x86 else ["portable"]


def supported_isas() -> list[str]:
    """Returns the instruction sets that this processor has, best first."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return ["portable"]
    flags = next(
        (set(line.split()) for line in text.splitlines() if line.startswith("flags")), set()
    )
    return [isa for isa in buildable_isas() if _CPU_FLAGS.get(isa, set()) <= flags]


def sources_folder() -> pathlib.Path:
    """Returns the folder of the kernels: inside an installed package, beside it in a checkout."""
    here = pathlib.Path(__file__).resolve().parent
    installed = here / "_kernels"
    return installed if installed.is_dir() else here.parent / "kernels"


def compiler() -> list[str] | None:
    """Returns the C++ compiler's command: $CXX, g++ or clang++; None where there is none."""
    if os.environ.get("CXX"):
        return os.environ["CXX"].split()
    found = next((path for path in map(shutil.which, ("g++", "clang++", "c++")) if path), None)
    return [found] if found else None


def cuda_compiler() -> list[str] | None:
    """Returns the command of nvcc, on the path or in the usual place; None where there is none."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    path = shutil.which("nvcc") or shutil.which(os.path.join(home, "bin", "nvcc"))
    return [path, "-ccbin", compiler()[0]] if path and compiler() else None


@functools.cache
def cuda_architectures() -> tuple[str, ...]:
    """Returns what device code is compiled for, such as ("90",).

    EMOJAX_CUDA_ARCH names them, separated by commas; else those of the GPUs of this machine, as
    nvidia-smi tells; else all of `CUDA_ARCHITECTURES`. In ascending order.

    Raises:
      ValueError: EMOJAX_CUDA_ARCH is no list of numbers.
    """
    if named := os.environ.get("EMOJAX_CUDA_ARCH"):
        parts = [part.strip() for part in named.split(",")]
        if not all(part.isdecimal() for part in parts):
            raise ValueError(
                f"EMOJAX_CUDA_ARCH is {named!r}, expected numbers separated by commas, as in 80,90"
            )
        return tuple(sorted(set(parts), key=int))
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return CUDA_ARCHITECTURES
    found = {x.strip().replace(".", "") for x in done.stdout.split()}
    return tuple(sorted(found, key=int)) or CUDA_ARCHITECTURES


def _flags(isa: str) -> tuple[str, ...]:
    """What a kind of library is compiled with: warnings, paths and GPUs aside."""
    if isa in DEVICE_KINDS:
        return CUDA_FLAGS if isa == CUDA else EMULATED_FLAGS
    return (*COMMON_FLAGS, *ISA_FLAGS[isa])


def _architecture_flags() -> list[str]:
    """For nvcc: machine code of every architecture, and the last one's PTX for later GPUs."""
    named = cuda_architectures()
    code = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in named]
    return [*code, f"-gencode=arch=compute_{named[-1]},code=compute_{named[-1]}"]


def _sources(isa: str) -> tuple[str, ...]:
    return DEVICE_SOURCES if isa in DEVICE_KINDS else SOURCES


def _is_part(path: pathlib.Path, isa: str) -> bool:
    """Whether a file below the kernels' folder is part of a library: device code, or a CPU's."""
    if isa not in DEVICE_KINDS:
        return path.suffix in (".h", ".cc") and path.parts[0] != "check"
    is_emulator = path.name == "emulator.h" and isa == EMULATED
    return is_emulator or (path.suffix in (".h", ".cc", ".cu", ".cuh") and path.parts[0] != "check")


def build_key(isa: str, jaxlib_version: str) -> str:
    """Returns what names a library of kernels: 16 hexadecimal digits, then the jaxlib version."""
    digest = hashlib.sha256()
    if isa in DEVICE_KINDS:
        digest.update(repr((_flags(isa), platform.machine(), sys.platform)).encode())
    else:
        flags = (COMMON_FLAGS, ISA_FLAGS[isa], platform.machine(), sys.platform)
        digest.update(repr(flags).encode())
    folder = sources_folder()
    for path in sorted(folder.rglob("*")):
        if _is_part(path.relative_to(folder), isa):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{digest.hexdigest()[:16]}-jaxlib-{jaxlib_version}"


def library_name(isa: str, jaxlib_version: str) -> str:
    """Returns the file name of the library of an instruction set, of CUDA or of the emulator."""
    kind = isa if isa in DEVICE_KINDS else f"cpu_{isa}"
    if isa == CUDA:
        kind += "_sm" + "_".join(cuda_architectures())
    return f"emojax_{kind}-{build_key(isa, jaxlib_version)}.so"


def libraries(isa: str, folder: pathlib.Path, jaxlib_version: str) -> list[pathlib.Path]:
    """Returns where in a folder a library that serves this machine is, or would be.

    Args:
      isa: key of `ISA_FLAGS`, CUDA or EMULATED.
      folder: to look in.
      jaxlib_version: whose headers the library was built with.
    """
    paths = [folder / library_name(isa, jaxlib_version)]
    if isa == CUDA:  # one for more architectures will do
        for path in folder.glob(f"emojax_{CUDA}_sm*-{build_key(isa, jaxlib_version)}.so"):
            named = path.name.removeprefix(f"emojax_{CUDA}_sm").split("-")[0].split("_")
            if all(_serves([int(a) for a in named], int(a)) for a in cuda_architectures()):
                paths.append(path)
    return paths


def _serves(named: list[int], wanted: int) -> bool:
    """Whether code for some GPUs, in ascending order, runs on another.

    Machine code does within a generation, on what came later; PTX, that of the last, on later ones.
    """
    is_of_generation = any(a // 10 == wanted // 10 and a <= wanted for a in named)
    return is_of_generation or wanted > named[-1]


def build(
    isas: list[str], output: pathlib.Path, *, include: str, jaxlib_version: str
) -> list[pathlib.Path]:
    """Compiles one library for each instruction set and puts them into a folder, atomically.

    Args:
      isas: keys of `ISA_FLAGS`, CUDA or EMULATED.
      output: folder, made if absent.
      include: the folder of jaxlib's headers.
      jaxlib_version: version of the jaxlib that `include` belongs to.

    Returns:
      The libraries' paths, in the order of `isas`.

    Raises:
      BuildError: there is no compiler, or it fails; the message holds its last lines.
    """
    if compiler() is None:
        raise BuildError("no C++ compiler was found (g++ or clang++ on the path, or $CXX)")
    if CUDA in isas and cuda_compiler() is None:
        raise BuildError("no nvcc was found (on the path, or in $CUDA_HOME/bin)")
    output.mkdir(parents=True, exist_ok=True)
    folder = sources_folder()
    with tempfile.TemporaryDirectory(dir=output, prefix=".building-") as scratch:

        def compile_one(job: tuple[str, str]) -> None:
            isa, source = job
            language = ["-x", "c++"] if isa == EMULATED else []
            warnings = [] if isa == CUDA else WARNING_FLAGS
            architectures = _architecture_flags() if isa == CUDA else []
            _run([
                *_command(isa), *_flags(isa), *warnings, *architectures,
                f'-DEMOJAX_BUILD_KEY="{build_key(isa, jaxlib_version)}"',
                "-isystem", include, "-c", *language, str(folder / source),
                "-o", str(_object(scratch, isa, source)),
            ])  # fmt: skip

        jobs = [(isa, source) for isa in isas for source in _sources(isa)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, jobs))
        paths = []
        for isa in isas:
            linked = pathlib.Path(scratch) / f"{isa}.so"
            objects = [str(_object(scratch, isa, source)) for source in _sources(isa)]
            threads = ["--cudart=static"] if isa == CUDA else ["-pthread"]
            _run([*_command(isa), "-shared", *threads, *objects, "-o", str(linked)])
            paths.append(output / library_name(isa, jaxlib_version))
            os.replace(linked, paths[-1])
    return paths


def _command(isa: str) -> list[str]:
    return cuda_compiler() if isa == CUDA else compiler()


def _object(scratch: str, isa: str, source: str) -> pathlib.Path:
    return pathlib.Path(scratch) / f"{isa}-{source.replace('/', '-')}.o"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise BuildError(f"{command[0]} failed with status {done.returncode}: {lines[0][:300]}")

"""Compiling the kernels: which sources, which flags, which file name.

Used by `setup.py` (which has no jax at hand) and at first use by `native.py`; needs the standard
library alone. A library's name carries a key over everything that its machine code depends on: the
sources, the flags and the version of jaxlib whose headers it was built against. A library for
another jaxlib is therefore never loaded: a handler newer than the jaxlib that runs it would make
XLA refuse its whole CPU backend.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

SOURCES = ("splat/splat_ffi.cc", "triplane/triplane_ffi.cc", "common/library.cc")
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


def build_key(isa: str, jaxlib_version: str) -> str:
    """Returns what names a library of kernels: 16 hexadecimal digits, then the jaxlib version."""
    digest = hashlib.sha256()
    digest.update(repr((COMMON_FLAGS, ISA_FLAGS[isa], platform.machine(), sys.platform)).encode())
    folder = sources_folder()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".h", ".cc") and "check" not in path.relative_to(folder).parts:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{digest.hexdigest()[:16]}-jaxlib-{jaxlib_version}"


def library_name(isa: str, jaxlib_version: str) -> str:
    """Returns the file name of the library of an instruction set."""
    return f"emojax_cpu_{isa}-{build_key(isa, jaxlib_version)}.so"


def build(
    isas: list[str], output: pathlib.Path, *, include: str, jaxlib_version: str
) -> list[pathlib.Path]:
    """Compiles one library for each instruction set and puts them into a folder, atomically.

    Args:
      isas: keys of `ISA_FLAGS`.
      output: folder, made if absent.
      include: the folder of jaxlib's headers.
      jaxlib_version: version of the jaxlib that `include` belongs to.

    Returns:
      The libraries' paths, in the order of `isas`.

    Raises:
      BuildError: there is no compiler, or it fails; the message holds its last lines.
    """
    command = compiler()
    if command is None:
        raise BuildError("no C++ compiler was found (g++ or clang++ on the path, or $CXX)")
    output.mkdir(parents=True, exist_ok=True)
    folder = sources_folder()
    with tempfile.TemporaryDirectory(dir=output, prefix=".building-") as scratch:

        def compile_one(job: tuple[str, str]) -> None:
            isa, source = job
            _run([
                *command, *COMMON_FLAGS, *WARNING_FLAGS, *ISA_FLAGS[isa],
                f'-DEMOJAX_BUILD_KEY="{build_key(isa, jaxlib_version)}"',
                "-isystem", include, "-c", str(folder / source),
                "-o", str(_object(scratch, isa, source)),
            ])  # fmt: skip

        jobs = [(isa, source) for source in SOURCES for isa in isas]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, jobs))
        paths = []
        for isa in isas:
            linked = pathlib.Path(scratch) / f"{isa}.so"
            objects = [str(_object(scratch, isa, source)) for source in SOURCES]
            _run([*command, "-shared", "-pthread", *objects, "-o", str(linked)])
            paths.append(output / library_name(isa, jaxlib_version))
            os.replace(linked, paths[-1])
    return paths


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

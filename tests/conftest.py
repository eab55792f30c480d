"""Fixtures for all tests, and the kernels built once before any of them runs."""

import os
import pathlib

import jaxlib
import pytest

# The suite compiles hundreds of tiny programs; the newer emitters of jaxlib 0.10 take twice as long
# for each as those before them. Later versions do not know the flag, and do not need it.
if jaxlib.__version__.startswith("0.10."):
    _flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{_flags} --xla_cpu_use_fusion_emitters=false"

# Most of the suite's time is LLVM's, for programs that run once; without its costlier passes it is
# half as long. EMOJAX_TEST_OPTIMIZED=1 compiles as users' programs are. The kernels always are.
if os.environ.get("EMOJAX_TEST_OPTIMIZED", "0") == "0":
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

# Workers, and the programs that tests start, share what they compile; later runs find it again.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(
    pathlib.Path(__file__).resolve().parent.parent / ".pytest_cache" / "jax"
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.02"

import jax

from emojax import caches, native, native_build


def pytest_configure(config):
    """Builds the kernels of every instruction set of this machine, in one go and in one process.

    With EMOJAX_ISA, of that alone.
    """
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist: the first process has built them
    folder = caches.user_folder()
    asked = os.environ.get("EMOJAX_ISA")
    missing = [
        isa
        for isa in ([asked] if asked else native_build.supported_isas())
        if not (folder / native_build.library_name(isa, jaxlib.__version__)).exists()
    ]
    if missing and native_build.compiler():
        native_build.build(
            missing, folder, include=jax.ffi.include_dir(), jaxlib_version=jaxlib.__version__
        )


@pytest.fixture
def float64():
    """Runs a test with 64-bit numbers switched on."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def kernels():
    """Skips a test, with the reason, where there are no kernels."""
    try:
        native.require()
    except native.NativeError as error:
        pytest.skip(f"needs CPU kernels: {error}")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items):
    """Keeps a module of tests/data or tests/training in one process: it shares what it makes."""
    for item in items:
        if item.path.parent.name in ("data", "checkup", "masks", "training"):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))

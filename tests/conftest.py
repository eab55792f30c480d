"""Fixtures for all tests, and the kernels built once before any of them runs."""

import jax
import jaxlib
import pytest

from emojax import native, native_build


def pytest_configure(config):
    """Builds the kernels of every instruction set of this machine, in one go and in one process."""
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist: the first process has built them
    folder = native._cache_folder()
    missing = [
        isa
        for isa in native_build.supported_isas()
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

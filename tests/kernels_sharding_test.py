"""The device code's calls under `shard_map`, on eight forced devices and the emulator."""

import os
import subprocess
import sys

import pytest

from emojax import native
from tests.sharding_test import CODE, ROOT

EMULATED = """
from emojax import native
native.use_isa("emulated").__enter__()
"""


@pytest.mark.xdist_group("emulated")
@pytest.mark.parametrize("axis_type", ["Auto", "Explicit"])
def test_eight_devices_equal_one(axis_type):
    try:
        native.require(isa_name="emulated")
    except native.NativeError as error:
        pytest.skip(f"needs a C++ compiler: {error}")
    done = subprocess.run(
        [sys.executable, "-c", EMULATED + CODE, "native", axis_type],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "equal" in done.stdout

"""The device code's calls under `shard_map`, on eight forced devices and the emulator."""

import pytest

from emojax import native
from tests.sharding_test import assert_eight_devices_equal_one


@pytest.mark.xdist_group("emulated")
def test_eight_devices_equal_one():
    try:
        native.require(isa_name="emulated")
    except native.NativeError as error:
        pytest.skip(f"needs a C++ compiler: {error}")
    assert_eight_devices_equal_one("native", "emulated")

"""The kernels and Python must mean the same numbers."""

import re

import pytest

from emojax import native_build
from emojax.splatting import constants

NAMES = {
    "kTileSize": constants.TILE_SIZE,
    "kAlphaMin": constants.ALPHA_MIN,
    "kTransmittanceMin": constants.TRANSMITTANCE_MIN,
    "kFovMargin": constants.FOV_MARGIN,
    "kCompensationMin": constants.COMPENSATION_MIN,
    "kQuaternionNorm2Min": constants.QUATERNION_NORM2_MIN,
    "kTileSlack": constants.TILE_SLACK,
    "kExtentSlack": constants.EXTENT_SLACK,
}


def _header():
    text = (native_build.sources_folder() / "splat" / "constants.h").read_text()
    return dict(re.findall(r"constexpr \w+ (k\w+) = ([^;]+);", text))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_header_has_pythons_value(name):
    assert eval(_header()[name]) == NAMES[name]


def test_every_constant_of_the_header_is_compared():
    assert set(_header()) == set(NAMES)

// The numbers that define splatting. Each stands once here and once, with its reason and under the
// same name, in emojax/splatting/constants.py; tests/splatting/constants_test.py compares the two.
#pragma once

namespace emojax {

constexpr int kTileSize = 16;
constexpr double kAlphaMin = 1.0 / 255.0;
constexpr double kTransmittanceMin = 1e-4;
constexpr double kFovMargin = 0.15;
constexpr double kCompensationMin = 0.005;
constexpr double kQuaternionNorm2Min = 1e-24;
constexpr double kTileSlack = 1e-4;
constexpr double kExtentSlack = 1.001;

}  // namespace emojax

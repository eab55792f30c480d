// The arithmetic of the tri-plane encoder: one node, one coordinate, one cell.
//
// Templates over the number type R serve a float, a double, sixteen points at once (Row, simd.h)
// and, with EMOJAX_HD defined by the CUDA build, a thread of a GPU. The readable twin is
// emojax/encoders/triplane.py.
//
// Source: Instant NGP, Mueller et al. 2022, sec. 3, in the conventions of torch-ngp's grid encoder.
#pragma once

#include <cmath>
#include <cstdint>

#ifndef EMOJAX_HD
#define EMOJAX_HD inline
#endif

namespace emojax::triplane {

constexpr int kPlanes = 3;
constexpr int kAxes[kPlanes][2] = {{0, 1}, {1, 2}, {0, 2}};  // xy, yz, xz
constexpr uint32_t kHashPrime = 2654435761u;
// Corners of a cell: bit 0 is set on the right, bit 1 above.
constexpr int kCorners = 4;

// One grid of each plane.
struct Level {
  float scale;      // cells between the ends of the unit interval
  uint32_t nodes;   // along one axis
  uint32_t length;  // entries
  int64_t offset;   // first entry in a plane's table
  bool hashed;      // nodes share entries
  uint32_t mask;    // length - 1 where length is a power of two, else 0
};

inline Level LevelOf(float scale, int64_t begin, int64_t end) {
  Level level;
  level.scale = scale;
  level.nodes = static_cast<uint32_t>(std::ceil(scale)) + 2;
  level.length = static_cast<uint32_t>(end - begin);
  level.offset = begin;
  level.hashed = uint64_t{level.nodes} * level.nodes > level.length;
  level.mask = (level.length & (level.length - 1)) == 0 ? level.length - 1 : 0;
  return level;
}

// Entries of the corners of cell (x, y): below level.length, whatever the point in [0, 1]^2.
// Numbers of type I are unsigned, of 32 bits, and wrap around.
template <class I>
EMOJAX_HD void Nodes(const Level& level, const I& x, const I& y, I (&entry)[kCorners]) {
  entry[0] = x + y * I(level.nodes);
  entry[1] = entry[0] + I(1);
  entry[2] = entry[0] + I(level.nodes);
  entry[3] = entry[2] + I(1);
}
template <class I>
EMOJAX_HD void HashedNodes(const Level& level, const I& x, const I& y, I (&entry)[kCorners]) {
  const I right = x + I(1), lower = y * I(kHashPrime), upper = lower + I(kHashPrime);
  entry[0] = x ^ lower;
  entry[1] = right ^ lower;
  entry[2] = x ^ upper;
  entry[3] = right ^ upper;
  for (I& e : entry) e = level.mask ? e & I(level.mask) : e % I(level.length);
}

// Weight of the right (upper) nodes at fraction f of a cell, and its derivative.
template <bool kSmooth, class R>
EMOJAX_HD R Weight(const R& f) {
  if constexpr (kSmooth) return f * f * (R(3) - f - f);
  return f;
}
template <bool kSmooth, class R>
EMOJAX_HD R WeightSlope(const R& f) {
  if constexpr (kSmooth) return R(6) * f * (R(1) - f);
  return R(1);
}

// Bilinear interpolation between the corners' values. Written with differences, so that equal
// values are returned unchanged.
template <class R>
EMOJAX_HD R Interpolate(const R (&value)[kCorners], const R& wx, const R& wy) {
  const R lower = value[0] + wx * (value[1] - value[0]);
  const R upper = value[2] + wx * (value[3] - value[2]);
  return lower + wy * (upper - lower);
}

// Derivatives of Interpolate by its weights.
template <class R>
EMOJAX_HD R SlopeX(const R (&value)[kCorners], const R& wy) {
  const R lower = value[1] - value[0];
  return lower + wy * ((value[3] - value[2]) - lower);
}
template <class R>
EMOJAX_HD R SlopeY(const R (&value)[kCorners], const R& wx) {
  const R left = value[2] - value[0];
  return left + wx * ((value[3] - value[1]) - left);
}

// Transpose of Interpolate in its values: a cotangent's share of each corner.
template <class R>
EMOJAX_HD void InterpolateTransposed(const R& cotangent, const R& wx, const R& wy,
                                     R (&share)[kCorners]) {
  const R upper = cotangent * wy;
  const R lower = cotangent - upper;
  share[1] = lower * wx;
  share[0] = lower - share[1];
  share[3] = upper * wx;
  share[2] = upper - share[3];
}

}  // namespace emojax::triplane

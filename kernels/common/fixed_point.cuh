// Sums that are the same bits in any order: numbers become integers of 64 bits by a power of two,
// chosen from a bound on the sum, and integers are added.
//
// The bounds used are generous; what is left of the 62 bits still resolves a typical term to the 24
// bits of a float. Where a bound is not finite (a cotangent was not), the sum is NaN.
#pragma once

#include "device.cuh"

namespace emojax {

using Fixed = unsigned long long;  // two's complement, as atomicAdd wants it

constexpr int kFixedBits = 62;
constexpr int kNotFinite = 1 << 14;  // exponent of a bound that is infinite or NaN

// Least e, roughly, with bound <= 2^e.
EMOJAX_HD int ExponentOf(double bound) {
  if (!(bound <= 1e300)) return kNotFinite;
  return bound > 1e-300 ? ilogb(bound) + 1 : -1000;
}

EMOJAX_DEVICE double PowerOfTwo(int exponent) {
  return ldexp(1.0, exponent < -1000 ? -1000 : (exponent > 1000 ? 1000 : exponent));
}

// `exponent`: of the bound on the sum.
EMOJAX_DEVICE Fixed ToFixed(double value, int exponent) {
  if (exponent >= kNotFinite / 2) return 0;
  return static_cast<Fixed>(__double2ll_rn(value * PowerOfTwo(kFixedBits - exponent)));
}

EMOJAX_DEVICE double FromFixed(Fixed value, int exponent) {
  if (exponent >= kNotFinite / 2) return static_cast<double>(NAN);
  return static_cast<double>(static_cast<long long>(value)) * PowerOfTwo(exponent - kFixedBits);
}

// Bits of |x| as a number that orders like |x|, NaN above everything: for atomicMax.
EMOJAX_DEVICE Fixed OrderedBits(double x) {
  const double size = fabs(x);
  Fixed bits;
  memcpy(&bits, &size, sizeof(bits));
  return bits;
}
EMOJAX_DEVICE double FromOrderedBits(Fixed bits) {
  double x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}

// The greatest of the block's numbers goes into *to; every thread of the block calls it.
EMOJAX_DEVICE void AtomicGreatest(double x, Fixed* to) {
  Fixed bits = OrderedBits(x);
  for (unsigned step = kWarp / 2; step; step /= 2) {
    const Fixed other = __shfl_xor_sync(kWholeWarp, bits, step);
    bits = other > bits ? other : bits;
  }
  if (Lane() == 0) atomicMax(to, bits);
}

}  // namespace emojax

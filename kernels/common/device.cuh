// What device code needs from its machine: CUDA's own, or the emulator's where it is compiled as
// plain C++ (kernels/check/emulator.h: every thread of a block really runs, in any order).
//
// Include this before any *_math.h: it decides what EMOJAX_HD means there.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#ifdef __CUDACC__

#include <cuda_runtime.h>

#define EMOJAX_HD __host__ __device__ __forceinline__
#define EMOJAX_DEVICE __device__ __forceinline__
// A kernel of blocks of `threads`, of which the compiler shall fit at least `blocks` on a
// multiprocessor.
#define EMOJAX_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#define EMOJAX_UNROLL _Pragma("unroll")
// A parameter that stays in the constant bank, however it is indexed.
#define EMOJAX_ARGUMENT(...) const __grid_constant__ __VA_ARGS__
// A variable of a block, without initial value: EMOJAX_SHARED(name, type).
#define EMOJAX_SHARED(name, ...) __shared__ __VA_ARGS__ name

namespace emojax {

using Stream = cudaStream_t;
constexpr const char* kNoError = nullptr;

// Queues a kernel; returns what went wrong, or kNoError. No synchronisation, no allocation.
template <class... Parameters>
const char* Launch(Stream stream, dim3 grid, int threads, void (*kernel)(Parameters...),
                   std::type_identity_t<Parameters>... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return kNoError;
  void* pointers[] = {&arguments...};
  const cudaError_t error = cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid,
                                             dim3(threads), pointers, 0, stream);
  return error == cudaSuccess ? kNoError : cudaGetErrorString(error);
}

}  // namespace emojax

#else

#include "../check/emulator.h"

#define EMOJAX_HD inline
#define EMOJAX_DEVICE inline
#define EMOJAX_KERNEL(threads, blocks) inline void
#define EMOJAX_UNROLL _Pragma("GCC unroll 64")
#define EMOJAX_ARGUMENT(...) const __VA_ARGS__
#define EMOJAX_SHARED(name, ...)   \
  static __VA_ARGS__ name;         \
  static uint64_t name##_block;    \
  ::emojax::emulator::FreshInEachBlock(&name, sizeof(name), &name##_block)

#endif

namespace emojax {

// Launches on one stream, up to the first that fails.
class Queue {
 public:
  explicit Queue(Stream stream) : stream_(stream) {}

  template <class... Parameters>
  void operator()(dim3 grid, int threads, void (*kernel)(Parameters...),
                  std::type_identity_t<Parameters>... arguments) {
    if (!error_) error_ = Launch(stream_, grid, threads, kernel, arguments...);
  }
  const char* error() const { return error_; }

 private:
  Stream stream_;
  const char* error_ = kNoError;
};

inline unsigned Blocks(int64_t count, int threads) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

constexpr unsigned kWarp = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;

// Instructions of the special function unit for float: relative error below 2^-22. Arguments here
// lie in [-8, 0] and [1e-3, 1]: no denormals, no infinities.
EMOJAX_DEVICE float FastExp2(float x) {
#ifdef __CUDA_ARCH__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}
EMOJAX_DEVICE double FastExp2(double x) { return exp2(x); }
EMOJAX_DEVICE float FastReciprocal(float x) {
#ifdef __CUDA_ARCH__
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return 1.0f / x;
#endif
}
EMOJAX_DEVICE double FastReciprocal(double x) { return 1.0 / x; }

// One rounding: spelled out where forward and backward must see the same bits.
EMOJAX_DEVICE float Fma(float a, float b, float c) { return fmaf(a, b, c); }
EMOJAX_DEVICE double Fma(double a, double b, double c) { return fma(a, b, c); }
EMOJAX_DEVICE float Log2(float x) { return log2f(x); }
EMOJAX_DEVICE double Log2(double x) { return log2(x); }
EMOJAX_DEVICE float Floor(float x) { return floorf(x); }
EMOJAX_DEVICE double Floor(double x) { return floor(x); }
EMOJAX_DEVICE float Ceil(float x) { return ceilf(x); }
EMOJAX_DEVICE double Ceil(double x) { return ceil(x); }

// Four numbers that are read and written at once where a float is; an aligned place is required.
template <class T>
struct alignas(4 * sizeof(float)) Four {
  T x, y, z, w;
};

EMOJAX_DEVICE unsigned Lane() { return threadIdx.x % kWarp; }

// The sum of `value` over the threads before this one, in a block of kThreads; *total over all.
// `scratch` holds one number a warp and is free again after the next barrier.
template <int kThreads, class I>
EMOJAX_DEVICE I ExclusiveSum(I value, I* scratch, I* total) {
  const unsigned lane = Lane(), warp = threadIdx.x / kWarp;
  I sum = value;
  for (unsigned step = 1; step < kWarp; step *= 2) {
    const I other = __shfl_up_sync(kWholeWarp, sum, step);
    if (lane >= step) sum += other;
  }
  if (lane == kWarp - 1) scratch[warp] = sum;
  __syncthreads();
  I before = 0, all = 0;
  for (unsigned w = 0; w < kThreads / kWarp; ++w) {
    if (w < warp) before += scratch[w];
    all += scratch[w];
  }
  *total = all;
  return before + sum - value;
}

// ---- Sums of many values over a warp ----------------------------------------------------------
//
// Halves of the list are exchanged between halves of the warp, so that kCount values cost about
// kCount + 5 shuffles instead of 5 kCount, and each sum ends in lanes of its own.

// Which sum a lane holds in the end.
struct SumPlace {
  int index;   // of the value
  bool valid;  // whether this lane is the one that keeps it
};

template <int kCount>
EMOJAX_DEVICE SumPlace PlaceOfSum(unsigned lane) {
  SumPlace place{0, true};
  int width = kCount, count = kCount;
  for (unsigned step = kWarp / 2; step; step /= 2) {
    const bool upper = lane & step;
    if (width > 1) {
      const int half = (width + 1) / 2;
      if (upper) place.index += half;
      count = upper ? count - half : (count < half ? count : half);
      width = half;
    } else if (upper) {
      place.valid = false;  // a copy of what another lane holds
    }
  }
  place.valid = place.valid && count > 0;
  return place;
}

template <int kWidth, unsigned kStep, class T, int kCount>
EMOJAX_DEVICE void ExchangeHalves(T (&value)[kCount], unsigned lane) {
  if constexpr (kStep > 0) {
    if constexpr (kWidth > 1) {
      constexpr int kHalf = (kWidth + 1) / 2;
      const bool upper = lane & kStep;
      EMOJAX_UNROLL
      for (int k = 0; k < kHalf; ++k) {
        const T low = value[k], high = k + kHalf < kWidth ? value[k + kHalf] : T(0);
        const T other = __shfl_xor_sync(kWholeWarp, upper ? low : high, kStep);
        value[k] = (upper ? high : low) + other;
      }
      ExchangeHalves<kHalf, kStep / 2>(value, lane);
    } else {
      value[0] += __shfl_xor_sync(kWholeWarp, value[0], kStep);
      ExchangeHalves<1, kStep / 2>(value, lane);
    }
  }
}

// The warp's sum of value[PlaceOfSum<kCount>(lane).index]; overwrites `value`.
template <class T, int kCount>
EMOJAX_DEVICE T WarpSums(T (&value)[kCount], unsigned lane) {
  static_assert(kCount <= static_cast<int>(kWarp), "a lane holds one sum in the end");
  ExchangeHalves<kCount, kWarp / 2>(value, lane);
  return value[0];
}

}  // namespace emojax

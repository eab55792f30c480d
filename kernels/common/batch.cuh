// Arrays of a batch as a kernel sees them: where each example's part begins.
#pragma once

#include "device.cuh"

namespace emojax {

constexpr int kMostBatch = 4;  // leading dimensions, after those that belong together are merged

struct BatchShape {
  int rank;
  unsigned size[kMostBatch];
};

// A stride of 0 belongs to an operand that all examples of a dimension share.
template <class T>
struct Strided {
  T* data;
  int64_t stride[kMostBatch];

  EMOJAX_DEVICE T* At(const BatchShape& batch, unsigned example) const {
    int64_t offset = 0;
    EMOJAX_UNROLL
    for (int k = kMostBatch - 1; k > 0; --k) {
      if (k < batch.rank) {
        offset += static_cast<int64_t>(example % batch.size[k]) * stride[k];
        example /= batch.size[k];
      }
    }
    if (batch.rank > 0) offset += static_cast<int64_t>(example) * stride[0];
    return data + offset;
  }
};

// Sets the first `count` words of each example's part to zero.
constexpr int kZeroThreads = 256;
template <class T>
EMOJAX_KERNEL(kZeroThreads, 1)
ZeroKernel(BatchShape batch, Strided<T> to, int64_t first, int64_t count) {
  T* begin = to.At(batch, blockIdx.y) + first;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kZeroThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kZeroThreads + threadIdx.x; i < count;
       i += step) {
    begin[i] = T(0);
  }
}

inline dim3 ZeroGrid(int64_t count, unsigned examples) {
  constexpr int64_t kEach = 8;  // numbers of a thread
  const int64_t blocks = (count + kEach * kZeroThreads - 1) / (kEach * kZeroThreads);
  return dim3(static_cast<unsigned>(blocks), examples);
}

}  // namespace emojax

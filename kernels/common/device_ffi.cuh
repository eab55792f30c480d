// From XLA's buffers to what device code takes.
//
// Compiled by nvcc these are handlers of a GPU. Compiled as plain C++ they are handlers of a CPU
// that run the same code on the emulator, so that tests call it like any other kernel.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "batch.cuh"
#include "handler.h"

namespace emojax {

#ifdef __CUDACC__
#define EMOJAX_BIND() ::xla::ffi::Ffi::Bind().Ctx<::xla::ffi::PlatformStream<cudaStream_t>>()
#else
#define EMOJAX_BIND() ::xla::ffi::Ffi::Bind().Ctx<::xla::ffi::DeviceOrdinal>()
#endif
// Every call queues the same launches, allocates nothing and asks the stream nothing, so that XLA
// may record it in a command buffer (a CUDA graph).
#define EMOJAX_TRAITS {::xla::ffi::Traits::kCmdBufferCompatible}

// The batch of a call, with dimensions merged where every operand allows it: then one is left, in
// nearly all calls.
class DeviceBatch {
 public:
  DeviceBatch(const std::vector<Batched>& buffers, const std::vector<int64_t>& batch)
      : buffers_(buffers), strides_(buffers.size()) {
    std::vector<int64_t> sizes;
    examples_ = Product(batch);
    int64_t step = examples_;  // from an example to the next of dimension k
    for (size_t k = 0; k < batch.size() && examples_; ++k) {
      step /= batch[k];
      if (batch[k] == 1) continue;
      std::vector<int64_t> strides;
      bool merge = !sizes.empty();
      for (size_t i = 0; i < buffers.size(); ++i) {
        // Counted in bytes of a char, whatever the elements: this is the offset in elements.
        strides.push_back(buffers[i].At<char>(step) - buffers[i].At<char>(0));
        merge = merge && strides_[i].back() == strides.back() * batch[k];
      }
      if (!merge) sizes.push_back(1);
      sizes.back() *= batch[k];
      for (size_t i = 0; i < buffers.size(); ++i) {
        if (!merge) strides_[i].push_back(0);
        strides_[i].back() = strides[i];
      }
    }
    fits_ = sizes.size() <= kMostBatch && examples_ <= kMostExamples;
    shape_ = {};
    if (!fits_) return;
    shape_.rank = static_cast<int>(sizes.size());
    for (size_t k = 0; k < sizes.size(); ++k) shape_.size[k] = static_cast<unsigned>(sizes[k]);
  }

  // Whether a grid can hold this batch.
  bool fits() const { return fits_; }
  static ffi::Error Misfit() {
    return ffi::Error::InvalidArgument("a batch of more than 65,535, or mapped more than four "
                                       "times over different operands");
  }
  const BatchShape& shape() const { return shape_; }
  unsigned examples() const { return static_cast<unsigned>(examples_); }

  template <class T>
  Strided<T> Get(size_t i) const {
    Strided<T> strided{buffers_[i].At<T>(0), {}};
    for (size_t k = 0; k < strides_[i].size(); ++k) strided.stride[k] = strides_[i][k];
    return strided;
  }

 private:
  static constexpr int64_t kMostExamples = 65535;  // the second dimension of a grid
  const std::vector<Batched>& buffers_;
  std::vector<std::vector<int64_t>> strides_;  // by buffer
  BatchShape shape_;
  int64_t examples_;
  bool fits_;
};

// What XLA is told after the launches of a call.
inline ffi::Error StatusOf(const Queue& queue) {
  if (!queue.error()) return ffi::Error::Success();
  return ffi::Error::Internal(std::string("a kernel could not be launched: ") + queue.error());
}

}  // namespace emojax

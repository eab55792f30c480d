// What every XLA handler needs: leading batch dimensions, and XLA's threads as a Scheduler.
//
// `vmap` reaches a handler as extra leading dimensions: full ones on operands that are batched,
// ones of size 1 on operands that are shared (vmap_method="expand_dims"). A shared operand is read
// in place for every image: its stride is 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "parallel.h"
#include "xla/ffi/api/ffi.h"

namespace emojax {

namespace ffi = ::xla::ffi;

// Upper bound on the threads of one loop; 0: as many as the machine has. Set from Python.
inline std::atomic<int>& ThreadLimit() {
  static std::atomic<int> limit{0};
  return limit;
}

inline Scheduler SchedulerOf(ffi::ThreadPool pool) {
  const int limit = ThreadLimit().load();
  int threads = static_cast<int>(pool.num_threads());
  // With many forced host devices the pool claims more threads than the machine has cores.
  threads = std::min(threads, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  if (limit > 0) threads = limit;
  return {std::max(1, threads),
          [pool](std::function<void()> task) mutable { pool.Schedule(std::move(task)); }};
}

// A buffer seen as [batch..., item...], where the batch of the call is `batch` (outermost first).
class Batched {
 public:
  Batched(ffi::AnyBuffer buffer, size_t item_rank, const std::vector<int64_t>& batch)
      : data_(buffer.untyped_data()), type_(buffer.element_type()) {
    Init(buffer.dimensions(), item_rank, batch);
  }

  const std::string& error() const { return error_; }
  ffi::DataType type() const { return type_; }
  const std::vector<int64_t>& item() const { return item_; }

  // The item of flat batch index i.
  template <class T>
  T* At(int64_t i) const {
    int64_t offset = 0;
    for (size_t k = batch_.size(); k-- > 0; i /= batch_[k]) offset += i % batch_[k] * strides_[k];
    return static_cast<T*>(data_) + offset;
  }

 private:
  void Init(ffi::AnyBuffer::Dimensions dims, size_t item_rank, const std::vector<int64_t>& batch) {
    batch_ = batch;
    strides_.assign(batch.size(), 0);
    if (dims.size() != item_rank + batch.size()) {
      error_ = "has rank " + std::to_string(dims.size()) + ", expected " +
               std::to_string(item_rank + batch.size());
      return;
    }
    int64_t stride = 1;
    for (size_t k = dims.size(); k-- > batch.size();) {
      item_.insert(item_.begin(), dims[k]);
      stride *= dims[k];
    }
    for (size_t k = batch.size(); k-- > 0;) {
      if (dims[k] == batch[k]) {
        strides_[k] = stride;
      } else if (dims[k] != 1) {
        error_ = "has batch size " + std::to_string(dims[k]) + ", expected 1 or " +
                 std::to_string(batch[k]);
        return;
      }
      stride *= dims[k];
    }
  }

  void* data_;
  ffi::DataType type_;
  std::vector<int64_t> batch_, strides_, item_;
  std::string error_;
};

inline int64_t Product(const std::vector<int64_t>& sizes) {
  int64_t product = 1;
  for (int64_t size : sizes) product *= size;
  return product;
}

// The leading dimensions of a buffer, all but its last `item_rank`.
inline std::vector<int64_t> LeadingDims(ffi::AnyBuffer buffer, size_t item_rank) {
  auto dims = buffer.dimensions();
  if (dims.size() < item_rank) return {};
  return std::vector<int64_t>(dims.begin(), dims.end() - item_rank);
}

}  // namespace emojax

// What handlers share: checks of their operands, and the choice between float and double.
//
// Shapes are decided and checked in Python; the checks here only keep a wrong call from reading or
// writing out of bounds.
#pragma once

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "ffi_util.h"

namespace emojax {

// One operand or result: what it is called in messages, and how many dimensions one item has.
struct Expected {
  const char* name;
  ffi::AnyBuffer buffer;
  std::vector<int64_t> item;
  bool integer = false;
};

// Checks all operands and results of a call and returns them as batches, in order.
inline ffi::ErrorOr<std::vector<Batched>> Check(const std::vector<Expected>& expected,
                                                const std::vector<int64_t>& batch,
                                                ffi::DataType type) {
  std::vector<Batched> buffers;
  for (const Expected& e : expected) {
    buffers.emplace_back(e.buffer, e.item.size(), batch);
    std::string error = buffers.back().error();
    if (error.empty() && buffers.back().item() != e.item) error = "has an unexpected shape";
    if (error.empty() && buffers.back().type() != (e.integer ? ffi::DataType::S32 : type)) {
      error = "has an unexpected element type";
    }
    if (!error.empty()) {
      return ffi::Unexpected(ffi::Error::InvalidArgument(std::string(e.name) + " " + error));
    }
  }
  return buffers;
}

// The item shape of a buffer that must have at least `rank` dimensions.
inline std::vector<int64_t> Item(ffi::AnyBuffer buffer, size_t rank) {
  auto dims = buffer.dimensions();
  std::vector<int64_t> item(rank, 0);
  if (dims.size() >= rank) std::copy(dims.end() - rank, dims.end(), item.begin());
  return item;
}

// Calls run(float()) or run(double()).
template <class Run>
ffi::Error Dispatch(ffi::DataType type, const Run& run) {
  try {
    if (type == ffi::DataType::F32) {
      run(float());
    } else if (type == ffi::DataType::F64) {
      run(double());
    } else {
      return ffi::Error::InvalidArgument("operands must be float32 or float64");
    }
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "out of memory for a kernel's scratch");
  }
  return ffi::Error::Success();
}

}  // namespace emojax

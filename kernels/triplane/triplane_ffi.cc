// XLA handlers of the tri-plane encoder on a CPU; shapes are decided in emojax/encoders/native.py.
#include <limits>

#include "../common/handler.h"
#include "triplane_cpu.h"

// Visible from outside, unlike everything else in the library.
extern "C" {
__attribute__((visibility("default"))) XLA_FFI_Error* emojax_triplane_forward(XLA_FFI_CallFrame*);
__attribute__((visibility("default"))) XLA_FFI_Error* emojax_triplane_backward(XLA_FFI_CallFrame*);
}

namespace emojax::triplane {
namespace {

// Refuses attributes with which a point could be looked up outside of the tables.
ffi::ErrorOr<Encoder> EncoderOf(ffi::AnyBuffer tables, ffi::Span<const float> scales,
                                ffi::Span<const int32_t> offsets, double bound, bool smoothstep) {
  const auto shape = Item(tables, 3);
  const size_t levels = scales.size();
  Encoder encoder{{}, shape[2], shape[1], bound, smoothstep};
  bool fits = bound > 1e-30 && bound < 1e30 && offsets.size() == levels + 1 && offsets[0] == 0 &&
              offsets[levels] == encoder.entries &&
              encoder.entries * encoder.features <= std::numeric_limits<int32_t>::max();
  for (size_t l = 0; fits && l < levels; ++l) {
    fits = scales[l] >= 0 && scales[l] < 1e9f && offsets[l] < offsets[l + 1];
    if (fits) encoder.levels.push_back(LevelOf(scales[l], offsets[l], offsets[l + 1]));
  }
  if (!fits) {
    return ffi::Unexpected(ffi::Error::InvalidArgument("attributes do not fit the tables"));
  }
  return encoder;
}

ffi::Error TriplaneForward(ffi::ThreadPool pool, ffi::AnyBuffer tables, ffi::AnyBuffer points,
                           ffi::Result<ffi::AnyBuffer> features, ffi::Span<const float> scales,
                           ffi::Span<const int32_t> offsets, double bound, bool smoothstep) {
  auto encoder = EncoderOf(tables, scales, offsets, bound, smoothstep);
  if (encoder.has_error()) return encoder.error();
  const int64_t n = Item(points, 2)[0];
  const auto batch = LeadingDims(*features, 2);
  auto buffers = Check({{"tables", tables, {kPlanes, encoder->entries, encoder->features}},
                        {"points", points, {n, 3}},
                        {"features", *features, {n, encoder->Columns()}}},
                       batch, tables.element_type());
  if (buffers.has_error()) return buffers.error();
  return Dispatch(tables.element_type(), [&](auto number) {
    using T = decltype(number);
    std::vector<Example<T>> examples(Product(batch));
    for (size_t i = 0; i < examples.size(); ++i) {
      examples[i].tables = (*buffers)[0].At<T>(i);
      examples[i].points = (*buffers)[1].At<T>(i);
      examples[i].features = (*buffers)[2].At<T>(i);
    }
    Forward(SchedulerOf(pool), *encoder, n, examples);
  });
}

// Either gradient may have a leading dimension of 0: it is then not asked for.
ffi::Error TriplaneBackward(ffi::ThreadPool pool, ffi::AnyBuffer tables, ffi::AnyBuffer points,
                            ffi::AnyBuffer cotangent, ffi::Result<ffi::AnyBuffer> d_tables,
                            ffi::Result<ffi::AnyBuffer> d_points, ffi::Span<const float> scales,
                            ffi::Span<const int32_t> offsets, double bound, bool smoothstep) {
  auto encoder = EncoderOf(tables, scales, offsets, bound, smoothstep);
  if (encoder.has_error()) return encoder.error();
  const int64_t n = Item(points, 2)[0];
  const bool by_tables = Item(*d_tables, 3)[0] > 0, by_points = Item(*d_points, 2)[0] > 0;
  const auto batch = LeadingDims(*d_points, 2);
  auto buffers = Check({{"tables", tables, {kPlanes, encoder->entries, encoder->features}},
                        {"points", points, {n, 3}},
                        {"cotangent of features", cotangent, {n, encoder->Columns()}},
                        {"cotangent of tables",
                         *d_tables,
                         {by_tables ? kPlanes : 0, encoder->entries, encoder->features}},
                        {"cotangent of points", *d_points, {by_points ? n : 0, 3}}},
                       batch, tables.element_type());
  if (buffers.has_error()) return buffers.error();
  return Dispatch(tables.element_type(), [&](auto number) {
    using T = decltype(number);
    std::vector<Example<T>> examples(Product(batch));
    for (size_t i = 0; i < examples.size(); ++i) {
      examples[i].tables = (*buffers)[0].At<T>(i);
      examples[i].points = (*buffers)[1].At<T>(i);
      examples[i].cotangent = (*buffers)[2].At<T>(i);
      examples[i].d_tables = (*buffers)[3].At<T>(i);
      examples[i].d_points = (*buffers)[4].At<T>(i);
    }
    const Scheduler scheduler = SchedulerOf(pool);
    if (by_points) BackwardPoints(scheduler, *encoder, n, examples);
    if (by_tables) BackwardTables(scheduler, *encoder, n, examples);
  });
}

}  // namespace
}  // namespace emojax::triplane

namespace ffi = ::xla::ffi;
using emojax::triplane::TriplaneBackward;
using emojax::triplane::TriplaneForward;

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_triplane_forward, TriplaneForward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()                      // tables [3, E, F]
                                  .Arg<ffi::AnyBuffer>()                      // points [N, 3]
                                  .Ret<ffi::AnyBuffer>()                      // features [N, 3 L F]
                                  .Attr<ffi::Span<const float>>("scales")     // [L]
                                  .Attr<ffi::Span<const int32_t>>("offsets")  // [L + 1]
                                  .Attr<double>("bound")
                                  .Attr<bool>("smoothstep"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_triplane_backward, TriplaneBackward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()  // tables [3, E, F]
                                  .Arg<ffi::AnyBuffer>()  // points [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // cotangent of features [N, 3 L F]
                                  .Ret<ffi::AnyBuffer>()  // tables [3, E, F], or [0, E, F]
                                  .Ret<ffi::AnyBuffer>()  // points [N, 3], or [0, 3]
                                  .Attr<ffi::Span<const float>>("scales")
                                  .Attr<ffi::Span<const int32_t>>("offsets")
                                  .Attr<double>("bound")
                                  .Attr<bool>("smoothstep"));

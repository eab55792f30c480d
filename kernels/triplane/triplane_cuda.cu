// XLA handlers of the tri-plane encoder on a GPU; shapes are decided in emojax/encoders/native.py.
#include "../common/device_ffi.cuh"
#include "triplane_launch.cuh"

#define EMOJAX_VISIBLE extern "C" __attribute__((visibility("default")))

// Visible from outside, unlike everything else in the library.
EMOJAX_VISIBLE XLA_FFI_Error* emojax_triplane_forward(XLA_FFI_CallFrame*);
EMOJAX_VISIBLE XLA_FFI_Error* emojax_triplane_backward(XLA_FFI_CallFrame*);

namespace emojax::triplane::device {
namespace {

// Refuses attributes with which a point could be looked up outside of the tables.
ffi::ErrorOr<Grid> GridOf(ffi::AnyBuffer tables, ffi::Span<const float> scales,
                          ffi::Span<const int32_t> offsets, double bound, bool smoothstep) {
  const auto shape = Item(tables, 3);
  const size_t levels = scales.size();
  Grid grid{};
  if (levels > kMostLevels) {
    return ffi::Unexpected(ffi::Error::InvalidArgument("more than 32 levels"));
  }
  grid.levels = static_cast<int>(levels);
  grid.features = static_cast<int>(shape[2]);
  grid.entries = shape[1];
  grid.bound = bound;
  grid.smoothstep = smoothstep;
  bool fits = bound > 1e-30 && bound < 1e30 && offsets.size() == levels + 1 && offsets[0] == 0 &&
              offsets[levels] == shape[1] &&
              shape[1] * shape[2] <= std::numeric_limits<int32_t>::max();
  for (size_t l = 0; fits && l < levels; ++l) {
    fits = scales[l] >= 0 && scales[l] < 1e9f && offsets[l] < offsets[l + 1];
    if (fits) grid.level[l] = LevelOf(scales[l], offsets[l], offsets[l + 1]);
  }
  if (!fits) {
    return ffi::Unexpected(ffi::Error::InvalidArgument("attributes do not fit the tables"));
  }
  return grid;
}

ffi::Error TriplaneForward(Stream stream, ffi::AnyBuffer tables, ffi::AnyBuffer points,
                           ffi::Result<ffi::AnyBuffer> features, ffi::Span<const float> scales,
                           ffi::Span<const int32_t> offsets, double bound, bool smoothstep) {
  auto grid = GridOf(tables, scales, offsets, bound, smoothstep);
  if (grid.has_error()) return grid.error();
  const int64_t n = Item(points, 2)[0];
  const auto batch = LeadingDims(*features, 2);
  auto buffers = Check({{"tables", tables, {kPlanes, grid->entries, grid->features}},
                        {"points", points, {n, 3}},
                        {"features", *features, {n, grid->Columns()}}},
                       batch, tables.element_type());
  if (buffers.has_error()) return buffers.error();
  const DeviceBatch b(*buffers, batch);
  if (!b.fits()) return DeviceBatch::Misfit();
  Queue queue(stream);
  const ffi::Error checked = Dispatch(tables.element_type(), [&](auto number) {
    using T = decltype(number);
    Call<T> p{*grid, static_cast<int>(n), false, b.shape(), b.Get<const T>(0), b.Get<const T>(1),
              {},    b.Get<T>(2),         {},    {},        {}};
    QueueForward(queue, p, b.examples());
  });
  return checked.failure() ? checked : StatusOf(queue);
}

// Either gradient may have a leading dimension of 0: it is then not asked for. So is the scratch
// where sums need not be deterministic.
ffi::Error TriplaneBackward(Stream stream, ffi::AnyBuffer tables, ffi::AnyBuffer points,
                            ffi::AnyBuffer cotangent, ffi::Result<ffi::AnyBuffer> d_tables,
                            ffi::Result<ffi::AnyBuffer> d_points,
                            ffi::Result<ffi::AnyBuffer> scratch, ffi::Span<const float> scales,
                            ffi::Span<const int32_t> offsets, double bound, bool smoothstep,
                            bool deterministic) {
  auto grid = GridOf(tables, scales, offsets, bound, smoothstep);
  if (grid.has_error()) return grid.error();
  const int64_t n = Item(points, 2)[0];
  const bool by_tables = Item(*d_tables, 3)[0] > 0, by_points = Item(*d_points, 2)[0] > 0;
  const bool fixed = by_tables && deterministic;
  const auto batch = LeadingDims(*d_points, 2);
  auto buffers =
      Check({{"tables", tables, {kPlanes, grid->entries, grid->features}},
             {"points", points, {n, 3}},
             {"cotangent of features", cotangent, {n, grid->Columns()}},
             {"cotangent of tables",
              *d_tables,
              {by_tables ? kPlanes : 0, grid->entries, grid->features}},
             {"cotangent of points", *d_points, {by_points ? n : 0, 3}},
             {"scratch", *scratch, {fixed ? ScratchWords(*grid) : 0}, true}},
            batch, tables.element_type());
  if (buffers.has_error()) return buffers.error();
  const DeviceBatch b(*buffers, batch);
  if (!b.fits()) return DeviceBatch::Misfit();
  Queue queue(stream);
  const ffi::Error checked = Dispatch(tables.element_type(), [&](auto number) {
    using T = decltype(number);
    Call<T> p{*grid,
              static_cast<int>(n),
              deterministic,
              b.shape(),
              b.Get<const T>(0),
              b.Get<const T>(1),
              b.Get<const T>(2),
              {},
              b.Get<T>(3),
              b.Get<T>(4),
              b.Get<int>(5)};
    QueueBackward(queue, p, by_tables, by_points, b.examples());
  });
  return checked.failure() ? checked : StatusOf(queue);
}

}  // namespace
}  // namespace emojax::triplane::device

namespace ffi = ::xla::ffi;
using emojax::triplane::device::TriplaneBackward;
using emojax::triplane::device::TriplaneForward;

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_triplane_forward, TriplaneForward,
                              EMOJAX_BIND()
                                  .Arg<ffi::AnyBuffer>()                      // tables [3, E, F]
                                  .Arg<ffi::AnyBuffer>()                      // points [N, 3]
                                  .Ret<ffi::AnyBuffer>()                      // features [N, 3 L F]
                                  .Attr<ffi::Span<const float>>("scales")     // [L]
                                  .Attr<ffi::Span<const int32_t>>("offsets")  // [L + 1]
                                  .Attr<double>("bound")
                                  .Attr<bool>("smoothstep"),
                              EMOJAX_TRAITS);

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_triplane_backward, TriplaneBackward,
                              EMOJAX_BIND()
                                  .Arg<ffi::AnyBuffer>()  // tables [3, E, F]
                                  .Arg<ffi::AnyBuffer>()  // points [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // cotangent of features [N, 3 L F]
                                  .Ret<ffi::AnyBuffer>()  // tables [3, E, F], or [0, E, F]
                                  .Ret<ffi::AnyBuffer>()  // points [N, 3], or [0, 3]
                                  .Ret<ffi::AnyBuffer>()  // scratch
                                  .Attr<ffi::Span<const float>>("scales")
                                  .Attr<ffi::Span<const int32_t>>("offsets")
                                  .Attr<double>("bound")
                                  .Attr<bool>("smoothstep")
                                  .Attr<bool>("deterministic"),
                              EMOJAX_TRAITS);

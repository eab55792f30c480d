// XLA handlers of splatting on a GPU; shapes are decided in emojax/splatting/native.py.
#include "../common/device_ffi.cuh"
#include "splat_launch.cuh"

#define EMOJAX_VISIBLE extern "C" __attribute__((visibility("default")))

// Visible from outside, unlike everything else in the library.
EMOJAX_VISIBLE XLA_FFI_Error* emojax_splat_forward(XLA_FFI_CallFrame*);
EMOJAX_VISIBLE XLA_FFI_Error* emojax_splat_backward(XLA_FFI_CallFrame*);
EMOJAX_VISIBLE int64_t emojax_splat_forward_scratch(int64_t, int64_t, int64_t, int64_t, int64_t);
EMOJAX_VISIBLE int64_t emojax_splat_backward_scratch(int64_t, int64_t, int64_t, int64_t, int64_t);

namespace emojax::device {
namespace {

std::vector<Expected> ExpectedInputs(const Frame& f, ffi::AnyBuffer means,
                                     ffi::AnyBuffer quaternions, ffi::AnyBuffer scales,
                                     ffi::AnyBuffer opacities, ffi::AnyBuffer features,
                                     ffi::AnyBuffer world_to_camera, ffi::AnyBuffer intrinsics) {
  const int64_t n = f.gaussians;
  return {{"means", means, {n, 3}},
          {"quaternions", quaternions, {n, 4}},
          {"scales", scales, {n, 3}},
          {"opacities", opacities, {n}},
          {"features", features, {n, f.channels}},
          {"world_to_camera", world_to_camera, {4, 4}},
          {"intrinsics", intrinsics, {4}}};
}

template <class T>
Inputs<T> InputsOf(const DeviceBatch& batch) {
  return {batch.Get<const T>(0), batch.Get<const T>(1), batch.Get<const T>(2),
          batch.Get<const T>(3), batch.Get<const T>(4), batch.Get<const T>(5),
          batch.Get<const T>(6)};
}

// Whether indices of 32 bits and the grids' dimensions are enough.
bool Fits(const std::vector<int64_t>& item, const std::vector<int64_t>& feature) {
  constexpr int64_t kMost = int64_t{1} << 30;
  return item[0] > 0 && item[1] > 0 && feature[0] < kMost && feature[1] < (1 << 20) &&
         item[0] < (1 << 20) && item[1] <= kMostColumns * kTileSize;
}

ffi::Error TooLarge() {
  return ffi::Error::InvalidArgument(
      "the picture or the cloud is too large: at most 16,384 pixels wide and 2^30 Gaussians");
}

ffi::Error SplatForward(Stream stream, ffi::AnyBuffer means, ffi::AnyBuffer quaternions,
                        ffi::AnyBuffer scales, ffi::AnyBuffer opacities, ffi::AnyBuffer features,
                        ffi::AnyBuffer world_to_camera, ffi::AnyBuffer intrinsics,
                        ffi::Result<ffi::AnyBuffer> color,
                        ffi::Result<ffi::AnyBuffer> transmittance,
                        ffi::Result<ffi::AnyBuffer> radii, ffi::Result<ffi::AnyBuffer> num_pairs,
                        ffi::Result<ffi::AnyBuffer> overflow, ffi::Result<ffi::AnyBuffer> records,
                        ffi::Result<ffi::AnyBuffer> bins, ffi::Result<ffi::AnyBuffer> last,
                        ffi::Result<ffi::AnyBuffer> scratch, int64_t capacity, bool depth,
                        double near_plane, double far_plane, double dilation, double alpha_max,
                        bool antialias) {
  const auto item = Item(*color, 3), feature = Item(features, 2);
  if (!Fits(item, feature)) return TooLarge();
  const Frame f{static_cast<int>(feature[0]), static_cast<int>(feature[1]),
                static_cast<int>(item[1]),    static_cast<int>(item[0]),
                depth,                        capacity,
                near_plane,                   far_plane,
                dilation,                     alpha_max,
                antialias};
  const auto type = means.element_type();
  const ForwardLayout layout = type == ffi::DataType::F32 ? ForwardLayoutOf<float>(f)
                                                          : ForwardLayoutOf<double>(f);
  auto expected = ExpectedInputs(f, means, quaternions, scales, opacities, features,
                                 world_to_camera, intrinsics);
  expected.insert(expected.end(), {{"color", *color, {f.height, f.width, f.Planes()}},
                                   {"transmittance", *transmittance, {f.height, f.width}},
                                   {"radii", *radii, {f.gaussians, 2}, true},
                                   {"num_pairs", *num_pairs, {}, true},
                                   {"overflow", *overflow, {}, true},
                                   {"records", *records, {f.gaussians, kRecord}},
                                   {"bins", *bins, {f.BinsLength()}, true},
                                   {"last", *last, {f.height, f.width}, true},
                                   {"scratch", *scratch, {layout.size / 4}, true}});
  const auto batch = LeadingDims(*color, 3);
  auto buffers = Check(expected, batch, type);
  if (buffers.has_error()) return buffers.error();
  const DeviceBatch b(*buffers, batch);
  if (!b.fits()) return DeviceBatch::Misfit();
  Queue queue(stream);
  const ffi::Error checked = Dispatch(type, [&](auto number) {
    using T = decltype(number);
    const Forward<T> p{f,
                       b.shape(),
                       InputsOf<T>(b),
                       b.Get<T>(7),
                       b.Get<T>(8),
                       b.Get<int>(9),
                       b.Get<int>(10),
                       b.Get<int>(11),
                       b.Get<T>(12),
                       b.Get<int>(13),
                       b.Get<int>(14),
                       b.Get<int>(15),
                       layout};
    QueueForward(queue, p, b.examples());
  });
  return checked.failure() ? checked : StatusOf(queue);
}

ffi::Error SplatBackward(
    Stream stream, ffi::AnyBuffer means, ffi::AnyBuffer quaternions, ffi::AnyBuffer scales,
    ffi::AnyBuffer opacities, ffi::AnyBuffer features, ffi::AnyBuffer world_to_camera,
    ffi::AnyBuffer intrinsics, ffi::AnyBuffer records, ffi::AnyBuffer bins, ffi::AnyBuffer last,
    ffi::AnyBuffer transmittance, ffi::AnyBuffer d_color, ffi::AnyBuffer d_transmittance,
    ffi::AnyBuffer attached, ffi::Result<ffi::AnyBuffer> d_means,
    ffi::Result<ffi::AnyBuffer> d_quaternions, ffi::Result<ffi::AnyBuffer> d_scales,
    ffi::Result<ffi::AnyBuffer> d_opacities, ffi::Result<ffi::AnyBuffer> d_features,
    ffi::Result<ffi::AnyBuffer> d_world_to_camera, ffi::Result<ffi::AnyBuffer> d_intrinsics,
    ffi::Result<ffi::AnyBuffer> d_tap, ffi::Result<ffi::AnyBuffer> scratch, int64_t capacity,
    bool depth, double near_plane, double far_plane, double dilation, double alpha_max,
    bool antialias, bool tap, bool deterministic, int64_t variant) {
  const auto item = Item(d_color, 3), feature = Item(features, 2);
  if (!Fits(item, feature)) return TooLarge();
  const Frame f{static_cast<int>(feature[0]), static_cast<int>(feature[1]),
                static_cast<int>(item[1]),    static_cast<int>(item[0]),
                depth,                        capacity,
                near_plane,                   far_plane,
                dilation,                     alpha_max,
                antialias};
  const auto type = means.element_type();
  const BackwardLayout layout = type == ffi::DataType::F32
                                    ? BackwardLayoutOf<float>(f, tap, deterministic)
                                    : BackwardLayoutOf<double>(f, tap, deterministic);
  auto expected = ExpectedInputs(f, means, quaternions, scales, opacities, features,
                                 world_to_camera, intrinsics);
  expected.insert(expected.end(),
                  {{"records", records, {f.gaussians, kRecord}},
                   {"bins", bins, {f.BinsLength()}, true},
                   {"last", last, {f.height, f.width}, true},
                   {"transmittance", transmittance, {f.height, f.width}},
                   {"cotangent of color", d_color, {f.height, f.width, f.Planes()}},
                   {"cotangent of transmittance", d_transmittance, {f.height, f.width}},
                   {"attached", attached, {f.Planes()}}});
  const auto results = ExpectedInputs(f, *d_means, *d_quaternions, *d_scales, *d_opacities,
                                      *d_features, *d_world_to_camera, *d_intrinsics);
  expected.insert(expected.end(), results.begin(), results.end());
  expected.push_back({"cotangent of tap", *d_tap, {tap ? f.gaussians : 0, 4}});
  expected.push_back({"scratch", *scratch, {layout.size / 4}, true});
  const auto batch = LeadingDims(*d_means, 2);
  auto buffers = Check(expected, batch, type);
  if (buffers.has_error()) return buffers.error();
  const DeviceBatch b(*buffers, batch);
  if (!b.fits()) return DeviceBatch::Misfit();
  Queue queue(stream);
  const ffi::Error checked = Dispatch(type, [&](auto number) {
    using T = decltype(number);
    const Backward<T> p{f,
                        tap,
                        deterministic,
                        b.shape(),
                        InputsOf<T>(b),
                        b.Get<const T>(7),
                        b.Get<const int>(8),
                        b.Get<const int>(9),
                        b.Get<const T>(10),
                        b.Get<const T>(11),
                        b.Get<const T>(12),
                        b.Get<const T>(13),
                        b.Get<T>(14),
                        b.Get<T>(15),
                        b.Get<T>(16),
                        b.Get<T>(17),
                        b.Get<T>(18),
                        b.Get<T>(19),
                        b.Get<T>(20),
                        b.Get<T>(21),
                        b.Get<int>(22),
                        layout};
    QueueBackward(queue, p, variant == kBySplat ? kBySplat : kByPixel, b.examples());
  });
  return checked.failure() ? checked : StatusOf(queue);
}

}  // namespace
}  // namespace emojax::device

// Words of 32 bits that the forward (backward) pass wants for its scratch, an image.
int64_t emojax_splat_forward_scratch(int64_t gaussians, int64_t width, int64_t height,
                                     int64_t capacity, int64_t number_bytes) {
  emojax::device::Frame frame{};
  frame.gaussians = static_cast<int>(gaussians);
  frame.width = static_cast<int>(width);
  frame.height = static_cast<int>(height);
  frame.capacity = capacity;
  return (number_bytes == 4 ? emojax::device::ForwardLayoutOf<float>(frame).size
                            : emojax::device::ForwardLayoutOf<double>(frame).size) /
         4;
}
int64_t emojax_splat_backward_scratch(int64_t gaussians, int64_t planes, int64_t tap,
                                      int64_t deterministic, int64_t number_bytes) {
  emojax::device::Frame frame{};
  frame.gaussians = static_cast<int>(gaussians);
  frame.channels = static_cast<int>(planes);
  return (number_bytes == 4
              ? emojax::device::BackwardLayoutOf<float>(frame, tap, deterministic).size
              : emojax::device::BackwardLayoutOf<double>(frame, tap, deterministic).size) /
         4;
}

#ifndef __CUDACC__
// Which thread of a block goes first from now on: 0 the first, 1 the last, 2 whichever.
EMOJAX_VISIBLE int64_t emojax_emulator_order(int64_t order) {
  emojax::emulator::SetOrder(static_cast<emojax::emulator::Order>(order));
  return order;
}
#endif

namespace ffi = ::xla::ffi;
using emojax::device::SplatBackward;
using emojax::device::SplatForward;

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_splat_forward, SplatForward,
                              EMOJAX_BIND()
                                  .Arg<ffi::AnyBuffer>()  // means [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // quaternions [N, 4]
                                  .Arg<ffi::AnyBuffer>()  // scales [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // opacities [N]
                                  .Arg<ffi::AnyBuffer>()  // features [N, C]
                                  .Arg<ffi::AnyBuffer>()  // world_to_camera [4, 4]
                                  .Arg<ffi::AnyBuffer>()  // intrinsics [4]: fx, fy, cx, cy
                                  .Ret<ffi::AnyBuffer>()  // color [H, W, C (+ 1)]
                                  .Ret<ffi::AnyBuffer>()  // transmittance [H, W]
                                  .Ret<ffi::AnyBuffer>()  // radii [N, 2]
                                  .Ret<ffi::AnyBuffer>()  // num_pairs []
                                  .Ret<ffi::AnyBuffer>()  // overflow []
                                  .Ret<ffi::AnyBuffer>()  // records [N, kRecord]
                                  .Ret<ffi::AnyBuffer>()  // bins [tiles * words] or list
                                  .Ret<ffi::AnyBuffer>()  // last [H, W]
                                  .Ret<ffi::AnyBuffer>()  // scratch
                                  .Attr<int64_t>("capacity")
                                  .Attr<bool>("depth")
                                  .Attr<double>("near_plane")
                                  .Attr<double>("far_plane")
                                  .Attr<double>("dilation")
                                  .Attr<double>("alpha_max")
                                  .Attr<bool>("antialias"),
                              EMOJAX_TRAITS);

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_splat_backward, SplatBackward,
                              EMOJAX_BIND()
                                  .Arg<ffi::AnyBuffer>()  // means [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // quaternions [N, 4]
                                  .Arg<ffi::AnyBuffer>()  // scales [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // opacities [N]
                                  .Arg<ffi::AnyBuffer>()  // features [N, C]
                                  .Arg<ffi::AnyBuffer>()  // world_to_camera [4, 4]
                                  .Arg<ffi::AnyBuffer>()  // intrinsics [4]
                                  .Arg<ffi::AnyBuffer>()  // records [N, kRecord]
                                  .Arg<ffi::AnyBuffer>()  // bins
                                  .Arg<ffi::AnyBuffer>()  // last [H, W]
                                  .Arg<ffi::AnyBuffer>()  // transmittance [H, W]
                                  .Arg<ffi::AnyBuffer>()  // cotangent of color [H, W, C (+ 1)]
                                  .Arg<ffi::AnyBuffer>()  // cotangent of transmittance [H, W]
                                  .Arg<ffi::AnyBuffer>()  // attached [C (+ 1)], 0 or 1
                                  .Ret<ffi::AnyBuffer>()  // cotangents of the first seven
                                  .Ret<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()  // tap [N, 4], or [0, 4]
                                  .Ret<ffi::AnyBuffer>()  // scratch
                                  .Attr<int64_t>("capacity")
                                  .Attr<bool>("depth")
                                  .Attr<double>("near_plane")
                                  .Attr<double>("far_plane")
                                  .Attr<double>("dilation")
                                  .Attr<double>("alpha_max")
                                  .Attr<bool>("antialias")
                                  .Attr<bool>("tap")
                                  .Attr<bool>("deterministic")
                                  .Attr<int64_t>("variant"),
                              EMOJAX_TRAITS);

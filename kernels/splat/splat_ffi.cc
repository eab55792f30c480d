// XLA handlers of splatting on a CPU; shapes are decided in emojax/splatting/native.py.
#include "../common/handler.h"
#include "splat_cpu.h"

// Visible from outside, unlike everything else in the library.
extern "C" {
__attribute__((visibility("default"))) XLA_FFI_Error* emojax_splat_forward(XLA_FFI_CallFrame*);
__attribute__((visibility("default"))) XLA_FFI_Error* emojax_splat_backward(XLA_FFI_CallFrame*);
}

namespace emojax {
namespace {

std::vector<Expected> ExpectedInputs(const Sizes& s, ffi::AnyBuffer means,
                                     ffi::AnyBuffer quaternions, ffi::AnyBuffer scales,
                                     ffi::AnyBuffer opacities, ffi::AnyBuffer features,
                                     ffi::AnyBuffer world_to_camera, ffi::AnyBuffer intrinsics) {
  return {{"means", means, {s.gaussians, 3}},
          {"quaternions", quaternions, {s.gaussians, 4}},
          {"scales", scales, {s.gaussians, 3}},
          {"opacities", opacities, {s.gaussians}},
          {"features", features, {s.gaussians, s.channels}},
          {"world_to_camera", world_to_camera, {4, 4}},
          {"intrinsics", intrinsics, {4}}};
}

template <class T>
Inputs<T> InputsAt(const std::vector<Batched>& buffers, int64_t image) {
  return {buffers[0].At<T>(image), buffers[1].At<T>(image), buffers[2].At<T>(image),
          buffers[3].At<T>(image), buffers[4].At<T>(image), buffers[5].At<T>(image),
          buffers[6].At<T>(image)};
}

template <class T>
void RunForward(ffi::ThreadPool pool, const Sizes& sizes, const Options& options, bool keep,
                int64_t images, const std::vector<Batched>& buffers) {
  std::vector<Inputs<T>> in;
  std::vector<ForwardOutputs<T>> out;
  for (int64_t i = 0; i < images; ++i) {
    in.push_back(InputsAt<T>(buffers, i));
    out.push_back({buffers[7].At<T>(i),
                   buffers[8].At<T>(i),
                   buffers[9].At<int32_t>(i),
                   buffers[10].At<int32_t>(i),
                   buffers[11].At<int32_t>(i),
                   {buffers[12].At<T>(i), buffers[13].At<int32_t>(i), buffers[14].At<int32_t>(i)}});
  }
  Forward<T>(SchedulerOf(pool), sizes, options, keep, in, out);
}

template <class T>
void RunBackward(ffi::ThreadPool pool, const Sizes& sizes, const Options& options, bool tap,
                 int64_t images, const std::vector<Batched>& buffers) {
  std::vector<Inputs<T>> in;
  std::vector<Saved<T>> saved;
  std::vector<Cotangents<T>> cotangents;
  std::vector<BackwardOutputs<T>> out;
  for (int64_t i = 0; i < images; ++i) {
    in.push_back(InputsAt<T>(buffers, i));
    saved.push_back({buffers[7].At<T>(i), buffers[8].At<int32_t>(i), buffers[9].At<int32_t>(i)});
    cotangents.push_back({buffers[10].At<T>(i), buffers[11].At<T>(i), buffers[12].At<T>(i)});
    out.push_back({buffers[13].At<T>(i), buffers[14].At<T>(i), buffers[15].At<T>(i),
                   buffers[16].At<T>(i), buffers[17].At<T>(i), buffers[18].At<T>(i),
                   buffers[19].At<T>(i), tap ? buffers[20].At<T>(i) : nullptr});
  }
  Backward<T>(SchedulerOf(pool), sizes, options, in, saved, cotangents, out);
}

ffi::Error SplatForward(ffi::ThreadPool pool, ffi::AnyBuffer means, ffi::AnyBuffer quaternions,
                        ffi::AnyBuffer scales, ffi::AnyBuffer opacities, ffi::AnyBuffer features,
                        ffi::AnyBuffer world_to_camera, ffi::AnyBuffer intrinsics,
                        ffi::Result<ffi::AnyBuffer> color,
                        ffi::Result<ffi::AnyBuffer> transmittance,
                        ffi::Result<ffi::AnyBuffer> radii, ffi::Result<ffi::AnyBuffer> num_pairs,
                        ffi::Result<ffi::AnyBuffer> overflow, ffi::Result<ffi::AnyBuffer> records,
                        ffi::Result<ffi::AnyBuffer> order, ffi::Result<ffi::AnyBuffer> bins,
                        int64_t capacity, bool depth, double near_plane, double far_plane,
                        double dilation, double alpha_max, bool antialias, bool keep) {
  const auto item = Item(*color, 3), feature = Item(features, 2);
  const Sizes s{feature[0], feature[1], item[1], item[0], depth, capacity};
  auto expected = ExpectedInputs(s, means, quaternions, scales, opacities, features,
                                 world_to_camera, intrinsics);
  expected.insert(expected.end(), {{"color", *color, {s.height, s.width, s.Planes()}},
                                   {"transmittance", *transmittance, {s.height, s.width}},
                                   {"radii", *radii, {s.gaussians, 2}, true},
                                   {"num_pairs", *num_pairs, {}, true},
                                   {"overflow", *overflow, {}, true},
                                   {"records", *records, {keep ? s.gaussians : 0, kRecord}},
                                   {"order", *order, {keep ? s.gaussians : 0}, true},
                                   {"bins", *bins, {keep ? s.BinsLength() : 0}, true}});
  const auto batch = LeadingDims(*color, 3);
  auto buffers = Check(expected, batch, means.element_type());
  if (buffers.has_error()) return buffers.error();
  const Options options{near_plane, far_plane, dilation, alpha_max, antialias};
  return Dispatch(means.element_type(), [&](auto number) {
    RunForward<decltype(number)>(pool, s, options, keep, Product(batch), *buffers);
  });
}

ffi::Error SplatBackward(
    ffi::ThreadPool pool, ffi::AnyBuffer means, ffi::AnyBuffer quaternions, ffi::AnyBuffer scales,
    ffi::AnyBuffer opacities, ffi::AnyBuffer features, ffi::AnyBuffer world_to_camera,
    ffi::AnyBuffer intrinsics, ffi::AnyBuffer records, ffi::AnyBuffer order, ffi::AnyBuffer bins,
    ffi::AnyBuffer d_color, ffi::AnyBuffer d_transmittance, ffi::AnyBuffer attached,
    ffi::Result<ffi::AnyBuffer> d_means, ffi::Result<ffi::AnyBuffer> d_quaternions,
    ffi::Result<ffi::AnyBuffer> d_scales, ffi::Result<ffi::AnyBuffer> d_opacities,
    ffi::Result<ffi::AnyBuffer> d_features, ffi::Result<ffi::AnyBuffer> d_world_to_camera,
    ffi::Result<ffi::AnyBuffer> d_intrinsics, ffi::Result<ffi::AnyBuffer> d_tap, int64_t capacity,
    bool depth, double near_plane, double far_plane, double dilation, double alpha_max,
    bool antialias, bool tap) {
  const auto item = Item(d_color, 3), feature = Item(features, 2);
  const Sizes s{feature[0], feature[1], item[1], item[0], depth, capacity};
  auto expected = ExpectedInputs(s, means, quaternions, scales, opacities, features,
                                 world_to_camera, intrinsics);
  expected.insert(expected.end(),
                  {{"records", records, {s.gaussians, kRecord}},
                   {"order", order, {s.gaussians}, true},
                   {"bins", bins, {s.BinsLength()}, true},
                   {"cotangent of color", d_color, {s.height, s.width, s.Planes()}},
                   {"cotangent of transmittance", d_transmittance, {s.height, s.width}},
                   {"attached", attached, {s.Planes()}}});
  const auto results = ExpectedInputs(s, *d_means, *d_quaternions, *d_scales, *d_opacities,
                                      *d_features, *d_world_to_camera, *d_intrinsics);
  expected.insert(expected.end(), results.begin(), results.end());
  expected.push_back({"cotangent of tap", *d_tap, {tap ? s.gaussians : 0, 4}});
  const auto batch = LeadingDims(*d_means, 2);
  auto buffers = Check(expected, batch, means.element_type());
  if (buffers.has_error()) return buffers.error();
  const Options options{near_plane, far_plane, dilation, alpha_max, antialias};
  return Dispatch(means.element_type(), [&](auto number) {
    RunBackward<decltype(number)>(pool, s, options, tap, Product(batch), *buffers);
  });
}

}  // namespace
}  // namespace emojax

namespace ffi = ::xla::ffi;
using emojax::SplatBackward;
using emojax::SplatForward;

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_splat_forward, SplatForward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
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
                                  .Ret<ffi::AnyBuffer>()  // order [N]
                                  .Ret<ffi::AnyBuffer>()  // bins [tiles * words] or list
                                  .Attr<int64_t>("capacity")
                                  .Attr<bool>("depth")
                                  .Attr<double>("near_plane")
                                  .Attr<double>("far_plane")
                                  .Attr<double>("dilation")
                                  .Attr<double>("alpha_max")
                                  .Attr<bool>("antialias")
                                  .Attr<bool>("keep"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(emojax_splat_backward, SplatBackward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()  // means [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // quaternions [N, 4]
                                  .Arg<ffi::AnyBuffer>()  // scales [N, 3]
                                  .Arg<ffi::AnyBuffer>()  // opacities [N]
                                  .Arg<ffi::AnyBuffer>()  // features [N, C]
                                  .Arg<ffi::AnyBuffer>()  // world_to_camera [4, 4]
                                  .Arg<ffi::AnyBuffer>()  // intrinsics [4]
                                  .Arg<ffi::AnyBuffer>()  // records [N, kRecord]
                                  .Arg<ffi::AnyBuffer>()  // order [N]
                                  .Arg<ffi::AnyBuffer>()  // bins
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
                                  .Attr<int64_t>("capacity")
                                  .Attr<bool>("depth")
                                  .Attr<double>("near_plane")
                                  .Attr<double>("far_plane")
                                  .Attr<double>("dilation")
                                  .Attr<double>("alpha_max")
                                  .Attr<bool>("antialias")
                                  .Attr<bool>("tap"));

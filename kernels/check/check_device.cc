// Runs the device code on the emulator, without Python, XLA or a GPU, so that a sanitizer sees
// every load and store of it: each array is as long as the handlers demand and not a number longer,
// shared variables are variables of their own. Results are compared with the CPU kernels', and must
// be the same bits whichever thread of a block goes first (sums of floats: to rounding).
//
//   kernels/check/run.sh address|undefined
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include "../splat/splat_cpu.h"
//
#define EMOJAX_PLANE_SIZES 3, 12  // three and ten channels, with depth or without
#include "../splat/splat_launch.cuh"
#include "../triplane/triplane_cpu.h"
#include "../triplane/triplane_launch.cuh"

namespace emojax {
namespace {

int failures = 0;

void Expect(bool ok, const char* what) {
  if (ok) return;
  std::printf("FAILED: %s\n", what);
  ++failures;
}

const Scheduler kAlone{1, [](std::function<void()> task) { task(); }};

template <class T>
void ExpectClose(const std::vector<T>& a, const std::vector<T>& b, double tolerance,
                 const char* what) {
  double most = 0, greatest = 1e-300;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(double(a[i]) - double(b[i])));
    greatest = std::max(greatest, std::abs(double(a[i])));
  }
  if (most > tolerance * greatest) std::printf("%s: off by %g of %g\n", what, most, greatest);
  Expect(most <= tolerance * greatest && a.size() == b.size(), what);
}

// An operand of a batch of examples; shared ones have a stride of 0.
template <class T>
Strided<T> Shared(std::vector<std::remove_const_t<T>>& array) {
  return {array.data(), {}};
}
template <class T>
Strided<T> Each(std::vector<std::remove_const_t<T>>& array, int64_t examples) {
  Strided<T> strided{array.data(), {}};
  strided.stride[0] = static_cast<int64_t>(array.size()) / std::max<int64_t>(examples, 1);
  return strided;
}

// ---- Splatting --------------------------------------------------------------------------------

// What passes write that a user sees, in order: color, transmittance, then the eight cotangents.
template <class T>
struct Outcome {
  std::vector<T> pictures, gradients;
  std::vector<int> integers;
};

struct Case {
  Sizes sizes;
  int images;
  bool tap, deterministic, antialias;
  device::Variant variant;
  unsigned seed;
};

template <class T>
struct Cloud {
  std::vector<T> means, quaternions, scales, opacities, features, poses, intrinsics;
  std::vector<T> d_color, d_transmittance, attached;

  explicit Cloud(const Case& c) {
    const Sizes& s = c.sizes;
    std::mt19937 random(c.seed);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform(0, 1);
    auto number = [&](double x) { return static_cast<T>(x); };
    const double size = static_cast<double>(std::max(s.width, s.height));
    for (int64_t i = 0; i < s.gaussians; ++i) {
      const double z = 1 + uniform(random);
      for (int k = 0; k < 2; ++k) means.push_back(number(0.2 * normal(random) * z));
      means.push_back(number(i % 4 ? z : 1.5));  // some at equal depths
      for (int k = 0; k < 4; ++k) quaternions.push_back(number(normal(random)));
      for (int k = 0; k < 3; ++k) {
        scales.push_back(number(std::exp(normal(random)) * (i % 31 ? 3 : 60) / size));
      }
      opacities.push_back(number(i % 13 ? uniform(random) : 0.0));
      for (int64_t k = 0; k < s.channels; ++k) features.push_back(number(uniform(random)));
      if (i % 17 == 3) means[3 * i] = static_cast<T>(NAN);
    }
    for (int image = 0; image < c.images; ++image) {
      const double move[] = {1, 0, 0, 0.1 * image, 0, 1, 0, -0.05, 0, 0, 1, 0.2, 0, 0, 0, 1};
      for (double x : move) poses.push_back(number(x));
      for (int64_t i = 0; i < s.width * s.height; ++i) {
        d_transmittance.push_back(number(normal(random)));
        for (int64_t k = 0; k < s.Planes(); ++k) d_color.push_back(number(normal(random)));
      }
    }
    intrinsics = {number(size), number(size), number(s.width / 2.0), number(s.height / 2.0)};
    attached.assign(s.Planes(), T(1));
    if (s.channels > 1) attached[1] = 0;
  }
};

template <class T>
Outcome<T> RunOnCpu(const Case& c, Cloud<T>& cloud) {
  const Sizes& s = c.sizes;
  const int64_t n = s.gaussians, pixels = s.width * s.height, planes = s.Planes();
  const Options options{0.01, 1e10, 0.3, 0.999, c.antialias};
  Outcome<T> o;
  const int64_t widths[] = {n * 3, n * 4, n * 3, n, n * s.channels, 16, 4, c.tap ? n * 4 : 0};
  std::vector<T> color(c.images * pixels * planes), kept(c.images * pixels);
  std::vector<T> records(c.images * n * kRecord);
  std::vector<int32_t> radii(c.images * 2 * n), pairs(c.images), over(c.images);
  std::vector<int32_t> order(c.images * n), bins(c.images * s.BinsLength());
  std::vector<std::vector<T>> gradients;
  for (int64_t width : widths) gradients.emplace_back(c.images * width);
  std::vector<Inputs<T>> in;
  std::vector<ForwardOutputs<T>> out;
  std::vector<Saved<T>> saved;
  std::vector<Cotangents<T>> cotangents;
  std::vector<BackwardOutputs<T>> back;
  for (int64_t i = 0; i < c.images; ++i) {
    in.push_back({cloud.means.data(), cloud.quaternions.data(), cloud.scales.data(),
                  cloud.opacities.data(), cloud.features.data(), cloud.poses.data() + 16 * i,
                  cloud.intrinsics.data()});
    saved.push_back({records.data() + i * n * kRecord, order.data() + i * n,
                     bins.data() + i * s.BinsLength()});
    out.push_back({color.data() + i * pixels * planes, kept.data() + i * pixels,
                   radii.data() + i * 2 * n, pairs.data() + i, over.data() + i, saved.back()});
    cotangents.push_back({cloud.d_color.data() + i * pixels * planes,
                          cloud.d_transmittance.data() + i * pixels, cloud.attached.data()});
    auto at = [&](int k) { return gradients[k].data() + i * widths[k]; };
    back.push_back({at(0), at(1), at(2), at(3), at(4), at(5), at(6), c.tap ? at(7) : nullptr});
  }
  emojax::Forward<T>(kAlone, s, options, true, in, out);
  emojax::Backward<T>(kAlone, s, options, in, saved, cotangents, back);
  o.pictures = color;
  o.pictures.insert(o.pictures.end(), kept.begin(), kept.end());
  for (const auto& g : gradients) o.gradients.insert(o.gradients.end(), g.begin(), g.end());
  for (const auto* x : {&radii, &pairs, &over}) {
    o.integers.insert(o.integers.end(), x->begin(), x->end());
  }
  return o;
}

template <class T>
Outcome<T> RunOnDevice(const Case& c, Cloud<T>& cloud) {
  const Sizes& s = c.sizes;
  const int64_t n = s.gaussians, pixels = s.width * s.height, planes = s.Planes();
  const int64_t images = c.images;
  const device::Frame frame{static_cast<int>(n),
                            static_cast<int>(s.channels),
                            static_cast<int>(s.width),
                            static_cast<int>(s.height),
                            s.depth,
                            s.capacity,
                            0.01,
                            1e10,
                            0.3,
                            0.999,
                            c.antialias};
  const BatchShape batch{1, {static_cast<unsigned>(images)}};
  const device::Inputs<T> in{Shared<const T>(cloud.means),     Shared<const T>(cloud.quaternions),
                             Shared<const T>(cloud.scales),    Shared<const T>(cloud.opacities),
                             Shared<const T>(cloud.features),  Each<const T>(cloud.poses, images),
                             Shared<const T>(cloud.intrinsics)};
  const device::ForwardLayout layout = device::ForwardLayoutOf<T>(frame);
  std::vector<T> color(images * pixels * planes), kept(images * pixels);
  std::vector<T> records(images * n * device::kRecord);
  std::vector<int> radii(images * 2 * n), pairs(images), over(images);
  std::vector<int> bins(images * frame.BinsLength()), last(images * pixels);
  std::vector<int> scratch(images * layout.size / 4, -1);
  Queue queue(0);
  const device::Forward<T> forward{frame,
                                   batch,
                                   in,
                                   Each<T>(color, images),
                                   Each<T>(kept, images),
                                   Each<int>(radii, images),
                                   Each<int>(pairs, images),
                                   Each<int>(over, images),
                                   Each<T>(records, images),
                                   Each<int>(bins, images),
                                   Each<int>(last, images),
                                   Each<int>(scratch, images),
                                   layout};
  device::QueueForward(queue, forward, static_cast<unsigned>(images));
  const auto back = device::BackwardLayoutOf<T>(frame, c.tap, c.deterministic);
  std::vector<int> more(images * back.size / 4, -1);
  const int64_t widths[] = {n * 3, n * 4, n * 3, n, n * s.channels, 16, 4, c.tap ? n * 4 : 0};
  std::vector<std::vector<T>> g;
  for (int64_t width : widths) g.emplace_back(images * width);
  const device::Backward<T> backward{frame,
                                     c.tap,
                                     c.deterministic,
                                     batch,
                                     in,
                                     Each<const T>(records, images),
                                     Each<const int>(bins, images),
                                     Each<const int>(last, images),
                                     Each<const T>(kept, images),
                                     Each<const T>(cloud.d_color, images),
                                     Each<const T>(cloud.d_transmittance, images),
                                     Shared<const T>(cloud.attached),
                                     Each<T>(g[0], images),
                                     Each<T>(g[1], images),
                                     Each<T>(g[2], images),
                                     Each<T>(g[3], images),
                                     Each<T>(g[4], images),
                                     Each<T>(g[5], images),
                                     Each<T>(g[6], images),
                                     Each<T>(g[7], images),
                                     Each<int>(more, images),
                                     back};
  device::QueueBackward(queue, backward, c.variant, static_cast<unsigned>(images));
  Outcome<T> o;
  o.pictures = color;
  o.pictures.insert(o.pictures.end(), kept.begin(), kept.end());
  for (const auto& x : g) o.gradients.insert(o.gradients.end(), x.begin(), x.end());
  for (const auto* x : {&radii, &pairs, &over}) {
    o.integers.insert(o.integers.end(), x->begin(), x->end());
  }
  return o;
}

template <class T>
void CheckSplatting() {
  const double tolerance = sizeof(T) == 4 ? 2e-4 : 1e-10;
  const int64_t counts[] = {0, 1, 33, 700};
  const int64_t sizes[][2] = {{1, 1}, {16, 16}, {37, 21}, {300, 5}};
  unsigned seed = 0;
  for (int64_t n : counts) {
    for (const auto& [width, height] : sizes) {
      for (int variant = 0; variant < 4; ++variant) {
        ++seed;  // its bits choose what the variant leaves open
        const bool list = variant & 1, deterministic = variant & 2;
        Case c{{n, seed % 3 ? 3 : 10, width, height, seed % 2 == 0, list ? 150 : 0},
               1 + static_cast<int>(seed % 2),
               seed % 5 < 2,
               deterministic,
               seed % 7 == 0,
               seed % 4 == 1 ? device::kBySplat : device::kByPixel,
               seed};
        Cloud<T> cloud(c);
        const auto cpu = RunOnCpu(c, cloud);
        emulator::SetOrder(emulator::Order::kForward);
        const auto one = RunOnDevice(c, cloud);
        emulator::SetOrder(seed % 2 ? emulator::Order::kBackward : emulator::Order::kShuffled);
        const auto two = RunOnDevice(c, cloud);
        ExpectClose(cpu.pictures, one.pictures, tolerance, "splatting: picture");
        ExpectClose(cpu.gradients, one.gradients, tolerance, "splatting: gradients");
        Expect(cpu.integers == one.integers, "splatting: radii, pairs or overflow");
        Expect(one.pictures == two.pictures && one.integers == two.integers,
               "splatting: a picture depends on the order of threads");
        if (deterministic) {
          Expect(one.gradients == two.gradients, "splatting: deterministic gradients");
        } else {
          ExpectClose(one.gradients, two.gradients, tolerance, "splatting: sums by order");
        }
      }
    }
  }
}

// ---- Tri-plane --------------------------------------------------------------------------------

template <class T>
void CheckTriplane() {
  using namespace triplane;
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  unsigned seed = 0;
  for (int64_t features : {1, 2, 3}) {
    for (int64_t n : {1, 300, 700}) {
      for (int variant = 0; variant < 4; ++variant) {
        const bool smooth = variant & 1, deterministic = variant & 2;
        Encoder encoder{{}, features, 0, 0.5, smooth};
        triplane::device::Grid grid{};
        // Dense, dense, hashed into eight times a prime, hashed and too large for shared memory.
        const float scales[] = {3.0f, 4.7f, 20.1f, 300.5f};
        const int64_t lengths[] = {32, 56, 88, 16384};
        for (int level = 0; level < 4; ++level) {
          encoder.levels.push_back(
              LevelOf(scales[level], encoder.entries, encoder.entries + lengths[level]));
          grid.level[level] = encoder.levels.back();
          encoder.entries += lengths[level];
        }
        grid.levels = 4;
        grid.features = static_cast<int>(features);
        grid.entries = encoder.entries;
        grid.bound = encoder.bound;
        grid.smoothstep = smooth;
        std::mt19937 random(++seed);
        std::uniform_real_distribution<T> uniform(-1, 1);
        const T odd[] = {T(NAN), T(INFINITY), T(0.5), T(-0.5), T(0.5000001), T(1e-40)};
        std::vector<T> tables(kPlanes * encoder.entries * features), points(3 * n);
        std::vector<T> cotangent(n * encoder.Columns());
        for (T& x : tables) x = uniform(random);
        for (T& x : cotangent) x = uniform(random);
        for (size_t i = 0; i < points.size(); ++i) {
          points[i] = i % 5 ? T(0.6) * uniform(random) : odd[i % 6];
        }
        std::vector<T> code(cotangent.size()), d_tables(tables.size()), d_points(points.size());
        const Example<T> example{tables.data(), points.data(),   cotangent.data(),
                                 code.data(),   d_tables.data(), d_points.data()};
        triplane::Forward<T>(kAlone, encoder, n, {example});
        triplane::BackwardPoints<T>(kAlone, encoder, n, {example});
        triplane::BackwardTables<T>(kAlone, encoder, n, {example});
        std::vector<T> kept;
        for (auto order : {emulator::Order::kForward, emulator::Order::kShuffled}) {
          emulator::SetOrder(order);
          std::vector<T> a(code.size()), b(tables.size()), c(points.size());
          std::vector<int> scratch(
              deterministic ? triplane::device::ScratchWords(grid) : 0, -1);
          const triplane::device::Call<T> call{grid,
                                               static_cast<int>(n),
                                               deterministic,
                                               BatchShape{},
                                               Shared<const T>(tables),
                                               Shared<const T>(points),
                                               Shared<const T>(cotangent),
                                               Shared<T>(a),
                                               Shared<T>(b),
                                               Shared<T>(c),
                                               Shared<int>(scratch)};
          Queue queue(0);
          triplane::device::QueueForward(queue, call, 1);
          triplane::device::QueueBackward(queue, call, true, true, 1);
          ExpectClose(code, a, tolerance, "tri-plane: features");
          ExpectClose(d_tables, b, tolerance, "tri-plane: tables");
          ExpectClose(d_points, c, tolerance, "tri-plane: points");
          if (deterministic && !kept.empty()) Expect(kept == b, "tri-plane: deterministic sums");
          kept = b;
        }
      }
    }
  }
}

}  // namespace
}  // namespace emojax

int main() {
  emojax::CheckTriplane<float>();
  emojax::CheckTriplane<double>();
  emojax::CheckSplatting<float>();
  emojax::CheckSplatting<double>();
  std::printf(emojax::failures ? "%d failures\n" : "device code: clean\n", emojax::failures);
  return emojax::failures != 0;
}

// Runs the kernels without Python and without XLA, on plain threads, so that a sanitizer sees every
// load, store and race of theirs and nothing else's. Scenes are small, odd and hostile; what is
// checked besides is what needs no second implementation: the same bits for any number of threads,
// nothing but finite numbers, gradients by finite differences in double.
//
//   kernels/check/run.sh address|undefined|thread
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "../splat/splat_cpu.h"
#include "../triplane/triplane_cpu.h"

namespace emojax {
namespace {

int failures = 0;

void Expect(bool ok, const char* what) {
  if (ok) return;
  std::printf("FAILED: %s\n", what);
  ++failures;
}

// Threads that run what is scheduled, like XLA's.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  Scheduler Use(int threads) {
    return {threads, [this](std::function<void()> task) {
              {
                std::lock_guard lock(mutex_);
                tasks_.push_back(std::move(task));
              }
              changed_.notify_one();
            }};
  }

 private:
  void Work() {
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// ---- Splatting --------------------------------------------------------------------------------

template <class T>
struct Scene {
  Sizes sizes;
  int64_t images;
  bool tap;
  std::vector<T> means, quaternions, scales, opacities, features, pose, intrinsics;
  std::vector<T> d_color, d_transmittance, attached;

  Scene(const Sizes& s, int64_t images, bool tap, bool hostile, unsigned seed)
      : sizes(s), images(images), tap(tap) {
    std::mt19937 random(seed);
    std::normal_distribution<T> normal;
    std::uniform_real_distribution<T> uniform(0, 1);
    const T size = static_cast<T>(std::max(s.width, s.height));
    for (int64_t i = 0; i < s.gaussians; ++i) {
      const T z = 1 + uniform(random);
      for (int k = 0; k < 2; ++k) means.push_back(T(0.2) * normal(random) * z);
      means.push_back(z);
      for (int k = 0; k < 4; ++k) quaternions.push_back(normal(random));
      for (int k = 0; k < 3; ++k) scales.push_back(std::exp(normal(random)) * T(3) / size);
      opacities.push_back(uniform(random));
      for (int64_t k = 0; k < s.channels; ++k) features.push_back(uniform(random));
    }
    if (hostile) {
      const T odd[] = {T(NAN), T(INFINITY), T(-INFINITY), T(0), T(1e30), T(1e-40), T(-1)};
      for (int64_t i = 0; i < s.gaussians; ++i) {
        const T value = odd[i % 7];
        switch (i % 6) {
          case 0:
            means[3 * i + i % 3] = value;
            break;
          case 1:
            std::fill_n(quaternions.begin() + 4 * i, 4, value);
            break;
          case 2:
            std::fill_n(scales.begin() + 3 * i, 3, value);
            break;
          case 3:
            opacities[i] = value;
            break;
          case 4:
            features[s.channels * i] = value;
            break;
        }
      }
    }
    pose = {1, 0, 0, T(0.1), 0, 1, 0, T(-0.05), 0, 0, 1, T(0.2), 0, 0, 0, 1};
    intrinsics = {size, size, T(s.width) / 2, T(s.height) / 2};
    for (int64_t i = 0; i < s.width * s.height; ++i) {
      d_transmittance.push_back(normal(random));
      for (int64_t k = 0; k < s.Planes(); ++k) d_color.push_back(normal(random));
    }
    attached.assign(s.Planes(), T(1));
    if (s.channels > 1) attached[1] = 0;
  }
};

// Everything a forward and a backward pass write, in one array.
template <class T>
struct Result {
  std::vector<T> numbers;
  std::vector<int32_t> integers;
  T loss;
  bool operator==(const Result& other) const {
    return integers == other.integers && numbers.size() == other.numbers.size() &&
           std::memcmp(numbers.data(), other.numbers.data(), numbers.size() * sizeof(T)) == 0;
  }
};

template <class T>
Result<T> Run(const Scene<T>& scene, const Scheduler& scheduler, bool backward,
              Options options = {0.01, 1e10, 0.3, 0.999, false}) {
  const Sizes& s = scene.sizes;
  const int64_t n = s.gaussians, pixels = s.width * s.height, planes = s.Planes();
  const int64_t per_image_t[] = {pixels * planes, pixels, n * kRecord, n * 3, n * 4, n * 3, n,
                                 n * s.channels,  16,     4,           n * 4};
  const int64_t per_image_i[] = {2 * n, 1, 1, n, s.BinsLength()};
  Result<T> result;
  auto total = [&](const auto& lengths) {
    int64_t sum = 0;
    for (int64_t length : lengths) sum += length;
    return sum * scene.images;
  };
  result.numbers.assign(total(per_image_t), T(0));
  result.integers.assign(total(per_image_i), 0);
  T* t = result.numbers.data();
  int32_t* i = result.integers.data();
  auto take = [](auto*& from, int64_t length) {
    auto* here = from;
    from += length;
    return here;
  };
  std::vector<Inputs<T>> in;
  std::vector<ForwardOutputs<T>> out;
  std::vector<Saved<T>> saved;
  std::vector<Cotangents<T>> cotangents;
  std::vector<BackwardOutputs<T>> gradients;
  for (int64_t image = 0; image < scene.images; ++image) {
    in.push_back({scene.means.data(), scene.quaternions.data(), scene.scales.data(),
                  scene.opacities.data(), scene.features.data(), scene.pose.data(),
                  scene.intrinsics.data()});
    ForwardOutputs<T> o;
    o.color = take(t, pixels * planes);
    o.transmittance = take(t, pixels);
    o.saved.records = take(t, n * kRecord);
    o.radii = take(i, 2 * n);
    o.num_pairs = take(i, 1);
    o.overflow = take(i, 1);
    o.saved.order = take(i, n);
    o.saved.bins = take(i, s.BinsLength());
    out.push_back(o);
    saved.push_back(o.saved);
    cotangents.push_back(
        {scene.d_color.data(), scene.d_transmittance.data(), scene.attached.data()});
    BackwardOutputs<T> g;
    g.means = take(t, n * 3);
    g.quaternions = take(t, n * 4);
    g.scales = take(t, n * 3);
    g.opacities = take(t, n);
    g.features = take(t, n * s.channels);
    g.world_to_camera = take(t, 16);
    g.intrinsics = take(t, 4);
    g.tap = take(t, n * 4);
    if (!scene.tap) g.tap = nullptr;
    gradients.push_back(g);
  }
  Forward(scheduler, s, options, backward, in, out);
  if (backward) Backward(scheduler, s, options, in, saved, cotangents, gradients);
  result.loss = 0;
  for (int64_t p = 0; p < pixels; ++p) {
    result.loss += out[0].transmittance[p] * scene.d_transmittance[p];
    for (int64_t k = 0; k < planes; ++k) {
      result.loss += out[0].color[p * planes + k] * scene.d_color[p * planes + k];
    }
  }
  return result;
}

template <class T>
void CheckSplatting(Pool& pool) {
  const int64_t counts[] = {0, 1, 15, 16, 17, 600};
  const int64_t sizes[][2] = {{1, 1}, {16, 16}, {33, 17}, {5, 40}};
  unsigned seed = 0;
  for (int64_t n : counts) {
    for (const auto& [width, height] : sizes) {
      for (int variant = 0; variant < 8; ++variant) {
        ++seed;  // its bits choose what the variant leaves open
        const bool depth = variant & 1, list = variant & 2, tap = variant & 4;
        const Sizes s{n, seed % 3 ? 3 : 10, width, height, depth, list ? 100 : 0};
        const Scene<T> scene(s, 1 + seed % 4, tap, seed % 5 > 2, seed);
        Options options{0.01, 1e10, 0.3, 0.999, seed % 2 == 0};
        const Result<T> one = Run(scene, pool.Use(1), true, options);
        Expect(one == Run(scene, pool.Use(4), true, options), "splatting: bits depend on threads");
        bool finite = true;
        for (T number : one.numbers) finite &= std::isfinite(number);
        Expect(finite, "splatting: a number is not finite");
        options.group_bytes = 1;   // every image a group of its own
        options.slot_bytes = 512;  // every row of tiles a band of its own
        Expect(one == Run(scene, pool.Use(4), true, options), "splatting: groups or bands matter");
      }
    }
  }
  // More Gaussians in one tile than one segment of the backward pass, all of them faint.
  Scene<T> deep({1500, 3, 16, 16, false, 0}, 1, false, false, 99);
  for (T& opacity : deep.opacities) opacity = T(0.006) + T(0.004) * opacity;
  Expect(Run(deep, pool.Use(1), true) == Run(deep, pool.Use(4), true), "splatting: deep tile");
}

// Directional derivatives of the loss by every float input, against central differences.
void CheckSplattingGradients(Pool& pool) {
  Scene<double> scene({5, 3, 12, 9, true, 0}, 1, false, false, 7);
  for (double& attached : scene.attached) attached = 1;
  for (double& scale : scene.scales) scale = 0.3 + 0.1 * scale;  // soft: no pixel near a threshold
  for (double& opacity : scene.opacities) opacity = 0.2 + 0.3 * opacity;
  for (size_t i = 0; i < scene.means.size(); i += 3) {
    scene.means[i] *= 0.3;
    scene.means[i + 1] *= 0.3;
  }
  const auto base = Run(scene, pool.Use(2), true);
  const int64_t n = 5, skip = 12 * 9 * 5 + n * kRecord;
  std::vector<double>* inputs[] = {&scene.means,     &scene.quaternions, &scene.scales,
                                   &scene.opacities, &scene.features,    &scene.pose,
                                   &scene.intrinsics};
  const double* gradient = base.numbers.data() + skip;
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (auto* input : inputs) {
    std::vector<double> direction;
    for (size_t k = 0; k < input->size(); ++k) direction.push_back(normal(random));
    if (input == &scene.pose) std::fill(direction.begin() + 12, direction.end(), 0.0);
    const std::vector<double> kept = *input;
    const double step = input == &scene.intrinsics ? 1e-4 : 1e-6;
    double difference = 0, expected = 0;
    for (int sign : {1, -1}) {
      for (size_t k = 0; k < kept.size(); ++k) (*input)[k] = kept[k] + sign * step * direction[k];
      difference += sign * Run(scene, pool.Use(2), false).loss / (2 * step);
    }
    *input = kept;
    for (size_t k = 0; k < kept.size(); ++k) expected += gradient[k] * direction[k];
    gradient += kept.size();
    Expect(std::abs(difference - expected) <= 1e-6 * (1 + std::abs(expected)),
           "splatting: gradient is not the finite difference");
  }
}

// ---- Tri-plane --------------------------------------------------------------------------------

template <class T>
void CheckTriplane(Pool& pool) {
  using namespace triplane;
  unsigned seed = 0;
  for (int64_t features : {1, 2, 3, 4, 8}) {
    for (int64_t n : {0, 1, 17, 700}) {
      for (bool smooth : {false, true}) {
        Encoder encoder;
        encoder.features = features;
        encoder.bound = 0.5;
        encoder.smoothstep = smooth;
        encoder.entries = 0;
        // Dense, dense, hashed into a power of two, hashed into eight times a prime.
        const float scales[] = {3.0f, 4.7f, 9.3f, 20.1f};
        const int64_t lengths[] = {32, 56, 64, 88};
        for (int level = 0; level < 4; ++level) {
          encoder.levels.push_back(
              LevelOf(scales[level], encoder.entries, encoder.entries + lengths[level]));
          encoder.entries += lengths[level];
        }
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
        std::vector<std::vector<T>> results;
        for (int threads : {1, 4}) {
          std::vector<T> out(cotangent.size() + tables.size() + points.size());
          Example<T> example{tables.data(),
                             points.data(),
                             cotangent.data(),
                             out.data(),
                             out.data() + cotangent.size(),
                             out.data() + cotangent.size() + tables.size()};
          triplane::Forward<T>(pool.Use(threads), encoder, n, {example});
          triplane::BackwardPoints<T>(pool.Use(threads), encoder, n, {example});
          triplane::BackwardTables<T>(pool.Use(threads), encoder, n, {example});
          for (T number : out) Expect(std::isfinite(number), "tri-plane: not finite");
          results.push_back(out);
        }
        Expect(results[0] == results[1], "tri-plane: bits depend on threads");
      }
    }
  }
}

}  // namespace
}  // namespace emojax

int main() {
  emojax::Pool pool(3);
  emojax::CheckSplatting<float>(pool);
  emojax::CheckSplatting<double>(pool);
  emojax::CheckSplattingGradients(pool);
  emojax::CheckTriplane<float>(pool);
  emojax::CheckTriplane<double>(pool);
  std::printf(emojax::failures ? "%d failures\n" : "kernels: clean\n", emojax::failures);
  return emojax::failures != 0;
}

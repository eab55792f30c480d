// The way back of splatting on a GPU.
//
//   unblend     a block a tile, farthest Gaussian first. With B the colour behind (weighted by the
//               pixel's cotangent g) and q = c . g: d loss / d alpha = T (q - B), then
//               B <- B + alpha (q - B), a single number whatever the channels; T comes back by
//               division. A warp visits the Gaussians that reach its 8 x 4 pixels. All sums of a
//               (warp, Gaussian) pair are taken in one transposed reduction (device.cuh), after
//               which each lies in a lane of its own: one atomic instruction adds them all.
//   unproject   a thread a Gaussian, from its sums to the gradients of its parameters; the camera's
//               sixteen are summed by block, then by one block an image.
// Atomic sums of floats depend on their order. With `deterministic`, sums are integers
// (common/fixed_point.cuh): the same bits in every run.
#pragma once

#include "../common/fixed_point.cuh"
#include "splat_blend.cuh"

namespace emojax::device {

// Sums of one Gaussian: with h = (2 A dx + B dy, B dx + 2 C dy), the gradient of the exponent in
// units of log2, and s = d loss / d sigma: s h_x, s h_y, s h_x^2, s h_x h_y, s h_y^2, s; with the
// tap |s h_x|, |s h_y|; then weight times cotangent of each plane.
enum Sum { kSumX, kSumY, kSumXX, kSumXY, kSumYY, kSumS, kSumFixed };
constexpr int kCamera = 16;  // rotation, translation, fx, fy, cx, cy

// How the sums of (warp, Gaussian) pairs are formed; see `UnblendKernel` and `MarchKernel`.
enum Variant { kByPixel, kBySplat };

// Which sums there are, and of what: the exact form always has those of the tap.
enum Mode { kPlain, kWithTap, kExact };
EMOJAX_HD constexpr int FixedSums(Mode mode) { return mode == kPlain ? kSumFixed : kSumFixed + 2; }
// Numbers from one Gaussian's sums to the next's: a multiple of 16 bytes.
EMOJAX_HD int SumStride(int planes, Mode mode) { return (FixedSums(mode) + planes + 3) / 4 * 4; }
EMOJAX_HD constexpr Mode ModeOf(bool tap, bool deterministic) {
  return deterministic ? kExact : (tap ? kWithTap : kPlain);
}

constexpr int kUnprojectThreads = 128;

// Bytes from the beginning of the backward pass's scratch; what must start as zero comes first.
struct BackwardLayout {
  int64_t greatest, sums, zeroed;
  int64_t exponents, cameras, size;
};

template <class T>
BackwardLayout BackwardLayoutOf(const Frame& frame, bool tap, bool deterministic) {
  BackwardLayout layout;
  const int64_t n = frame.gaussians;
  const Mode mode = ModeOf(tap, deterministic);
  const int64_t number = deterministic ? sizeof(Fixed) : sizeof(T);
  int64_t end = 0;
  layout.greatest = Place(&end, 3 * sizeof(Fixed));
  layout.sums = Place(&end, n * SumStride(frame.Planes(), mode) * number);
  layout.zeroed = end;
  layout.exponents = Place(&end, deterministic ? n * 2 * sizeof(int16_t) : 0);
  layout.cameras =
      Place(&end, (n + kUnprojectThreads - 1) / kUnprojectThreads * kCamera * sizeof(T));
  layout.size = end;
  return layout;
}

template <class T>
struct Backward {
  Frame frame;
  bool tap, deterministic;
  BatchShape batch;
  Inputs<T> in;
  Strided<const T> records;             // [N, kRecord], by depth
  Strided<const int> bins;              // [BinsLength()]
  Strided<const int> last;              // [H, W]
  Strided<const T> transmittance;       // [H, W]
  Strided<const T> d_color;             // [H, W, planes]
  Strided<const T> d_transmittance;     // [H, W]
  Strided<const T> attached;            // [planes], 0 where a plane sends nothing to the geometry
  Strided<T> means, quaternions, scales, opacities, features, world_to_camera, intrinsics;
  Strided<T> d_tap;                     // [N, 4] or [0, 4]
  Strided<int> scratch;                 // [layout.size / 4]
  BackwardLayout layout;

  template <class U>
  EMOJAX_DEVICE U* Scratch(unsigned image, int64_t offset) const {
    return reinterpret_cast<U*>(reinterpret_cast<char*>(scratch.At(batch, image)) + offset);
  }
};

// ---- Bounds of sums, for the deterministic form -----------------------------------------------

enum Greatest { kOfColor, kOfTransmittance, kOfPlanes };  // |cotangents|, |features and depths|

// Exponents of the bounds of a Gaussian's sums.
struct Bounds {
  int moment, feature;  // of s, of weight times cotangent
  int x, y;             // of |h_x|, |h_y|

  EMOJAX_DEVICE int Of(int sum) const {
    switch (sum) {
      case kSumX:
        return moment + x;
      case kSumY:
        return moment + y;
      case kSumXX:
        return moment + 2 * x;
      case kSumXY:
        return moment + x + y;
      case kSumYY:
        return moment + 2 * y;
      case kSumS:
        return moment;
    }
    return sum == kSumFixed ? moment + x : (sum == kSumFixed + 1 ? moment + y : feature);
  }
};

// Those of all Gaussians of an image. |s| <= alpha T |q - B|, and q and B are at most the planes'
// greatest value times the cotangents', or the cotangent of the transmittance.
template <class T>
EMOJAX_DEVICE Bounds BoundsOfImage(const Backward<T>& p, unsigned image) {
  const Fixed* greatest = p.template Scratch<const Fixed>(image, p.layout.greatest);
  const double color = FromOrderedBits(greatest[kOfColor]);
  const double transmittance = FromOrderedBits(greatest[kOfTransmittance]);
  const double planes = FromOrderedBits(greatest[kOfPlanes]);
  const double pixels = static_cast<double>(p.frame.width) * p.frame.height;
  Bounds bounds{};
  bounds.moment =
      ExponentOf(2 * pixels * (p.frame.Planes() * color * planes + transmittance));
  bounds.feature = ExponentOf(pixels * color);
  return bounds;
}

template <class T>
EMOJAX_KERNEL(kThreads, 1)
BoundsKernel(EMOJAX_ARGUMENT(Backward<T>) p) {
  const Frame& frame = p.frame;
  const unsigned image = blockIdx.y;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t pixels = static_cast<int64_t>(frame.width) * frame.height;
  Fixed greatest[3] = {0, 0, 0};
  auto note = [&](int which, double x) {
    const Fixed bits = OrderedBits(x);
    greatest[which] = bits > greatest[which] ? bits : greatest[which];
  };
  const T* d_color = p.d_color.At(p.batch, image);
  for (int64_t i = first; i < pixels * frame.Planes(); i += step) note(kOfColor, d_color[i]);
  const T* d_transmittance = p.d_transmittance.At(p.batch, image);
  for (int64_t i = first; i < pixels; i += step) note(kOfTransmittance, d_transmittance[i]);
  const auto* records = reinterpret_cast<const Record<T>*>(p.records.At(p.batch, image));
  const T* features = p.in.features.At(p.batch, image);
  auto* exponents = p.template Scratch<int16_t>(image, p.layout.exponents);
  for (int64_t i = first; i < frame.gaussians; i += step) {
    const Record<T> record = records[i];
    if (!(record.rest.z > T(0))) continue;  // behind the last visible one
    const int64_t slot = SlotOf(record.rest.w);
    note(kOfPlanes, record.rest.z);
    for (int k = 0; k < frame.channels; ++k) note(kOfPlanes, features[slot * frame.channels + k]);
    // |h_x| <= 2 sqrt(-A (log2 opacity - log2 alpha_min)); twice that for rounding at needles.
    const double reach = static_cast<double>(record.rest.y) - kLog2AlphaMin + kLog2Slack;
    exponents[2 * slot] = static_cast<int16_t>(ExponentOf(4 * sqrt(-record.shape.z * reach)));
    exponents[2 * slot + 1] = static_cast<int16_t>(ExponentOf(4 * sqrt(-record.rest.x * reach)));
  }
  Fixed* to = p.template Scratch<Fixed>(image, p.layout.greatest);
  for (int k = 0; k < 3; ++k) AtomicGreatest(FromOrderedBits(greatest[k]), to + k);
}

// Adds what this lane holds of a Gaussian's sums, if anything.
template <Mode kMode, class T>
EMOJAX_DEVICE void AddToSums(const Backward<T>& p, unsigned image, int slot, int sum, bool valid,
                             T value, const Bounds& image_bounds) {
  if (!valid) return;
  const int64_t at = static_cast<int64_t>(slot) * SumStride(p.frame.Planes(), kMode) + sum;
  if constexpr (kMode == kExact) {
    const int16_t* exponents = p.template Scratch<const int16_t>(image, p.layout.exponents);
    Bounds bounds = image_bounds;
    bounds.x = exponents[2 * slot];
    bounds.y = exponents[2 * slot + 1];
    atomicAdd(p.template Scratch<Fixed>(image, p.layout.sums) + at,
              ToFixed(static_cast<double>(value), bounds.Of(sum)));
  } else {
    atomicAdd(p.template Scratch<T>(image, p.layout.sums) + at, value);
  }
}

// ---- Unblend ----------------------------------------------------------------------------------

template <class T, int kPlanes>
struct UnblendShared {
  Staged<T, kPlanes> staged;
  int last[kWarps];
};

// The block's greatest `last`; every thread calls it.
EMOJAX_DEVICE int GreatestOfBlock(int value, int* scratch, int* of_warp) {
  for (unsigned step = kWarp / 2; step; step /= 2) {
    const int other = __shfl_xor_sync(kWholeWarp, value, step);
    value = other > value ? other : value;
  }
  *of_warp = value;
  if (Lane() == 0) scratch[threadIdx.x / kWarp] = value;
  __syncthreads();
  int greatest = scratch[0];
  for (int w = 1; w < kWarps; ++w) greatest = scratch[w] > greatest ? scratch[w] : greatest;
  return greatest;
}

// What q needs of planes that are not staged: those of other groups, where there are more planes
// than one group holds.
template <class T>
EMOJAX_DEVICE T DotOfOtherPlanes(const Backward<T>& p, unsigned image, int64_t pixel, int slot,
                                 T depth, int first, int count) {
  const int planes = p.frame.Planes();
  const T* features = p.in.features.At(p.batch, image);
  const T* d_color = p.d_color.At(p.batch, image) + pixel * planes;
  const T* attached = p.attached.At(p.batch, image);
  T q = T(0);
  for (int k = 0; k < planes; ++k) {
    if (k >= first && k < first + count) continue;
    q += attached[k] * PlaneOf(p.frame, features, slot, depth, k) * d_color[k];
  }
  return q;
}

// d loss / d sigma and its moments at one pixel, from q, the state and the exponent there.
template <class T>
struct PixelStep {
  T weight, s, hx, hy;

  // Moves the state (transmittance, behind) in front of a Gaussian that was blended here.
  EMOJAX_DEVICE PixelStep(const Exponent<T>& at, const Four<T>& shape, const Four<T>& rest, T q,
                          T log2_alpha_max, T* transmittance, T* behind) {
    const T alpha = FastExp2(at.power);
    *transmittance *= FastReciprocal(T(1) - alpha);
    weight = alpha * *transmittance;
    const T difference = q - *behind;
    *behind = Fma(alpha, difference, *behind);
    // alpha = opacity e^-sigma, unless capped.
    s = at.power < log2_alpha_max ? -weight * difference : T(0);
    hx = Fma(shape.z, at.dx, at.inner);
    hy = Fma(T(2) * rest.x, at.dy, shape.w * at.dx);
  }

  template <Mode kMode, int kSums>
  EMOJAX_DEVICE void AddMoments(T (&sum)[kSums]) const {
    const T sx = s * hx, sy = s * hy;
    sum[kSumX] += sx;
    sum[kSumY] += sy;
    sum[kSumXX] = Fma(sx, hx, sum[kSumXX]);
    sum[kSumXY] = Fma(sx, hy, sum[kSumXY]);
    sum[kSumYY] = Fma(sy, hy, sum[kSumYY]);
    sum[kSumS] += s;
    if constexpr (kMode != kPlain) {
      sum[kSumFixed] += Abs(sx);
      sum[kSumFixed + 1] += Abs(sy);
    }
  }
};

// What one thread of a tile's block holds: its pixel, and the state there behind all Gaussians.
template <class T, int kPlanes>
struct UnblendPixel {
  PixelPlace place;
  T transmittance = T(1), behind = T(0), cotangent[kPlanes];
  int last = -1;

  EMOJAX_DEVICE UnblendPixel(const Backward<T>& p, unsigned image, int column, int row,
                             int first_plane)
      : place(p.frame, column, row) {
    EMOJAX_UNROLL
    for (int k = 0; k < kPlanes; ++k) cotangent[k] = T(0);
    if (!place.inside) return;
    transmittance = p.transmittance.At(p.batch, image)[place.pixel];
    behind = p.d_transmittance.At(p.batch, image)[place.pixel];
    last = p.last.At(p.batch, image)[place.pixel];
    const int planes = p.frame.Planes();
    const T* d_color = p.d_color.At(p.batch, image) + place.pixel * planes;
    EMOJAX_UNROLL
    for (int k = 0; k < kPlanes; ++k) {
      if (first_plane + k < planes) cotangent[k] = d_color[first_plane + k];
    }
  }
};

// Stages a tile's Gaussians, farthest first, and calls body(count) for each batch; only those
// before or at `block_last` are needed.
template <class T, int kPlanes, class Body>
EMOJAX_DEVICE void ForEachBatch(const Backward<T>& p, unsigned image, int tile, int column,
                                int row, int first_plane, int block_last,
                                Staged<T, kPlanes>* staged, const Body& body) {
  const Frame& frame = p.frame;
  const auto* records = reinterpret_cast<const Record<T>*>(p.records.At(p.batch, image));
  const T* features = p.in.features.At(p.batch, image);
  const T* attached = p.attached.At(p.batch, image);
  const T log2_alpha_max = static_cast<T>(log2(frame.alpha_max));
  Walk<true> walk(frame, p.bins.At(p.batch, image), tile, block_last + 1);
  for (;;) {
    __syncthreads();
    const int count = walk.Next(staged->place, staged->scratch);
    if (!count) break;
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < count) {
      Stage(frame, records, features, attached, T(column * kTileSize), T(row * kTileSize),
            log2_alpha_max, first_plane, staged);
    }
    __syncthreads();
    body(count);
  }
}

template <class T, int kPlanes>
constexpr int kUnblendBlocks = sizeof(T) == 8 ? 1 : (kPlanes <= 4 ? 3 : (kPlanes <= 16 ? 2 : 1));

template <class T, int kPlanes, Mode kMode>
EMOJAX_KERNEL(kThreads, (kUnblendBlocks<T, kPlanes>))
UnblendKernel(EMOJAX_ARGUMENT(Backward<T>) p) {
  using Shared = UnblendShared<T, kPlanes>;
  EMOJAX_SHARED(shared, Shared);
  constexpr int kFixed = FixedSums(kMode), kSums = kFixed + kPlanes;
  const Frame& frame = p.frame;
  const unsigned image = blockIdx.y, lane = Lane();
  const int first_plane = static_cast<int>(blockIdx.z) * kPlanes, planes = frame.Planes();
  const int tile = static_cast<int>(blockIdx.x);
  const int column = tile % frame.Columns(), row = tile / frame.Columns();
  const T log2_alpha_max = static_cast<T>(log2(frame.alpha_max));
  UnblendPixel<T, kPlanes> pixel(p, image, column, row, first_plane);
  const PixelPlace& place = pixel.place;
  const T u = T(place.u), v = T(place.v);
  int warp_last;
  const int block_last = GreatestOfBlock(pixel.last, shared.last, &warp_last);
  // The sum that this lane holds after a reduction. Groups of planes but the first add theirs
  // alone.
  const SumPlace sum = PlaceOfSum<kSums>(lane);
  const int which = sum.index < kFixed ? sum.index : sum.index + first_plane;
  const bool mine = sum.valid && (sum.index < kFixed ? first_plane == 0
                                                     : which - kFixed < planes);
  Bounds bounds{};
  if constexpr (kMode == kExact) bounds = BoundsOfImage(p, image);

  const Staged<T, kPlanes>& staged = shared.staged;
  ForEachBatch(p, image, tile, column, row, first_plane, block_last, &shared.staged,
               [&](int count) {
    for (int base = 0; base < count; base += kWarp) {
      const int k = base + static_cast<int>(lane);
      unsigned reached = __ballot_sync(
          kWholeWarp, ReachesWarp(staged, place, k, count) && staged.place[k] <= warp_last);
      for (; reached; reached &= reached - 1) {
        const int j = base + __ffs(reached) - 1;
        const Four<T> shape = staged.shape[j], rest = staged.rest[j];
        const Exponent<T> at(shape, rest, u, v);
        const bool seen = staged.place[j] <= pixel.last && at.power >= T(kLog2AlphaMin);
        if (!__any_sync(kWholeWarp, seen)) continue;
        T value[kSums];
        EMOJAX_UNROLL
        for (int i = 0; i < kSums; ++i) value[i] = T(0);
        const int slot = staged.slot[j];
        if (seen) {
          T q = T(0);
          EMOJAX_UNROLL
          for (int i = 0; i < kPlanes; ++i) q = Fma(staged.planes[j][i], pixel.cotangent[i], q);
          if (planes > kPlanes) {
            q += DotOfOtherPlanes(p, image, place.pixel, slot, rest.w, first_plane, kPlanes);
          }
          const PixelStep<T> step(at, shape, rest, q, log2_alpha_max, &pixel.transmittance,
                                  &pixel.behind);
          step.template AddMoments<kMode>(value);
          EMOJAX_UNROLL
          for (int i = 0; i < kPlanes; ++i) value[kFixed + i] = step.weight * pixel.cotangent[i];
        }
        AddToSums<kMode>(p, image, slot, which, mine, WarpSums(value, lane), bounds);
      }
    }
  });
}

// ---- Unblend, the other way round -------------------------------------------------------------
//
// A lane a Gaussian: 32 that reach a warp's pixels stand in its lanes, farthest in lane 0, and the
// pixels' states march through them, one lane a step. A lane sums what its own Gaussian receives,
// so nothing is reduced; but 31 of the 63 steps only fill and empty the line, and a lane's sums are
// added one by one.

template <class T, int kPlanes>
struct MarchShared {
  Staged<T, kPlanes> staged;
  T cotangent[kPlanes][kThreads];
  int last[kThreads];
  int of_warp[kWarps];
  int queue[kWarps][2 * kWarp];  // staged Gaussians that reach the warp's pixels
};

template <class T, int kPlanes, Mode kMode>
struct March {
  static constexpr int kFixed = FixedSums(kMode), kSums = kFixed + kPlanes;

  // Takes the pixels' states in front of the first `members` Gaussians of the queue.
  EMOJAX_DEVICE static void Run(const Backward<T>& p, unsigned image,
                                const MarchShared<T, kPlanes>& shared, int members,
                                const Bounds& bounds, UnblendPixel<T, kPlanes>* pixel) {
    const int lane = static_cast<int>(Lane()), warp = static_cast<int>(threadIdx.x / kWarp);
    const T log2_alpha_max = static_cast<T>(log2(p.frame.alpha_max));
    const bool member = lane < members;
    const int j = shared.queue[warp][member ? lane : 0];
    const Four<T> shape = shared.staged.shape[j], rest = shared.staged.rest[j];
    const int place = shared.staged.place[j], slot = shared.staged.slot[j];
    T planes[kPlanes], sum[kSums];
    EMOJAX_UNROLL
    for (int k = 0; k < kPlanes; ++k) planes[k] = shared.staged.planes[j][k];
    EMOJAX_UNROLL
    for (int k = 0; k < kSums; ++k) sum[k] = T(0);
    T transmittance = T(1), behind = T(0);
    for (int step = 0; step < static_cast<int>(kWarp) + members - 1; ++step) {
      const int entering = step < static_cast<int>(kWarp) ? step : 0;
      const T new_transmittance = __shfl_sync(kWholeWarp, pixel->transmittance, entering);
      const T new_behind = __shfl_sync(kWholeWarp, pixel->behind, entering);
      transmittance = __shfl_up_sync(kWholeWarp, transmittance, 1);
      behind = __shfl_up_sync(kWholeWarp, behind, 1);
      if (lane == 0) {
        transmittance = new_transmittance;
        behind = new_behind;
      }
      const int at_pixel = step - lane;
      if (member && at_pixel >= 0 && at_pixel < static_cast<int>(kWarp)) {
        const int thread = warp * kWarp + at_pixel;
        const Exponent<T> at(shape, rest, T(pixel->place.warp_u + at_pixel % kWarpColumns),
                             T(pixel->place.warp_v + at_pixel / kWarpColumns));
        if (place <= shared.last[thread] && at.power >= T(kLog2AlphaMin)) {
          T q = T(0);
          EMOJAX_UNROLL
          for (int k = 0; k < kPlanes; ++k) q = Fma(planes[k], shared.cotangent[k][thread], q);
          const PixelStep<T> here(at, shape, rest, q, log2_alpha_max, &transmittance, &behind);
          here.template AddMoments<kMode>(sum);
          EMOJAX_UNROLL
          for (int k = 0; k < kPlanes; ++k) {
            sum[kFixed + k] = Fma(here.weight, shared.cotangent[k][thread], sum[kFixed + k]);
          }
        }
      }
      // Whose state has come through goes home.
      const int leaving = step - (members - 1);
      const T old_transmittance = __shfl_sync(kWholeWarp, transmittance, members - 1);
      const T old_behind = __shfl_sync(kWholeWarp, behind, members - 1);
      if (lane == leaving) {
        pixel->transmittance = old_transmittance;
        pixel->behind = old_behind;
      }
    }
    EMOJAX_UNROLL
    for (int k = 0; k < kSums; ++k) {
      const bool exists = k < kFixed || k - kFixed < p.frame.Planes();
      AddToSums<kMode>(p, image, slot, k, member && exists, sum[k], bounds);
    }
  }
};

template <class T, int kPlanes, Mode kMode>
EMOJAX_KERNEL(kThreads, 1)
MarchKernel(EMOJAX_ARGUMENT(Backward<T>) p) {
  using Shared = MarchShared<T, kPlanes>;
  EMOJAX_SHARED(shared, Shared);
  const unsigned image = blockIdx.y, lane = Lane(), warp = threadIdx.x / kWarp;
  const int tile = static_cast<int>(blockIdx.x);
  const int column = tile % p.frame.Columns(), row = tile / p.frame.Columns();
  UnblendPixel<T, kPlanes> pixel(p, image, column, row, 0);
  EMOJAX_UNROLL
  for (int k = 0; k < kPlanes; ++k) shared.cotangent[k][threadIdx.x] = pixel.cotangent[k];
  shared.last[threadIdx.x] = pixel.last;
  int warp_last;
  const int block_last = GreatestOfBlock(pixel.last, shared.of_warp, &warp_last);
  Bounds bounds{};
  if constexpr (kMode == kExact) bounds = BoundsOfImage(p, image);
  int* queue = shared.queue[warp];
  ForEachBatch(p, image, tile, column, row, 0, block_last, &shared.staged, [&](int count) {
    int waiting = 0;
    for (int base = 0; base < count; base += kWarp) {
      const int k = base + static_cast<int>(lane);
      const bool reaches =
          ReachesWarp(shared.staged, pixel.place, k, count) && shared.staged.place[k] <= warp_last;
      const unsigned reached = __ballot_sync(kWholeWarp, reaches);
      if (reaches) queue[waiting + __popc(reached & ((1u << lane) - 1))] = k;
      waiting += __popc(reached);
      __syncwarp();
      if (waiting < static_cast<int>(kWarp)) continue;
      March<T, kPlanes, kMode>::Run(p, image, shared, kWarp, bounds, &pixel);
      const int moved = queue[kWarp + lane];
      __syncwarp();
      queue[lane] = moved;
      __syncwarp();
      waiting -= kWarp;
    }
    if (waiting) March<T, kPlanes, kMode>::Run(p, image, shared, waiting, bounds, &pixel);
    __syncwarp();
  });
}

// ---- Unproject --------------------------------------------------------------------------------

template <class T>
EMOJAX_DEVICE T SumAt(const Backward<T>& p, unsigned image, int slot, int sum,
                      const Bounds& bounds) {
  const Mode mode = ModeOf(p.tap, p.deterministic);
  const int64_t at = static_cast<int64_t>(slot) * SumStride(p.frame.Planes(), mode) + sum;
  if (!p.deterministic) return p.template Scratch<const T>(image, p.layout.sums)[at];
  const Fixed fixed = p.template Scratch<const Fixed>(image, p.layout.sums)[at];
  return static_cast<T>(FromFixed(fixed, bounds.Of(sum)));
}

template <class T>
struct UnprojectShared {
  T camera[kUnprojectThreads / kWarp][kCamera];
};

template <class T>
EMOJAX_KERNEL(kUnprojectThreads, 1)
UnprojectKernel(EMOJAX_ARGUMENT(Backward<T>) p) {
  EMOJAX_SHARED(shared, UnprojectShared<T>);
  const Frame& frame = p.frame;
  const unsigned image = blockIdx.y, lane = Lane(), warp = threadIdx.x / kWarp;
  const int slot = static_cast<int>(blockIdx.x * kUnprojectThreads + threadIdx.x);
  GaussianCotangent<T> d{};
  ViewCotangent<T> camera{};
  bool seen = false;
  const int first_feature = FixedSums(ModeOf(p.tap, p.deterministic));
  Bounds bounds{};
  T x = T(0), y = T(0);
  const bool inside = slot < frame.gaussians;
  if (inside) {
    const View<T> view = ViewAt(frame, p.in, p.batch, image);
    const Projected<T> o = ProjectOne(frame, p.in, p.batch, image, view, slot);
    seen = o.seen;
    if (seen) {
      if (p.deterministic) {
        bounds = BoundsOfImage(p, image);
        const int16_t* exponents = p.template Scratch<const int16_t>(image, p.layout.exponents);
        bounds.x = exponents[2 * slot];
        bounds.y = exponents[2 * slot + 1];
      }
      auto sum = [&](int which) { return SumAt(p, image, slot, which, bounds); };
      // h is -log2(e) times the conic times (dx, dy).
      constexpr double kLn2 = 1 / kLog2E;
      SplatCotangent<T> splat;
      splat.x = x = T(-kLn2) * sum(kSumX);
      splat.y = y = T(-kLn2) * sum(kSumY);
      splat.s00 = T(-0.5 * kLn2 * kLn2) * sum(kSumXX);
      splat.s01 = T(-0.5 * kLn2 * kLn2) * sum(kSumXY);
      splat.s11 = T(-0.5 * kLn2 * kLn2) * sum(kSumYY);
      splat.opacity = -sum(kSumS) / o.splat.opacity;
      splat.depth = frame.depth ? sum(first_feature + frame.channels) : T(0);
      ProjectTransposed(view, o.gaussian, o.projection, splat, &d, &camera);
    }
    EMOJAX_UNROLL
    for (int k = 0; k < 3; ++k) {
      p.means.At(p.batch, image)[int64_t{3} * slot + k] = d.mean[k];
      p.scales.At(p.batch, image)[int64_t{3} * slot + k] = d.scale[k];
    }
    EMOJAX_UNROLL
    for (int k = 0; k < 4; ++k) {
      p.quaternions.At(p.batch, image)[int64_t{4} * slot + k] = d.quaternion[k];
    }
    p.opacities.At(p.batch, image)[slot] = d.opacity;
    T* features = p.features.At(p.batch, image) + static_cast<int64_t>(slot) * frame.channels;
    for (int k = 0; k < frame.channels; ++k) {
      features[k] = seen ? SumAt(p, image, slot, first_feature + k, bounds) : T(0);
    }
    if (p.tap) {
      constexpr T kLn2 = T(1 / kLog2E);
      T* tap = p.d_tap.At(p.batch, image) + int64_t{4} * slot;
      tap[0] = x;
      tap[1] = y;
      tap[2] = seen ? kLn2 * SumAt(p, image, slot, kSumFixed, bounds) : T(0);
      tap[3] = seen ? kLn2 * SumAt(p, image, slot, kSumFixed + 1, bounds) : T(0);
    }
  }
  T value[kCamera];
  EMOJAX_UNROLL
  for (int k = 0; k < 9; ++k) value[k] = camera.rotation[k];
  EMOJAX_UNROLL
  for (int k = 0; k < 3; ++k) value[9 + k] = camera.translation[k];
  value[12] = camera.fx;
  value[13] = camera.fy;
  value[14] = camera.cx;
  value[15] = camera.cy;
  const T total = WarpSums(value, lane);
  const SumPlace sum = PlaceOfSum<kCamera>(lane);
  if (sum.valid) shared.camera[warp][sum.index] = total;
  __syncthreads();
  if (threadIdx.x < kCamera) {
    T all = T(0);
    EMOJAX_UNROLL
    for (int w = 0; w < kUnprojectThreads / static_cast<int>(kWarp); ++w) {
      all += shared.camera[w][threadIdx.x];
    }
    p.template Scratch<T>(image, p.layout.cameras)[blockIdx.x * kCamera + threadIdx.x] = all;
  }
}

template <class T>
struct CameraShared {
  T sum[kThreads / kCamera][kCamera];
};

// One block an image: the camera's cotangents from those of all blocks, in a fixed order.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
CameraKernel(EMOJAX_ARGUMENT(Backward<T>) p) {
  EMOJAX_SHARED(shared, CameraShared<T>);
  const unsigned image = blockIdx.y, which = threadIdx.x % kCamera, part = threadIdx.x / kCamera;
  const int64_t blocks =
      (static_cast<int64_t>(p.frame.gaussians) + kUnprojectThreads - 1) / kUnprojectThreads;
  const T* cameras = p.template Scratch<const T>(image, p.layout.cameras);
  T sum = T(0);
  for (int64_t b = part; b < blocks; b += kThreads / kCamera) sum += cameras[b * kCamera + which];
  shared.sum[part][which] = sum;
  __syncthreads();
  if (part > 0) return;
  for (int k = 1; k < kThreads / kCamera; ++k) sum += shared.sum[k][which];
  T* pose = p.world_to_camera.At(p.batch, image);
  if (which < 9) {
    pose[which / 3 * 4 + which % 3] = sum;
  } else if (which < 12) {
    pose[(which - 9) * 4 + 3] = sum;
  } else {
    p.intrinsics.At(p.batch, image)[which - 12] = sum;
    pose[which] = T(0);  // the last row is constant
  }
}

}  // namespace emojax::device

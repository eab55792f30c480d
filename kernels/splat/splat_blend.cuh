// Blending on a GPU: a block a tile, a thread a pixel, a warp a block of 8 x 4 pixels.
//
// The Gaussians of a tile come in batches of up to 256, taken from the set bits of the tile's row
// of the bitmap (or its list) and staged in shared memory. A warp tests 32 staged Gaussians at a
// time against its own 8 x 4 pixels, one a lane, and visits those that reach them. A block ends
// when all its pixels have stopped.
#pragma once

#include "splat_cuda.cuh"

namespace emojax::device {

constexpr int kWarpColumns = 8, kWarpRows = 4;  // pixels of a warp
static_assert(kWarpColumns * kWarpRows == kWarp);

// Hands out the places by depth of a tile's Gaussians, nearest first or farthest first, up to 256
// at a time. Every thread of the block takes part.
template <bool kBackwards>
class Walk {
 public:
  // `most`: Gaussians at and behind this place are of no interest.
  EMOJAX_DEVICE Walk(const Frame& frame, const int* bins, int64_t tile, int most)
      : bitmap_(!frame.capacity) {
    if (bitmap_) {
      row_ = bins + tile * frame.Words();
      length_ = (most + 31) / 32;
      most_ = most;
    } else {
      row_ = bins + frame.Tiles() + 1 + bins[tile];
      length_ = bins[tile + 1] - bins[tile];
    }
  }

  // Writes the next places to `list` and returns how many there are; 0 at the end. A barrier must
  // stand between a use of the list and this call, and another between this call and the next use.
  EMOJAX_DEVICE int Next(int* list, unsigned* scratch) {
    const int thread = static_cast<int>(threadIdx.x);
    if (!bitmap_) {
      const int left = length_ - done_, count = left < kThreads ? left : kThreads;
      if (thread < count) {
        const int k = done_ + thread;
        list[thread] = row_[kBackwards ? length_ - 1 - k : k];
      }
      done_ += count;
      return count;
    }
    while (begin_ >= total_) {
      if (done_ >= length_) return 0;
      Load(thread, scratch);
    }
    const int end = begin_ + kThreads < total_ ? begin_ + kThreads : total_;
    EMOJAX_UNROLL
    for (int k = 0; k < kWords; ++k) {
      while (position_ < end && word_[k]) {
        const int bit = kBackwards ? 31 - __clz(word_[k]) : __ffs(word_[k]) - 1;
        word_[k] ^= 1u << bit;
        list[position_++ - begin_] = 32 * WordOf(thread, k) + bit;
      }
    }
    const int count = end - begin_;
    begin_ = end;
    return count;
  }

 private:
  static constexpr int kWords = 4;  // of a thread, at a time

  EMOJAX_DEVICE int WordOf(int thread, int k) const {
    const int word = done_ - kWords * (kThreads - thread) + k;
    return kBackwards ? length_ - 1 - word : word;
  }

  EMOJAX_DEVICE void Load(int thread, unsigned* scratch) {
    done_ += kWords * kThreads;
    unsigned count = 0;
    EMOJAX_UNROLL
    for (int k = 0; k < kWords; ++k) {
      const int word = WordOf(thread, k);
      const bool inside = kBackwards ? word >= 0 : word < length_;
      word_[k] = inside ? static_cast<unsigned>(row_[word]) : 0;
      if (kBackwards && inside && 32 * word + 32 > most_) {
        const int keep = most_ - 32 * word;  // at least 1: length_ says so
        word_[k] &= keep >= 32 ? ~0u : (1u << keep) - 1;
      }
      count += __popc(word_[k]);
    }
    __syncthreads();  // the last sum's scratch
    unsigned total;
    position_ = static_cast<int>(ExclusiveSum<kThreads>(count, scratch, &total));
    total_ = static_cast<int>(total);
    begin_ = 0;
  }

  const bool bitmap_;
  const int* row_;
  int length_, most_ = 0;      // words or entries; places
  int done_ = 0;               // of `length_`
  unsigned word_[kWords];      // bits at hand that have not been handed out
  int position_ = 0;           // of the first of them, among the block's
  int begin_ = 0, total_ = 0;  // handed out, at hand
};

template <int kPlanes>
constexpr int kFours = (kPlanes + 3) / 4;

// A batch of Gaussians as the pixels need them.
template <class T, int kPlanes>
struct Staged {
  Four<T> shape[kThreads];                      // mean from the tile's first pixel centre; A, B
  Four<T> rest[kThreads];                       // C, log2 opacity, cap of the exponent, depth
  T planes[kThreads][4 * kFours<kPlanes>];      // zero behind the last
  int place[kThreads];                          // by depth
  int slot[kThreads];
  unsigned scratch[kWarps];
};

// Plane k of a Gaussian: a channel or its depth.
template <class T>
EMOJAX_DEVICE T PlaneOf(const Frame& frame, const T* features, int slot, T depth, int k) {
  return k < frame.channels ? features[static_cast<int64_t>(slot) * frame.channels + k] : depth;
}

// Stages the Gaussian at place[threadIdx.x] for planes [first_plane, first_plane + kPlanes), times
// `factors` [planes] where there are any.
template <class T, int kPlanes>
EMOJAX_DEVICE void Stage(const Frame& frame, const Record<T>* records, const T* features,
                         const T* factors, T tile_x, T tile_y, T log2_alpha_max, int first_plane,
                         Staged<T, kPlanes>* staged) {
  const unsigned t = threadIdx.x;
  const Record<T> record = records[staged->place[t]];
  const int slot = SlotOf(record.rest.w);
  staged->slot[t] = slot;
  staged->shape[t] = {record.shape.x - T(0.5) - tile_x, record.shape.y - T(0.5) - tile_y,
                      record.shape.z, record.shape.w};
  // The cap also holds where rounding lifts the exponent above its maximum (needles).
  staged->rest[t] = {record.rest.x, record.rest.y, Min(record.rest.y, log2_alpha_max),
                     record.rest.z};
  EMOJAX_UNROLL
  for (int k = 0; k < 4 * kFours<kPlanes>; ++k) {
    const bool inside = k < kPlanes && first_plane + k < frame.Planes();
    T plane = inside ? PlaneOf(frame, features, slot, record.rest.z, first_plane + k) : T(0);
    if (factors && inside) plane *= factors[first_plane + k];
    staged->planes[t][k] = plane;
  }
}

// Where a thread's pixel lies.
struct PixelPlace {
  int warp_u, warp_v;  // first pixel of its warp, in the tile
  int u, v;            // in the tile
  bool inside;         // the picture
  int64_t pixel;       // in the picture

  EMOJAX_DEVICE PixelPlace(const Frame& frame, int column, int row) {
    const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(Lane());
    constexpr int kAcross = kTileSize / kWarpColumns;
    warp_u = warp % kAcross * kWarpColumns;
    warp_v = warp / kAcross * kWarpRows;
    u = warp_u + lane % kWarpColumns;
    v = warp_v + lane / kWarpColumns;
    const int x = column * kTileSize + u, y = row * kTileSize + v;
    inside = x < frame.width && y < frame.height;
    pixel = static_cast<int64_t>(y) * frame.width + x;
  }
};

// Which of 32 staged Gaussians, [first, first + 32) of `count`, can be seen in a warp's pixels.
template <class T, int kPlanes>
EMOJAX_DEVICE bool ReachesWarp(const Staged<T, kPlanes>& staged, const PixelPlace& place, int k,
                               int count) {
  if (k >= count) return false;
  const Four<T> rest = staged.rest[k];
  return Reaches(staged.shape[k], rest.x, rest.y, T(place.warp_u),
                 T(place.warp_u + kWarpColumns - 1), T(place.warp_v),
                 T(place.warp_v + kWarpRows - 1));
}

// The exponent of a Gaussian at a pixel, and what its derivative needs. Every rounding is spelled
// out: forward and backward pass must agree bit for bit on who is seen.
template <class T>
struct Exponent {
  T dx, dy;
  T inner;  // A dx + B dy
  T power;  // log2 alpha

  EMOJAX_DEVICE Exponent(const Four<T>& shape, const Four<T>& rest, T u, T v) {
    dx = shape.x - u;
    dy = shape.y - v;
    inner = Fma(shape.z, dx, shape.w * dy);
    power = Min(Fma(dx, inner, Fma(rest.x * dy, dy, rest.y)), rest.z);
  }
};

// Blocks that shall fit on a multiprocessor: what the registers of that many planes allow.
template <class T, int kPlanes>
constexpr int kBlendBlocks = sizeof(T) == 8 ? 2 : (kPlanes <= 4 ? 4 : (kPlanes <= 16 ? 3 : 2));

template <class T, int kPlanes>
EMOJAX_KERNEL(kThreads, (kBlendBlocks<T, kPlanes>))
BlendKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  using Shared = Staged<T, kPlanes>;
  EMOJAX_SHARED(staged, Shared);
  const Frame& frame = p.frame;
  const unsigned image = blockIdx.y;
  const int first_plane = static_cast<int>(blockIdx.z) * kPlanes;
  const int tile = static_cast<int>(blockIdx.x);
  const int column = tile % frame.Columns(), row = tile / frame.Columns();
  const PixelPlace place(frame, column, row);
  const T u = T(place.u), v = T(place.v);
  const T log2_alpha_max = static_cast<T>(log2(frame.alpha_max));
  const auto* records = reinterpret_cast<const Record<T>*>(p.records.At(p.batch, image));
  const T* features = p.in.features.At(p.batch, image);

  T transmittance = T(1), color[kPlanes];
  EMOJAX_UNROLL
  for (int k = 0; k < kPlanes; ++k) color[k] = T(0);
  int last = -1;
  bool active = place.inside;
  Walk<false> walk(frame, p.bins.At(p.batch, image), tile, frame.gaussians);
  while (__syncthreads_or(active)) {
    const int count = walk.Next(staged.place, staged.scratch);
    if (!count) break;
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < count) {
      Stage(frame, records, features, static_cast<const T*>(nullptr), T(column * kTileSize),
            T(row * kTileSize), log2_alpha_max, first_plane, &staged);
    }
    __syncthreads();
    for (int base = 0; base < count; base += kWarp) {
      if (!__any_sync(kWholeWarp, active)) break;
      unsigned reached = __ballot_sync(
          kWholeWarp, ReachesWarp(staged, place, base + static_cast<int>(Lane()), count));
      for (; reached; reached &= reached - 1) {
        const int j = base + __ffs(reached) - 1;
        const Exponent<T> at(staged.shape[j], staged.rest[j], u, v);
        if (!active || !(at.power >= T(kLog2AlphaMin))) continue;
        const T alpha = FastExp2(at.power), after = Fma(-alpha, transmittance, transmittance);
        if (after <= T(kTransmittanceMin)) {
          active = false;
          continue;
        }
        const T weight = alpha * transmittance;
        EMOJAX_UNROLL
        for (int k = 0; k < kPlanes; ++k) color[k] = Fma(weight, staged.planes[j][k], color[k]);
        transmittance = after;
        last = staged.place[j];
      }
    }
  }
  if (place.inside) {
    const int planes = frame.Planes();
    T* to = p.color.At(p.batch, image) + place.pixel * planes;
    EMOJAX_UNROLL
    for (int k = 0; k < kPlanes; ++k) {
      if (first_plane + k < planes) to[first_plane + k] = color[k];
    }
    if (first_plane == 0) {
      p.transmittance.At(p.batch, image)[place.pixel] = transmittance;
      p.last.At(p.batch, image)[place.pixel] = last;
    }
  }
  if (tile == 0 && first_plane == 0 && threadIdx.x == 0) {
    constexpr unsigned long long kMost = 0x7fffffff;
    const auto pairs = *p.template Scratch<const unsigned long long>(image, p.layout.pairs);
    const unsigned long long capacity = frame.capacity;
    const unsigned long long over = capacity && pairs > capacity ? pairs - capacity : 0;
    *p.num_pairs.At(p.batch, image) = static_cast<int>(pairs < kMost ? pairs : kMost);
    *p.overflow.At(p.batch, image) = static_cast<int>(over < kMost ? over : kMost);
  }
}

}  // namespace emojax::device

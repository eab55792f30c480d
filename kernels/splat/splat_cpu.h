// Splatting on a CPU: forward and backward over a batch of images, any scheduler, float or double.
//
// Forward, each step a parallel loop:
//   project   16 Gaussians at a time -> records (unsorted), radii
//   sort      by depth, stable; one image is one task
//   bin       512 sorted Gaussians at a time -> bitmap columns, or tile lists of fixed capacity
//   blend     one tile at a time, front to back, one vector per block of 4 x 4 pixels
// Backward:
//   tiles     blend again, keeping alpha and transmittance of every touched block, then walk back:
//             with B the colour behind (already weighted by the pixel's cotangent g) and q = c . g,
//               d loss / d alpha = T (q - B),   B <- B + alpha (q - B),   B starts at dT.
//             Convex steps, no division, no cancellation (method: unroll Out = sum of alpha T c).
//             Each (tile, Gaussian) pair has its own slot for its sums.
//   reduce    slots of a Gaussian are added in tile order, then go through the projection.
// Nothing depends on which thread does what: results are the same bits for any number of threads.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "../common/parallel.h"
#include "../common/simd.h"
#include "splat_math.h"

namespace emojax {

constexpr int kChunk = 512;    // Gaussians of one task: their bitmap columns fill one cache line
constexpr int kSegment = 512;  // Gaussians whose blocks the backward pass keeps at a time
constexpr double kLog2E = 1.4426950408889634;
constexpr double kLog2AlphaMin = -7.994353436858858;  // log2(1 / 255)
constexpr int kPixels = kTileSize * kTileSize;
static_assert(kPixels == kLanes * kLanes, "a tile is 16 Rows of 16 pixels");

// A projected Gaussian as the tiles read it.
enum RecordField {
  kX,
  kY,  // mean, pixels
  kA,
  kB,
  kC,  // conic
  kLog2Opacity,
  kU0,
  kU1,
  kV0,
  kV1,  // first and last column and row it may reach, inside the image (whole numbers)
  kDepth,
  kRecord
};

struct Sizes {
  int64_t gaussians, channels, width, height;
  bool depth;        // one more plane: camera-space z
  int64_t capacity;  // of the pair list; 0: bitmap

  int64_t Planes() const { return channels + depth; }
  int64_t TilesX() const { return (width + kTileSize - 1) / kTileSize; }
  int64_t TilesY() const { return (height + kTileSize - 1) / kTileSize; }
  int64_t Tiles() const { return TilesX() * TilesY(); }
  int64_t Chunks() const { return (gaussians + kChunk - 1) / kChunk; }
  // Words of one tile's row of the bitmap.
  int64_t Words() const { return Chunks() * (kChunk / 32); }
  // Length of `bins`: bitmap [tiles, words], or first entry of each tile, end, then the entries.
  int64_t BinsLength() const { return capacity ? Tiles() + 1 + capacity : Tiles() * Words(); }
};

template <class T>
struct Inputs {
  const T *means, *quaternions, *scales, *opacities, *features, *world_to_camera, *intrinsics;
};

// What the forward pass leaves for the backward pass.
template <class T>
struct Saved {
  T* records;      // [N, kRecord], by depth
  int32_t* order;  // [N], slot of the i-th nearest; -1 behind the last visible one
  int32_t* bins;   // [BinsLength()]
};

template <class T>
struct ForwardOutputs {
  T* color;            // [H, W, planes], without background
  T* transmittance;    // [H, W]
  int32_t* radii;      // [N, 2]
  int32_t* num_pairs;  // []
  int32_t* overflow;   // []
  Saved<T> saved;
};

template <class T>
struct Cotangents {
  const T* color;          // [H, W, planes]
  const T* transmittance;  // [H, W]
  const T* attached;       // [planes], 0 where a plane sends no gradient to the geometry
};

template <class T>
struct BackwardOutputs {
  T *means, *quaternions, *scales, *opacities, *features, *world_to_camera, *intrinsics;
  T* tap;  // [N, 4]: gradient of the 2D mean, and its absolute value summed over pixels; or null
};

struct Options {
  double near_plane, far_plane, dilation, alpha_max;
  bool antialias;
  // Memory aimed at; results do not depend on it but for the order of sums.
  int64_t group_bytes = int64_t{1} << 23;  // intermediate results of images done together
  int64_t slot_bytes = int64_t{1} << 27;   // slots of the backward pass, an image
};

template <class T>
View<T> ViewOf(const Sizes& sizes, const Options& options, const T* world_to_camera,
               const T* intrinsics) {
  View<T> view;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) view.rotation[3 * i + j] = world_to_camera[4 * i + j];
    view.translation[i] = world_to_camera[4 * i + 3];
  }
  view.fx = intrinsics[0];
  view.fy = intrinsics[1];
  view.cx = intrinsics[2];
  view.cy = intrinsics[3];
  view.width = static_cast<int>(sizes.width);
  view.height = static_cast<int>(sizes.height);
  view.near_plane = static_cast<T>(options.near_plane);
  view.far_plane = static_cast<T>(options.far_plane);
  view.dilation = static_cast<T>(options.dilation);
  view.alpha_max = static_cast<T>(options.alpha_max);
  view.antialias = options.antialias;
  return view;
}

// ---- Project ----------------------------------------------------------------------------------

// Sixteen Gaussians, one a lane, taken from slots index(0), ..., index(count - 1).
template <class T, class Index>
Gaussian<Row<T>> LoadGaussians(const Inputs<T>& in, int count, const Index& index) {
  alignas(64) T lanes[11][kLanes] = {};
  for (int i = 0; i < count; ++i) {
    const int64_t slot = index(i);
    for (int k = 0; k < 3; ++k) lanes[k][i] = in.means[3 * slot + k];
    for (int k = 0; k < 4; ++k) lanes[3 + k][i] = in.quaternions[4 * slot + k];
    for (int k = 0; k < 3; ++k) lanes[7 + k][i] = in.scales[3 * slot + k];
    lanes[10][i] = in.opacities[slot];
  }
  Gaussian<Row<T>> g;
  for (int k = 0; k < 3; ++k) g.mean[k] = Row<T>::Load(lanes[k]);
  for (int k = 0; k < 4; ++k) g.quaternion[k] = Row<T>::Load(lanes[3 + k]);
  for (int k = 0; k < 3; ++k) g.scale[k] = Row<T>::Load(lanes[7 + k]);
  g.opacity = Row<T>::Load(lanes[10]);
  return g;
}

// Zero where every number is finite, NaN elsewhere.
template <class R>
R NotFinite(std::initializer_list<R> values) {
  R sum = R(0);
  for (const R& value : values) sum += value * R(0);
  return sum;
}

template <class T>
bool FeaturesFinite(const Inputs<T>& in, int64_t channels, int64_t slot) {
  T sum = 0;
  for (int64_t k = 0; k < channels; ++k) sum += in.features[slot * channels + k] * T(0);
  return sum == T(0);
}

// Projects slots [first, first + count); writes a record and radii for each, and whether it is
// seen.
template <class T>
void ProjectSixteen(const View<T>& view, const Sizes& sizes, const Inputs<T>& in, int64_t first,
                    int count, T* records, int32_t* radii, uint8_t* seen) {
  using R = Row<T>;
  const auto g = LoadGaussians(in, count, [&](int i) { return first + i; });
  const auto o = ProjectionOf(view, g);
  const auto s = SplatOf(view, g, o);
  const R norm2 =
      Sq(g.quaternion[0]) + Sq(g.quaternion[1]) + Sq(g.quaternion[2]) + Sq(g.quaternion[3]);
  const R bad = NotFinite({g.mean[0], g.mean[1], g.mean[2], norm2, g.scale[0], g.scale[1],
                           g.scale[2], g.opacity, s.x, s.y, s.a, s.b, s.c, o.det});
  const auto ok = (bad >= R(0)) & (norm2 >= R(T(kQuaternionNorm2Min))) &
                  (s.depth > R(view.near_plane)) & (s.depth < R(view.far_plane)) & (o.det > R(0)) &
                  (s.opacity >= R(T(kAlphaMin)));
  if (!Any(ok)) {
    std::memset(seen + first, 0, count);
    std::memset(radii + 2 * first, 0, 2 * count * sizeof(int32_t));
    return;
  }
  alignas(64) T lanes[8][kLanes], variance[2][kLanes];
  s.x.Store(lanes[kX]);
  s.y.Store(lanes[kY]);
  s.a.Store(lanes[kA]);
  s.b.Store(lanes[kB]);
  s.c.Store(lanes[kC]);
  s.opacity.Store(lanes[kLog2Opacity]);
  s.depth.Store(lanes[6]);
  o.s00.Store(variance[0]);
  o.s11.Store(variance[1]);
  for (int i = 0; i < count; ++i) {
    const int64_t slot = first + i;
    seen[slot] = 0;
    radii[2 * slot] = radii[2 * slot + 1] = 0;
    if (!ok.Lane(i) || !FeaturesFinite(in, sizes.channels, slot)) continue;
    const T log2_opacity = std::log2(lanes[kLog2Opacity][i]);
    const T reach = T(2 / kLog2E) * (log2_opacity - T(kLog2AlphaMin));  // 2 ln(255 opacity)
    const T extent_x = std::sqrt(reach * variance[0][i]);
    const T extent_y = std::sqrt(reach * variance[1][i]);
    const T x = lanes[kX][i], y = lanes[kY][i];
    if (x + extent_x < T(0.5) || x - extent_x > T(sizes.width) - T(0.5) || y + extent_y < T(0.5) ||
        y - extent_y > T(sizes.height) - T(0.5)) {
      continue;
    }
    constexpr T kLargestRadius = T(1 << 30);
    radii[2 * slot] = static_cast<int32_t>(std::ceil(std::min(extent_x, kLargestRadius)));
    radii[2 * slot + 1] = static_cast<int32_t>(std::ceil(std::min(extent_y, kLargestRadius)));
    seen[slot] = 1;
    T* record = records + slot * kRecord;
    record[kX] = x;
    record[kY] = y;
    record[kA] = lanes[kA][i];
    record[kB] = lanes[kB][i];
    record[kC] = lanes[kC][i];
    record[kLog2Opacity] = log2_opacity;
    // A little wider than the extent, so that rounding never drops a pixel that reaches kAlphaMin.
    constexpr T kWider = T(kExtentSlack);
    const T last_u = T(sizes.width - 1), last_v = T(sizes.height - 1);
    record[kU0] = std::max(std::ceil(x - T(0.5) - kWider * extent_x), T(0));
    record[kU1] = std::min(std::floor(x - T(0.5) + kWider * extent_x), last_u);
    record[kV0] = std::max(std::ceil(y - T(0.5) - kWider * extent_y), T(0));
    record[kV1] = std::min(std::floor(y - T(0.5) + kWider * extent_y), last_v);
    record[kDepth] = lanes[6][i];
  }
}

// ---- Sort -------------------------------------------------------------------------------------

// Writes the seen slots to `order` by depth, equal depths by slot; returns how many there are.
template <class T>
int64_t SortByDepth(int64_t n, const uint8_t* seen, const T* records, int32_t* order) {
  int64_t visible = 0;
  if constexpr (sizeof(T) == 8) {
    for (int64_t i = 0; i < n; ++i) {
      if (seen[i]) order[visible++] = static_cast<int32_t>(i);
    }
    std::stable_sort(order, order + visible, [&](int32_t i, int32_t j) {
      return records[i * kRecord + kDepth] < records[j * kRecord + kDepth];
    });
  } else {
    // Positive floats sort like their bits: three passes of 11 bits, stable.
    constexpr int kBits = 11, kBuckets = 1 << kBits, kPasses = 3;
    struct Key {
      uint32_t bits;
      int32_t slot;
    };
    std::vector<Key> keys(n), other(n);
    std::vector<uint32_t> counts(kPasses * kBuckets);
    for (int64_t i = 0; i < n; ++i) {
      if (!seen[i]) continue;
      const uint32_t bits = std::bit_cast<uint32_t>(records[i * kRecord + kDepth]);
      for (int pass = 0; pass < kPasses; ++pass) {
        ++counts[pass * kBuckets + (bits >> pass * kBits) % kBuckets];
      }
      keys[visible++] = {bits, static_cast<int32_t>(i)};
    }
    for (int pass = 0; pass < kPasses; ++pass) {
      uint32_t* count = counts.data() + pass * kBuckets;
      for (uint32_t i = 0, start = 0; i < kBuckets; ++i) start += std::exchange(count[i], start);
      for (int64_t i = 0; i < visible; ++i) {
        other[count[(keys[i].bits >> pass * kBits) % kBuckets]++] = keys[i];
      }
      keys.swap(other);
    }
    for (int64_t i = 0; i < visible; ++i) order[i] = keys[i].slot;
  }
  std::fill(order + visible, order + n, -1);
  return visible;
}

// ---- Bin --------------------------------------------------------------------------------------

struct TileRect {
  int x0, x1, y0, y1;  // half open

  int64_t Area() const { return int64_t{x1 - x0} * (y1 - y0); }
};

// The tiles that the bounding box of a splat meets; none where it falls between pixel centres.
template <class T>
TileRect TilesOf(const T* record) {
  const int u0 = static_cast<int>(record[kU0]), u1 = static_cast<int>(record[kU1]);
  const int v0 = static_cast<int>(record[kV0]), v1 = static_cast<int>(record[kV1]);
  if (u0 > u1 || v0 > v1) return {0, 0, 0, 0};
  return {u0 / kTileSize, u1 / kTileSize + 1, v0 / kTileSize, v1 / kTileSize + 1};
}

// Calls hit(tile) for each tile with a pixel centre at which alpha may reach kAlphaMin.
template <class T, class Hit>
void ForEachTile(const T* record, const Sizes& sizes, const Hit& hit) {
  const TileRect rect = TilesOf(record);
  const T reach = T(2 / kLog2E) * (record[kLog2Opacity] - T(kLog2AlphaMin)) + T(kTileSlack);
  for (int ty = rect.y0; ty < rect.y1; ++ty) {
    const T y0 = T(ty * kTileSize) + T(0.5);
    const T y1 = std::min(y0 + T(kTileSize - 1), T(sizes.height) - T(0.5));
    for (int tx = rect.x0; tx < rect.x1; ++tx) {
      const T x0 = T(tx * kTileSize) + T(0.5);
      const T x1 = std::min(x0 + T(kTileSize - 1), T(sizes.width) - T(0.5));
      const T least =
          LeastPower(record[kX], record[kY], record[kA], record[kB], record[kC], x0, x1, y0, y1);
      if (least <= reach) hit(ty * sizes.TilesX() + tx);
    }
  }
}

// Sorted Gaussians [kChunk * chunk, ...): copies their records into depth order and sets their bits
// in their own columns of the bitmap. Returns the number of pairs.
template <class T>
int64_t BinChunkToBitmap(const Sizes& sizes, int64_t visible, int64_t chunk, const T* unsorted,
                         const Saved<T>& saved) {
  const int64_t words = sizes.Words(), tiles = sizes.Tiles();
  auto* bitmap = reinterpret_cast<uint32_t*>(saved.bins);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    std::memset(bitmap + tile * words + chunk * (kChunk / 32), 0, kChunk / 8);
  }
  int64_t pairs = 0;
  const int64_t end = std::min((chunk + 1) * kChunk, visible);
  for (int64_t i = chunk * kChunk; i < end; ++i) {
    T* record = saved.records + i * kRecord;
    std::memcpy(record, unsorted + saved.order[i] * kRecord, kRecord * sizeof(T));
    ForEachTile(record, sizes, [&](int64_t tile) {
      bitmap[tile * words + i / 32] |= 1u << i % 32;
      ++pairs;
    });
  }
  return pairs;
}

// The pairs of one chunk, in the order of its Gaussians.
struct ChunkPairs {
  std::vector<int32_t> tiles;   // tile of each pair
  std::vector<int32_t> count;   // pairs of each Gaussian
  std::vector<int32_t> before;  // [tiles] entries of earlier chunks in the tile's list
};

template <class T>
ChunkPairs PairsOfChunk(const Sizes& sizes, int64_t visible, int64_t chunk, const T* unsorted,
                        const Saved<T>& saved) {
  ChunkPairs pairs;
  const int64_t end = std::min((chunk + 1) * kChunk, visible);
  for (int64_t i = chunk * kChunk; i < end; ++i) {
    T* record = saved.records + i * kRecord;
    std::memcpy(record, unsorted + saved.order[i] * kRecord, kRecord * sizeof(T));
    const size_t first = pairs.tiles.size();
    ForEachTile(record, sizes,
                [&](int64_t tile) { pairs.tiles.push_back(static_cast<int32_t>(tile)); });
    pairs.count.push_back(static_cast<int32_t>(pairs.tiles.size() - first));
  }
  return pairs;
}

// Cuts the list to the longest run of nearest Gaussians that fits into the capacity, then lays out
// the tiles' lists. Returns the number of pairs before cutting.
inline int64_t LayOutLists(const Sizes& sizes, std::vector<ChunkPairs>& chunks, int32_t* bins) {
  const int64_t tiles = sizes.Tiles();
  int64_t total = 0, kept = 0;
  bool full = false;
  std::vector<int32_t> length(tiles);
  for (ChunkPairs& chunk : chunks) {
    chunk.before = length;
    size_t entry = 0, gaussian = 0;
    for (; gaussian < chunk.count.size() && !full; ++gaussian) {
      if (kept + chunk.count[gaussian] > sizes.capacity) {
        full = true;
        break;
      }
      kept += chunk.count[gaussian];
      for (int32_t k = 0; k < chunk.count[gaussian]; ++k) ++length[chunk.tiles[entry++]];
    }
    total += static_cast<int64_t>(chunk.tiles.size());
    chunk.count.resize(gaussian);
  }
  bins[0] = 0;
  for (int64_t tile = 0; tile < tiles; ++tile) bins[tile + 1] = bins[tile] + length[tile];
  std::fill(bins + tiles + 1 + kept, bins + sizes.BinsLength(), -1);
  return total;
}

inline void FillLists(const Sizes& sizes, int64_t chunk, ChunkPairs& pairs, int32_t* bins) {
  int32_t* entries = bins + sizes.Tiles() + 1;
  size_t entry = 0;
  for (size_t g = 0; g < pairs.count.size(); ++g) {
    for (int32_t k = 0; k < pairs.count[g]; ++k) {
      const int32_t tile = pairs.tiles[entry++];
      entries[bins[tile] + pairs.before[tile]++] = static_cast<int32_t>(chunk * kChunk + g);
    }
  }
}

// The sorted Gaussians of a tile, nearest first; `scratch` holds them where they are not a list
// yet.
inline std::span<const int32_t> ListOfTile(const Sizes& sizes, const int32_t* bins, int64_t tile,
                                           std::vector<int32_t>* scratch) {
  if (sizes.capacity) {
    const int32_t* entries = bins + sizes.Tiles() + 1;
    return {entries + bins[tile], entries + bins[tile + 1]};
  }
  scratch->resize(sizes.gaussians);
  int32_t* to = scratch->data();
  constexpr int kStep = kChunk / 64;  // 64-bit words of a cache line, most of which are empty
  const int64_t words = sizes.Words() / 2;
  const char* row = reinterpret_cast<const char*>(bins) + tile * words * 8;
  for (int64_t word = 0; word < words; word += kStep) {
    uint64_t line[kStep], any = 0;
    std::memcpy(line, row + word * 8, sizeof(line));
    for (uint64_t bits : line) any |= bits;
    if (!any) continue;
    for (int k = 0; k < kStep; ++k) {
      for (uint64_t bits = line[k]; bits; bits &= bits - 1) {
        *to++ = static_cast<int32_t>(64 * (word + k) + std::countr_zero(bits));
      }
    }
  }
  return {scratch->data(), to};
}

// ---- Blend ------------------------------------------------------------------------------------

// The 256 pixels of a tile are 16 blocks of 4 x 4, one Row each: a round splat touches fewer
// squares than it touches rows of 16. Block and lane are numbered row by row.
constexpr int kBlockSide = 4;
constexpr int kBlocks = kPixels / kLanes;

// Column (or row) in the tile of each lane of the blocks in one column (or row) of blocks.
template <class T>
struct BlockOffsets {
  alignas(64) T x[kBlockSide][kLanes], y[kBlockSide][kLanes];

  constexpr BlockOffsets() : x(), y() {
    for (int block = 0; block < kBlockSide; ++block) {
      for (int lane = 0; lane < kLanes; ++lane) {
        x[block][lane] = static_cast<T>(kBlockSide * block + lane % kBlockSide);
        y[block][lane] = static_cast<T>(kBlockSide * block + lane / kBlockSide);
      }
    }
  }
};
template <class T>
inline constexpr BlockOffsets<T> kOffsets{};

// Where the pixels of a tile stand.
template <class T>
struct TileState {
  Row<T> transmittance[kBlocks];
  typename Row<T>::Mask active[kBlocks];  // pixels that have not stopped
  uint32_t live;                          // blocks with an active pixel

  void Start(int columns, int rows) {
    live = 0;
    for (int b = 0; b < kBlocks; ++b) {
      transmittance[b] = Row<T>(1);
      active[b] = (Row<T>::Load(kOffsets<T>.x[b % kBlockSide]) < Row<T>(T(columns))) &
                  (Row<T>::Load(kOffsets<T>.y[b / kBlockSide]) < Row<T>(T(rows)));
      live |= uint32_t{Any(active[b])} << b;
    }
  }
};

// Where a tile lies in its image.
struct Tile {
  int64_t x, y;       // first pixel
  int columns, rows;  // inside the image

  Tile(const Sizes& sizes, int64_t index)
      : x(index % sizes.TilesX() * kTileSize),
        y(index / sizes.TilesX() * kTileSize),
        columns(static_cast<int>(std::min<int64_t>(kTileSize, sizes.width - x))),
        rows(static_cast<int>(std::min<int64_t>(kTileSize, sizes.height - y))) {}

  // Calls body(block, lane, pixels, pixel index in the image) for each run of `pixels` neighbours
  // in a block's row that lie inside the image.
  template <class Body>
  void ForEachRun(const Sizes& sizes, const Body& body) const {
    for (int v = 0; v < rows; ++v) {
      for (int u = 0; u < columns; u += kBlockSide) {
        body(v / kBlockSide * kBlockSide + u / kBlockSide, v % kBlockSide * kBlockSide,
             std::min(kBlockSide, columns - u), (y + v) * sizes.width + x + u);
      }
    }
  }
};

// The blocks of a tile that the bounding box of a splat meets, as bits.
template <class T>
inline uint32_t BlocksOf(const T* record, const Tile& tile) {
  const int x = static_cast<int>(tile.x), y = static_cast<int>(tile.y), last = kTileSize - 1;
  const int u0 = std::max(static_cast<int>(record[kU0]) - x, 0) / kBlockSide;
  const int v0 = std::max(static_cast<int>(record[kV0]) - y, 0) / kBlockSide;
  const int u1 = std::min(static_cast<int>(record[kU1]) - x, last) / kBlockSide;
  const int v1 = std::min(static_cast<int>(record[kV1]) - y, last) / kBlockSide;
  const uint32_t columns = ((2u << u1) - (1u << u0)) * 0x1111u;
  const uint32_t rows = (16u << kBlockSide * v1) - (1u << kBlockSide * v0);
  return columns & rows;
}

// One Gaussian over one tile: for each block it colours, emit(block, alpha, weight), both zero in
// the pixels that it leaves alone. log2_alpha_max: of the cap.
template <class T, class Emit>
inline void BlendOne(const T* record, const Tile& tile, T log2_alpha_max, TileState<T>* state,
                     const Emit& emit) {
  using R = Row<T>;
  uint32_t blocks = state->live & BlocksOf(record, tile);
  const R x = R(record[kX] - T(0.5) - T(tile.x)), y = R(record[kY] - T(0.5) - T(tile.y));
  const R log2_opacity = R(record[kLog2Opacity]);
  // Caps alpha. Also where rounding lifts the exponent above its maximum at dx = dy = 0 (needles).
  const R most = R(std::min(record[kLog2Opacity], log2_alpha_max));
  const R a = R(T(-0.5 * kLog2E) * record[kA]), b = R(T(-kLog2E) * record[kB]),
          c = R(T(-0.5 * kLog2E) * record[kC]);
  for (; blocks; blocks &= blocks - 1) {
    const int block = std::countr_zero(blocks);
    const R dx = x - R::Load(kOffsets<T>.x[block % kBlockSide]);
    const R dy = y - R::Load(kOffsets<T>.y[block / kBlockSide]);
    const R power = Min(dx * (a * dx + b * dy) + (c * dy * dy + log2_opacity), most);
    const auto active = state->active[block];
    // One block in six sees nothing. Skipping it would cost more in mispredicted branches.
    const auto seen = (power >= R(T(kLog2AlphaMin))) & active;
    const R alpha = Exp2(power), before = state->transmittance[block], weight = alpha * before;
    auto blended = seen;
    const auto stops = seen & (before - weight <= R(T(kTransmittanceMin)));
    // Rare, so the branch is predicted; without it, each Gaussian would wait for `live` of the
    // last.
    if (Any(stops)) {
      blended = seen & !stops;
      state->active[block] = active & !stops;
      if (!Any(active & !stops)) state->live &= ~(1u << block);
    }
    const R taken = Select(blended, weight, R(0));
    state->transmittance[block] = before - taken;
    emit(block, Select(blended, alpha, R(0)), taken);
  }
}

// Features of a sorted Gaussian: its channels, then its depth where that is a plane.
template <class T>
inline void PlanesOf(const Sizes& sizes, const Inputs<T>& in, const Saved<T>& saved, int32_t i,
                     T* planes) {
  const T* features = in.features + saved.order[i] * sizes.channels;
  for (int64_t k = 0; k < sizes.channels; ++k) planes[k] = features[k];
  if (sizes.depth) planes[sizes.channels] = saved.records[i * kRecord + kDepth];
}

// Starts loading what the tile will need `kAhead` Gaussians later: their places are scattered.
constexpr int kAhead = 6;
template <class T>
inline void Prefetch(const Sizes& sizes, const Inputs<T>& in, const Saved<T>& saved, int32_t i) {
  __builtin_prefetch(saved.records + i * kRecord);
  __builtin_prefetch(in.features + saved.order[i] * sizes.channels);
}

// What one thread needs for one tile.
template <class T>
struct Workspace {
  std::vector<int32_t> scratch;
  std::span<const int32_t> list;
  TileState<T> state;
  std::vector<Row<T>> color;  // [planes, blocks]
  std::vector<T> planes;
};

// kPlanes: number of planes where it is known to the compiler, 0 where it is not.
template <int kPlanes, class T>
void BlendTile(const Sizes& sizes, const Options& options, const Inputs<T>& in,
               const ForwardOutputs<T>& out, int64_t index, Workspace<T>* work) {
  using R = Row<T>;
  const Tile tile(sizes, index);
  const int64_t planes = kPlanes ? kPlanes : sizes.Planes();
  work->list = ListOfTile(sizes, out.saved.bins, index, &work->scratch);
  work->color.assign(planes * kBlocks, R(0));
  work->planes.resize(planes);
  TileState<T>& state = work->state;
  state.Start(tile.columns, tile.rows);
  R* color = work->color.data();
  T* c = work->planes.data();
  const T log2_alpha_max = static_cast<T>(std::log2(options.alpha_max));
  for (size_t j = 0; j < work->list.size() && state.live; ++j) {
    const int32_t i = work->list[j];
    if (j + kAhead < work->list.size()) Prefetch(sizes, in, out.saved, work->list[j + kAhead]);
    PlanesOf(sizes, in, out.saved, i, c);
    BlendOne(out.saved.records + i * kRecord, tile, log2_alpha_max, &state,
             [&](int block, const R&, const R& weight) {
               for (int64_t k = 0; k < planes; ++k) {
                 R& sum = color[k * kBlocks + block];
                 sum = sum + weight * R(c[k]);
               }
             });
  }
  const T* lanes = reinterpret_cast<const T*>(color);
  const T* kept = reinterpret_cast<const T*>(state.transmittance);
  tile.ForEachRun(sizes, [&](int block, int lane, int pixels, int64_t pixel) {
    const int from = block * kLanes + lane;
    for (int u = 0; u < pixels; ++u) {
      out.transmittance[pixel + u] = kept[from + u];
      for (int64_t k = 0; k < planes; ++k) {
        out.color[(pixel + u) * planes + k] = lanes[k * kPixels + from + u];
      }
    }
  });
}

// What a group of images needs besides its results.
template <class T>
struct ForwardScratch {
  std::unique_ptr<T[]> unsorted;    // [images, N, kRecord]
  std::unique_ptr<uint8_t[]> seen;  // [images, N]
  std::vector<Workspace<T>> work;   // by thread
};

// A few images, step by step together.
template <class T>
void ForwardGroup(const Scheduler& scheduler, const Sizes& sizes, const Options& options,
                  std::span<const Inputs<T>> in, std::span<const ForwardOutputs<T>> out,
                  ForwardScratch<T>* scratch) {
  const int64_t images = static_cast<int64_t>(in.size()), n = sizes.gaussians;
  const int64_t chunks = sizes.Chunks(), tiles = sizes.Tiles();
  std::vector<View<T>> views;
  for (const auto& image : in) {
    views.push_back(ViewOf(sizes, options, image.world_to_camera, image.intrinsics));
  }
  T* unsorted = scratch->unsorted.get();
  uint8_t* seen = scratch->seen.get();
  ParallelFor(scheduler, images * chunks, [&](int64_t task, int) {
    const int64_t image = task / chunks, end = std::min((task % chunks + 1) * kChunk, n);
    for (int64_t first = task % chunks * kChunk; first < end; first += kLanes) {
      ProjectSixteen(views[image], sizes, in[image], first,
                     static_cast<int>(std::min<int64_t>(kLanes, end - first)),
                     unsorted + image * n * kRecord, out[image].radii, seen + image * n);
    }
  });
  std::vector<int64_t> visible(images);
  ParallelFor(scheduler, images, [&](int64_t image, int) {
    visible[image] =
        SortByDepth(n, seen + image * n, unsorted + image * n * kRecord, out[image].saved.order);
  });
  std::vector<int64_t> pairs(images);
  if (sizes.capacity) {
    std::vector<std::vector<ChunkPairs>> lists(images, std::vector<ChunkPairs>(chunks));
    ParallelFor(scheduler, images * chunks, [&](int64_t task, int) {
      const int64_t image = task / chunks, chunk = task % chunks;
      lists[image][chunk] = PairsOfChunk(sizes, visible[image], chunk,
                                         unsorted + image * n * kRecord, out[image].saved);
    });
    ParallelFor(scheduler, images, [&](int64_t image, int) {
      pairs[image] = LayOutLists(sizes, lists[image], out[image].saved.bins);
    });
    ParallelFor(scheduler, images * chunks, [&](int64_t task, int) {
      const int64_t image = task / chunks, chunk = task % chunks;
      FillLists(sizes, chunk, lists[image][chunk], out[image].saved.bins);
    });
  } else {
    std::vector<int64_t> chunk_pairs(images * chunks);
    ParallelFor(scheduler, images * chunks, [&](int64_t task, int) {
      const int64_t image = task / chunks;
      chunk_pairs[task] = BinChunkToBitmap(sizes, visible[image], task % chunks,
                                           unsorted + image * n * kRecord, out[image].saved);
    });
    for (int64_t i = 0; i < images * chunks; ++i) pairs[i / chunks] += chunk_pairs[i];
  }
  for (int64_t image = 0; image < images; ++image) {
    // Records behind the last visible one are never read; zeros keep them defined.
    T* records = out[image].saved.records;
    std::fill(records + visible[image] * kRecord, records + n * kRecord, T(0));
    const int64_t most = std::numeric_limits<int32_t>::max();
    *out[image].num_pairs = static_cast<int32_t>(std::min(pairs[image], most));
    const int64_t over = sizes.capacity ? std::max<int64_t>(0, pairs[image] - sizes.capacity) : 0;
    *out[image].overflow = static_cast<int32_t>(std::min(over, most));
  }
  auto blend = sizes.Planes() == 3 ? BlendTile<3, T> : BlendTile<0, T>;
  ParallelFor(scheduler, images * tiles, [&](int64_t task, int worker) {
    const int64_t image = task / tiles;
    blend(sizes, options, in[image], out[image], task % tiles, &scratch->work[worker]);
  });
}

// Images are worked on in groups whose intermediate results stay in the cache. With `keep`, those
// that the backward pass needs are written to out[...].saved; without, it need not point anywhere.
template <class T>
void Forward(const Scheduler& scheduler, const Sizes& sizes, const Options& options, bool keep,
             const std::vector<Inputs<T>>& in, std::vector<ForwardOutputs<T>> out) {
  const int64_t images = static_cast<int64_t>(in.size()), n = sizes.gaussians;
  const int64_t bytes = 4 * sizes.BinsLength() + n * (2 * kRecord * sizeof(T) + 5);
  const int64_t group =
      std::max<int64_t>(std::min(options.group_bytes / std::max<int64_t>(bytes, 1), images), 1);
  ForwardScratch<T> scratch;
  scratch.unsorted.reset(new T[group * n * kRecord]);
  scratch.seen.reset(new uint8_t[group * n]);
  scratch.work.resize(scheduler.threads);
  const int64_t kept = keep ? 0 : group, bins = sizes.BinsLength();
  std::unique_ptr<T[]> records(new T[kept * n * kRecord]);
  std::unique_ptr<int32_t[]> order(new int32_t[kept * n]), pairs(new int32_t[kept * bins]);
  for (int64_t first = 0; first < images; first += group) {
    const int64_t count = std::min(group, images - first);
    for (int64_t i = 0; i < count && !keep; ++i) {
      out[first + i].saved = {records.get() + i * n * kRecord, order.get() + i * n,
                              pairs.get() + i * bins};
    }
    ForwardGroup(scheduler, sizes, options, std::span(in).subspan(first, count),
                 std::span<const ForwardOutputs<T>>(out).subspan(first, count), &scratch);
  }
}

// ---- Backward ---------------------------------------------------------------------------------

// Sums of one (tile, Gaussian) pair, then of one Gaussian: these, two absolute values where the tap
// is asked for, and one number a plane.
enum SumField { kSumX, kSumY, kSumS00, kSumS01, kSumS11, kSumOpacity, kSumFixed };

inline int64_t SumLength(const Sizes& sizes, bool tap) {
  return kSumFixed + (tap ? 2 : 0) + sizes.Planes();
}

template <class T>
struct BackwardWorkspace : Workspace<T> {
  std::vector<Row<T>> cotangent;  // [planes, blocks] of the colour
  std::vector<Row<T>> masked;     // the same, zero in the planes that are detached
  const Row<T>* geometry;         // what reaches the geometry: one of the two
  Row<T> behind[kBlocks];
  std::vector<Row<T>> alpha, weight;  // of the blocks touched by the Gaussians of one segment
  uint16_t blocks[kSegment];          // which blocks each of them touched
  std::vector<TileState<T>> starts;   // state at the start of each segment
};

// Blends one segment of the tile's list; with `keep`, remembers alpha and transmittance by block.
// Returns how many blocks it kept.
template <bool keep, class T>
int64_t BlendSegment(const Saved<T>& saved, const Tile& tile, T log2_alpha_max, int64_t first,
                     int64_t last, BackwardWorkspace<T>* work) {
  using R = Row<T>;
  int64_t kept = 0;
  for (int64_t j = first; j < last; ++j) {
    uint16_t blocks = 0;
    if (work->state.live) {
      BlendOne(saved.records + work->list[j] * kRecord, tile, log2_alpha_max, &work->state,
               [&](int block, const R& alpha, const R& weight) {
                 if constexpr (keep) {
                   work->alpha[kept] = alpha;
                   work->weight[kept] = weight;
                   ++kept;
                   blocks |= 1u << block;
                 }
               });
    }
    if constexpr (keep) work->blocks[j - first] = blocks;
  }
  return kept;
}

// Cotangents of the features in kCount neighbouring planes: sums of weight times `cotangent` over
// the pixels of some blocks.
template <int kCount, class T>
inline void SumPlanes(uint32_t blocks, const Row<T>* weight, const Row<T>* cotangent, T* to) {
  Row<T> sums[kCount];
  for (auto& sum : sums) sum = Row<T>(0);
  for (; blocks; blocks &= blocks - 1, ++weight) {
    const Row<T>* at = cotangent + std::countr_zero(blocks);
    for (int k = 0; k < kCount; ++k) sums[k] = sums[k] + *weight * at[k * kBlocks];
  }
  for (int k = 0; k < kCount; ++k) to[k] = Sum(sums[k]);
}

// The way back of one Gaussian over one tile; `alpha` and `weight` are those of its kept blocks.
// Alpha equals `cap` where it was capped.
template <int kPlanes, bool tap, class T>
void UnblendOne(const Sizes& sizes, const T* record, const T* c, const Tile& tile, T cap,
                uint32_t blocks, const Row<T>* alpha, const Row<T>* weight,
                BackwardWorkspace<T>* work, T* slot) {
  using R = Row<T>;
  const int64_t planes = kPlanes ? kPlanes : sizes.Planes();
  const R x = R(record[kX] - T(0.5) - T(tile.x)), y = R(record[kY] - T(0.5) - T(tile.y));
  const R* cotangent = work->cotangent.data();
  const R* geometry = work->geometry;
  // Sums over pixels of d loss / d sigma times 1, gx, gy, gx^2, gx gy, gy^2, where (gx, gy) is the
  // conic times (dx, dy).
  R m0 = R(0), mx = R(0), my = R(0), mxx = R(0), mxy = R(0), myy = R(0);
  R abs_x = R(0), abs_y = R(0);
  const R a = R(record[kA]), b = R(record[kB]), conic_c = R(record[kC]);
  const Row<T>* weights = weight;
  for (uint32_t left = blocks; left; left &= left - 1, ++alpha, ++weight) {
    const int block = std::countr_zero(left);
    R q = R(0);
    for (int64_t k = 0; k < planes; ++k) q = q + geometry[k * kBlocks + block] * R(c[k]);
    const R behind = work->behind[block];
    const R difference = q - behind;
    work->behind[block] = behind + *alpha * difference;
    // alpha = opacity e^-sigma, unless capped.
    const R d_sigma = Select(*alpha < R(cap), -(*weight * difference), R(0));
    const R dx = x - R::Load(kOffsets<T>.x[block % kBlockSide]);
    const R dy = y - R::Load(kOffsets<T>.y[block / kBlockSide]);
    const R gx = a * dx + b * dy, gy = b * dx + conic_c * dy;
    const R d_x = d_sigma * gx, d_y = d_sigma * gy;
    m0 = m0 + d_sigma;
    mx = mx + d_x;
    my = my + d_y;
    mxx = mxx + d_x * gx;
    mxy = mxy + d_x * gy;
    myy = myy + d_y * gy;
    if constexpr (tap) {
      abs_x = abs_x + Abs(d_x);
      abs_y = abs_y + Abs(d_y);
    }
  }
  slot[kSumX] = Sum(mx);
  slot[kSumY] = Sum(my);
  slot[kSumS00] = T(-0.5) * Sum(mxx);
  slot[kSumS01] = T(-0.5) * Sum(mxy);
  slot[kSumS11] = T(-0.5) * Sum(myy);
  slot[kSumOpacity] = -Sum(m0);  // still to be divided by the opacity
  T* rest = slot + kSumFixed;
  if constexpr (tap) {
    *rest++ = Sum(abs_x);
    *rest++ = Sum(abs_y);
  }
  // A few planes at a time: their sums stay in registers, whatever the number of planes.
  int64_t k = 0;
  for (; k + 4 < planes; k += 4) {
    SumPlanes<4>(blocks, weights, cotangent + k * kBlocks, rest + k);
  }
  switch (planes - k) {
    case 4:
      SumPlanes<4>(blocks, weights, cotangent + k * kBlocks, rest + k);
      break;
    case 3:
      SumPlanes<3>(blocks, weights, cotangent + k * kBlocks, rest + k);
      break;
    case 2:
      SumPlanes<2>(blocks, weights, cotangent + k * kBlocks, rest + k);
      break;
    case 1:
      SumPlanes<1>(blocks, weights, cotangent + k * kBlocks, rest + k);
      break;
  }
}

template <int kPlanes, class T>
void LoadCotangents(const Sizes& sizes, const Cotangents<T>& d, const Tile& tile,
                    BackwardWorkspace<T>* work) {
  const int64_t planes = kPlanes ? kPlanes : sizes.Planes();
  work->cotangent.assign(planes * kBlocks, Row<T>(0));
  for (auto& row : work->behind) row = Row<T>(0);
  T* lanes = reinterpret_cast<T*>(work->cotangent.data());
  T* behind = reinterpret_cast<T*>(work->behind);
  tile.ForEachRun(sizes, [&](int block, int lane, int pixels, int64_t pixel) {
    const int to = block * kLanes + lane;
    for (int u = 0; u < pixels; ++u) {
      behind[to + u] = d.transmittance[pixel + u];
      for (int64_t k = 0; k < planes; ++k) {
        lanes[k * kPixels + to + u] = d.color[(pixel + u) * planes + k];
      }
    }
  });
  work->geometry = work->cotangent.data();
  if (std::all_of(d.attached, d.attached + planes, [](T on) { return on == T(1); })) return;
  work->masked.resize(planes * kBlocks);
  work->geometry = work->masked.data();
  for (int64_t i = 0; i < planes * kBlocks; ++i) {
    work->masked[i] = work->cotangent[i] * Row<T>(d.attached[i / kBlocks]);
  }
}

// slot_of(i): where the sums of the pair (this tile, i-th sorted Gaussian) go.
template <int kPlanes, bool tap, class T, class SlotOf>
void UnblendTile(const Sizes& sizes, const Options& options, const Inputs<T>& in,
                 const Saved<T>& saved, const Cotangents<T>& d, int64_t index,
                 const SlotOf& slot_of, BackwardWorkspace<T>* work) {
  const Tile tile(sizes, index);
  const T log2_alpha_max = static_cast<T>(std::log2(options.alpha_max));
  alignas(64) T cap[kLanes];
  Exp2(Row<T>(log2_alpha_max)).Store(cap);
  work->list = ListOfTile(sizes, saved.bins, index, &work->scratch);
  const int64_t length = static_cast<int64_t>(work->list.size());
  if (!length) return;
  LoadCotangents<kPlanes>(sizes, d, tile, work);
  work->planes.resize(sizes.Planes());
  work->alpha.resize(kSegment * kBlocks);
  work->weight.resize(kSegment * kBlocks);
  const int64_t segments = (length + kSegment - 1) / kSegment;
  work->starts.resize(segments);
  work->state.Start(tile.columns, tile.rows);
  for (int64_t s = 0; s + 1 < segments; ++s) {
    work->starts[s] = work->state;
    BlendSegment<false>(saved, tile, log2_alpha_max, s * kSegment, (s + 1) * kSegment, work);
  }
  work->starts[segments - 1] = work->state;
  for (int64_t s = segments - 1; s >= 0; --s) {
    const int64_t first = s * kSegment, last = std::min(first + kSegment, length);
    work->state = work->starts[s];
    int64_t kept = BlendSegment<true>(saved, tile, log2_alpha_max, first, last, work);
    for (int64_t j = last - 1; j >= first; --j) {
      const uint32_t blocks = work->blocks[j - first];
      if (!blocks) continue;
      kept -= std::popcount(blocks);
      const int32_t i = work->list[j];
      PlanesOf(sizes, in, saved, i, work->planes.data());
      UnblendOne<kPlanes, tap>(sizes, saved.records + i * kRecord, work->planes.data(), tile,
                               cap[0], blocks, work->alpha.data() + kept,
                               work->weight.data() + kept, work, slot_of(i));
    }
  }
}

// Sorted Gaussians [first, first + count), at most 16: from the sums of their pairs to the
// gradients of their parameters. Adds to the camera's sixteen.
template <class T>
void UnprojectSixteen(const View<T>& view, const Sizes& sizes, const Inputs<T>& in,
                      const Saved<T>& saved, int64_t first, int count, const T* sums, bool tap,
                      const BackwardOutputs<T>& out, T* camera) {
  using R = Row<T>;
  const int64_t length = SumLength(sizes, tap);
  const int64_t features = kSumFixed + (tap ? 2 : 0);
  auto slot = [&](int i) { return static_cast<int64_t>(saved.order[first + i]); };
  const auto g = LoadGaussians(in, count, slot);
  const auto o = ProjectionOf(view, g);
  alignas(64) T lanes[kSumFixed + 1][kLanes] = {};
  for (int i = 0; i < count; ++i) {
    const T* sum = sums + (first + i) * length;
    for (int k = 0; k < kSumFixed; ++k) lanes[k][i] = sum[k];
    lanes[kSumOpacity][i] *= std::exp2(-saved.records[(first + i) * kRecord + kLog2Opacity]);
    if (sizes.depth) lanes[kSumFixed][i] = sum[features + sizes.channels];
  }
  SplatCotangent<R> d;
  d.x = R::Load(lanes[kSumX]);
  d.y = R::Load(lanes[kSumY]);
  d.s00 = R::Load(lanes[kSumS00]);
  d.s01 = R::Load(lanes[kSumS01]);
  d.s11 = R::Load(lanes[kSumS11]);
  d.opacity = R::Load(lanes[kSumOpacity]);
  d.depth = R::Load(lanes[kSumFixed]);
  GaussianCotangent<R> dg;
  ViewCotangent<R> dv;
  ProjectTransposed(view, g, o, d, &dg, &dv);

  alignas(64) T result[11][kLanes];
  for (int k = 0; k < 3; ++k) dg.mean[k].Store(result[k]);
  for (int k = 0; k < 4; ++k) dg.quaternion[k].Store(result[3 + k]);
  for (int k = 0; k < 3; ++k) dg.scale[k].Store(result[7 + k]);
  dg.opacity.Store(result[10]);
  for (int i = 0; i < count; ++i) {
    const int64_t s = slot(i);
    const T* sum = sums + (first + i) * length;
    for (int k = 0; k < 3; ++k) out.means[3 * s + k] = result[k][i];
    for (int k = 0; k < 4; ++k) out.quaternions[4 * s + k] = result[3 + k][i];
    for (int k = 0; k < 3; ++k) out.scales[3 * s + k] = result[7 + k][i];
    out.opacities[s] = result[10][i];
    for (int64_t k = 0; k < sizes.channels; ++k) {
      out.features[s * sizes.channels + k] = sum[features + k];
    }
    if (tap) {
      out.tap[4 * s] = sum[kSumX];
      out.tap[4 * s + 1] = sum[kSumY];
      out.tap[4 * s + 2] = sum[kSumFixed];
      out.tap[4 * s + 3] = sum[kSumFixed + 1];
    }
  }
  // Lanes past `count` hold no Gaussian (NaN): only the others enter the sum.
  const auto inside = R::Mask::First(count);
  auto add = [&](T* to, const R& row) { *to += Sum(Select(inside, row, R(0))); };
  if (count == 0) return;
  for (int k = 0; k < 9; ++k) add(camera + k, dv.rotation[k]);
  for (int k = 0; k < 3; ++k) add(camera + 9 + k, dv.translation[k]);
  add(camera + 12, dv.fx);
  add(camera + 13, dv.fy);
  add(camera + 14, dv.cx);
  add(camera + 15, dv.cy);
}

template <class T>
void ZeroChunk(const Sizes& sizes, int64_t chunk, const BackwardOutputs<T>& out) {
  const int64_t first = chunk * kChunk, count = std::min<int64_t>(kChunk, sizes.gaussians - first);
  auto zero = [&](T* array, int64_t width) {
    std::fill(array + first * width, array + (first + count) * width, T(0));
  };
  zero(out.means, 3);
  zero(out.quaternions, 4);
  zero(out.scales, 3);
  zero(out.opacities, 1);
  zero(out.features, sizes.channels);
  if (out.tap) zero(out.tap, 4);
}

// What an image needs besides its results; the next image uses the same memory.
template <class T>
struct BackwardScratch {
  std::vector<TileRect> rects;  // by sorted Gaussian: its tiles
  std::vector<int64_t> start;   // its first slot
  std::vector<T> sums;          // [N, SumLength]
  std::unique_ptr<T[]> slots;   // [slots, SumLength]
  int64_t slots_length = 0;
  std::vector<BackwardWorkspace<T>> work;  // by thread
};

// One image at a time; tiles and chunks in parallel.
template <class T>
void BackwardImage(const Scheduler& scheduler, const Sizes& sizes, const Options& options,
                   const Inputs<T>& in, const Saved<T>& saved, const Cotangents<T>& d,
                   const BackwardOutputs<T>& out, BackwardScratch<T>* scratch) {
  const int64_t n = sizes.gaussians, chunks = sizes.Chunks();
  const bool tap = out.tap != nullptr;
  const int64_t length = SumLength(sizes, tap);
  const View<T> view = ViewOf(sizes, options, in.world_to_camera, in.intrinsics);
  const int64_t visible = std::find(saved.order, saved.order + n, -1) - saved.order;

  // Pairs get slots by Gaussian, a rectangle of tiles each. Should they take more memory than
  // aimed at, the image is worked through in bands of tile rows.
  auto& rects = scratch->rects;
  auto& start = scratch->start;
  auto& sums = scratch->sums;
  auto& slots = scratch->slots;
  rects.resize(n);
  start.resize(n);
  sums.resize(n * length);
  std::vector<int64_t> chunk_area(chunks + 1);
  ParallelFor(scheduler, chunks, [&](int64_t chunk, int) {
    ZeroChunk(sizes, chunk, out);
    const int64_t end = std::min((chunk + 1) * kChunk, visible);
    for (int64_t i = chunk * kChunk; i < end; ++i) {
      std::fill_n(sums.begin() + i * length, length, T(0));
      rects[i] = TilesOf(saved.records + i * kRecord);
      chunk_area[chunk] += rects[i].Area();
    }
  });
  int64_t area = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) area += chunk_area[chunk];
  const int64_t bands = std::min<int64_t>(
      sizes.TilesY(), area * length * static_cast<int64_t>(sizeof(T)) / options.slot_bytes + 1);
  const int64_t band_rows = (sizes.TilesY() + bands - 1) / bands;

  std::vector<T> cameras(chunks * 16);
  for (int64_t row0 = 0; row0 < sizes.TilesY(); row0 += band_rows) {
    const int64_t row1 = std::min(row0 + band_rows, sizes.TilesY());
    auto clipped = [&](int64_t i) {
      TileRect rect = rects[i];
      rect.y0 = static_cast<int>(std::clamp<int64_t>(rect.y0, row0, row1));
      rect.y1 = static_cast<int>(std::clamp<int64_t>(rect.y1, row0, row1));
      return rect;
    };
    int64_t total = 0;
    for (int64_t i = 0; i < visible; ++i) {
      if (i % kChunk == 0) chunk_area[i / kChunk] = total;
      start[i] = total;
      total += clipped(i).Area();
    }
    chunk_area[(visible + kChunk - 1) / kChunk] = total;
    if (total * length > scratch->slots_length) {
      scratch->slots_length = total * length;
      slots.reset(new T[total * length]);
    }
    const int64_t used = (visible + kChunk - 1) / kChunk;
    ParallelFor(scheduler, used, [&](int64_t chunk, int) {
      std::fill(slots.get() + chunk_area[chunk] * length,
                slots.get() + chunk_area[chunk + 1] * length, T(0));
    });
    ParallelFor(scheduler, (row1 - row0) * sizes.TilesX(), [&](int64_t task, int worker) {
      const int64_t index = row0 * sizes.TilesX() + task;
      const int64_t tx = index % sizes.TilesX(), ty = index / sizes.TilesX();
      auto slot_of = [&](int32_t i) {
        const TileRect rect = clipped(i);
        return slots.get() +
               (start[i] + (ty - rect.y0) * (rect.x1 - rect.x0) + tx - rect.x0) * length;
      };
      auto unblend = [&](auto function) {
        function(sizes, options, in, saved, d, index, slot_of, &scratch->work[worker]);
      };
      using SlotOf = decltype(slot_of);
      if (sizes.Planes() == 3) {
        tap ? unblend(UnblendTile<3, true, T, SlotOf>) : unblend(UnblendTile<3, false, T, SlotOf>);
      } else {
        tap ? unblend(UnblendTile<0, true, T, SlotOf>) : unblend(UnblendTile<0, false, T, SlotOf>);
      }
    });
    const bool last = row1 == sizes.TilesY();
    ParallelFor(scheduler, used, [&](int64_t chunk, int) {
      const int64_t end = std::min((chunk + 1) * kChunk, visible);
      for (int64_t i = chunk * kChunk; i < end; ++i) {
        const T* slot = slots.get() + start[i] * length;
        T* sum = sums.data() + i * length;
        for (int64_t pair = clipped(i).Area(); pair > 0; --pair, slot += length) {
          for (int64_t k = 0; k < length; ++k) sum[k] += slot[k];
        }
      }
      if (!last) return;
      for (int64_t i = chunk * kChunk; i < end; i += kLanes) {
        UnprojectSixteen(view, sizes, in, saved, i,
                         static_cast<int>(std::min<int64_t>(kLanes, end - i)), sums.data(), tap,
                         out, cameras.data() + chunk * 16);
      }
    });
  }
  T camera[16] = {};
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    for (int k = 0; k < 16; ++k) camera[k] += cameras[chunk * 16 + k];
  }
  std::fill(out.world_to_camera, out.world_to_camera + 16, T(0));
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) out.world_to_camera[4 * i + j] = camera[3 * i + j];
    out.world_to_camera[4 * i + 3] = camera[9 + i];
  }
  for (int k = 0; k < 4; ++k) out.intrinsics[k] = camera[12 + k];
}

template <class T>
void Backward(const Scheduler& scheduler, const Sizes& sizes, const Options& options,
              const std::vector<Inputs<T>>& in, const std::vector<Saved<T>>& saved,
              const std::vector<Cotangents<T>>& d, const std::vector<BackwardOutputs<T>>& out) {
  BackwardScratch<T> scratch;
  scratch.work.resize(scheduler.threads);
  for (size_t image = 0; image < in.size(); ++image) {
    BackwardImage(scheduler, sizes, options, in[image], saved[image], d[image], out[image],
                  &scratch);
  }
}

}  // namespace emojax

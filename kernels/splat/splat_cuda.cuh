// Splatting on a GPU: what its kernels share, and the way from Gaussians to lists of tiles.
//
// A call is a fixed sequence of launches whose grids depend on static shapes alone; nothing is
// allocated, copied to the host or waited for. Images of a batch are the grid's second dimension.
//   project   a thread a Gaussian -> record, rectangle of tiles, radii, key = bits of its depth
//   sort      common/sort.cuh: slots by depth, equal depths by slot, dead ones last
//   bin       a block for 256 sorted Gaussians: bits of a table [tiles, 256] in shared memory,
//             written to its own columns of the bitmap; or tile lists of fixed capacity, where the
//             tables of all blocks are counted first
//   blend     splat_blend.cuh, a block a tile
//   unblend   splat_unblend.cuh, a block a tile, then a thread a Gaussian
// Records differ from the CPU's: 32 bytes, one sector, with what the pixels need and the conic in
// units of log2, so that alpha = 2^(quadratic form).
#pragma once

#include "../common/batch.cuh"
#include "../common/sort.cuh"
//
#include "splat_math.h"

namespace emojax::device {

constexpr int kThreads = 256;  // of all blocks here; a tile has as many pixels
constexpr int kWarps = kThreads / kWarp;
static_assert(kThreads == kTileSize * kTileSize);
constexpr int kChunk = 512;            // words of a bitmap row are rounded up to as many Gaussians
constexpr int kBinned = kThreads;      // Gaussians of one block of the bin kernels
constexpr int kStripTiles = 1024;      // tiles of its table: 32 KB of shared memory
constexpr int kMostColumns = kStripTiles;  // tiles side by side: 16,384 pixels
constexpr int kAlone = 32;             // tiles that a thread visits without its warp's help
constexpr double kLog2E = 1.4426950408889634;
constexpr double kLog2AlphaMin = -7.994353436858858;  // log2(1 / 255)
constexpr double kLog2Slack = 0.5 * kLog2E * kTileSlack;

// Numbers of a record: two Four.
constexpr int kRecord = 8;
template <class T>
struct Record {
  Four<T> shape;  // mean x, y; A, B of the exponent A dx^2 + B dx dy + C dy^2 + log2 opacity
  Four<T> rest;   // C, log2 opacity, depth, slot (bits of an int in a float, else its value)
};

EMOJAX_DEVICE float NumberOfSlot(int slot, float) {
  float number;
  memcpy(&number, &slot, sizeof(number));
  return number;
}
EMOJAX_DEVICE double NumberOfSlot(int slot, double) { return slot; }
EMOJAX_DEVICE int SlotOf(float number) {
  int slot;
  memcpy(&slot, &number, sizeof(slot));
  return slot;
}
EMOJAX_DEVICE int SlotOf(double number) { return static_cast<int>(number); }

// Depths that are above 0 sort like their bits.
template <class T>
struct KeyOf {
  using Type = uint32_t;
};
template <>
struct KeyOf<double> {
  using Type = uint64_t;
};
template <class T>
using Key = typename KeyOf<T>::Type;
template <class T>
constexpr Key<T> kDead = ~Key<T>(0);

// Tiles that a splat's bounding box meets, half open.
struct alignas(8) Rect {
  uint16_t x0, x1, y0, y1;
};

// What is static about a call.
struct Frame {
  int gaussians, channels, width, height;
  bool depth;        // one more plane: camera-space z
  int64_t capacity;  // of the pair lists; 0: bitmap
  double near_plane, far_plane, dilation, alpha_max;
  bool antialias;

  EMOJAX_HD int Planes() const { return channels + depth; }
  EMOJAX_HD int Columns() const { return (width + kTileSize - 1) / kTileSize; }
  EMOJAX_HD int Rows() const { return (height + kTileSize - 1) / kTileSize; }
  EMOJAX_HD int64_t Tiles() const { return static_cast<int64_t>(Columns()) * Rows(); }
  // Words of one tile's row of the bitmap.
  EMOJAX_HD int64_t Words() const {
    return (static_cast<int64_t>(gaussians) + kChunk - 1) / kChunk * (kChunk / 32);
  }
  EMOJAX_HD int64_t Chunks() const { return Words() / (kBinned / 32); }
  EMOJAX_HD int64_t BinsLength() const {
    return capacity ? Tiles() + 1 + capacity : Tiles() * Words();
  }
  // Rows of tiles that fit into a block's table at once.
  EMOJAX_HD int StripRows() const {
    const int most = kStripTiles / Columns();
    return most < Rows() ? most : Rows();
  }
};

template <class T>
struct Inputs {
  Strided<const T> means, quaternions, scales, opacities, features, world_to_camera, intrinsics;
};

// Where things lie in the forward pass's scratch, bytes from its beginning. What must start as zero
// comes first.
struct ForwardLayout {
  int64_t pairs, tables, zeroed;  // `zeroed`: length of that part
  int64_t keys[2], slots[2], records, rects, counts, chunk_pairs, entries, limit, size;
};

inline int64_t Place(int64_t* end, int64_t bytes) {
  constexpr int64_t kAlign = 256;
  const int64_t begin = *end;
  *end += (bytes + kAlign - 1) / kAlign * kAlign;
  return begin;
}

template <class T>
ForwardLayout ForwardLayoutOf(const Frame& frame) {
  ForwardLayout layout;
  const int64_t n = frame.gaussians;
  int64_t end = 0;
  layout.pairs = Place(&end, sizeof(unsigned long long));
  layout.tables = Place(&end, kSortPasses<Key<T>> * SortBlocks(n) * kDigits * sizeof(unsigned));
  layout.zeroed = end;
  for (int k = 0; k < 2; ++k) {
    layout.keys[k] = Place(&end, n * sizeof(Key<T>));
    layout.slots[k] = Place(&end, n * sizeof(int));
  }
  layout.records = Place(&end, n * sizeof(Record<T>));
  layout.rects = Place(&end, n * sizeof(Rect));
  const bool lists = frame.capacity > 0;
  layout.counts = Place(&end, lists ? n * sizeof(int) : 0);
  layout.chunk_pairs = Place(&end, lists ? frame.Chunks() * sizeof(int64_t) : 0);
  layout.entries = Place(&end, lists ? frame.Chunks() * frame.Tiles() * sizeof(int) : 0);
  layout.limit = Place(&end, lists ? sizeof(int) : 0);
  layout.size = end;
  return layout;
}

template <class T>
struct Forward {
  Frame frame;
  BatchShape batch;
  Inputs<T> in;
  Strided<T> color;            // [H, W, planes], without background
  Strided<T> transmittance;    // [H, W]
  Strided<int> radii;          // [N, 2]
  Strided<int> num_pairs;      // []
  Strided<int> overflow;       // []
  Strided<T> records;          // [N, kRecord], by depth
  Strided<int> bins;           // [BinsLength()]
  Strided<int> last;           // [H, W], the farthest blended Gaussian's place by depth; -1: none
  Strided<int> scratch;        // [layout.size / 4]
  ForwardLayout layout;

  template <class U>
  EMOJAX_DEVICE U* Scratch(unsigned image, int64_t offset) const {
    return reinterpret_cast<U*>(reinterpret_cast<char*>(scratch.At(batch, image)) + offset);
  }
};

template <class T>
EMOJAX_DEVICE View<T> ViewAt(const Frame& frame, const Inputs<T>& in, const BatchShape& batch,
                             unsigned image) {
  const T* pose = in.world_to_camera.At(batch, image);
  const T* intrinsics = in.intrinsics.At(batch, image);
  View<T> view;
  EMOJAX_UNROLL
  for (int i = 0; i < 3; ++i) {
    EMOJAX_UNROLL
    for (int j = 0; j < 3; ++j) view.rotation[3 * i + j] = pose[4 * i + j];
    view.translation[i] = pose[4 * i + 3];
  }
  view.fx = intrinsics[0];
  view.fy = intrinsics[1];
  view.cx = intrinsics[2];
  view.cy = intrinsics[3];
  view.width = frame.width;
  view.height = frame.height;
  view.near_plane = static_cast<T>(frame.near_plane);
  view.far_plane = static_cast<T>(frame.far_plane);
  view.dilation = static_cast<T>(frame.dilation);
  view.alpha_max = static_cast<T>(frame.alpha_max);
  view.antialias = frame.antialias;
  return view;
}

// ---- Project ----------------------------------------------------------------------------------

template <class T>
struct Projected {
  Gaussian<T> gaussian;
  Projection<T> projection;
  emojax::Splat<T> splat;
  T log2_opacity;
  bool seen;  // else nothing here means anything
};

template <class T>
EMOJAX_DEVICE Projected<T> ProjectOne(const Frame& frame, const Inputs<T>& in,
                                      const BatchShape& batch, unsigned image, const View<T>& view,
                                      int slot) {
  Projected<T> o;
  Gaussian<T>& g = o.gaussian;
  const T* mean = in.means.At(batch, image) + int64_t{3} * slot;
  const T* quaternion = in.quaternions.At(batch, image) + int64_t{4} * slot;
  const T* scale = in.scales.At(batch, image) + int64_t{3} * slot;
  EMOJAX_UNROLL
  for (int k = 0; k < 3; ++k) {
    g.mean[k] = mean[k];
    g.scale[k] = scale[k];
  }
  EMOJAX_UNROLL
  for (int k = 0; k < 4; ++k) g.quaternion[k] = quaternion[k];
  g.opacity = in.opacities.At(batch, image)[slot];
  o.projection = ProjectionOf(view, g);
  o.splat = SplatOf(view, g, o.projection);
  auto& s = o.splat;

  // Zero where every number is finite, NaN elsewhere.
  T bad = T(0), norm2 = T(0);
  EMOJAX_UNROLL
  for (int k = 0; k < 3; ++k) bad += g.mean[k] * T(0) + g.scale[k] * T(0);
  EMOJAX_UNROLL
  for (int k = 0; k < 4; ++k) norm2 += Sq(g.quaternion[k]);
  bad += norm2 * T(0) + g.opacity * T(0) + s.x * T(0) + s.y * T(0);
  bad += s.a * T(0) + s.b * T(0) + s.c * T(0) + o.projection.det * T(0);
  o.seen = bad == T(0) && norm2 >= T(kQuaternionNorm2Min) && s.depth > view.near_plane &&
           s.depth < view.far_plane && o.projection.det > T(0) && s.opacity >= T(kAlphaMin);
  if (!o.seen) return o;
  const T* features = in.features.At(batch, image) + static_cast<int64_t>(slot) * frame.channels;
  for (int k = 0; k < frame.channels; ++k) bad += features[k] * T(0);
  o.log2_opacity = Log2(s.opacity);
  const T reach = T(2 / kLog2E) * (o.log2_opacity - T(kLog2AlphaMin));  // 2 ln(255 opacity)
  s.extent_x = Sqrt(reach * o.projection.s00);
  s.extent_y = Sqrt(reach * o.projection.s11);
  o.seen = bad == T(0) && !(s.x + s.extent_x < T(0.5)) &&
           !(s.x - s.extent_x > T(frame.width) - T(0.5)) && !(s.y + s.extent_y < T(0.5)) &&
           !(s.y - s.extent_y > T(frame.height) - T(0.5));
  return o;
}

// The tiles that the bounding box of a seen splat meets; none where it falls between pixel centres.
template <class T>
EMOJAX_DEVICE Rect RectOf(const Frame& frame, const emojax::Splat<T>& s) {
  // A little wider than the extent, so that rounding never drops a pixel that reaches kAlphaMin.
  const T wide_x = T(kExtentSlack) * s.extent_x, wide_y = T(kExtentSlack) * s.extent_y;
  const int u0 = static_cast<int>(Max(Ceil(s.x - T(0.5) - wide_x), T(0)));
  const int u1 = static_cast<int>(Min(Floor(s.x - T(0.5) + wide_x), T(frame.width - 1)));
  const int v0 = static_cast<int>(Max(Ceil(s.y - T(0.5) - wide_y), T(0)));
  const int v1 = static_cast<int>(Min(Floor(s.y - T(0.5) + wide_y), T(frame.height - 1)));
  if (u0 > u1 || v0 > v1) return {0, 0, 0, 0};
  return {static_cast<uint16_t>(u0 / kTileSize), static_cast<uint16_t>(u1 / kTileSize + 1),
          static_cast<uint16_t>(v0 / kTileSize), static_cast<uint16_t>(v1 / kTileSize + 1)};
}

template <class T>
EMOJAX_KERNEL(kThreads, 1)
ProjectKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  const unsigned image = blockIdx.y;
  const int slot = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (slot >= p.frame.gaussians) return;
  const View<T> view = ViewAt(p.frame, p.in, p.batch, image);
  const Projected<T> o = ProjectOne(p.frame, p.in, p.batch, image, view, slot);
  Key<T> key = kDead<T>;
  int radius_x = 0, radius_y = 0;
  Record<T> record{};
  Rect rect{};
  if (o.seen) {
    const auto& s = o.splat;
    memcpy(&key, &s.depth, sizeof(key));
    const T largest = T(1 << 30);
    radius_x = static_cast<int>(Ceil(Min(s.extent_x, largest)));
    radius_y = static_cast<int>(Ceil(Min(s.extent_y, largest)));
    rect = RectOf(p.frame, s);
    record.shape = {s.x, s.y, T(-0.5 * kLog2E) * s.a, T(-kLog2E) * s.b};
    record.rest = {T(-0.5 * kLog2E) * s.c, o.log2_opacity, s.depth, NumberOfSlot(slot, T())};
  }
  int* radii = p.radii.At(p.batch, image) + int64_t{2} * slot;
  radii[0] = radius_x;
  radii[1] = radius_y;
  p.template Scratch<Record<T>>(image, p.layout.records)[slot] = record;
  p.template Scratch<Rect>(image, p.layout.rects)[slot] = rect;
  p.template Scratch<Key<T>>(image, p.layout.keys[0])[slot] = key;
  p.template Scratch<int>(image, p.layout.slots[0])[slot] = slot;
  CountDigit(key, slot, 0, SortBlocks(p.frame.gaussians),
             p.template Scratch<unsigned>(image, p.layout.tables));
}

template <class T>
EMOJAX_KERNEL(kSortThreads, 1)
SortKernel(EMOJAX_ARGUMENT(Forward<T>) p, int pass) {
  const unsigned image = blockIdx.y;
  const int from = pass % 2, to = 1 - from;
  EMOJAX_SHARED(shared, SortShared);
  SortPass(&shared, pass, blockIdx.x, SortBlocks(p.frame.gaussians), p.frame.gaussians,
           p.template Scratch<const Key<T>>(image, p.layout.keys[from]),
           p.template Scratch<const int>(image, p.layout.slots[from]),
           p.template Scratch<Key<T>>(image, p.layout.keys[to]),
           p.template Scratch<int>(image, p.layout.slots[to]),
           p.template Scratch<unsigned>(image, p.layout.tables));
}
static_assert(kSortPasses<Key<float>> % 2 == 0, "sorted slots end where they began");

// ---- Bin --------------------------------------------------------------------------------------

// Whether a splat can reach kAlphaMin at a pixel centre of [x0, x1] x [y0, y1].
template <class T>
EMOJAX_DEVICE bool Reaches(const Four<T>& shape, T c, T log2_opacity, T x0, T x1, T y0, T y1) {
  const T least = LeastPower(shape.x, shape.y, -shape.z, T(-0.5) * shape.w, -c, x0, x1, y0, y1);
  return least <= log2_opacity - T(kLog2AlphaMin) + T(kLog2Slack);
}

template <class T>
EMOJAX_DEVICE bool ReachesTile(const Frame& frame, const Four<T>& shape, T c, T log2_opacity,
                               int column, int row) {
  const T x0 = T(column * kTileSize) + T(0.5), y0 = T(row * kTileSize) + T(0.5);
  const T x1 = Min(x0 + T(kTileSize - 1), T(frame.width) - T(0.5));
  const T y1 = Min(y0 + T(kTileSize - 1), T(frame.height) - T(0.5));
  return Reaches(shape, c, log2_opacity, x0, x1, y0, y1);
}

// Calls hit(thread, column, row) for each tile in rows [row0, row1) that the Gaussian of each
// thread reaches. Every thread of a warp takes part; a large splat is shared among its lanes.
template <class T, class Hit>
EMOJAX_DEVICE void ForEachTile(const Frame& frame, const Record<T>& record, Rect rect, int row0,
                               int row1, const Hit& hit) {
  const T c = record.rest.x, log2_opacity = record.rest.y;
  const int y0 = rect.y0 > row0 ? rect.y0 : row0, y1 = rect.y1 < row1 ? rect.y1 : row1;
  const int width = rect.x1 - rect.x0, area = y1 > y0 ? width * (y1 - y0) : 0;
  if (area <= kAlone) {
    for (int y = y0; y < y1; ++y) {
      for (int x = rect.x0; x < rect.x1; ++x) {
        if (ReachesTile(frame, record.shape, c, log2_opacity, x, y)) hit(threadIdx.x, x, y);
      }
    }
  }
  unsigned large = __ballot_sync(kWholeWarp, area > kAlone);
  for (; large; large &= large - 1) {
    const int source = __ffs(large) - 1;
    const Four<T> shape{__shfl_sync(kWholeWarp, record.shape.x, source),
                        __shfl_sync(kWholeWarp, record.shape.y, source),
                        __shfl_sync(kWholeWarp, record.shape.z, source),
                        __shfl_sync(kWholeWarp, record.shape.w, source)};
    const T other_c = __shfl_sync(kWholeWarp, c, source);
    const T other_log2 = __shfl_sync(kWholeWarp, log2_opacity, source);
    const int first_x = __shfl_sync(kWholeWarp, static_cast<int>(rect.x0), source);
    const int first_y = __shfl_sync(kWholeWarp, y0, source);
    const int other_width = __shfl_sync(kWholeWarp, width, source);
    const int other_area = __shfl_sync(kWholeWarp, area, source);
    const unsigned owner = threadIdx.x / kWarp * kWarp + source;
    for (int k = static_cast<int>(Lane()); k < other_area; k += kWarp) {
      const int x = first_x + k % other_width, y = first_y + k / other_width;
      if (ReachesTile(frame, shape, other_c, other_log2, x, y)) hit(owner, x, y);
    }
  }
}

// The sorted Gaussian of this thread of a bin kernel; copies its record into depth order.
template <class T>
EMOJAX_DEVICE void TakeSorted(const Forward<T>& p, unsigned image, int64_t i, Record<T>* record,
                              Rect* rect) {
  *record = Record<T>{};
  *rect = Rect{};
  if (i >= p.frame.gaussians) return;
  const bool dead = p.template Scratch<const Key<T>>(image, p.layout.keys[0])[i] == kDead<T>;
  if (!dead) {
    const int slot = p.template Scratch<const int>(image, p.layout.slots[0])[i];
    *record = p.template Scratch<const Record<T>>(image, p.layout.records)[slot];
    *rect = p.template Scratch<const Rect>(image, p.layout.rects)[slot];
  }
  reinterpret_cast<Record<T>*>(p.records.At(p.batch, image))[i] = *record;
}

// Bits of 256 sorted Gaussians in up to kStripTiles tiles, [word, tile] so that lanes which mark
// neighbouring tiles meet different banks.
struct BinTable {
  unsigned word[kBinned / 32][kStripTiles];
};

// Fills the table with the tiles of rows [row0, row1).
template <class T>
EMOJAX_DEVICE void MarkTiles(const Frame& frame, const Record<T>& record, Rect rect, int row0,
                             int row1, BinTable* table) {
  const int columns = frame.Columns(), tiles = (row1 - row0) * columns;
  for (int w = 0; w < kBinned / 32; ++w) {
    for (int k = static_cast<int>(threadIdx.x); k < tiles; k += kThreads) table->word[w][k] = 0;
  }
  __syncthreads();
  ForEachTile(frame, record, rect, row0, row1, [&](unsigned thread, int x, int y) {
    atomicOr(&table->word[thread / 32][(y - row0) * columns + x], 1u << thread % 32);
  });
  __syncthreads();
}

struct BitmapShared {
  BinTable table;
  unsigned scratch[kWarps];
};

// Sorted Gaussians [256 blockIdx.x, ...): their own eight words of every tile's row.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
BitmapKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  EMOJAX_SHARED(shared, BitmapShared);
  const unsigned image = blockIdx.y;
  const int columns = p.frame.Columns(), rows = p.frame.Rows(), strip = p.frame.StripRows();
  Record<T> record;
  Rect rect;
  TakeSorted(p, image, static_cast<int64_t>(blockIdx.x) * kBinned + threadIdx.x, &record, &rect);
  auto* bitmap = reinterpret_cast<unsigned*>(p.bins.At(p.batch, image));
  const int64_t words = p.frame.Words();
  unsigned pairs = 0;
  for (int row0 = 0; row0 < rows; row0 += strip) {
    const int row1 = row0 + strip < rows ? row0 + strip : rows;
    MarkTiles(p.frame, record, rect, row0, row1, &shared.table);
    const int64_t first = static_cast<int64_t>(row0) * columns;
    for (int k = static_cast<int>(threadIdx.x); k < (row1 - row0) * columns; k += kThreads) {
      Four<unsigned> bits[2];
      EMOJAX_UNROLL
      for (int half = 0; half < 2; ++half) {
        bits[half] = {shared.table.word[4 * half][k], shared.table.word[4 * half + 1][k],
                      shared.table.word[4 * half + 2][k], shared.table.word[4 * half + 3][k]};
        pairs += __popc(bits[half].x) + __popc(bits[half].y) + __popc(bits[half].z) +
                 __popc(bits[half].w);
      }
      auto* to = reinterpret_cast<Four<unsigned>*>(bitmap + (first + k) * words +
                                                   int64_t{blockIdx.x} * (kBinned / 32));
      to[0] = bits[0];
      to[1] = bits[1];
    }
    __syncthreads();
  }
  unsigned total;
  ExclusiveSum<kThreads>(pairs, shared.scratch, &total);
  if (threadIdx.x == 0 && total) {
    atomicAdd(p.template Scratch<unsigned long long>(image, p.layout.pairs),
              static_cast<unsigned long long>(total));
  }
}

// ---- Lists of fixed capacity ------------------------------------------------------------------

struct CountShared {
  int count[kBinned];
  int64_t scratch[kWarps];
};

// Pairs of each sorted Gaussian.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
CountPairsKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  EMOJAX_SHARED(shared, CountShared);
  const unsigned image = blockIdx.y;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kBinned + threadIdx.x;
  Record<T> record;
  Rect rect;
  TakeSorted(p, image, i, &record, &rect);
  shared.count[threadIdx.x] = 0;
  __syncthreads();
  ForEachTile(p.frame, record, rect, 0, p.frame.Rows(),
              [&](unsigned thread, int, int) { atomicAdd(&shared.count[thread], 1); });
  __syncthreads();
  const int count = shared.count[threadIdx.x];
  if (i < p.frame.gaussians) p.template Scratch<int>(image, p.layout.counts)[i] = count;
  int64_t total;
  ExclusiveSum<kThreads>(static_cast<int64_t>(count), shared.scratch, &total);
  if (threadIdx.x == 0) {
    p.template Scratch<int64_t>(image, p.layout.chunk_pairs)[blockIdx.x] = total;
  }
}

struct LimitShared {
  int64_t scratch[kWarps];
  int64_t chunk, before;  // where the capacity runs out
};

// One block an image: how many of the nearest Gaussians fit into the capacity, whole.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
LimitKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  EMOJAX_SHARED(shared, LimitShared);
  const unsigned image = blockIdx.y;
  const int64_t chunks = p.frame.Chunks(), capacity = p.frame.capacity;
  const auto* chunk_pairs = p.template Scratch<const int64_t>(image, p.layout.chunk_pairs);
  if (threadIdx.x == 0) shared.chunk = chunks;
  int64_t carried = 0;
  for (int64_t first = 0; first < chunks; first += kThreads) {
    __syncthreads();
    const int64_t chunk = first + threadIdx.x;
    const int64_t here = chunk < chunks ? chunk_pairs[chunk] : 0;
    int64_t total;
    const int64_t before = carried + ExclusiveSum<kThreads>(here, shared.scratch, &total);
    if (before <= capacity && before + here > capacity) {  // of one thread at most
      shared.chunk = chunk;
      shared.before = before;
    }
    carried += total;
  }
  __syncthreads();
  const int64_t chunk = shared.chunk, i = chunk * kBinned + threadIdx.x;
  int64_t limit = p.frame.gaussians;
  if (chunk < chunks) {
    const auto* counts = p.template Scratch<const int>(image, p.layout.counts);
    const int64_t here = i < p.frame.gaussians ? counts[i] : 0;
    int64_t total;
    const int64_t before =
        shared.before + ExclusiveSum<kThreads>(here, shared.scratch, &total);
    __syncthreads();
    if (before <= capacity && before + here > capacity) shared.chunk = i;
    __syncthreads();
    limit = shared.chunk;
  }
  if (threadIdx.x == 0) {
    *p.template Scratch<int>(image, p.layout.limit) = static_cast<int>(limit);
    *p.template Scratch<unsigned long long>(image, p.layout.pairs) = carried;
  }
}

// Calls body(tile, word) for each tile and the words of this block's Gaussians in it, those beyond
// the limit left out.
template <class T, class Body>
EMOJAX_DEVICE void ForEachTileOfChunk(const Forward<T>& p, unsigned image, BinTable* table,
                                      const Body& body) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kBinned + threadIdx.x;
  const int columns = p.frame.Columns(), rows = p.frame.Rows(), strip = p.frame.StripRows();
  Record<T> record{};
  Rect rect{};
  if (i < *p.template Scratch<const int>(image, p.layout.limit)) {
    const int slot = p.template Scratch<const int>(image, p.layout.slots[0])[i];
    record = p.template Scratch<const Record<T>>(image, p.layout.records)[slot];
    rect = p.template Scratch<const Rect>(image, p.layout.rects)[slot];
  }
  for (int row0 = 0; row0 < rows; row0 += strip) {
    const int row1 = row0 + strip < rows ? row0 + strip : rows;
    MarkTiles(p.frame, record, rect, row0, row1, table);
    for (int k = static_cast<int>(threadIdx.x); k < (row1 - row0) * columns; k += kThreads) {
      unsigned word[kBinned / 32];
      EMOJAX_UNROLL
      for (int w = 0; w < kBinned / 32; ++w) word[w] = table->word[w][k];
      body(static_cast<int64_t>(row0) * columns + k, word);
    }
    __syncthreads();
  }
}

// Entries of each block's Gaussians in each tile's list.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
CountEntriesKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  EMOJAX_SHARED(table, BinTable);
  const unsigned image = blockIdx.y;
  int* entries = p.template Scratch<int>(image, p.layout.entries) + blockIdx.x * p.frame.Tiles();
  ForEachTileOfChunk(p, image, &table, [&](int64_t tile, const unsigned(&word)[kBinned / 32]) {
    int count = 0;
    EMOJAX_UNROLL
    for (int w = 0; w < kBinned / 32; ++w) count += __popc(word[w]);
    entries[tile] = count;
  });
}

// A thread a tile: from numbers of entries to the sums over earlier blocks; the tile's total goes
// where its end will stand.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
EntriesBeforeKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  const unsigned image = blockIdx.y;
  const int64_t tile = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t tiles = p.frame.Tiles(), chunks = p.frame.Chunks();
  if (tile >= tiles) return;
  int* entries = p.template Scratch<int>(image, p.layout.entries) + tile;
  int sum = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int here = entries[chunk * tiles];
    entries[chunk * tiles] = sum;
    sum += here;
  }
  p.bins.At(p.batch, image)[tile + 1] = sum;
}

struct TileEndsShared {
  int scratch[kWarps];
};

// One block an image: where the tiles' lists begin and end.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
TileEndsKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  EMOJAX_SHARED(shared, TileEndsShared);
  int* bins = p.bins.At(p.batch, blockIdx.y);
  const int64_t tiles = p.frame.Tiles();
  if (threadIdx.x == 0) bins[0] = 0;
  int carried = 0;
  for (int64_t first = 0; first < tiles; first += kThreads) {
    __syncthreads();
    const int64_t tile = first + threadIdx.x;
    const int here = tile < tiles ? bins[tile + 1] : 0;
    int total;
    const int before = ExclusiveSum<kThreads>(here, shared.scratch, &total);
    if (tile < tiles) bins[tile + 1] = carried + before + here;
    carried += total;
  }
}

// The lists' entries: places by depth, ascending.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
FillListsKernel(EMOJAX_ARGUMENT(Forward<T>) p) {
  EMOJAX_SHARED(table, BinTable);
  const unsigned image = blockIdx.y;
  const int64_t tiles = p.frame.Tiles();
  int* bins = p.bins.At(p.batch, image);
  const int* before =
      p.template Scratch<const int>(image, p.layout.entries) + blockIdx.x * tiles;
  const int first = static_cast<int>(blockIdx.x) * kBinned;
  ForEachTileOfChunk(p, image, &table, [&](int64_t tile, const unsigned(&word)[kBinned / 32]) {
    int* to = bins + tiles + 1 + bins[tile] + before[tile];
    EMOJAX_UNROLL
    for (int w = 0; w < kBinned / 32; ++w) {
      for (unsigned bits = word[w]; bits; bits &= bits - 1) {
        *to++ = first + 32 * w + __ffs(bits) - 1;
      }
    }
  });
}

}  // namespace emojax::device

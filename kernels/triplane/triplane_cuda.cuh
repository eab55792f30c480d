// The tri-plane encoder on a GPU.
//
//   features     a thread a point. Levels of a plane are taken in groups whose tables fit into
//                shared memory together (all of TalkingGaussian's face planes: one group a plane);
//                a block copies a group's table there, then looks its points up. A level that is
//                too large, as hashed ones are, is read from global memory instead.
//   d points     the same; nothing is added up between threads.
//   d tables     a block a (run of points, plane, group): sums in shared memory, flushed once by
//                atomics. With `deterministic`, terms go to global integers instead
//                (common/fixed_point.cuh), the same bits in every run.
//
// Points outside of a plane, NaN among them, are moved into its first cell and masked: what they
// read there is dropped, and they add nothing.
#pragma once

#include "../common/batch.cuh"
#include "../common/fixed_point.cuh"
//
#include "triplane_math.h"

namespace emojax::triplane::device {

constexpr int kThreads = 256;
constexpr int kMostLevels = 32;
constexpr int kScatterRun = 2 * kThreads;  // points of a block of the scatter kernel
constexpr int kTableBytes = 40 * 1024;     // of shared memory, for one group
template <class T>
constexpr int kTableNumbers = kTableBytes / static_cast<int>(sizeof(T));

// Consecutive levels of a plane.
struct Group {
  int first, last;   // levels, half open
  bool fits;         // into shared memory
  int64_t begin;     // first number of their tables, in the plane's
  int length;        // numbers
};

struct Grid {
  int levels, features, groups;
  int64_t entries;  // of one plane
  double bound;     // metres
  bool smoothstep;
  Level level[kMostLevels];
  Group group[kMostLevels];

  EMOJAX_HD int64_t Columns() const { return int64_t{kPlanes} * levels * features; }
  EMOJAX_HD int64_t PlaneNumbers() const { return entries * features; }
};

template <class T>
void MakeGroups(Grid* grid) {
  grid->groups = 0;
  for (int l = 0; l < grid->levels; ++l) {
    const Level& level = grid->level[l];
    const int64_t length = int64_t{level.length} * grid->features;
    Group* last = grid->groups ? &grid->group[grid->groups - 1] : nullptr;
    if (last && last->fits && last->length + length <= kTableNumbers<T>) {
      last->last = l + 1;
      last->length += static_cast<int>(length);
    } else {
      grid->group[grid->groups++] = {l, l + 1, length <= kTableNumbers<T>,
                                     level.offset * grid->features, static_cast<int>(length)};
    }
  }
}

template <class T>
struct Call {
  Grid grid;
  int points_count;
  bool deterministic;
  BatchShape batch;
  Strided<const T> tables;     // [3, E, F]
  Strided<const T> points;     // [N, 3]
  Strided<const T> cotangent;  // [N, columns]
  Strided<T> features;         // [N, columns]
  Strided<T> d_tables;         // [3, E, F]
  Strided<T> d_points;         // [N, 3]
  Strided<int> scratch;        // deterministic: the greatest cotangent, then [3, E, F] Fixed
};

// The axes of a plane: kAxes, which device code cannot index.
EMOJAX_DEVICE int FirstAxis(int plane) { return plane == 1 ? 1 : 0; }
EMOJAX_DEVICE int SecondAxis(int plane) { return plane == 0 ? 1 : 2; }

template <class T>
struct Point {
  T unit[3];       // coordinates in [0, 1]; 0 where outside
  bool inside[3];  // by coordinate

  EMOJAX_DEVICE Point(const T* points, int64_t i, int64_t count, double bound) {
    const T most = static_cast<T>(bound), factor = static_cast<T>(0.5 / bound);
    EMOJAX_UNROLL
    for (int k = 0; k < 3; ++k) {
      const T p = i < count ? points[3 * i + k] : static_cast<T>(NAN);
      // In metres, so that both ends belong to the cube whatever the division rounds to.
      inside[k] = p >= -most && p <= most;
      unit[k] = inside[k] ? (p + most) * factor : T(0);
    }
  }
  // Chosen without indexing, so that coordinates stay in registers.
  EMOJAX_DEVICE T First(int plane) const { return plane == 1 ? unit[1] : unit[0]; }
  EMOJAX_DEVICE T Second(int plane) const { return plane == 0 ? unit[1] : unit[2]; }
  EMOJAX_DEVICE bool Inside(int plane) const {
    return (plane == 1 ? inside[1] : inside[0]) && (plane == 0 ? inside[1] : inside[2]);
  }
};

template <class T>
struct Cell {
  T fx, fy;                 // place within the cell
  uint32_t node[kCorners];  // entries of the corners in their level

  EMOJAX_DEVICE Cell(const Level& level, T x, T y) {
    const T u = x * T(level.scale) + T(0.5), v = y * T(level.scale) + T(0.5);
    const T i = Floor(u), j = Floor(v);
    fx = u - i;
    fy = v - j;
    const auto column = static_cast<uint32_t>(i), row = static_cast<uint32_t>(j);
    if (level.hashed) {
      HashedNodes(level, column, row, node);
    } else {
      Nodes(level, column, row, node);
    }
  }
};

template <class T>
EMOJAX_DEVICE T WeightOf(bool smoothstep, T f) {
  return smoothstep ? Weight<true>(f) : f;
}
template <class T>
EMOJAX_DEVICE T SlopeOf(bool smoothstep, T f) {
  return smoothstep ? WeightSlope<true>(f) : T(1);
}

// kFeatures: of one level, 0 where it is not known to the compiler.
template <int kFeatures>
EMOJAX_DEVICE int FeaturesOf(const Grid& grid) {
  return kFeatures ? kFeatures : grid.features;
}

template <class T>
struct TableShared {
  T number[kTableNumbers<T>];
};

// Calls body(plane, group, table) for every plane and group, `table` being such that the group's
// first number is table[0]; a block works on one after the other.
template <class T, class Body>
EMOJAX_DEVICE void ForEachGroup(const Grid& grid, const T* tables, TableShared<T>* shared,
                                const Body& body) {
  for (int plane = 0; plane < kPlanes; ++plane) {
    for (int g = 0; g < grid.groups; ++g) {
      const Group& group = grid.group[g];
      const T* from = tables + plane * grid.PlaneNumbers() + group.begin;
      if (group.fits) {
        __syncthreads();
        for (int k = static_cast<int>(threadIdx.x); k < group.length; k += kThreads) {
          shared->number[k] = from[k];
        }
        __syncthreads();
        body(plane, group, static_cast<const T*>(shared->number));
      } else {
        body(plane, group, from);
      }
    }
  }
}

// ---- Forward ----------------------------------------------------------------------------------

// Features of one level, zero outside.
template <int kFeatures, class T>
EMOJAX_DEVICE void EncodeLevel(const Grid& grid, const Group& group, int l, const T* table, T x,
                               T y, bool inside, T* to) {
  const Level& level = grid.level[l];
  const int features = FeaturesOf<kFeatures>(grid);
  const Cell<T> cell(level, x, y);
  const T wx = WeightOf(grid.smoothstep, cell.fx), wy = WeightOf(grid.smoothstep, cell.fy);
  const T* at = table + (level.offset * features - group.begin);
  for (int k = 0; k < features; ++k) {
    T value[kCorners];
    EMOJAX_UNROLL
    for (int c = 0; c < kCorners; ++c) value[c] = at[int64_t{cell.node[c]} * features + k];
    to[k] = inside ? Interpolate(value, wx, wy) : T(0);
  }
}

template <class T, int kFeatures>
EMOJAX_KERNEL(kThreads, 2)
EncodeKernel(EMOJAX_ARGUMENT(Call<T>) p) {
  EMOJAX_SHARED(shared, TableShared<T>);
  // Levels whose features are written at once, four numbers in all.
  constexpr int kRun = kFeatures == 1 || kFeatures == 2 ? 4 / kFeatures : 1;
  const Grid& grid = p.grid;
  const unsigned example = blockIdx.y;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int features = FeaturesOf<kFeatures>(grid), columns = grid.levels * features;
  const Point<T> point(p.points.At(p.batch, example), i, p.points_count, grid.bound);
  const bool exists = i < p.points_count;
  T* row = p.features.At(p.batch, example) + (exists ? i : 0) * grid.Columns();
  ForEachGroup(grid, p.tables.At(p.batch, example), &shared,
               [&](int plane, const Group& group, const T* table) {
                 const T x = point.First(plane), y = point.Second(plane);
                 const bool inside = point.Inside(plane);
                 T* to = row + plane * columns;
                 if (!exists) return;
                 int l = group.first;
                 if constexpr (kRun > 1) {
                   const bool aligned = columns % 4 == 0 && l * features % 4 == 0;
                   for (; aligned && l + kRun <= group.last; l += kRun) {
                     T value[4];
                     EMOJAX_UNROLL
                     for (int r = 0; r < kRun; ++r) {
                       EncodeLevel<kFeatures>(grid, group, l + r, table, x, y, inside,
                                              value + r * kFeatures);
                     }
                     *reinterpret_cast<Four<T>*>(to + l * features) = {value[0], value[1],
                                                                       value[2], value[3]};
                   }
                 }
                 for (; l < group.last; ++l) {
                   EncodeLevel<kFeatures>(grid, group, l, table, x, y, inside, to + l * features);
                 }
               });
}

// ---- Backward ---------------------------------------------------------------------------------

template <class T, int kFeatures>
EMOJAX_KERNEL(kThreads, 2)
DifferentiateKernel(EMOJAX_ARGUMENT(Call<T>) p) {
  EMOJAX_SHARED(shared, TableShared<T>);
  const Grid& grid = p.grid;
  const unsigned example = blockIdx.y;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int features = FeaturesOf<kFeatures>(grid), columns = grid.levels * features;
  const Point<T> point(p.points.At(p.batch, example), i, p.points_count, grid.bound);
  const bool exists = i < p.points_count;
  const T* row = p.cotangent.At(p.batch, example) + (exists ? i : 0) * grid.Columns();
  T d[3] = {T(0), T(0), T(0)};
  ForEachGroup(grid, p.tables.At(p.batch, example), &shared,
               [&](int plane, const Group& group, const T* table) {
                 if (!point.Inside(plane)) return;
                 const T x = point.First(plane), y = point.Second(plane);
                 T dx = T(0), dy = T(0);
                 for (int l = group.first; l < group.last; ++l) {
                   const Level& level = grid.level[l];
                   const Cell<T> cell(level, x, y);
                   const T wx = WeightOf(grid.smoothstep, cell.fx);
                   const T wy = WeightOf(grid.smoothstep, cell.fy);
                   const T* at = table + (level.offset * features - group.begin);
                   const T* cotangent = row + plane * columns + l * features;
                   T d_wx = T(0), d_wy = T(0);
                   for (int k = 0; k < features; ++k) {
                     T value[kCorners];
                     EMOJAX_UNROLL
                     for (int c = 0; c < kCorners; ++c) {
                       value[c] = at[int64_t{cell.node[c]} * features + k];
                     }
                     d_wx += cotangent[k] * SlopeX(value, wy);
                     d_wy += cotangent[k] * SlopeY(value, wx);
                   }
                   const T scale = T(level.scale * 0.5 / grid.bound);
                   dx += d_wx * SlopeOf(grid.smoothstep, cell.fx) * scale;
                   dy += d_wy * SlopeOf(grid.smoothstep, cell.fy) * scale;
                 }
                 // The planes' axes: xy, yz, xz.
                 d[0] += plane == 1 ? T(0) : dx;
                 d[1] += plane == 1 ? dx : (plane == 0 ? dy : T(0));
                 d[2] += plane == 0 ? T(0) : dy;
               });
  if (!exists) return;
  T* to = p.d_points.At(p.batch, example) + 3 * i;
  EMOJAX_UNROLL
  for (int k = 0; k < 3; ++k) to[k] = d[k];
}

// Calls add(number of the plane's table, term) for what points [first, last) contribute to the
// levels of a group.
template <int kFeatures, class T, class Add>
EMOJAX_DEVICE void Scatter(const Call<T>& p, unsigned example, int plane, const Group& group,
                           int64_t first, int64_t last, const Add& add) {
  const Grid& grid = p.grid;
  const int features = FeaturesOf<kFeatures>(grid);
  const T* points = p.points.At(p.batch, example);
  for (int64_t i = first + threadIdx.x; i < last; i += kThreads) {
    const Point<T> point(points, i, p.points_count, grid.bound);
    if (!point.Inside(plane)) continue;
    const T x = point.First(plane), y = point.Second(plane);
    const T* cotangent = p.cotangent.At(p.batch, example) + i * grid.Columns() +
                         plane * (grid.levels * features);
    for (int l = group.first; l < group.last; ++l) {
      const Level& level = grid.level[l];
      const Cell<T> cell(level, x, y);
      const T wx = WeightOf(grid.smoothstep, cell.fx), wy = WeightOf(grid.smoothstep, cell.fy);
      for (int k = 0; k < features; ++k) {
        T share[kCorners];
        InterpolateTransposed(cotangent[l * features + k], wx, wy, share);
        EMOJAX_UNROLL
        for (int c = 0; c < kCorners; ++c) {
          add((level.offset + cell.node[c]) * features + k, share[c]);
        }
      }
    }
  }
}

// The block's run of points: the grid's first dimension.
template <class T>
EMOJAX_DEVICE int64_t RunEnd(const Call<T>& p, int64_t first) {
  return first + kScatterRun < p.points_count ? first + kScatterRun : p.points_count;
}

template <class T, int kFeatures>
EMOJAX_KERNEL(kThreads, 2)
ScatterKernel(EMOJAX_ARGUMENT(Call<T>) p) {
  EMOJAX_SHARED(shared, TableShared<T>);
  const Grid& grid = p.grid;
  const unsigned example = blockIdx.y;
  const int plane = static_cast<int>(blockIdx.z) / grid.groups;
  const Group& group = grid.group[static_cast<int>(blockIdx.z) % grid.groups];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kScatterRun, last = RunEnd(p, first);
  T* table = p.d_tables.At(p.batch, example) + plane * grid.PlaneNumbers();
  if (!group.fits) {
    Scatter<kFeatures>(p, example, plane, group, first, last,
                       [&](int64_t number, T term) { atomicAdd(table + number, term); });
    return;
  }
  for (int k = static_cast<int>(threadIdx.x); k < group.length; k += kThreads) {
    shared.number[k] = T(0);
  }
  __syncthreads();
  Scatter<kFeatures>(p, example, plane, group, first, last, [&](int64_t number, T term) {
    atomicAdd(&shared.number[number - group.begin], term);
  });
  __syncthreads();
  for (int k = static_cast<int>(threadIdx.x); k < group.length; k += kThreads) {
    if (shared.number[k] != T(0)) atomicAdd(table + group.begin + k, shared.number[k]);
  }
}

// ---- Deterministic sums -----------------------------------------------------------------------

// The greatest cotangent of a feature that its point can see.
template <class T>
EMOJAX_KERNEL(kThreads, 1)
GreatestKernel(EMOJAX_ARGUMENT(Call<T>) p) {
  const Grid& grid = p.grid;
  const unsigned example = blockIdx.y;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int columns = grid.levels * grid.features;
  Fixed greatest = 0;
  const Point<T> point(p.points.At(p.batch, example), i, p.points_count, grid.bound);
  for (int plane = 0; plane < kPlanes; ++plane) {
    if (!point.Inside(plane)) continue;
    const T* cotangent =
        p.cotangent.At(p.batch, example) + i * grid.Columns() + plane * columns;
    for (int k = 0; k < columns; ++k) {
      const Fixed bits = OrderedBits(cotangent[k]);
      greatest = bits > greatest ? bits : greatest;
    }
  }
  AtomicGreatest(FromOrderedBits(greatest),
                 reinterpret_cast<Fixed*>(p.scratch.At(p.batch, example)));
}

// The exponent of the bound on an entry's sum: every point may add its whole cotangent, twice for
// the corners that a hash lets meet.
template <class T>
EMOJAX_DEVICE int SumExponent(const Call<T>& p, const Fixed* scratch) {
  return ExponentOf(4.0 * p.points_count * FromOrderedBits(scratch[0]));
}

template <class T, int kFeatures>
EMOJAX_KERNEL(kThreads, 2)
ScatterFixedKernel(EMOJAX_ARGUMENT(Call<T>) p) {
  const Grid& grid = p.grid;
  const unsigned example = blockIdx.y;
  const int plane = static_cast<int>(blockIdx.z) / grid.groups;
  const Group& group = grid.group[static_cast<int>(blockIdx.z) % grid.groups];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kScatterRun;
  auto* scratch = reinterpret_cast<Fixed*>(p.scratch.At(p.batch, example));
  const int exponent = SumExponent(p, scratch);
  Fixed* table = scratch + 1 + plane * grid.PlaneNumbers();
  Scatter<kFeatures>(p, example, plane, group, first, RunEnd(p, first),
                     [&](int64_t number, T term) {
                       atomicAdd(table + number, ToFixed(static_cast<double>(term), exponent));
                     });
}

template <class T>
EMOJAX_KERNEL(kThreads, 1)
FromFixedKernel(EMOJAX_ARGUMENT(Call<T>) p) {
  const unsigned example = blockIdx.y;
  const int64_t count = kPlanes * p.grid.PlaneNumbers();
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const auto* scratch = reinterpret_cast<const Fixed*>(p.scratch.At(p.batch, example));
  p.d_tables.At(p.batch, example)[i] =
      static_cast<T>(FromFixed(scratch[1 + i], SumExponent(p, scratch)));
}

}  // namespace emojax::triplane::device

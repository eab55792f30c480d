// The tri-plane encoder on a CPU: forward and backward over a batch, float or double.
//
// Points travel sixteen at a time, one a lane, through planes and levels.
//   features       512 points are one task.
//   d points       the same; the cells' corners are gathered again.
//   d tables       a few levels of one plane are one task, which goes through all points: every
//                  entry has one owner and its terms are added in the order of points, with no
//                  private copies to merge.
// Nothing depends on which thread does what: results are the same bits for any number of threads.
//
// Points outside of a plane, NaN among them, are moved into its first cell and masked: what they
// read there is dropped, and what they add there is zero.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "../common/parallel.h"
#include "../common/simd.h"
#include "triplane_math.h"

namespace emojax::triplane {

constexpr int64_t kChunk = 512;  // points of one task

struct Encoder {
  std::vector<Level> levels;
  int64_t features;  // of one level
  int64_t entries;   // of one plane
  double bound;      // metres
  bool smoothstep;

  int64_t Levels() const { return static_cast<int64_t>(levels.size()); }
  int64_t Columns() const { return kPlanes * Levels() * features; }
  // Where a feature of a level begins in the tables.
  int64_t Begin(int plane, const Level& level, int64_t feature) const {
    return (plane * entries + level.offset) * features + feature;
  }
};

// One example of a batch; a pass uses some of these.
template <class T>
struct Example {
  const T* tables;     // [3, E, F]
  const T* points;     // [N, 3]
  const T* cotangent;  // [N, columns], of the features
  T* features;         // [N, columns]
  T* d_tables;         // [3, E, F]
  T* d_points;         // [N, 3]
};

// Sixteen points.
template <class T>
struct Points {
  Row<T> unit[3];                   // coordinates in [0, 1]; 0 where outside
  typename Row<T>::Mask inside[3];  // by coordinate; lanes without a point are outside

  Points(const T* points, int count, double bound) {
    LoadColumns(points, count, 3, 3, unit);
    for (int k = 0; k < 3; ++k) {
      const Row<T> p = unit[k];
      // In metres, so that both ends belong to the cube whatever the division rounds to.
      inside[k] = Row<T>::Mask::First(count) & (p >= Row<T>(T(-bound))) & (p <= Row<T>(T(bound)));
      const Row<T> t = (p + Row<T>(T(bound))) * Row<T>(T(0.5 / bound));
      unit[k] = Select(inside[k], t, Row<T>(0));
    }
  }
  typename Row<T>::Mask Inside(int plane) const {
    return inside[kAxes[plane][0]] & inside[kAxes[plane][1]];
  }
};

// The cells of sixteen points on one plane and level. kPaired: the level is not hashed and has one
// feature, so that left and right neighbours are neighbours in memory.
template <class T, bool kPaired>
struct Cells {
  Row<T> fx, fy;            // place within the cell
  Indices index[kCorners];  // of the corners' first feature, from the beginning of the level
};

template <bool kPaired, class T>
inline Cells<T, kPaired> CellsOf(const Encoder& encoder, const Level& level, const Row<T>& x,
                                 const Row<T>& y) {
  const Row<T> scale = Row<T>(T(level.scale)), half = Row<T>(T(0.5));
  const Row<T> u = x * scale + half, v = y * scale + half;
  const Indices i = Floor(u), j = Floor(v);
  Cells<T, kPaired> cells;
  cells.fx = u - NumbersOf<T>(i);
  cells.fy = v - NumbersOf<T>(j);
  if constexpr (kPaired) {
    Nodes(level, i, j, cells.index);
  } else {
    if (level.hashed) {
      HashedNodes(level, i, j, cells.index);
    } else {
      Nodes(level, i, j, cells.index);
    }
    const auto features = Indices(static_cast<uint32_t>(encoder.features));
    for (Indices& index : cells.index) index = index * features;
  }
  return cells;
}

// Calls visit(level, cells) for levels [first, last) of a plane.
template <class T, class Visit>
inline void ForEachLevel(const Encoder& encoder, const Points<T>& points, int plane, int64_t first,
                         int64_t last, const Visit& visit) {
  const Row<T> x = points.unit[kAxes[plane][0]], y = points.unit[kAxes[plane][1]];
  for (int64_t l = first; l < last; ++l) {
    const Level& level = encoder.levels[l];
    if (!level.hashed && encoder.features == 1) {
      visit(level, CellsOf<true>(encoder, level, x, y));
    } else {
      visit(level, CellsOf<false>(encoder, level, x, y));
    }
  }
}

template <class T, bool kPaired>
inline void GatherCorners(const T* table, const Cells<T, kPaired>& cells,
                          Row<T> (&value)[kCorners]) {
  if constexpr (kPaired) {
    GatherPairs(table, cells.index[0], &value[0], &value[1]);
    GatherPairs(table, cells.index[2], &value[2], &value[3]);
  } else {
    for (int c = 0; c < kCorners; ++c) value[c] = Gather(table, cells.index[c]);
  }
}

// ---- Forward ----------------------------------------------------------------------------------

// Features of points [first, first + count), at most sixteen. `columns` is scratch, as many rows.
template <bool kSmooth, class T>
void EncodeSixteen(const Encoder& encoder, const Example<T>& example, int64_t first, int count,
                   Row<T>* columns) {
  using R = Row<T>;
  const Points<T> points(example.points + 3 * first, count, encoder.bound);
  R* column = columns;
  for (int plane = 0; plane < kPlanes; ++plane) {
    const auto inside = points.Inside(plane);
    ForEachLevel(encoder, points, plane, 0, encoder.Levels(),
                 [&](const Level& level, const auto& cells) {
                   const R wx = Weight<kSmooth>(cells.fx), wy = Weight<kSmooth>(cells.fy);
                   const T* table = example.tables + encoder.Begin(plane, level, 0);
                   for (int64_t k = 0; k < encoder.features; ++k) {
                     R value[kCorners];
                     GatherCorners(table + k, cells, value);
                     *column++ = Select(inside, Interpolate(value, wx, wy), R(0));
                   }
                 });
  }
  StoreColumns(columns, count, encoder.Columns(), example.features + first * encoder.Columns());
}

// ---- Backward ---------------------------------------------------------------------------------

// Gradients of points [first, first + count), at most sixteen.
template <bool kSmooth, class T>
void DifferentiateSixteen(const Encoder& encoder, const Example<T>& example, int64_t first,
                          int count, Row<T>* columns) {
  using R = Row<T>;
  const Points<T> points(example.points + 3 * first, count, encoder.bound);
  const int64_t width = encoder.Columns();
  LoadColumns(example.cotangent + first * width, count, width, width, columns);
  R d_points[3] = {R(0), R(0), R(0)};
  const R* column = columns;
  for (int plane = 0; plane < kPlanes; ++plane) {
    R dx = R(0), dy = R(0);
    ForEachLevel(encoder, points, plane, 0, encoder.Levels(),
                 [&](const Level& level, const auto& cells) {
                   const R wx = Weight<kSmooth>(cells.fx), wy = Weight<kSmooth>(cells.fy);
                   const T* table = example.tables + encoder.Begin(plane, level, 0);
                   R d_wx = R(0), d_wy = R(0);
                   for (int64_t k = 0; k < encoder.features; ++k) {
                     const R d = *column++;
                     R value[kCorners];
                     GatherCorners(table + k, cells, value);
                     d_wx += d * SlopeX(value, wy);
                     d_wy += d * SlopeY(value, wx);
                   }
                   const R scale = R(T(level.scale * 0.5 / encoder.bound));
                   dx += d_wx * WeightSlope<kSmooth>(cells.fx) * scale;
                   dy += d_wy * WeightSlope<kSmooth>(cells.fy) * scale;
                 });
    const auto inside = points.Inside(plane);
    d_points[kAxes[plane][0]] += Select(inside, dx, R(0));
    d_points[kAxes[plane][1]] += Select(inside, dy, R(0));
  }
  StoreColumns(d_points, count, 3, example.d_points + 3 * first);
}

// What sixteen points add to one feature of one level.
template <class T>
struct Terms {
  T* table;
  bool paired;                                   // as in Cells
  alignas(64) uint32_t index[kCorners][kLanes];  // paired: those of the left corners are used
  alignas(64) T value[kCorners * kLanes];        // [corner, lane]; paired: [row, lane, side]
};

template <class T>
void Add(const Terms<T>& terms) {
  if (terms.paired) {
    typedef T Pair __attribute__((vector_size(2 * sizeof(T))));
    for (int i = 0; i < kLanes; ++i) {
      for (int r = 0; r < 2; ++r) {
        T* to = terms.table + terms.index[2 * r][i];
        Pair sum, term;
        std::memcpy(&sum, to, sizeof(sum));
        std::memcpy(&term, terms.value + 2 * (r * kLanes + i), sizeof(term));
        sum += term;
        std::memcpy(to, &sum, sizeof(sum));
      }
    }
  } else {
    for (int i = 0; i < kLanes; ++i) {
      for (int c = 0; c < kCorners; ++c) {
        terms.table[terms.index[c][i]] += terms.value[c * kLanes + i];
      }
    }
  }
}

template <class T>
struct ScatterWorkspace {
  std::vector<Row<T>> columns;
  std::vector<Terms<T>> terms;
};

// Gradients of levels [first, last) of one plane, from all points.
template <bool kSmooth, class T>
void ScatterLevels(const Encoder& encoder, int64_t n, const Example<T>& example, int plane,
                   int64_t first, int64_t last, ScatterWorkspace<T>* work) {
  using R = Row<T>;
  const int64_t features = encoder.features, width = encoder.Columns();
  const int64_t columns = (last - first) * features;
  work->columns.resize(columns);
  work->terms.resize(columns);
  for (int64_t l = first; l < last; ++l) {
    const Level& level = encoder.levels[l];
    std::fill_n(example.d_tables + encoder.Begin(plane, level, 0), level.length * features, T(0));
  }
  const T* cotangent = example.cotangent + (plane * encoder.Levels() + first) * features;
  for (int64_t point = 0; point < n; point += kLanes) {
    const int count = static_cast<int>(std::min<int64_t>(kLanes, n - point));
    const Points<T> points(example.points + 3 * point, count, encoder.bound);
    LoadColumns(cotangent + point * width, count, columns, width, work->columns.data());
    const auto inside = points.Inside(plane);
    // All terms first, then all sums: taken in turns, every load of a term would wait for the sums
    // before it, whose addresses the processor does not know in time.
    const R* column = work->columns.data();
    Terms<T>* terms = work->terms.data();
    ForEachLevel(encoder, points, plane, first, last, [&](const Level& level, const auto& cells) {
      const R wx = Weight<kSmooth>(cells.fx), wy = Weight<kSmooth>(cells.fy);
      for (int64_t k = 0; k < features; ++k, ++terms) {
        R share[kCorners];
        InterpolateTransposed(Select(inside, *column++, R(0)), wx, wy, share);
        terms->table = example.d_tables + encoder.Begin(plane, level, k);
        terms->paired = std::is_same_v<decltype(cells), const Cells<T, true>&>;
        for (int c = 0; c < kCorners; ++c) cells.index[c].Store(terms->index[c]);
        if (terms->paired) {
          StorePairs(share[0], share[1], terms->value);
          StorePairs(share[2], share[3], terms->value + 2 * kLanes);
        } else {
          for (int c = 0; c < kCorners; ++c) share[c].Store(terms->value + c * kLanes);
        }
      }
    });
    for (const Terms<T>& t : work->terms) Add(t);
  }
}

// ---- Batches ----------------------------------------------------------------------------------

// Calls body(example, first, count, columns) for every sixteen of the n points of every example;
// `columns` is scratch.
template <class T, class Body>
void ForEachSixteen(const Scheduler& scheduler, const Encoder& encoder, int64_t n,
                    const std::vector<Example<T>>& batch, const Body& body) {
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  std::vector<std::vector<Row<T>>> scratch(scheduler.threads);
  ParallelFor(scheduler, batch.size() * chunks, [&](int64_t task, int worker) {
    std::vector<Row<T>>& columns = scratch[worker];
    columns.resize(encoder.Columns());
    const int64_t end = std::min((task % chunks + 1) * kChunk, n);
    for (int64_t first = task % chunks * kChunk; first < end; first += kLanes) {
      const int count = static_cast<int>(std::min<int64_t>(kLanes, end - first));
      body(encoder, batch[task / chunks], first, count, columns.data());
    }
  });
}

template <class T>
void Forward(const Scheduler& scheduler, const Encoder& encoder, int64_t n,
             const std::vector<Example<T>>& batch) {
  const auto body = encoder.smoothstep ? EncodeSixteen<true, T> : EncodeSixteen<false, T>;
  ForEachSixteen(scheduler, encoder, n, batch, body);
}

template <class T>
void BackwardPoints(const Scheduler& scheduler, const Encoder& encoder, int64_t n,
                    const std::vector<Example<T>>& batch) {
  const auto body =
      encoder.smoothstep ? DifferentiateSixteen<true, T> : DifferentiateSixteen<false, T>;
  ForEachSixteen(scheduler, encoder, n, batch, body);
}

template <class T>
void BackwardTables(const Scheduler& scheduler, const Encoder& encoder, int64_t n,
                    const std::vector<Example<T>>& batch) {
  const auto scatter = encoder.smoothstep ? ScatterLevels<true, T> : ScatterLevels<false, T>;
  const int64_t levels = encoder.Levels(), planes = kPlanes * batch.size();
  // Long runs of levels read a point and its cotangents once for all of them; short ones keep every
  // thread busy to the end.
  const int64_t run = std::clamp<int64_t>(planes * levels / (3 * scheduler.threads), 1, levels);
  const int64_t runs = (levels + run - 1) / run;
  std::vector<ScatterWorkspace<T>> work(scheduler.threads);
  ParallelFor(scheduler, planes * runs, [&](int64_t task, int worker) {
    const int64_t plane = task / runs, first = task % runs * run;
    scatter(encoder, n, batch[plane / kPlanes], static_cast<int>(plane % kPlanes), first,
            std::min(first + run, levels), &work[worker]);
  });
}

}  // namespace emojax::triplane

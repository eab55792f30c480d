// The launches of one call of the tri-plane encoder on a GPU, in order.
#pragma once

#include "triplane_cuda.cuh"

namespace emojax::triplane::device {

// Calls run(features of a level as a constant; 0: any number).
template <class Run>
void WithFeatures(int features, const Run& run) {
  if (features == 1) {
    run(std::integral_constant<int, 1>());
  } else if (features == 2) {
    run(std::integral_constant<int, 2>());
  } else {
    run(std::integral_constant<int, 0>());
  }
}

template <class T>
void QueueForward(Queue& queue, Call<T> p, unsigned examples) {
  MakeGroups<T>(&p.grid);
  WithFeatures(p.grid.features, [&](auto count) {
    queue(dim3(Blocks(p.points_count, kThreads), examples), kThreads, EncodeKernel<T, count>, p);
  });
}

// Words of 32 bits of the deterministic form's scratch.
inline int64_t ScratchWords(const Grid& grid) {
  constexpr int64_t kEach = sizeof(Fixed) / sizeof(int32_t);
  return kEach * (1 + kPlanes * grid.PlaneNumbers());
}

template <class T>
void QueueBackward(Queue& queue, Call<T> p, bool by_tables, bool by_points, unsigned examples) {
  MakeGroups<T>(&p.grid);
  const dim3 all(Blocks(p.points_count, kThreads), examples);
  const dim3 runs(Blocks(p.points_count, kScatterRun), examples,
                  static_cast<unsigned>(kPlanes * p.grid.groups));
  const int64_t numbers = kPlanes * p.grid.PlaneNumbers();
  WithFeatures(p.grid.features, [&](auto count) {
    if (by_points) queue(all, kThreads, DifferentiateKernel<T, count>, p);
    if (by_tables && p.deterministic) {
      const int64_t words = ScratchWords(p.grid);
      queue(ZeroGrid(words, examples), kZeroThreads, ZeroKernel<int>, p.batch, p.scratch, 0, words);
      queue(all, kThreads, GreatestKernel<T>, p);
      queue(runs, kThreads, ScatterFixedKernel<T, count>, p);
      queue(dim3(Blocks(numbers, kThreads), examples), kThreads, FromFixedKernel<T>, p);
    } else if (by_tables) {
      queue(ZeroGrid(numbers, examples), kZeroThreads, ZeroKernel<T>, p.batch, p.d_tables, 0,
            numbers);
      queue(runs, kThreads, ScatterKernel<T, count>, p);
    }
  });
}

}  // namespace emojax::triplane::device

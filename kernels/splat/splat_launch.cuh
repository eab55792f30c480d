// The launches of one call of splatting on a GPU, in order.
#pragma once

#include "splat_blend.cuh"
#include "splat_unblend.cuh"

namespace emojax::device {

constexpr size_t kMostShared = 48 * 1024;  // of a block, without asking for more

// Calls run(planes of a group as a constant), with the least of the compiled sizes that fits.
template <int kFirst, int... kRest, class Run>
void WithSize(int size, const Run& run) {
  if constexpr (sizeof...(kRest) == 0) {
    run(std::integral_constant<int, kFirst>());
  } else {
    if (size <= kFirst) {
      run(std::integral_constant<int, kFirst>());
    } else {
      WithSize<kRest...>(size, run);
    }
  }
}

// Compiled for floats, beside the largest; fewer where a check need not compile them all.
#ifndef EMOJAX_PLANE_SIZES
#define EMOJAX_PLANE_SIZES 3, 4, 8, 12, 16
#endif

// More planes than the largest size are done in equal groups. Doubles are for tests: few sizes.
template <class T, class Run>
void WithPlanes(int planes, const Run& run) {
  constexpr int kMost = sizeof(T) == 4 ? 24 : 8;  // with the moments, a warp's lanes
  const int groups = (planes + kMost - 1) / kMost, size = (planes + groups - 1) / groups;
  if constexpr (sizeof(T) == 4) {
    WithSize<EMOJAX_PLANE_SIZES, kMost>(size, run);
  } else {
    WithSize<4, kMost>(size, run);
  }
}

template <class T>
void QueueForward(Queue& queue, const Forward<T>& p, unsigned images) {
  const Frame& frame = p.frame;
  const int64_t n = frame.gaussians;
  const dim3 chunks(static_cast<unsigned>(frame.Chunks()), images);
  Strided<int> zeroed = p.scratch;
  const int64_t words = p.layout.zeroed / static_cast<int64_t>(sizeof(int));
  queue(ZeroGrid(words, images), kZeroThreads, ZeroKernel<int>, p.batch, zeroed, 0, words);
  queue(dim3(Blocks(n, kThreads), images), kThreads, ProjectKernel<T>, p);
  for (int pass = 0; pass < kSortPasses<Key<T>>; ++pass) {
    queue(dim3(static_cast<unsigned>(SortBlocks(n)), images), kSortThreads, SortKernel<T>, p, pass);
  }
  if (frame.capacity) {
    queue(chunks, kThreads, CountPairsKernel<T>, p);
    queue(dim3(1, images), kThreads, LimitKernel<T>, p);
    queue(chunks, kThreads, CountEntriesKernel<T>, p);
    queue(dim3(Blocks(frame.Tiles(), kThreads), images), kThreads, EntriesBeforeKernel<T>, p);
    queue(dim3(1, images), kThreads, TileEndsKernel<T>, p);
    queue(chunks, kThreads, FillListsKernel<T>, p);
  } else {
    queue(chunks, kThreads, BitmapKernel<T>, p);
  }
  WithPlanes<T>(frame.Planes(), [&](auto size) {
    const dim3 grid(static_cast<unsigned>(frame.Tiles()), images, Blocks(frame.Planes(), size));
    queue(grid, kThreads, BlendKernel<T, size>, p);
  });
}

template <class T>
void QueueBackward(Queue& queue, const Backward<T>& p, Variant variant, unsigned images) {
  const Frame& frame = p.frame;
  const int64_t words = p.layout.zeroed / static_cast<int64_t>(sizeof(int));
  queue(ZeroGrid(words, images), kZeroThreads, ZeroKernel<int>, p.batch, p.scratch, 0, words);
  if (p.deterministic) {
    constexpr unsigned kBlocks = 64;  // of an image; each goes through a part of it
    queue(dim3(kBlocks, images), kThreads, BoundsKernel<T>, p);
  }
  WithPlanes<T>(frame.Planes(), [&](auto size) {
    const dim3 grid(static_cast<unsigned>(frame.Tiles()), images, Blocks(frame.Planes(), size));
    const Mode mode = ModeOf(p.tap, p.deterministic);
    auto kernel = mode == kPlain     ? UnblendKernel<T, size, kPlain>
                  : mode == kWithTap ? UnblendKernel<T, size, kWithTap>
                                     : UnblendKernel<T, size, kExact>;
    // The other form has room for one group of planes alone; doubles, for tests, do without it.
    if constexpr (sizeof(T) == 4 && sizeof(MarchShared<T, size>) <= kMostShared) {
      if (variant == kBySplat && frame.Planes() <= size && mode != kExact) {
        kernel = mode == kPlain ? MarchKernel<T, size, kPlain> : MarchKernel<T, size, kWithTap>;
      }
    }
    queue(grid, kThreads, kernel, p);
  });
  queue(dim3(Blocks(frame.gaussians, kUnprojectThreads), images), kUnprojectThreads,
        UnprojectKernel<T>, p);
  queue(dim3(1, images), kThreads, CameraKernel<T>, p);
}

}  // namespace emojax::device

// A stable sort of keys with their values by eight bits at a time, one launch a digit and nothing
// that waits for another block: it can be recorded in a command buffer and needs no progress
// guarantee.
//
// Elements live in blocks of kSortBlock consecutive places. For each digit there is a table
// [blocks, 256]: how many elements of a block have the digit's value. While one pass scatters
// elements to their places, it counts the next digit into the table of the block that each lands in
// (integer atomics: the result does not depend on their order). A pass needs nothing else: it adds
// up the table itself.
#pragma once

#include "device.cuh"

namespace emojax {

constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
constexpr int kSortThreads = 256, kSortBlock = 4 * kSortThreads;
static_assert(kSortThreads == kDigits, "thread d looks after digit d");

EMOJAX_HD int64_t SortBlocks(int64_t count) { return (count + kSortBlock - 1) / kSortBlock; }

template <class Key>
constexpr int kSortPasses = sizeof(Key);
static_assert(kDigitBits == 8);

template <class Key>
EMOJAX_DEVICE unsigned DigitOf(Key key, int pass) {
  return static_cast<unsigned>(key >> (pass * kDigitBits)) % kDigits;
}

// Counts an element that now stands at `place`, for the pass to come. `tables`: [passes, blocks,
// 256], zeroed before the first element is counted.
template <class Key>
EMOJAX_DEVICE void CountDigit(Key key, int64_t place, int pass, int64_t blocks,
                              unsigned* tables) {
  unsigned* table = tables + (pass * blocks + place / kSortBlock) * kDigits;
  atomicAdd(table + DigitOf(key, pass), 1u);
}

struct SortShared {
  unsigned first[kDigits];                              // where a digit's elements of this block go
  unsigned before[kSortThreads / kWarp][kDigits];       // in earlier warps of the block
  unsigned scratch[kSortThreads / kWarp];
};

// One block of one pass. Call with kSortThreads threads; all of them.
template <class Key>
EMOJAX_DEVICE void SortPass(SortShared* shared, int pass, int64_t block, int64_t blocks,
                            int64_t count, const Key* keys, const int* values, Key* keys_to,
                            int* values_to, unsigned* tables) {
  constexpr unsigned kWarps = kSortThreads / kWarp;
  constexpr int kRounds = kSortBlock / kSortThreads;
  const unsigned thread = threadIdx.x, lane = Lane(), warp = thread / kWarp;

  // Of this thread's digit: elements in earlier blocks, and in all.
  const unsigned* table = tables + pass * blocks * kDigits + thread;
  unsigned earlier = 0, all = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    const unsigned here = table[b * kDigits];
    if (b < block) earlier += here;
    all += here;
  }
  unsigned total;
  shared->first[thread] = earlier + ExclusiveSum<kSortThreads>(all, shared->scratch, &total);
  for (unsigned w = 0; w < kWarps; ++w) shared->before[w][thread] = 0;
  __syncthreads();

  // Each warp ranks its own run of elements, 32 at a time, in order.
  Key key[kRounds];
  unsigned rank[kRounds];
  const int64_t start = block * kSortBlock + warp * (kRounds * kWarp) + lane;
  EMOJAX_UNROLL
  for (int r = 0; r < kRounds; ++r) {
    const int64_t i = start + r * kWarp;
    const bool inside = i < count;
    key[r] = inside ? keys[i] : Key(0);
    const unsigned digit = DigitOf(key[r], pass);
    unsigned same = __ballot_sync(kWholeWarp, inside);
    if (!inside) same = ~same;
    EMOJAX_UNROLL
    for (int bit = 0; bit < kDigitBits; ++bit) {
      const bool on = digit >> bit & 1;
      const unsigned with = __ballot_sync(kWholeWarp, on);
      same &= on ? with : ~with;
    }
    const unsigned below = same & ((1u << lane) - 1);
    unsigned* counter = &shared->before[warp][digit];
    rank[r] = *counter + __popc(below);
    __syncwarp();
    if (inside && below == 0) *counter += __popc(same);
    __syncwarp();
  }
  __syncthreads();
  // From counts of each warp to sums over the warps before it.
  unsigned sum = shared->first[thread];
  for (unsigned w = 0; w < kWarps; ++w) {
    const unsigned here = shared->before[w][thread];
    shared->before[w][thread] = sum;
    sum += here;
  }
  __syncthreads();
  EMOJAX_UNROLL
  for (int r = 0; r < kRounds; ++r) {
    const int64_t i = start + r * kWarp;
    if (i >= count) continue;
    const int64_t to = shared->before[warp][DigitOf(key[r], pass)] + rank[r];
    keys_to[to] = key[r];
    values_to[to] = values[i];
    if (pass + 1 < kSortPasses<Key>) CountDigit(key[r], to, pass + 1, blocks, tables);
  }
}

}  // namespace emojax

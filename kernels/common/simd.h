// Row<T>: sixteen numbers that move together: a block of 4 x 4 pixels, sixteen Gaussians or points.
//
// One row is one vector with AVX-512, two with AVX2, four with the portable build (SSE2, NEON, or
// whatever the compiler makes of its vector extension); doubles take twice as many. The instruction
// set is chosen by compiler flags: each build of the kernels is a library of its own (see
// kernels/README.md), with hidden symbols: no two of them share a function.
//
// Scalars have the same functions (Select, Min, Any, ...), so that arithmetic written once for a
// type R serves a float, a double and a row of either.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#define EMOJAX_VECTOR_BYTES 64
#elif defined(__AVX2__)
#include <immintrin.h>
#define EMOJAX_VECTOR_BYTES 32
#else
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#define EMOJAX_VECTOR_BYTES 16
#endif

namespace emojax {

constexpr int kLanes = 16;

template <class T>
struct IntegerOf;
template <>
struct IntegerOf<float> {
  using type = int32_t;
};
template <>
struct IntegerOf<double> {
  using type = int64_t;
};

template <class T>
struct Row {
  using Integer = typename IntegerOf<T>::type;
  typedef T Vector __attribute__((vector_size(EMOJAX_VECTOR_BYTES)));
  typedef Integer IntVector __attribute__((vector_size(EMOJAX_VECTOR_BYTES)));
  static constexpr int kWidth = EMOJAX_VECTOR_BYTES / sizeof(T);
  static constexpr int kParts = kLanes / kWidth;

  Vector part[kParts];

  Row() = default;
  Row(T value) {  // NOLINT: a number stands for a row of copies
    for (auto& p : part) p = value - Vector{};
  }
  static Row Load(const T* from) {
    Row row;
    std::memcpy(row.part, from, sizeof(row.part));
    return row;
  }
  void Store(T* to) const { std::memcpy(to, part, sizeof(part)); }
  // 0, 1, ..., 15
  static Row Iota() {
    T lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = static_cast<T>(i);
    return Load(lanes);
  }

#define EMOJAX_ROW_OPERATOR(op)                                            \
  friend Row operator op(const Row& a, const Row& b) {                     \
    Row row;                                                               \
    for (int i = 0; i < kParts; ++i) row.part[i] = a.part[i] op b.part[i]; \
    return row;                                                            \
  }
  EMOJAX_ROW_OPERATOR(+)
  EMOJAX_ROW_OPERATOR(-)
  EMOJAX_ROW_OPERATOR(*)
  EMOJAX_ROW_OPERATOR(/)
#undef EMOJAX_ROW_OPERATOR
  Row operator-() const {
    Row row;
    for (int i = 0; i < kParts; ++i) row.part[i] = -part[i];
    return row;
  }
  Row& operator+=(const Row& b) { return *this = *this + b; }

  // Truth values of a row: one bit a lane where the hardware has mask registers, otherwise an
  // integer of all ones or all zeros.
  struct Mask {
#if EMOJAX_VECTOR_BYTES == 64
    uint16_t bits;
    friend Mask operator&(Mask a, Mask b) { return {static_cast<uint16_t>(a.bits & b.bits)}; }
    friend Mask operator|(Mask a, Mask b) { return {static_cast<uint16_t>(a.bits | b.bits)}; }
    Mask operator!() const { return {static_cast<uint16_t>(~bits)}; }
    static Mask First(int count) { return {static_cast<uint16_t>((1u << count) - 1)}; }
    bool Lane(int i) const { return bits >> i & 1; }
#else
    IntVector part[kParts];
    friend Mask operator&(const Mask& a, const Mask& b) {
      Mask mask;
      for (int i = 0; i < kParts; ++i) mask.part[i] = a.part[i] & b.part[i];
      return mask;
    }
    friend Mask operator|(const Mask& a, const Mask& b) {
      Mask mask;
      for (int i = 0; i < kParts; ++i) mask.part[i] = a.part[i] | b.part[i];
      return mask;
    }
    Mask operator!() const {
      Mask mask;
      for (int i = 0; i < kParts; ++i) mask.part[i] = ~part[i];
      return mask;
    }
    // True in the first `count` lanes.
    static Mask First(int count) { return Iota() < Row(static_cast<T>(count)); }
    bool Lane(int i) const { return part[i / kWidth][i % kWidth] != 0; }
#endif
  };

#if EMOJAX_VECTOR_BYTES == 64
#define EMOJAX_ROW_COMPARE(op, code)                                                    \
  friend Mask operator op(const Row& a, const Row& b) {                                 \
    if constexpr (sizeof(T) == 4) {                                                     \
      return {_mm512_cmp_ps_mask((__m512)a.part[0], (__m512)b.part[0], code)};          \
    } else {                                                                            \
      unsigned low = _mm512_cmp_pd_mask((__m512d)a.part[0], (__m512d)b.part[0], code);  \
      unsigned high = _mm512_cmp_pd_mask((__m512d)a.part[1], (__m512d)b.part[1], code); \
      return {static_cast<uint16_t>(low | high << 8)};                                  \
    }                                                                                   \
  }
  EMOJAX_ROW_COMPARE(<, _CMP_LT_OQ)
  EMOJAX_ROW_COMPARE(<=, _CMP_LE_OQ)
  EMOJAX_ROW_COMPARE(>, _CMP_GT_OQ)
  EMOJAX_ROW_COMPARE(>=, _CMP_GE_OQ)
#else
#define EMOJAX_ROW_COMPARE(op)                                              \
  friend Mask operator op(const Row& a, const Row& b) {                     \
    Mask mask;                                                              \
    for (int i = 0; i < kParts; ++i) mask.part[i] = a.part[i] op b.part[i]; \
    return mask;                                                            \
  }
  EMOJAX_ROW_COMPARE(<)
  EMOJAX_ROW_COMPARE(<=)
  EMOJAX_ROW_COMPARE(>)
  EMOJAX_ROW_COMPARE(>=)
#endif
#undef EMOJAX_ROW_COMPARE
};

template <class T, int bytes>
T SumHalves(const void* vector) {
  if constexpr (bytes == sizeof(T)) {
    T value;
    std::memcpy(&value, vector, bytes);
    return value;
  } else {
    typedef T Half __attribute__((vector_size(bytes / 2)));
    Half low, high;
    std::memcpy(&low, vector, bytes / 2);
    std::memcpy(&high, static_cast<const char*>(vector) + bytes / 2, bytes / 2);
    low += high;
    return SumHalves<T, bytes / 2>(&low);
  }
}

// ---- Functions of rows ------------------------------------------------------------------------

// mask ? a : b, lane by lane.
template <class T>
Row<T> Select(const typename Row<T>::Mask& mask, const Row<T>& a, const Row<T>& b) {
  Row<T> row;
#if EMOJAX_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    row.part[0] = (typename Row<T>::Vector)_mm512_mask_blend_ps(mask.bits, (__m512)b.part[0],
                                                                (__m512)a.part[0]);
  } else {
    for (int i = 0; i < 2; ++i) {
      row.part[i] = (typename Row<T>::Vector)_mm512_mask_blend_pd(
          static_cast<__mmask8>(mask.bits >> 8 * i), (__m512d)b.part[i], (__m512d)a.part[i]);
    }
  }
#else
  for (int i = 0; i < Row<T>::kParts; ++i) row.part[i] = mask.part[i] ? a.part[i] : b.part[i];
#endif
  return row;
}

template <class Mask>
  requires requires(Mask m) { m.Lane(0); }
bool Any(const Mask& mask) {
#if EMOJAX_VECTOR_BYTES == 64
  return mask.bits != 0;
#else
  auto all = mask.part[0];
  for (auto& part : mask.part) all |= part;
#if EMOJAX_VECTOR_BYTES == 32
  return !_mm256_testz_si256((__m256i)all, (__m256i)all);
#else
  uint64_t halves[2];
  std::memcpy(halves, &all, sizeof(halves));
  return (halves[0] | halves[1]) != 0;
#endif
#endif
}

// The comparisons below are written so that a NaN in `a` yields b: what minps and maxps do.
template <class T>
Row<T> Min(const Row<T>& a, const Row<T>& b) {
  Row<T> row;
  for (int i = 0; i < Row<T>::kParts; ++i)
    row.part[i] = a.part[i] < b.part[i] ? a.part[i] : b.part[i];
  return row;
}
template <class T>
Row<T> Max(const Row<T>& a, const Row<T>& b) {
  Row<T> row;
  for (int i = 0; i < Row<T>::kParts; ++i)
    row.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
  return row;
}
template <class T>
Row<T> Abs(const Row<T>& a) {
  return Max(a, -a);
}
template <class T>
Row<T> Sqrt(const Row<T>& a) {
  Row<T> row;
  for (int i = 0; i < Row<T>::kParts; ++i) {
    for (int j = 0; j < Row<T>::kWidth; ++j) row.part[i][j] = std::sqrt(a.part[i][j]);
  }
  return row;
}

// Sum over the lanes, always in the same order: halves are added until one number is left.
template <class T>
T Sum(const Row<T>& a) {
  auto all = a.part[0];
  for (int i = 1; i < Row<T>::kParts; ++i) all += a.part[i];
  return SumHalves<T, EMOJAX_VECTOR_BYTES>(&all);
}

// 2^f for 0 <= f <= 1: the polynomial of degree 5 whose largest relative error, 8e-8, is least
// (Remez).
template <class V>
V Exp2Fraction(V f) {
  V p = f * 0.00187758f + 0.00898934f;
  p = p * f + 0.05582632f;
  p = p * f + 0.24015362f;
  p = p * f + 0.69315307f;
  p = p * f + 0.99999993f;
  return p;
}

// 2^x for -126 <= x <= 127; other lanes get garbage, and no trap. In float, relative error below
// 3e-7. In double: the library's function, since the double build exists to be exact, not fast.
template <class T>
Row<T> Exp2(const Row<T>& x) {
  Row<T> row;
  if constexpr (sizeof(T) == 4) {
    for (int i = 0; i < Row<T>::kParts; ++i) {
      using V = typename Row<T>::Vector;
      const V v = x.part[i];
#if EMOJAX_VECTOR_BYTES == 64
      const V f = (V)_mm512_reduce_ps((__m512)v, _MM_FROUND_TO_NEG_INF);  // x - floor(x)
      // The masked form, since GCC 12 warns about the undefined operand of the plain one.
      row.part[i] = (V)_mm512_maskz_scalef_ps(0xffff, (__m512)Exp2Fraction(f), (__m512)v);
#else
      typedef uint32_t I __attribute__((vector_size(EMOJAX_VECTOR_BYTES)));  // may wrap around
      constexpr float kRound = 12582912.f;  // 1.5 * 2^23: adding it leaves the nearest integer
      const V shifted = (v - 0.5f) + kRound;
      const V f = v - (shifted - kRound);
      row.part[i] = (V)((I)Exp2Fraction(f) + ((I)shifted << 23));
#endif
    }
  } else {
    for (int i = 0; i < Row<T>::kParts; ++i) {
      for (int j = 0; j < Row<T>::kWidth; ++j) row.part[i][j] = std::exp2(x.part[i][j]);
    }
  }
  return row;
}

// ---- Rows of whole numbers --------------------------------------------------------------------

template <>
struct IntegerOf<uint32_t> {
  using type = int32_t;
};
using Indices = Row<uint32_t>;

inline Indices operator^(const Indices& a, const Indices& b) {
  Indices row;
  for (int i = 0; i < Indices::kParts; ++i) row.part[i] = a.part[i] ^ b.part[i];
  return row;
}
inline Indices operator&(const Indices& a, const Indices& b) {
  Indices row;
  for (int i = 0; i < Indices::kParts; ++i) row.part[i] = a.part[i] & b.part[i];
  return row;
}
inline Indices operator%(const Indices& a, const Indices& b) {
  Indices row;
  for (int i = 0; i < Indices::kParts; ++i) row.part[i] = a.part[i] % b.part[i];
  return row;
}

// Rounds numbers from 0 to 2^31 - 1 down. Doubles go one by one, here and below: their build exists
// to be exact, not fast.
template <class T>
Indices Floor(const Row<T>& a) {
  Indices row;
  if constexpr (sizeof(T) == 4) {
    for (int i = 0; i < Indices::kParts; ++i) {
      row.part[i] =
          (Indices::Vector) __builtin_convertvector(a.part[i], typename Row<T>::IntVector);
    }
  } else {
    alignas(64) T from[kLanes];
    alignas(64) uint32_t to[kLanes];
    a.Store(from);
    for (int i = 0; i < kLanes; ++i) to[i] = static_cast<uint32_t>(from[i]);
    row = Indices::Load(to);
  }
  return row;
}

// The same numbers as floats or doubles; below 2^31.
template <class T>
Row<T> NumbersOf(const Indices& a) {
  Row<T> row;
  if constexpr (sizeof(T) == 4) {
    for (int i = 0; i < Indices::kParts; ++i) {
      row.part[i] = __builtin_convertvector((Indices::IntVector)a.part[i], typename Row<T>::Vector);
    }
  } else {
    alignas(64) uint32_t from[kLanes];
    alignas(64) T to[kLanes];
    a.Store(from);
    for (int i = 0; i < kLanes; ++i) to[i] = static_cast<T>(from[i]);
    row = Row<T>::Load(to);
  }
  return row;
}

// ---- Rows put together from memory ------------------------------------------------------------
//
// A vector must not be assembled in memory and loaded from there: the processor cannot forward
// several small stores to one large load, and waits for each of them.

// Four lanes.
template <class T>
struct QuarterOf {
  typedef T type __attribute__((vector_size(4 * sizeof(T))));
};
template <class T>
using Quarter = typename QuarterOf<T>::type;

template <class T>
Row<T> Join(const Quarter<T>& a, const Quarter<T>& b, const Quarter<T>& c, const Quarter<T>& d) {
  Row<T> row;
#if EMOJAX_VECTOR_BYTES >= 32
  if constexpr (sizeof(T) == 4) {
    const __m256 low = _mm256_set_m128((__m128)b, (__m128)a);
    const __m256 high = _mm256_set_m128((__m128)d, (__m128)c);
#if EMOJAX_VECTOR_BYTES == 64
    row.part[0] = (typename Row<T>::Vector)_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
#else
    row.part[0] = (typename Row<T>::Vector)low;
    row.part[1] = (typename Row<T>::Vector)high;
#endif
    return row;
  }
#endif
  const Quarter<T> quarters[4] = {a, b, c, d};
  std::memcpy(row.part, quarters, sizeof(row.part));
  return row;
}

// Lane i is lane(i).
template <class T, class Lane>
Row<T> FromLanes(const Lane& lane) {
  Quarter<T> q[4];
  for (int i = 0; i < 4; ++i) {
    q[i] = Quarter<T>{lane(4 * i), lane(4 * i + 1), lane(4 * i + 2), lane(4 * i + 3)};
  }
  return Join<T>(q[0], q[1], q[2], q[3]);
}

// Lane i is from[index[i]]; indices below 2^31. Here and below, gathers are written with a mask:
// without one they read an uninitialised register, of which GCC 12 warns.
template <class T>
Row<T> Gather(const T* from, const Indices& index) {
#if EMOJAX_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    Row<T> row;
    row.part[0] = (typename Row<T>::Vector)_mm512_mask_i32gather_ps(
        _mm512_setzero_ps(), 0xffff, (__m512i)index.part[0], from, 4);
    return row;
  }
#elif EMOJAX_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4) {
    Row<T> row;
    for (int i = 0; i < 2; ++i) {
      row.part[i] = (typename Row<T>::Vector)_mm256_mask_i32gather_ps(
          _mm256_setzero_ps(), from, (__m256i)index.part[i],
          _mm256_castsi256_ps(_mm256_set1_epi32(-1)), 4);
    }
    return row;
  }
#endif
  alignas(64) uint32_t at[kLanes];
  index.Store(at);
  return FromLanes<T>([&](int i) { return from[at[i]]; });
}

// Lane i of `left` is from[index[i]], and of `right` its neighbour from[index[i] + 1]. Two floats
// are gathered like one double.
template <class T>
void GatherPairs(const T* from, const Indices& index, Row<T>* left, Row<T>* right) {
#if EMOJAX_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    alignas(64) uint32_t at[kLanes];
    index.Store(at);
    auto pairs = [&](int first) {
      return _mm512_castpd_ps(_mm512_mask_i32gather_pd(
          _mm512_setzero_pd(), 0xff,
          _mm256_load_si256(reinterpret_cast<const __m256i*>(at + first)), from, 4));
    };
    const __m512 low = pairs(0), high = pairs(8);
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    left->part[0] = (typename Row<T>::Vector)_mm512_permutex2var_ps(low, even, high);
    right->part[0] = (typename Row<T>::Vector)_mm512_permutex2var_ps(low, odd, high);
    return;
  }
#elif EMOJAX_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4) {
    alignas(64) uint32_t at[kLanes];
    index.Store(at);
    auto pairs = [&](int first) {
      return _mm256_castpd_ps(
          _mm256_mask_i32gather_pd(_mm256_setzero_pd(), reinterpret_cast<const double*>(from),
                                   _mm_load_si128(reinterpret_cast<const __m128i*>(at + first)),
                                   _mm256_castsi256_pd(_mm256_set1_epi32(-1)), 4));
    };
    // Brings numbers 0 1 4 5 2 3 6 7 into order.
    auto ordered = [](__m256 a) {
      return (typename Row<T>::Vector)_mm256_permute4x64_pd(_mm256_castps_pd(a), 0xd8);
    };
    for (int i = 0; i < 2; ++i) {
      const __m256 low = pairs(8 * i), high = pairs(8 * i + 4);
      left->part[i] = ordered(_mm256_shuffle_ps(low, high, 0x88));
      right->part[i] = ordered(_mm256_shuffle_ps(low, high, 0xdd));
    }
    return;
  }
#endif
  *left = Gather(from, index);
  *right = Gather(from + 1, index);
}

// ---- Transposition ----------------------------------------------------------------------------

// Four rows of four numbers become four columns.
template <class T>
void TransposeFour(Quarter<T> (&q)[4]) {
#if defined(__SSE2__)
  if constexpr (sizeof(T) == 4) {
    __m128 a = (__m128)q[0], b = (__m128)q[1], c = (__m128)q[2], d = (__m128)q[3];
    _MM_TRANSPOSE4_PS(a, b, c, d);
    q[0] = (Quarter<T>)a;
    q[1] = (Quarter<T>)b;
    q[2] = (Quarter<T>)c;
    q[3] = (Quarter<T>)d;
    return;
  }
#endif
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < i; ++j) {
      const T swapped = q[i][j];
      q[i][j] = q[j][i];
      q[j][i] = swapped;
    }
  }
}

// Columns of an array [count, columns] with count <= 16; column c's lane i is from[i * stride + c].
// Lanes past the array repeat its last row.
template <class T>
void LoadColumns(const T* from, int count, int64_t columns, int64_t stride, Row<T>* to) {
  const T* row[kLanes];
  for (int i = 0; i < kLanes; ++i) row[i] = from + std::min(i, count - 1) * stride;
  int64_t first = 0;
  for (; first + 4 <= columns; first += 4) {
    Quarter<T> q[4][4];
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) std::memcpy(&q[i][j], row[4 * i + j] + first, sizeof(q[i][j]));
      TransposeFour<T>(q[i]);
    }
    for (int j = 0; j < 4; ++j) to[first + j] = Join<T>(q[0][j], q[1][j], q[2][j], q[3][j]);
  }
  for (; first < columns; ++first) {
    to[first] = FromLanes<T>([&](int i) { return row[i][first]; });
  }
}

// The other way round: to[i * columns + c] is lane i of column c, for i < count.
template <class T>
void StoreColumns(const Row<T>* from, int count, int64_t columns, T* to) {
  alignas(64) T lanes[4][kLanes];
  int64_t first = 0;
  for (; first + 4 <= columns; first += 4) {
    for (int j = 0; j < 4; ++j) from[first + j].Store(lanes[j]);
    for (int i = 0; i < count; i += 4) {
      Quarter<T> q[4];
      for (int j = 0; j < 4; ++j) std::memcpy(&q[j], lanes[j] + i, sizeof(q[j]));
      TransposeFour<T>(q);
      for (int j = 0; j < 4 && i + j < count; ++j) {
        std::memcpy(to + (i + j) * columns + first, &q[j], sizeof(q[j]));
      }
    }
  }
  for (; first < columns; ++first) {
    from[first].Store(lanes[0]);
    for (int i = 0; i < count; ++i) to[i * columns + first] = lanes[0][i];
  }
}

// Writes a's and b's lanes in turns: to[2 * i] and to[2 * i + 1].
template <class T>
void StorePairs(const Row<T>& a, const Row<T>& b, T* to) {
  alignas(64) T lanes[2][kLanes];
  a.Store(lanes[0]);
  b.Store(lanes[1]);
  for (int i = 0; i < kLanes; ++i) {
    to[2 * i] = lanes[0][i];
    to[2 * i + 1] = lanes[1][i];
  }
}

}  // namespace emojax

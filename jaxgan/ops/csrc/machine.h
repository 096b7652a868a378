// The machine's vectors, the two types of numbers, and the register tile that every product is made of (Goto and van de
// Geijn 2008, "Anatomy of high-performance matrix multiplication", section 4). Panels are made of 4-byte units: one float, or
// two bfloat16 that are neighbours along the contracted axis, multiplied and added in float32.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "interface.h"

namespace jaxgan {

#if defined(__AVX512F__)
constexpr int VL = 16, ROWS = 8, TALL = 16;  // floats of a vector; rows of a tile of two vectors, and of one
#elif defined(__AVX__)
constexpr int VL = 8, ROWS = 6, TALL = 12;
#else
constexpr int VL = 4, ROWS = 8, TALL = 16;
#endif
constexpr int WIDE = 2 * VL;

typedef float Vec __attribute__((vector_size(VL * 4), aligned(4), may_alias));

struct Float32 {
  using T = float;
  using Column = float;    // what a tile's columns are stored as
  using InPlace = Float32;  // how a kernel is multiplied that is not packed
  static constexpr int PER_UNIT = 1;
  static inline Vec column(const float* at) { return *(const Vec*)at; }
  static inline Vec fma(Vec acc, const float* a, Vec b) { return acc + *a * b; }
  static inline Vec load(const float* at) { return *(const Vec*)at; }
  static inline float number(float x) { return x; }
  static inline Vec unit(Vec first, Vec) { return first; }
  static inline void put(Vec from, float* to) { *(Vec*)to = from; }
  static inline void store(const float* from, float* to, Index n) { std::memcpy(to, from, n * 4); }
};

// The maps by fewer multiplications; false where that does not pay. They compile beside the others.
template <class Type>
struct Winograd {
  using T = typename Type::T;
  static bool conv(const Threads& pool, const Shape& s, const T* x, const T* w, T* y);
  static bool transposed(const Threads& pool, const Shape& s, const T* y, const T* w, T* x);
  static bool weight_gradient(const Threads& pool, const Shape& s, const T* x, const T* y, T* w);
};

}  // namespace jaxgan

namespace {

using namespace jaxgan;

// Put rows of features side by side with their pixels, as units: out[unit, feature].
template <class Type>
struct Units;

// ------------------------------------------------------------------------------------------------------ register tile

constexpr int AHEAD = 12;             // units of the contracted axis that a tile asks for early
constexpr int DEPTH = 256;            // units of the contracted axis in a panel of patches
constexpr int PATCH_LD = DEPTH + 16;  // not a multiple of a page, so that rows fall into different sets of the cache
constexpr int BLOCK_PIXELS = 96;      // rows of a panel of patches
constexpr int PIXELS = 128;           // units of pixels in a panel of the weight gradient
constexpr int FEATURES = 128;         // its other axis
constexpr int FEATURES_LD = FEATURES + 16;
constexpr Index PART = 1 << 20, PARTS_MOST = 1 << 23;  // elements of images in a part of a batch; of all parts' sums

// c[MR, NR VL] (+)= sum_k a(m, k) b[k ldb, NR VL]; a(m, k) stands at a[m PATCH_LD + k], or BY_PIXEL at a[k lda + m].
template <class Type, int MR, int NR, bool BY_PIXEL>
__attribute__((noinline)) void tile(const float* a, Index lda, const typename Type::Column* b, Index ldb, Index depth, float* c,
                                    Index ldc, bool add) {
  Vec acc[MR][NR];
#pragma GCC unroll 32
  for (int m = 0; m < MR; m++)
#pragma GCC unroll 4
    for (int n = 0; n < NR; n++) acc[m][n] = add ? *(const Vec*)(c + m * ldc + n * VL) : Vec{};
  for (Index k = 0; k < depth; k++) {
    Vec row[NR];
#pragma GCC unroll 4
    for (int n = 0; n < NR; n++) row[n] = Type::column(b + n * VL), __builtin_prefetch(b + n * VL + AHEAD * ldb);
#pragma GCC unroll 32
    for (int m = 0; m < MR; m++) {
      const float* at = BY_PIXEL ? a + m : a + m * PATCH_LD;
#pragma GCC unroll 4
      for (int n = 0; n < NR; n++) acc[m][n] = Type::fma(acc[m][n], at, row[n]);
    }
    a += BY_PIXEL ? lda : 1;
    b += ldb;
  }
#pragma GCC unroll 32
  for (int m = 0; m < MR; m++)
#pragma GCC unroll 4
    for (int n = 0; n < NR; n++) *(Vec*)(c + m * ldc + n * VL) = acc[m][n];
}

int width_of(Index columns) { return columns > VL ? WIDE : VL; }
int rows_of(int width) { return width == WIDE ? ROWS : TALL; }

// The product of a panel of rows (its memory is filled up to whole tiles) and columns in tiles of `width`, b_tile apart;
// of the result, c_tile apart.
template <class Type, bool BY_PIXEL>
void product(const float* a, const typename Type::Column* b, Index ldb, Index b_tile, Index rows, Index columns, int width, Index depth,
             float* c, Index ldc, Index c_tile, bool add) {
  for (Index m = 0; m < rows; m += rows_of(width)) {  // these rows stay in the first cache
    const float* row = a + (BY_PIXEL ? m : m * PATCH_LD);
    for (Index n = 0; n < columns; n += width) {
      const auto* column = b + n / width * b_tile;
      float* to = c + m * ldc + n / width * c_tile;
      if (width == WIDE)
        tile<Type, ROWS, 2, BY_PIXEL>(row, FEATURES_LD, column, ldb, depth, to, ldc, add);
      else
        tile<Type, TALL, 1, BY_PIXEL>(row, FEATURES_LD, column, ldb, depth, to, ldc, add);
    }
  }
}

}  // namespace

// Numbers of bfloat16, by instructions for them: a file of its own, since the compiler takes 0.3 s to read what declares those.

#pragma once

#include <immintrin.h>

#include "machine.h"
#include "threads.h"

namespace jaxgan {

struct Widened;

struct BFloat16 {
  using T = uint16_t;
  using Column = float;
  using InPlace = Widened;
  static constexpr int PER_UNIT = 2;
  static inline Vec column(const float* at) { return *(const Vec*)at; }
  static inline Vec fma(Vec acc, const float* a, Vec b) {
    int32_t pair;
    std::memcpy(&pair, a, 4);
    return (Vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)_mm512_set1_epi32(pair), (__m512bh)b);
  }
  static inline Vec load(const uint16_t* at) {
    return (Vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)at)), 16);
  }
  static inline float number(uint16_t x) {
    uint32_t bits = uint32_t(x) << 16;
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
  }
  static inline __m512i rounded(Vec x) { return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x)); }
  static inline Vec unit(Vec first, Vec second) {
    return (Vec)_mm512_or_si512(rounded(first), _mm512_slli_epi32(rounded(second), 16));
  }
  static inline void put(Vec from, uint16_t* to) { _mm256_storeu_si256((__m256i*)to, (__m256i)_mm512_cvtneps_pbh((__m512)from)); }
  static inline void store(const float* from, uint16_t* to, Index n) {
    for (Index i = 0; i < n; i++) {  // round to nearest, ties to even; a NaN stays one
      uint32_t bits;
      std::memcpy(&bits, from + i, 4);
      uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
      to[i] = from[i] != from[i] ? uint16_t((bits >> 16) | 0x40) : uint16_t(rounded);
    }
  }
};

// Columns of bfloat16 that stand in no pairs, times rows of floats.
struct Widened {
  using Column = uint16_t;
  static inline Vec column(const uint16_t* at) { return BFloat16::load(at); }
  static inline Vec fma(Vec acc, const float* a, Vec b) { return acc + *a * b; }
};

}  // namespace jaxgan

namespace {

template <>
struct Units<BFloat16> {
  template <class Row>
  static inline void fill(Index pixels, Index features, Index filled, Index ld, float* out, Row row) {
    static thread_local Buffer pair_buffer;
    uint16_t* pair = reinterpret_cast<uint16_t*>(pair_buffer.get(filled + 64));
    std::fill_n(pair, 2 * filled, uint16_t(0));
    for (Index k = 0; k < pixels; k += 2) {
      row(k, pair);
      if (k + 1 < pixels)
        row(k + 1, pair + filled);
      else
        std::fill_n(pair + filled, filled, uint16_t(0));
      uint32_t* units = reinterpret_cast<uint32_t*>(out + k / 2 * ld);
      for (Index m = 0; m < filled; m++) units[m] = uint32_t(pair[m]) | uint32_t(pair[filled + m]) << 16;
    }
  }
};

}  // namespace

#ifndef OT_SIMD_H
#define OT_SIMD_H

// What the vector types of every instruction set share. A file simd_<isa>.h defines `f64` and `f32`: a register each, with
//   width, lowest          elements; the most negative exponent that kernels may meet, whose 2^x is 0
//   zero, fill, load       load_part(p, count, rest) takes count < width elements from p and `rest` beyond them, store_part
//   stores so many
//   + - *, fma, max, min   max(x, y) and min(x, y) give y where either is NaN
//   exp2                   2^x for x >= lowest: 0 below the normal numbers, +infinity above; error below 4e-16 (f64) and 2.5e-7
//   (f32) sum, max_across, any_greater
// and f64::load of floats, which widens; f32::narrow(get), which takes get(0) and, where a register of floats is two of doubles,
// get(f64::width). Everything is in an unnamed namespace: a function compiled for one processor must never serve a file compiled
// for another.

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#include <intrin.h>
#define OT_INLINE __forceinline
#define OT_PREFETCH(address) _mm_prefetch((const char *)(address), 1)
#define OT_RESTRICT __restrict
#else
#define OT_INLINE inline __attribute__((always_inline))
#define OT_PREFETCH(address) __builtin_prefetch(address)
#define OT_RESTRICT __restrict__
#endif

namespace {

// Chebyshev fits of 2^r on [-1/2, 1/2], highest power first; the last coefficient, 1, makes 2^0 exact.
constexpr double exp2_f64[] = {4.4549605981865186e-10, 7.072585949269223e-09, 1.0178062445845774e-07, 1.321544258792169e-06,
                               1.525273382983612e-05,  0.0001540353044173605, 0.0013333558146416936,  0.009618129107606888,
                               0.0555041086648216,     0.24022650695910097,   0.6931471805599453,     1.0};
constexpr float exp2_f32[] = {0.000154531629f, 0.00133908634f, 0.00961808256f, 0.0555035711f, 0.240226508f, 0.693147188f, 1.0f};

// 2^x with x rounded to an integer n, which enters through the exponent bits of the polynomial: V::shift_in(p, bits) adds the low
// bits of x + 1.5 * 2^(digits - 1), where n is, to the exponent of p. Clamped to the normal numbers and to the first n that
// overflows, where p is 1.
template <class V>
OT_INLINE V exp2_polynomial(V x) {
  const V least = V::fill(V::least_exponent), round = V::fill(V::round);
  const V inside = min(V::fill(V::overflow_exponent), max(least, x));
  const V shifted = inside + round;
  const V r = inside - (shifted - round);
  V p = V::fill(V::coefficients[0]);
  for (int k = 1; k < V::coefficient_count; k++) {
    p = fma(p, r, V::fill(V::coefficients[k]));
  }
  return V::zero_where_less(x, least, V::shift_in(p, shifted));
}

struct f64_constants {
  static constexpr double lowest = -1e30, least_exponent = -1022, overflow_exponent = 1024,
                          round = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr const double (&coefficients)[12] = exp2_f64;
  static constexpr int coefficient_count = 12;
};

struct f32_constants {
  static constexpr float lowest = -1e7f, least_exponent = -126, overflow_exponent = 128, round = 12582912.0f;  // 1.5 * 2^23
  static constexpr const float (&coefficients)[7] = exp2_f32;
  static constexpr int coefficient_count = 7;
};

}  // namespace

#endif

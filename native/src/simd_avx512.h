#ifndef OT_SIMD_AVX512_H
#define OT_SIMD_AVX512_H

// 512-bit registers (F, DQ, VL, BW) with permutes of a table of two registers, and vscalef.

#include <immintrin.h>

#include "simd.h"

namespace {

// 2^(k/16) and 2^(k/32), rounded to nearest.
alignas(64) constexpr double sixteenths[16] = {1.0,
                                               1.0442737824274138,
                                               1.0905077326652577,
                                               1.1387886347566916,
                                               1.189207115002721,
                                               1.241857812073484,
                                               1.2968395546510096,
                                               1.3542555469368927,
                                               1.4142135623730951,
                                               1.4768261459394993,
                                               1.5422108254079407,
                                               1.6104903319492543,
                                               1.681792830507429,
                                               1.7562521603732995,
                                               1.8340080864093424,
                                               1.9152065613971474};
alignas(64) constexpr float thirty_seconds[32] = {
    1.0f,       1.0218972f, 1.0442737f, 1.0671405f, 1.0905077f, 1.1143868f, 1.1387886f, 1.1637249f,
    1.1892071f, 1.2152474f, 1.2418578f, 1.269051f,  1.2968396f, 1.3252367f, 1.3542556f, 1.3839099f,
    1.4142135f, 1.4451808f, 1.4768262f, 1.5091645f, 1.5422108f, 1.5759809f, 1.6104903f, 1.6457555f,
    1.6817929f, 1.7186193f, 1.7562522f, 1.7947091f, 1.8340081f, 1.8741677f, 1.9152066f, 1.9571441f};

struct f64 : f64_constants {
  using element = double;
  static constexpr int64_t width = 8;
  __m512d r;

  static OT_INLINE f64 of(__m512d r) {
    f64 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f64 zero() { return of(_mm512_setzero_pd()); }
  static OT_INLINE f64 fill(double x) { return of(_mm512_set1_pd(x)); }
  static OT_INLINE f64 load(const double *p) { return of(_mm512_loadu_pd(p)); }
  static OT_INLINE f64 load(const float *p) { return of(_mm512_cvtps_pd(_mm256_loadu_ps(p))); }
  static OT_INLINE __mmask8 first(int64_t count) { return (__mmask8)((1u << count) - 1); }
  static OT_INLINE f64 load_part(const double *p, int64_t count, double rest) {
    return of(_mm512_mask_loadu_pd(_mm512_set1_pd(rest), first(count), p));
  }
  static OT_INLINE f64 load_part(const float *p, int64_t count, double rest) {
    return of(_mm512_mask_cvtps_pd(_mm512_set1_pd(rest), first(count), _mm256_maskz_loadu_ps(first(count), p)));
  }
  OT_INLINE void store(double *p) const { _mm512_storeu_pd(p, r); }
  OT_INLINE void store_part(double *p, int64_t count) const { _mm512_mask_storeu_pd(p, first(count), r); }
};

struct f32 : f32_constants {
  using element = float;
  static constexpr int64_t width = 16;
  __m512 r;

  static OT_INLINE f32 of(__m512 r) {
    f32 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f32 zero() { return of(_mm512_setzero_ps()); }
  static OT_INLINE f32 fill(float x) { return of(_mm512_set1_ps(x)); }
  static OT_INLINE f32 load(const float *p) { return of(_mm512_loadu_ps(p)); }
  static OT_INLINE f32 load_part(const float *p, int64_t count, float rest) {
    return of(_mm512_mask_loadu_ps(_mm512_set1_ps(rest), (__mmask16)((1u << count) - 1), p));
  }
  template <class Get>
  static OT_INLINE f32 narrow(const Get &get) {
    return of(_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(get(0).r)), _mm512_cvtpd_ps(get(f64::width).r), 1));
  }
  OT_INLINE void store(float *p) const { _mm512_storeu_ps(p, r); }
};

OT_INLINE f64 operator+(f64 x, f64 y) { return f64::of(_mm512_add_pd(x.r, y.r)); }
OT_INLINE f64 operator-(f64 x, f64 y) { return f64::of(_mm512_sub_pd(x.r, y.r)); }
OT_INLINE f64 operator*(f64 x, f64 y) { return f64::of(_mm512_mul_pd(x.r, y.r)); }
OT_INLINE f64 fma(f64 x, f64 y, f64 z) { return f64::of(_mm512_fmadd_pd(x.r, y.r, z.r)); }
OT_INLINE f64 max(f64 x, f64 y) { return f64::of(_mm512_max_pd(x.r, y.r)); }
OT_INLINE f64 min(f64 x, f64 y) { return f64::of(_mm512_min_pd(x.r, y.r)); }
OT_INLINE double sum(f64 x) { return _mm512_reduce_add_pd(x.r); }
OT_INLINE double max_across(f64 x) { return _mm512_reduce_max_pd(x.r); }
OT_INLINE double min_across(f64 x) { return _mm512_reduce_min_pd(x.r); }
OT_INLINE bool any_greater(f64 x, f64 y) { return _mm512_cmp_pd_mask(x.r, y.r, _CMP_GT_OQ) != 0; }
OT_INLINE f64 exp2(f64 x) {
  // Adding 1.5 * 2^48 rounds x to a 16th and leaves the 16ths in the low bits of the sum.
  const f64 round = f64::fill(422212465065984.0);
  const f64 shifted = x + round, n = shifted - round, r = x - n;
  const f64 table =
      f64::of(_mm512_permutex2var_pd(_mm512_load_pd(sixteenths), _mm512_castpd_si512(shifted.r), _mm512_load_pd(sixteenths + 8)));
  f64 p = f64::fill(0.00015403723980749256);
  p = fma(p, r, f64::fill(0.0013333781576784268));
  p = fma(p, r, f64::fill(0.009618129106919537));
  p = fma(p, r, f64::fill(0.0555041086566393));
  p = fma(p, r, f64::fill(0.24022650695910075));
  p = fma(p, r, f64::fill(0.6931471805599457));
  return f64::of(_mm512_scalef_pd(fma(table * p, r, table).r, n.r));
}

OT_INLINE f32 operator+(f32 x, f32 y) { return f32::of(_mm512_add_ps(x.r, y.r)); }
OT_INLINE f32 operator-(f32 x, f32 y) { return f32::of(_mm512_sub_ps(x.r, y.r)); }
OT_INLINE f32 operator*(f32 x, f32 y) { return f32::of(_mm512_mul_ps(x.r, y.r)); }
OT_INLINE f32 fma(f32 x, f32 y, f32 z) { return f32::of(_mm512_fmadd_ps(x.r, y.r, z.r)); }
OT_INLINE f32 max(f32 x, f32 y) { return f32::of(_mm512_max_ps(x.r, y.r)); }
OT_INLINE f32 min(f32 x, f32 y) { return f32::of(_mm512_min_ps(x.r, y.r)); }
OT_INLINE float sum(f32 x) { return _mm512_reduce_add_ps(x.r); }
OT_INLINE float max_across(f32 x) { return _mm512_reduce_max_ps(x.r); }
OT_INLINE f32 exp2(f32 x) {
  // As above, to a 32nd: 1.5 * 2^18.
  const f32 round = f32::fill(393216.0f);
  const f32 shifted = x + round, n = shifted - round, r = x - n;
  const f32 table = f32::of(_mm512_permutex2var_ps(_mm512_load_ps(thirty_seconds), _mm512_castps_si512(shifted.r),
                                                   _mm512_load_ps(thirty_seconds + 16)));
  const f32 p = fma(f32::fill(0.24022768f), r, f32::fill(0.69315396f));
  return f32::of(_mm512_scalef_ps(fma(table * p, r, table).r, n.r));
}

}  // namespace

#endif

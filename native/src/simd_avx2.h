#ifndef OT_SIMD_AVX2_H
#define OT_SIMD_AVX2_H

// 256-bit registers with fused multiply-add.

#include <immintrin.h>

#include "simd.h"

namespace {

struct f64 : f64_constants {
  using element = double;
  static constexpr int64_t width = 4;
  __m256d r;

  static OT_INLINE f64 of(__m256d r) {
    f64 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f64 zero() { return of(_mm256_setzero_pd()); }
  static OT_INLINE f64 fill(double x) { return of(_mm256_set1_pd(x)); }
  static OT_INLINE f64 load(const double *p) { return of(_mm256_loadu_pd(p)); }
  static OT_INLINE f64 load(const float *p) { return of(_mm256_cvtps_pd(_mm_loadu_ps(p))); }
  template <class S>
  static OT_INLINE f64 load_part(const S *p, int64_t count, double rest) {
    double part[width] = {rest, rest, rest, rest};
    for (int64_t k = 0; k < count; k++) {
      part[k] = p[k];
    }
    return load(part);
  }
  OT_INLINE void store(double *p) const { _mm256_storeu_pd(p, r); }
  OT_INLINE void store_part(double *p, int64_t count) const {
    double part[width];
    store(part);
    memcpy(p, part, (size_t)count * sizeof(double));
  }

  static OT_INLINE f64 shift_in(f64 p, f64 shifted) {
    return of(
        _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(p.r), _mm256_slli_epi64(_mm256_castpd_si256(shifted.r), 52))));
  }
  static OT_INLINE f64 zero_where_less(f64 x, f64 limit, f64 y) {
    return of(_mm256_andnot_pd(_mm256_cmp_pd(x.r, limit.r, _CMP_LT_OQ), y.r));
  }
};

struct f32 : f32_constants {
  using element = float;
  static constexpr int64_t width = 8;
  __m256 r;

  static OT_INLINE f32 of(__m256 r) {
    f32 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f32 zero() { return of(_mm256_setzero_ps()); }
  static OT_INLINE f32 fill(float x) { return of(_mm256_set1_ps(x)); }
  static OT_INLINE f32 load(const float *p) { return of(_mm256_loadu_ps(p)); }
  static OT_INLINE f32 load_part(const float *p, int64_t count, float rest) {
    float part[width] = {rest, rest, rest, rest, rest, rest, rest, rest};
    memcpy(part, p, (size_t)count * sizeof(float));
    return load(part);
  }
  template <class Get>
  static OT_INLINE f32 narrow(const Get &get) {
    return of(_mm256_set_m128(_mm256_cvtpd_ps(get(f64::width).r), _mm256_cvtpd_ps(get(0).r)));
  }
  OT_INLINE void store(float *p) const { _mm256_storeu_ps(p, r); }

  static OT_INLINE f32 shift_in(f32 p, f32 shifted) {
    return of(
        _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p.r), _mm256_slli_epi32(_mm256_castps_si256(shifted.r), 23))));
  }
  static OT_INLINE f32 zero_where_less(f32 x, f32 limit, f32 y) {
    return of(_mm256_andnot_ps(_mm256_cmp_ps(x.r, limit.r, _CMP_LT_OQ), y.r));
  }
};

OT_INLINE f64 operator+(f64 x, f64 y) { return f64::of(_mm256_add_pd(x.r, y.r)); }
OT_INLINE f64 operator-(f64 x, f64 y) { return f64::of(_mm256_sub_pd(x.r, y.r)); }
OT_INLINE f64 operator*(f64 x, f64 y) { return f64::of(_mm256_mul_pd(x.r, y.r)); }
OT_INLINE f64 fma(f64 x, f64 y, f64 z) { return f64::of(_mm256_fmadd_pd(x.r, y.r, z.r)); }
OT_INLINE f64 max(f64 x, f64 y) { return f64::of(_mm256_max_pd(x.r, y.r)); }
OT_INLINE f64 min(f64 x, f64 y) { return f64::of(_mm256_min_pd(x.r, y.r)); }
OT_INLINE f64 exp2(f64 x) { return exp2_polynomial(x); }
OT_INLINE bool any_greater(f64 x, f64 y) { return _mm256_movemask_pd(_mm256_cmp_pd(x.r, y.r, _CMP_GT_OQ)) != 0; }
OT_INLINE double sum(f64 x) {
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(x.r), _mm256_extractf128_pd(x.r, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
OT_INLINE double max_across(f64 x) {
  const __m128d s = _mm_max_pd(_mm256_castpd256_pd128(x.r), _mm256_extractf128_pd(x.r, 1));
  return _mm_cvtsd_f64(_mm_max_sd(s, _mm_unpackhi_pd(s, s)));
}
OT_INLINE double min_across(f64 x) {
  const __m128d s = _mm_min_pd(_mm256_castpd256_pd128(x.r), _mm256_extractf128_pd(x.r, 1));
  return _mm_cvtsd_f64(_mm_min_sd(s, _mm_unpackhi_pd(s, s)));
}

OT_INLINE f32 operator+(f32 x, f32 y) { return f32::of(_mm256_add_ps(x.r, y.r)); }
OT_INLINE f32 operator-(f32 x, f32 y) { return f32::of(_mm256_sub_ps(x.r, y.r)); }
OT_INLINE f32 operator*(f32 x, f32 y) { return f32::of(_mm256_mul_ps(x.r, y.r)); }
OT_INLINE f32 fma(f32 x, f32 y, f32 z) { return f32::of(_mm256_fmadd_ps(x.r, y.r, z.r)); }
OT_INLINE f32 max(f32 x, f32 y) { return f32::of(_mm256_max_ps(x.r, y.r)); }
OT_INLINE f32 min(f32 x, f32 y) { return f32::of(_mm256_min_ps(x.r, y.r)); }
OT_INLINE f32 exp2(f32 x) { return exp2_polynomial(x); }
OT_INLINE float sum(f32 x) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(x.r), _mm256_extractf128_ps(x.r, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
OT_INLINE float max_across(f32 x) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(x.r), _mm256_extractf128_ps(x.r, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

}  // namespace

#endif

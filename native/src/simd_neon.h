#ifndef OT_SIMD_NEON_H
#define OT_SIMD_NEON_H

// 128-bit registers of AArch64.

#include <arm_neon.h>

#include "simd.h"

namespace {

struct f64 : f64_constants {
  using element = double;
  static constexpr int64_t width = 2;
  float64x2_t r;

  static OT_INLINE f64 of(float64x2_t r) {
    f64 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f64 zero() { return of(vdupq_n_f64(0)); }
  static OT_INLINE f64 fill(double x) { return of(vdupq_n_f64(x)); }
  static OT_INLINE f64 load(const double *p) { return of(vld1q_f64(p)); }
  static OT_INLINE f64 load(const float *p) { return of(vcvt_f64_f32(vld1_f32(p))); }
  template <class S>
  static OT_INLINE f64 load_part(const S *p, int64_t count, double rest) {
    double part[width] = {rest, rest};
    for (int64_t k = 0; k < count; k++) {
      part[k] = p[k];
    }
    return load(part);
  }
  OT_INLINE void store(double *p) const { vst1q_f64(p, r); }
  OT_INLINE void store_part(double *p, int64_t count) const {
    double part[width];
    store(part);
    memcpy(p, part, (size_t)count * sizeof(double));
  }

  static OT_INLINE f64 shift_in(f64 p, f64 shifted) {
    return of(vreinterpretq_f64_u64(vaddq_u64(vreinterpretq_u64_f64(p.r), vshlq_n_u64(vreinterpretq_u64_f64(shifted.r), 52))));
  }
  static OT_INLINE f64 zero_where_less(f64 x, f64 limit, f64 y) {
    return of(vreinterpretq_f64_u64(vbicq_u64(vreinterpretq_u64_f64(y.r), vcltq_f64(x.r, limit.r))));
  }
};

struct f32 : f32_constants {
  using element = float;
  static constexpr int64_t width = 4;
  float32x4_t r;

  static OT_INLINE f32 of(float32x4_t r) {
    f32 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f32 zero() { return of(vdupq_n_f32(0)); }
  static OT_INLINE f32 fill(float x) { return of(vdupq_n_f32(x)); }
  static OT_INLINE f32 load(const float *p) { return of(vld1q_f32(p)); }
  static OT_INLINE f32 load_part(const float *p, int64_t count, float rest) {
    float part[width] = {rest, rest, rest, rest};
    memcpy(part, p, (size_t)count * sizeof(float));
    return load(part);
  }
  template <class Get>
  static OT_INLINE f32 narrow(const Get &get) {
    return of(vcvt_high_f32_f64(vcvt_f32_f64(get(0).r), get(f64::width).r));
  }
  OT_INLINE void store(float *p) const { vst1q_f32(p, r); }

  static OT_INLINE f32 shift_in(f32 p, f32 shifted) {
    return of(vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(p.r), vshlq_n_u32(vreinterpretq_u32_f32(shifted.r), 23))));
  }
  static OT_INLINE f32 zero_where_less(f32 x, f32 limit, f32 y) {
    return of(vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(y.r), vcltq_f32(x.r, limit.r))));
  }
};

// The other value where x is NaN, as on the other processors: a comparison and a choice, since NEON's own maximum hands NaN on.
OT_INLINE f64 operator+(f64 x, f64 y) { return f64::of(vaddq_f64(x.r, y.r)); }
OT_INLINE f64 operator-(f64 x, f64 y) { return f64::of(vsubq_f64(x.r, y.r)); }
OT_INLINE f64 operator*(f64 x, f64 y) { return f64::of(vmulq_f64(x.r, y.r)); }
OT_INLINE f64 fma(f64 x, f64 y, f64 z) { return f64::of(vfmaq_f64(z.r, x.r, y.r)); }
OT_INLINE f64 max(f64 x, f64 y) { return f64::of(vbslq_f64(vcgtq_f64(x.r, y.r), x.r, y.r)); }
OT_INLINE f64 min(f64 x, f64 y) { return f64::of(vbslq_f64(vcltq_f64(x.r, y.r), x.r, y.r)); }
OT_INLINE f64 exp2(f64 x) { return exp2_polynomial(x); }
OT_INLINE double sum(f64 x) { return vaddvq_f64(x.r); }
OT_INLINE double max_across(f64 x) { return vmaxvq_f64(x.r); }
OT_INLINE double min_across(f64 x) { return vminvq_f64(x.r); }
OT_INLINE bool any_greater(f64 x, f64 y) {
  const uint64x2_t greater = vcgtq_f64(x.r, y.r);
  return (vgetq_lane_u64(greater, 0) | vgetq_lane_u64(greater, 1)) != 0;
}

OT_INLINE f32 operator+(f32 x, f32 y) { return f32::of(vaddq_f32(x.r, y.r)); }
OT_INLINE f32 operator-(f32 x, f32 y) { return f32::of(vsubq_f32(x.r, y.r)); }
OT_INLINE f32 operator*(f32 x, f32 y) { return f32::of(vmulq_f32(x.r, y.r)); }
OT_INLINE f32 fma(f32 x, f32 y, f32 z) { return f32::of(vfmaq_f32(z.r, x.r, y.r)); }
OT_INLINE f32 max(f32 x, f32 y) { return f32::of(vbslq_f32(vcgtq_f32(x.r, y.r), x.r, y.r)); }
OT_INLINE f32 min(f32 x, f32 y) { return f32::of(vbslq_f32(vcltq_f32(x.r, y.r), x.r, y.r)); }
OT_INLINE f32 exp2(f32 x) { return exp2_polynomial(x); }
OT_INLINE float sum(f32 x) { return vaddvq_f32(x.r); }
OT_INLINE float max_across(f32 x) { return vmaxvq_f32(x.r); }

}  // namespace

#endif

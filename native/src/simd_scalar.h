#ifndef OT_SIMD_SCALAR_H
#define OT_SIMD_SCALAR_H

// One element at a time: for processors without the others, and the reference of them in tests. fma rounds twice here: the
// processors that need this code have no fused instruction.

#include "simd.h"

namespace {

struct f64 : f64_constants {
  using element = double;
  static constexpr int64_t width = 1;
  double r;

  static OT_INLINE f64 of(double r) {
    f64 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f64 zero() { return of(0); }
  static OT_INLINE f64 fill(double x) { return of(x); }
  static OT_INLINE f64 load(const double *p) { return of(*p); }
  static OT_INLINE f64 load(const float *p) { return of(*p); }
  template <class S>
  static OT_INLINE f64 load_part(const S *, int64_t, double rest) {
    return of(rest);
  }
  OT_INLINE void store(double *p) const { *p = r; }
  OT_INLINE void store_part(double *, int64_t) const {}

  static OT_INLINE f64 shift_in(f64 p, f64 shifted) {
    uint64_t bits, n;
    memcpy(&bits, &p.r, sizeof bits);
    memcpy(&n, &shifted.r, sizeof n);
    bits += n << 52;
    memcpy(&p.r, &bits, sizeof bits);
    return p;
  }
  static OT_INLINE f64 zero_where_less(f64 x, f64 limit, f64 y) { return of(x.r < limit.r ? 0 : y.r); }
};

struct f32 : f32_constants {
  using element = float;
  static constexpr int64_t width = 1;
  float r;

  static OT_INLINE f32 of(float r) {
    f32 v;
    v.r = r;
    return v;
  }
  static OT_INLINE f32 zero() { return of(0); }
  static OT_INLINE f32 fill(float x) { return of(x); }
  static OT_INLINE f32 load(const float *p) { return of(*p); }
  static OT_INLINE f32 load_part(const float *, int64_t, float rest) { return of(rest); }
  template <class Get>
  static OT_INLINE f32 narrow(const Get &get) {
    return of((float)get(0).r);
  }
  OT_INLINE void store(float *p) const { *p = r; }

  static OT_INLINE f32 shift_in(f32 p, f32 shifted) {
    uint32_t bits, n;
    memcpy(&bits, &p.r, sizeof bits);
    memcpy(&n, &shifted.r, sizeof n);
    bits += n << 23;
    memcpy(&p.r, &bits, sizeof bits);
    return p;
  }
  static OT_INLINE f32 zero_where_less(f32 x, f32 limit, f32 y) { return of(x.r < limit.r ? 0 : y.r); }
};

OT_INLINE f64 operator+(f64 x, f64 y) { return f64::of(x.r + y.r); }
OT_INLINE f64 operator-(f64 x, f64 y) { return f64::of(x.r - y.r); }
OT_INLINE f64 operator*(f64 x, f64 y) { return f64::of(x.r * y.r); }
OT_INLINE f64 fma(f64 x, f64 y, f64 z) { return f64::of(x.r * y.r + z.r); }
OT_INLINE f64 max(f64 x, f64 y) { return f64::of(x.r > y.r ? x.r : y.r); }
OT_INLINE f64 min(f64 x, f64 y) { return f64::of(x.r < y.r ? x.r : y.r); }
OT_INLINE f64 exp2(f64 x) { return exp2_polynomial(x); }
OT_INLINE double sum(f64 x) { return x.r; }
OT_INLINE double max_across(f64 x) { return x.r; }
OT_INLINE double min_across(f64 x) { return x.r; }
OT_INLINE bool any_greater(f64 x, f64 y) { return x.r > y.r; }

OT_INLINE f32 operator+(f32 x, f32 y) { return f32::of(x.r + y.r); }
OT_INLINE f32 operator-(f32 x, f32 y) { return f32::of(x.r - y.r); }
OT_INLINE f32 operator*(f32 x, f32 y) { return f32::of(x.r * y.r); }
OT_INLINE f32 fma(f32 x, f32 y, f32 z) { return f32::of(x.r * y.r + z.r); }
OT_INLINE f32 max(f32 x, f32 y) { return f32::of(x.r > y.r ? x.r : y.r); }
OT_INLINE f32 min(f32 x, f32 y) { return f32::of(x.r < y.r ? x.r : y.r); }
OT_INLINE f32 exp2(f32 x) { return exp2_polynomial(x); }
OT_INLINE float sum(f32 x) { return x.r; }
OT_INLINE float max_across(f32 x) { return x.r; }

}  // namespace

#endif

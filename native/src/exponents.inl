// Where exponents and costs come from: sources, one for each way in which costs are given.

#include "kernels.h"

namespace {

using ot::Range;

constexpr double log2e = 1.4426950408889634;

constexpr int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }
constexpr int64_t round_down(int64_t count, int64_t unit) { return count / unit * unit; }
constexpr int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }

// --- Exponents t = bias + shift - log2(e) C/epsilon of two rows, in the precision of V, `block` registers of columns at a time
// --- Columns from whole() on are asked for with `part`: a register that the end of the row cuts.

// Costs read from a matrix. An infinite one gives the lowest exponent.
template <class V, class S>
struct StoredPair {
  static constexpr int block = 1;
  const S *c0, *c1;
  int64_t columns;
  V shift0, shift1, scale;

  OT_INLINE int64_t whole() const { return round_down(columns, V::width); }

  template <bool part>
  OT_INLINE void exponents(int64_t j, const typename V::element *bias, V *t0, V *t1) const {
    const V b = V::load(bias + j), lowest = V::fill(V::lowest);
    V x, y;
    if (part) {
      x = V::load_part(c0 + j, columns - j, 0);
      y = V::load_part(c1 + j, columns - j, 0);
    } else {
      // 2 KiB ahead: so many instructions lie between two cache lines that the processor does not get there by itself.
      OT_PREFETCH(c0 + j + 2048 / sizeof(S));
      OT_PREFETCH(c1 + j + 2048 / sizeof(S));
      x = V::load(c0 + j);
      y = V::load(c1 + j);
    }
    *t0 = max(fma(x, scale, b + shift0), lowest);
    *t1 = max(fma(y, scale, b + shift1), lowest);
  }
};

// Dot products in one to three dimensions: the coordinates of both points stay in registers.
template <class V, int d>
struct DotPair {
  static constexpr int block = 1;
  const typename V::element *target;
  int64_t columns, stride;
  V shift0, shift1, x0[d], x1[d];

  OT_INLINE int64_t whole() const { return round_up(columns, V::width); }  // targets are padded

  template <bool part>
  OT_INLINE void exponents(int64_t j, const typename V::element *bias, V *t0, V *t1) const {
    const V b = V::load(bias + j);
    V s0 = b + shift0, s1 = b + shift1;
    for (int k = 0; k < d; k++) {
      const V y = V::load(target + k * stride + j);
      s0 = fma(x0[k], y, s0);
      s1 = fma(x1[k], y, s1);
    }
    *t0 = s0;
    *t1 = s1;
  }
};

// Dot products in any dimension: four registers of columns at a time, so that each coordinate of a point is loaded once for all
// of them and eight sums hide the latency of an addition.
template <class V>
struct LongDotPair {
  static constexpr int block = 4;
  const typename V::element *target, *x0, *x1;
  int64_t columns, stride, dimension;
  V shift0, shift1;

  OT_INLINE int64_t whole() const { return round_up(columns, block * V::width); }

  template <bool part>
  OT_INLINE void exponents(int64_t j, const typename V::element *bias, V *t0, V *t1) const {
    V s0[block], s1[block];
    for (int b = 0; b < block; b++) {
      const V start = V::load(bias + j + b * V::width);
      s0[b] = start + shift0;
      s1[b] = start + shift1;
    }
    const typename V::element *y = target + j;
    for (int64_t k = 0; k < dimension; k++, y += stride) {
      const V u = V::fill(x0[k]), v = V::fill(x1[k]);
      for (int b = 0; b < block; b++) {
        const V z = V::load(y + b * V::width);
        s0[b] = fma(u, z, s0[b]);
        s1[b] = fma(v, z, s1[b]);
      }
    }
    for (int b = 0; b < block; b++) {
      t0[b] = s0[b];
      t1[b] = s1[b];
    }
  }
};

// s |x - y|^2 for one register of doubles.
OT_INLINE f64 squared_distance(const double *x, const double *target, int64_t stride, int64_t dimension, int64_t j) {
  f64 total = f64::zero();
  for (int64_t k = 0; k < dimension; k++) {
    const f64 difference = f64::fill(x[k]) - f64::load(target + k * stride + j);
    total = fma(difference, difference, total);
  }
  return total;
}

OT_INLINE f64 squared_distances(const double *x, const double *target, int64_t stride, int64_t dimension, int64_t j, f64) {
  return squared_distance(x, target, stride, dimension, j);
}
OT_INLINE f32 squared_distances(const double *x, const double *target, int64_t stride, int64_t dimension, int64_t j, f32) {
  return f32::narrow([=](int64_t at) { return squared_distance(x, target, stride, dimension, j + at); });
}

// Differences of coordinates, for an epsilon so small that dot products would lose it. In doubles: near points have far
// coordinates.
template <class V>
struct DifferencePair {
  static constexpr int block = 1;
  const double *target, *x0, *x1;
  int64_t columns, stride, dimension;
  V shift0, shift1, scale;

  OT_INLINE int64_t whole() const { return round_up(columns, V::width); }

  template <bool part>
  OT_INLINE void exponents(int64_t j, const typename V::element *bias, V *t0, V *t1) const {
    const V b = V::load(bias + j), lowest = V::fill(V::lowest);
    *t0 = max(fma(squared_distances(x0, target, stride, dimension, j, scale), scale, b + shift0), lowest);
    *t1 = max(fma(squared_distances(x1, target, stride, dimension, j, scale), scale, b + shift1), lowest);
  }
};

template <class V, int d>
OT_INLINE DotPair<V, d> dot_pair(const ot_geometry &g, const V shift[2], const typename V::element *x0,
                                 const typename V::element *x1) {
  DotPair<V, d> pair;
  pair.target = (const typename V::element *)g.target;
  pair.columns = g.columns;
  pair.stride = g.stride;
  pair.shift0 = shift[0];
  pair.shift1 = shift[1];
  for (int k = 0; k < d; k++) {
    pair.x0[k] = V::fill(x0[k]);
    pair.x1[k] = V::fill(x1[k]);
  }
  return pair;
}

// The source of dot products. Exponents of it lack the norm of the row, which the shifts take in before they are rounded.
template <class V, class Use>
void with_dots(const ot_geometry &g, double to_exponent, typename V::element *coordinates, int64_t row, int64_t other,
               double shifts[2], const Use &use) {
  using T = typename V::element;
  const int64_t rows[2] = {row, other};
  T *x[2] = {coordinates, coordinates + g.dimension};
  V shift[2];
  for (int r = 0; r < 2; r++) {
    const double norm = g.source_norms[rows[r]] * to_exponent;
    const T rounded = (T)(shifts[r] - norm);
    shifts[r] = (double)rounded + norm;
    shift[r] = V::fill(rounded);
    for (int64_t k = 0; k < g.dimension; k++) {
      x[r][k] = (T)(2 * g.scale * to_exponent * g.source[rows[r] * g.dimension + k]);
    }
  }
  switch (g.dimension) {
    case 1:
      return use(dot_pair<V, 1>(g, shift, x[0], x[1]));
    case 2:
      return use(dot_pair<V, 2>(g, shift, x[0], x[1]));
    case 3:
      return use(dot_pair<V, 3>(g, shift, x[0], x[1]));
    default:
      return use(LongDotPair<V>{(const T *)g.target, x[0], x[1], g.columns, g.stride, g.dimension, shift[0], shift[1]});
  }
}

// Calls `use` with the source of the exponents of two rows, and rounds the base-2 shifts to what the source will use.
template <class V, class Use>
void with_pair(const ot_geometry &g, double to_exponent, typename V::element *coordinates, int64_t row, int64_t other,
               double shifts[2], const Use &use) {
  using T = typename V::element;
  if (g.costs == OT_DOTS) {
    return with_dots<V>(g, to_exponent, coordinates, row, other, shifts, use);
  }
  shifts[0] = (T)shifts[0];
  shifts[1] = (T)shifts[1];
  const V shift0 = V::fill((T)shifts[0]), shift1 = V::fill((T)shifts[1]);
  const int64_t at0 = row * g.stride, at1 = other * g.stride;
  if (g.costs == OT_POINTS) {
    const double *x0 = g.source + row * g.dimension, *x1 = g.source + other * g.dimension;
    return use(DifferencePair<V>{(const double *)g.target, x0, x1, g.columns, g.stride, g.dimension, shift0, shift1,
                                 V::fill((T)(-to_exponent * g.scale))});
  }
  const V scale = V::fill((T)-to_exponent);
  if (g.costs == OT_STORED_F32) {
    const float *costs = (const float *)g.matrix;
    return use(StoredPair<V, float>{costs + at0, costs + at1, g.columns, shift0, shift1, scale});
  }
  if constexpr (sizeof(T) == sizeof(double)) {  // doubles are not streamed in floats
    const double *costs = (const double *)g.matrix;
    use(StoredPair<V, double>{costs + at0, costs + at1, g.columns, shift0, shift1, scale});
  }
}

// --- Costs of R rows, in doubles ---

template <int R, class S>
struct StoredCosts {
  const S *costs;
  int64_t stride;

  OT_INLINE void load(int64_t j, f64 *c) const {
    for (int r = 0; r < R; r++) {
      c[r] = f64::load(costs + r * stride + j);
    }
  }
  OT_INLINE void load_part(int64_t j, int64_t count, f64 *c) const {
    for (int r = 0; r < R; r++) {
      c[r] = f64::load_part(costs + r * stride + j, count, 0);
    }
  }
};

// d coordinates, or any number when d is 0.
template <int R, int d>
struct PointCosts {
  const double *x, *target;
  int64_t stride, dimension;
  double scale;

  OT_INLINE void load(int64_t j, f64 *c) const {
    for (int r = 0; r < R; r++) {
      c[r] = f64::zero();
    }
    const int64_t count = d == 0 ? dimension : d;
    for (int64_t k = 0; k < count; k++) {
      const f64 y = f64::load(target + k * stride + j);
      for (int r = 0; r < R; r++) {
        const f64 difference = f64::fill(x[r * count + k]) - y;
        c[r] = fma(difference, difference, c[r]);
      }
    }
    for (int r = 0; r < R; r++) {
      c[r] = c[r] * f64::fill(scale);
    }
  }
  OT_INLINE void load_part(int64_t j, int64_t, f64 *c) const { load(j, c); }  // targets are padded
};

template <int R, class Use>
void with_costs(const ot_geometry &g, int64_t row, const Use &use) {
  if (g.costs == OT_STORED_F64) {
    return use(StoredCosts<R, double>{(const double *)g.matrix + row * g.stride, g.stride});
  }
  if (g.costs == OT_STORED_F32) {
    return use(StoredCosts<R, float>{(const float *)g.matrix + row * g.stride, g.stride});
  }
  const double *x = g.source + row * g.dimension, *target = (const double *)g.target;
  switch (g.dimension) {
    case 1:
      return use(PointCosts<R, 1>{x, target, g.stride, g.dimension, g.scale});
    case 2:
      return use(PointCosts<R, 2>{x, target, g.stride, g.dimension, g.scale});
    case 3:
      return use(PointCosts<R, 3>{x, target, g.stride, g.dimension, g.scale});
    default:
      return use(PointCosts<R, 0>{x, target, g.stride, g.dimension, g.scale});
  }
}

}  // namespace

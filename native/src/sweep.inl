// Rows of a Sinkhorn iteration and soft minima of rows: exponents in the precision of V.

namespace {

// Columns swept at a time: a row's sum over them, in the precision of V, is then added to a double.
template <class V>
constexpr int64_t tile_columns = V::width == 1 ? 512 : 8192;

// Rows after which sums of columns are added to doubles.
constexpr int64_t flush_rows = 64;

// Smallest and largest row sum that loses no precision: what underflowed in a row is less than the smallest number over the row's
// sum.
template <class V>
constexpr double safe_low = sizeof(typename V::element) == sizeof(double) ? 1e-50 : 1e-8;
template <class V>
constexpr double safe_high = sizeof(typename V::element) == sizeof(double) ? 1e200 : 1e20;

template <class V>
struct Workspace {
  using T = typename V::element;
  const T *bias;
  T *kept0, *kept1, *sums;

  Workspace(const ot_sweep &s)
      : bias((const T *)s.bias), kept0((T *)s.kept), kept1((T *)s.kept + s.kept_stride), sums((T *)s.sums) {}
};

// sums += w0 kept0 + w1 kept1 for one register of columns.
template <class V>
OT_INLINE void add_kept(const Workspace<V> &w, int64_t j, V w0, V w1) {
  fma(w1, V::load(w.kept1 + j), fma(w0, V::load(w.kept0 + j), V::load(w.sums + j))).store(w.sums + j);
}

// One step along two rows: with `exponentiate`, what is kept goes to the sums of the columns and is replaced by 2^t; else t is
// kept. The loads and stores of the sums hide behind the arithmetic of the exponentials.
template <bool exponentiate, bool part, class V, class Source>
OT_INLINE void sweep_step(const Source &source, const Workspace<V> &w, int64_t j, V w0, V w1, V &p0, V &p1) {
  V t0[Source::block], t1[Source::block];
  source.template exponents<part>(j, w.bias, t0, t1);
  for (int b = 0; b < Source::block; b++, j += V::width) {
    if (exponentiate) {
      add_kept(w, j, w0, w1);
      t0[b] = exp2(t0[b]);
      t1[b] = exp2(t1[b]);
      p0 = p0 + t0[b];
      p1 = p1 + t1[b];
    }
    t0[b].store(w.kept0 + j);
    t1[b].store(w.kept1 + j);
  }
}

template <bool exponentiate, class V, class Source>
void sweep_pair(const Source &source, const Workspace<V> &w, const double pending[2], double sums[2]) {
  using T = typename V::element;
  const int64_t step = Source::block * V::width, limit = round_up(source.columns, step), whole = source.whole();
  const V w0 = V::fill((T)pending[0]), w1 = V::fill((T)pending[1]);
  for (int64_t tile = 0; tile < limit; tile += tile_columns<V>) {
    V p0 = V::zero(), p1 = V::zero();
    const int64_t stop = least(tile + tile_columns<V>, limit), middle = least(stop, whole);
    int64_t j = tile;
    for (; j < middle; j += step) {
      sweep_step<exponentiate, false>(source, w, j, w0, w1, p0, p1);
    }
    for (; j < stop; j += step) {
      sweep_step<exponentiate, true>(source, w, j, w0, w1, p0, p1);
    }
    sums[0] += (double)sum(p0);
    sums[1] += (double)sum(p1);
  }
}

// Adds the kept rows to the sums of the columns.
template <class V>
void add_last_rows(const ot_geometry &g, ot_sweep &s) {
  using T = typename V::element;
  const Workspace<V> w(s);
  const V w0 = V::fill((T)s.pending[0]), w1 = V::fill((T)s.pending[1]);
  for (int64_t j = 0; j < g.columns; j += V::width) {
    add_kept(w, j, w0, w1);
  }
  s.pending[0] = s.pending[1] = 0;
}

// Adds the sums of the columns to their doubles and starts them anew.
template <class V>
void flush_sums(const ot_geometry &g, ot_sweep &s) {
  using T = typename V::element;
  T *OT_RESTRICT sums = (T *)s.sums;
  double *OT_RESTRICT columns = s.columns;
  const int64_t whole = round_down(g.columns, f64::width);
  int64_t j = 0;
  for (; j < whole; j += f64::width) {
    (f64::load(columns + j) + f64::load(sums + j)).store(columns + j);
  }
  for (; j < g.columns; j++) {
    columns[j] += sums[j];
  }
  memset(sums, 0, (size_t)s.padded * sizeof(T));
  s.unflushed = 0;
}

template <class V>
void flush_columns(const ot_geometry &g, ot_sweep &s) {
  add_last_rows<V>(g, s);
  flush_sums<V>(g, s);
}

// Exponentials of two rows, each shifted by its maximum.
template <class V>
void redo_rows(const ot_geometry &g, ot_sweep &s, double to_exponent, int64_t row, int64_t other, double shifts[2],
               double sums[2]) {
  using T = typename V::element;
  const Workspace<V> w(s);
  const double none[2] = {0, 0};
  shifts[0] = shifts[1] = 0;
  with_pair<V>(g, to_exponent, (T *)s.coordinates, row, other, shifts,
               [&](const auto &source) { sweep_pair<false>(source, w, none, sums); });
  const int64_t limit = round_up(g.columns, V::width);
  for (int r = 0; r < 2; r++) {
    T *t = r == 0 ? w.kept0 : w.kept1;
    V highest = V::fill(V::lowest);
    for (int64_t j = 0; j < limit; j += V::width) {
      highest = max(highest, V::load(t + j));
    }
    const T top = max_across(highest);
    sums[r] = 0;
    if (top <= V::lowest / 2) {  // no column is allowed
      memset(t, 0, (size_t)s.padded * sizeof(T));
      continue;
    }
    const V shift = V::fill(-top), lowest = V::fill(V::lowest);
    for (int64_t tile = 0; tile < limit; tile += tile_columns<V>) {
      V partial = V::zero();
      const int64_t stop = least(tile + tile_columns<V>, limit);
      for (int64_t j = tile; j < stop; j += V::width) {
        const V e = exp2(max(V::load(t + j) + shift, lowest));
        e.store(t + j);
        partial = partial + e;
      }
      sums[r] += (double)sum(partial);
    }
    shifts[r] -= (double)top;
  }
}

double clamp(double x, double bound) { return x > bound ? bound : x < -bound ? -bound : x; }

// What a marginal is off: from its weight, from weight exp(-f/rho) where it is penalised (tau < 1), or in the one direction left
// at a bound.
double missed(double marginal, double weight, double f, double tau, double bound, double epsilon) {
  if (f >= bound) {
    return marginal > weight ? marginal - weight : 0;
  }
  if (f <= -bound) {
    return weight > marginal ? weight - marginal : 0;
  }
  return fabs(marginal - (tau == 1 ? weight : weight * exp(-f * (1 - tau) / (epsilon * tau))));
}

// The potential of a row from the sum of its exponentials, which were shifted; returns the weight that makes them the plan's row.
double update_row(ot_sweep &s, double to_exponent, int64_t i, double shift, double sum) {
  const double a = s.weights[i];
  const double softmin = (shift - log2(sum)) / to_exponent;
  if (!(fabs(softmin) < INFINITY)) {
    s.potentials[i] = 0;  // no column is allowed
    return 0;
  }
  const double f = clamp((1 - s.relaxation) * s.potentials[i] + s.relaxation * s.tau * softmin, s.bound);
  s.potentials[i] = f;
  // At its own soft-min a row has the mass of its weight; an empty one has none, wherever its potential is kept.
  const double weight = f == softmin || a == 0 ? a / sum : a * ::exp2(f * to_exponent - shift);
  if (s.relaxation != 1 && a != 0) {
    s.row_error += missed(weight * sum, a, f, s.tau, s.bound, s.epsilon);
  }
  return weight;
}

template <class V>
bool is_safe(double sum) {
  return sum >= safe_low<V> && sum <= safe_high<V>;
}

template <class V>
void sweep_rows(const ot_geometry &g, ot_sweep &s, Range rows) {
  using T = typename V::element;
  const Workspace<V> w(s);
  const double to_exponent = log2e / s.epsilon;
  for (int64_t row = rows.first; row < rows.last; row += 2) {
    // An odd last row stands beside itself, with a weight of 0.
    const int64_t count = least(2, rows.last - row), other = row + count - 1;
    double shifts[2] = {s.potentials[row] * to_exponent, s.potentials[other] * to_exponent};
    double sums[2] = {0, 0};
    with_pair<V>(g, to_exponent, (T *)s.coordinates, row, other, shifts,
                 [&](const auto &source) { sweep_pair<true>(source, w, s.pending, sums); });
    s.pending[0] = s.pending[1] = 0;
    if (!is_safe<V>(sums[0]) || !is_safe<V>(sums[1])) {
      redo_rows<V>(g, s, to_exponent, row, other, shifts, sums);
    }
    for (int64_t r = 0; r < count; r++) {
      s.pending[r] = update_row(s, to_exponent, row + r, shifts[r], sums[r]);
    }
    s.unflushed += count;
    if (s.unflushed >= flush_rows) {
      flush_sums<V>(g, s);
    }
  }
}

// Soft minima of two rows: a short piece of both is swept for exponents, then for exponentials below the maximum so far.
template <class V, class Source>
void softmin_pair(const Source &source, const typename V::element *bias, double top[2], double sums[2]) {
  using T = typename V::element;
  constexpr int64_t piece = 512;
  alignas(64) T t[2][piece];
  const int64_t step = Source::block * V::width, limit = round_up(source.columns, step), whole = source.whole();
  const V lowest = V::fill(V::lowest);
  top[0] = top[1] = (double)V::lowest;
  sums[0] = sums[1] = 0;
  for (int64_t start = 0; start < limit; start += piece) {
    const int64_t stop = least(start + piece, limit);
    V highest[2] = {lowest, lowest};
    for (int64_t j = start; j < stop; j += step) {
      V t0[Source::block], t1[Source::block];
      if (j < whole) {
        source.template exponents<false>(j, bias, t0, t1);
      } else {
        source.template exponents<true>(j, bias, t0, t1);
      }
      for (int b = 0; b < Source::block; b++) {
        t0[b].store(t[0] + j - start + b * V::width);
        t1[b].store(t[1] + j - start + b * V::width);
        highest[0] = max(highest[0], t0[b]);
        highest[1] = max(highest[1], t1[b]);
      }
    }
    for (int r = 0; r < 2; r++) {
      const double highest_here = (double)max_across(highest[r]);
      if (highest_here > top[r]) {
        sums[r] *= ::exp2(top[r] - highest_here);
        top[r] = highest_here;
      }
      const V shift = V::fill((T)-top[r]);
      V partial = V::zero();
      for (int64_t j = 0; j < stop - start; j += V::width) {
        partial = partial + exp2(max(V::load(t[r] + j) + shift, lowest));
      }
      sums[r] += (double)sum(partial);
    }
  }
}

template <class V>
void softmin_rows(const ot_geometry &g, double epsilon, const void *bias, void *coordinates, double *f, Range rows) {
  using T = typename V::element;
  const double to_exponent = log2e / epsilon;
  for (int64_t row = rows.first; row < rows.last; row += 2) {
    const int64_t count = least(2, rows.last - row), other = row + count - 1;
    double shifts[2] = {0, 0}, top[2], sums[2];
    with_pair<V>(g, to_exponent, (T *)coordinates, row, other, shifts,
                 [&](const auto &source) { softmin_pair<V>(source, (const T *)bias, top, sums); });
    for (int64_t r = 0; r < count; r++) {
      f[row + r] = top[r] <= (double)V::lowest / 2 ? (double)INFINITY : (shifts[r] - top[r] - log2(sums[r])) / to_exponent;
    }
  }
}

}  // namespace

// Plans, hard minima and soft minima of columns: in doubles, from the costs themselves.

namespace {

// Rows taken together; and columns of them whose entries of the plan are kept in the first-level cache.
constexpr int rows_together = 4;
constexpr int64_t tile_entries = 256;

// Calls use(row, count) for groups of rows, `count` a constant: four at a time, then one.
template <class Use>
void over_rows(Range rows, const Use &use) {
  int64_t row = rows.first;
  for (; row + rows_together <= rows.last; row += rows_together) {
    use.template run<rows_together>(row);
  }
  for (; row < rows.last; row++) {
    use.template run<1>(row);
  }
}

// Entries of R rows of a plan, in registers of columns.
template <int R, class Costs>
struct PlanRows {
  const Costs &costs;
  const ot_plan &plan;
  f64 f[R], log_a[R], inverse;

  PlanRows(const Costs &costs, const ot_plan &plan, int64_t row)
      : costs(costs), plan(plan), inverse(f64::fill(1 / plan.epsilon)) {
    for (int r = 0; r < R; r++) {
      f[r] = f64::fill(plan.f[row + r]);
      log_a[r] = f64::fill(plan.log_a[row + r]);
    }
  }

  OT_INLINE void entries(f64 g, f64 log_b, f64 *c, f64 *p) const {
    const f64 most = f64::fill(1.7976931348623157e308), lowest = f64::fill(f64::lowest), to_base_2 = f64::fill(log2e);
    for (int r = 0; r < R; r++) {
      c[r] = min(c[r], most);  // 0 times a forbidden cost must be 0
      // In this order: f and C are large, their difference with g is not.
      const f64 t = fma((f[r] - c[r]) + g, inverse, log_b) + log_a[r];
      p[r] = exp2(max(t * to_base_2, lowest));
    }
  }
  OT_INLINE void load(int64_t j, f64 *c, f64 *p) const {
    costs.load(j, c);
    entries(f64::load(plan.g + j), f64::load(plan.log_b + j), c, p);
  }
  // Beyond `count` columns entries are 0.
  OT_INLINE void load_part(int64_t j, int64_t count, f64 *c, f64 *p) const {
    costs.load_part(j, count, c);
    entries(f64::load_part(plan.g + j, count, 0), f64::load_part(plan.log_b + j, count, -INFINITY), c, p);
  }
  // Columns start ... stop - 1 of row r to p[r], rounded up to whole registers.
  OT_INLINE void tile(int64_t start, int64_t stop, double (*p)[tile_entries]) const {
    f64 c[R], e[R];
    for (int64_t j = start; j < stop; j += f64::width) {
      if (j + f64::width <= stop) {
        load(j, c, e);
      } else {
        load_part(j, stop - j, c, e);
      }
      for (int r = 0; r < R; r++) {
        e[r].store(p[r] + j - start);
      }
    }
  }
};

template <int R, class Costs>
PlanRows<R, Costs> plan_rows(const Costs &costs, const ot_plan &plan, int64_t row) {
  return PlanRows<R, Costs>(costs, plan, row);
}

OT_INLINE f64 load_until(const double *p, int64_t j, int64_t stop) {
  return j + f64::width <= stop ? f64::load(p + j) : f64::load_part(p + j, stop - j, 0);
}

OT_INLINE void store_until(f64 x, double *p, int64_t j, int64_t stop) {
  if (j + f64::width <= stop) {
    x.store(p + j);
  } else {
    x.store_part(p + j, stop - j);
  }
}

// result_k,row+r += sum_j p_r,j vectors_k,j for K vectors.
template <int R, int K>
OT_INLINE void multiply_tile(const double (*p)[tile_entries], int64_t start, int64_t stop, const double *vectors, int64_t m,
                             double *result, int64_t n) {
  f64 total[K][R];
  for (int k = 0; k < K; k++) {
    for (int r = 0; r < R; r++) {
      total[k][r] = f64::zero();
    }
  }
  for (int64_t j = start; j < stop; j += f64::width) {
    f64 v[K];
    for (int k = 0; k < K; k++) {
      v[k] = load_until(vectors + k * m, j, stop);
    }
    for (int r = 0; r < R; r++) {
      const f64 e = f64::load(p[r] + j - start);
      for (int k = 0; k < K; k++) {
        total[k][r] = fma(e, v[k], total[k][r]);
      }
    }
  }
  for (int k = 0; k < K; k++) {
    for (int r = 0; r < R; r++) {
      result[k * n + r] += sum(total[k][r]);
    }
  }
}

struct ApplyPlan {
  const ot_geometry &g;
  const ot_plan &plan;
  int64_t count;
  const double *vectors;
  double *result;

  template <int R>
  void run(int64_t row) const {
    const int64_t n = g.rows, m = g.columns;
    for (int64_t k = 0; k < count; k++) {
      memset(result + k * n + row, 0, R * sizeof(double));
    }
    with_costs<R>(g, row, [&](const auto &costs) {
      alignas(64) double p[R][tile_entries];
      const auto rows = plan_rows<R>(costs, plan, row);
      for (int64_t start = 0; start < m; start += tile_entries) {
        const int64_t stop = least(start + tile_entries, m);
        rows.tile(start, stop, p);
        int64_t k = 0;
        for (; k + 2 <= count; k += 2) {
          multiply_tile<R, 2>(p, start, stop, vectors + k * m, m, result + k * n + row, n);
        }
        for (; k < count; k++) {
          multiply_tile<R, 1>(p, start, stop, vectors + k * m, m, result + k * n + row, n);
        }
      }
    });
  }
};

void apply_plan(const ot_geometry &g, const ot_plan &plan, int64_t count, const double *vectors, double *result, Range rows) {
  over_rows(rows, ApplyPlan{g, plan, count, vectors, result});
}

// result_k,j += sum_r p_r,j vectors_k,row+r over one tile of columns.
template <int R>
OT_INLINE void add_tile(const double (*p)[tile_entries], int64_t start, int64_t stop, const double *vectors, double *result) {
  f64 u[R];
  for (int r = 0; r < R; r++) {
    u[r] = f64::fill(vectors[r]);
  }
  for (int64_t j = start; j < stop; j += f64::width) {
    f64 total = load_until(result, j, stop);
    for (int r = 0; r < R; r++) {
      total = fma(u[r], f64::load(p[r] + j - start), total);
    }
    store_until(total, result, j, stop);
  }
}

struct ApplyTranspose {
  const ot_geometry &g;
  const ot_plan &plan;
  int64_t count;
  const double *vectors;
  double *result;
  Range columns;

  template <int R>
  void run(int64_t row) const {
    with_costs<R>(g, row, [&](const auto &costs) {
      alignas(64) double p[R][tile_entries];
      const auto rows = plan_rows<R>(costs, plan, row);
      for (int64_t start = columns.first; start < columns.last; start += tile_entries) {
        const int64_t stop = least(start + tile_entries, columns.last);
        rows.tile(start, stop, p);
        for (int64_t k = 0; k < count; k++) {
          add_tile<R>(p, start, stop, vectors + k * g.rows + row, result + k * g.columns);
        }
      }
    });
  }
};

void apply_transpose(const ot_geometry &g, const ot_plan &plan, int64_t count, const double *vectors, double *result, Range rows,
                     Range columns) {
  over_rows(rows, ApplyTranspose{g, plan, count, vectors, result, columns});
}

struct SumPlan {
  const ot_geometry &g;
  const ot_plan &plan;
  double *row_sums, *row_costs, *columns;

  template <int R>
  void run(int64_t row) const {
    with_costs<R>(g, row, [&](const auto &costs) {
      const auto rows = plan_rows<R>(costs, plan, row);
      const int64_t m = g.columns;
      f64 mass[R], cost[R], c[R], p[R];
      for (int r = 0; r < R; r++) {
        mass[r] = cost[r] = f64::zero();
      }
      for (int64_t j = 0; j < m; j += f64::width) {
        if (j + f64::width <= m) {
          rows.load(j, c, p);
        } else {
          rows.load_part(j, m - j, c, p);
        }
        f64 total = load_until(columns, j, m);
        for (int r = 0; r < R; r++) {
          total = total + p[r];
          mass[r] = mass[r] + p[r];
          cost[r] = fma(p[r], c[r], cost[r]);
        }
        store_until(total, columns, j, m);
      }
      for (int r = 0; r < R; r++) {
        row_sums[row + r] = sum(mass[r]);
        row_costs[row + r] = sum(cost[r]);
      }
    });
  }
};

void sum_plan(const ot_geometry &g, const ot_plan &plan, double *row_sums, double *row_costs, double *columns, Range rows) {
  over_rows(rows, SumPlan{g, plan, row_sums, row_costs, columns});
}

struct MinRows {
  const ot_geometry &g;
  const double *potential;
  double *result;

  template <int R>
  void run(int64_t row) const {
    with_costs<R>(g, row, [&](const auto &costs) {
      const int64_t m = g.columns;
      f64 best[R], c[R];
      for (int r = 0; r < R; r++) {
        best[r] = f64::fill(INFINITY);
      }
      for (int64_t j = 0; j < m; j += f64::width) {
        f64 price;
        if (j + f64::width <= m) {
          costs.load(j, c);
          price = f64::load(potential + j);
        } else {
          costs.load_part(j, m - j, c);
          price = f64::load_part(potential + j, m - j, -INFINITY);
        }
        for (int r = 0; r < R; r++) {
          best[r] = min(c[r] - price, best[r]);
        }
      }
      for (int r = 0; r < R; r++) {
        result[row + r] = min_across(best[r]);
      }
    });
  }
};

void min_rows(const ot_geometry &g, const double *potential, double *result, Range rows) {
  over_rows(rows, MinRows{g, potential, result});
}

struct MinColumns {
  const ot_geometry &g;
  const double *potential;
  double *result;
  Range columns;

  template <int R>
  void run(int64_t row) const {
    with_costs<R>(g, row, [&](const auto &costs) {
      f64 c[R], price[R];
      for (int r = 0; r < R; r++) {
        price[r] = f64::fill(potential[row + r]);
      }
      for (int64_t j = columns.first; j < columns.last; j += f64::width) {
        if (j + f64::width <= columns.last) {
          costs.load(j, c);
        } else {
          costs.load_part(j, columns.last - j, c);
        }
        f64 best = load_until(result, j, columns.last);
        for (int r = 0; r < R; r++) {
          best = min(c[r] - price[r], best);
        }
        store_until(best, result, j, columns.last);
      }
    });
  }
};

void min_columns(const ot_geometry &g, const double *potential, double *result, Range rows, Range columns) {
  over_rows(rows, MinColumns{g, potential, result, columns});
}

// Each column keeps its largest exponent so far, and the sum of 2^t below it; a new largest one scales the sum, which happens
// less and less.
struct SoftMinColumns {
  const ot_geometry &g;
  double inverse;
  const double *potential, *log_a;
  double *top, *sums;
  Range columns;

  template <int R>
  void run(int64_t row) const {
    with_costs<R>(g, row, [&](const auto &costs) {
      const f64 lowest = f64::fill(f64::lowest), scale = f64::fill(inverse), to_base_2 = f64::fill(log2e);
      f64 c[R], f[R], weight[R];
      for (int r = 0; r < R; r++) {
        f[r] = f64::fill(potential[row + r]);
        weight[r] = f64::fill(log_a[row + r]);
      }
      for (int64_t j = columns.first; j < columns.last; j += f64::width) {
        if (j + f64::width <= columns.last) {
          costs.load(j, c);
        } else {
          costs.load_part(j, columns.last - j, c);
        }
        const f64 before = load_until(top, j, columns.last);
        f64 highest = before, total = load_until(sums, j, columns.last);
        for (int r = 0; r < R; r++) {
          c[r] = max(fma(f[r] - c[r], scale, weight[r]) * to_base_2, lowest);
          highest = max(highest, c[r]);
        }
        if (any_greater(highest, before)) {
          total = total * exp2(max(before - highest, lowest));
          store_until(highest, top, j, columns.last);
        }
        for (int r = 0; r < R; r++) {
          total = total + exp2(max(c[r] - highest, lowest));
        }
        store_until(total, sums, j, columns.last);
      }
    });
  }
};

void softmin_columns(const ot_geometry &g, double epsilon, const double *f, const double *log_a, double *top, double *sums,
                     Range rows, Range columns) {
  over_rows(rows, SoftMinColumns{g, 1 / epsilon, f, log_a, top, sums, columns});
}

}  // namespace

/*
 * Every kernel in every instruction set of this processor against plain loops in doubles: every length up to 70, on memory of
 * exactly the size that ot.h asks for (guard values after it, and where there is a checker of addresses the end of the block). No
 * kernel may allocate.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ot.h"
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#define LONGEST 70
#define GUARD 12345.678

static int failures = 0;

#define CHECK(condition)                                                                                                     \
  do {                                                                                                                       \
    if (!(condition) && ++failures < 20) {                                                                                   \
      fprintf(stderr, "%s:%d: %s (isa %d, costs %d, %d x %d, d %d)\n", __FILE__, __LINE__, #condition, (int)isa, (int)costs, \
              (int)n, (int)m, (int)dimension);                                                                               \
    }                                                                                                                        \
  } while (0)

static long used(void) {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
  return (long)mallinfo2().uordblks;
#else
  return 0;
#endif
}

/* A call succeeds and leaves as much memory in use as it found. */
#define CALL(call)                   \
  do {                               \
    const long before_call = used(); \
    CHECK((call) == OT_OK);          \
    CHECK(used() == before_call);    \
  } while (0)

static uint64_t state = 1;

static double draw(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (double)(state >> 11) / 9007199254740992.0;
}

/* count doubles and a guard after them. */
static double *doubles(int64_t count) {
  double *p = malloc((size_t)(count + 1) * sizeof(double));
  for (int64_t k = 0; k < count; k++) {
    p[k] = draw();
  }
  p[count] = GUARD;
  return p;
}

static int64_t pad(int64_t count) { return (count + OT_PADDING - 1) / OT_PADDING * OT_PADDING; }

static void *bytes(int64_t count) { return calloc(count > 0 ? (size_t)count : 1, 1); }

/* One shape: the geometry in all its forms, potentials, weights with zeros. */
static int32_t isa;
static int64_t costs, n, m, dimension;
static double *c, *source, *norms, *target_norms, *f, *g, *log_a, *log_b, *a;
static float *singles;
static void *target_f64, *target_f32;

static double at(const double *cost, int64_t i, int64_t j) { return cost[i * m + j]; }

static void make(void) {
  const int64_t stride = pad(m);
  c = doubles(n * m);
  singles = malloc((size_t)(n * m + 1) * sizeof(float));
  source = doubles(n * dimension);
  norms = doubles(n);
  target_norms = doubles(m);
  target_f64 = bytes(dimension * stride * 8);
  target_f32 = bytes(dimension * stride * 4);
  f = doubles(n);
  g = doubles(m);
  a = doubles(n);
  log_a = doubles(n);
  log_b = doubles(m);
  for (int64_t i = 0; i < n; i++) {
    if (i % 5 == 3) {
      a[i] = 0;
    }
    log_a[i] = log(a[i]);
  }
  for (int64_t j = 0; j < m; j++) {
    log_b[j] = j % 7 == 4 ? -INFINITY : log(0.1 + draw());
  }
  if (costs == OT_POINTS || costs == OT_DOTS) {
    for (int64_t j = 0; j < m; j++) {
      target_norms[j] = 0;
      for (int64_t k = 0; k < dimension; k++) {
        const float y = (float)draw();
        ((double *)target_f64)[k * stride + j] = y;
        ((float *)target_f32)[k * stride + j] = y;
        target_norms[j] += (double)y * y;
      }
    }
    for (int64_t i = 0; i < n; i++) {
      norms[i] = 0;
      for (int64_t k = 0; k < dimension; k++) {
        norms[i] += source[i * dimension + k] * source[i * dimension + k];
      }
      for (int64_t j = 0; j < m; j++) {
        c[i * m + j] = 0;
        for (int64_t k = 0; k < dimension; k++) {
          const double difference = source[i * dimension + k] - ((double *)target_f64)[k * stride + j];
          c[i * m + j] += difference * difference;
        }
      }
    }
  } else {
    for (int64_t k = 0; k < n * m; k++) {
      c[k] = (float)c[k];
      if (k % m != 0 && k % 3 == 1) {
        c[k] = INFINITY; /* forbidden, never in the first column */
      }
      singles[k] = (float)c[k];
    }
  }
}

static void unmake(void) {
  const struct {
    double *p;
    int64_t count;
  } guarded[] = {{c, n * m}, {source, n * dimension}, {norms, n}, {target_norms, m}, {f, n}, {g, m}, {a, n}, {log_a, n},
                 {log_b, m}};
  for (size_t k = 0; k < sizeof guarded / sizeof *guarded; k++) {
    CHECK(guarded[k].p[guarded[k].count] == GUARD);
    free(guarded[k].p);
  }
  free(singles);
  free(target_f64);
  free(target_f32);
}

static ot_geometry geometry(int single) {
  ot_geometry made;
  memset(&made, 0, sizeof made);
  made.costs = costs;
  made.rows = n;
  made.columns = m;
  if (costs == OT_POINTS || costs == OT_DOTS) {
    made.stride = pad(m);
    made.dimension = dimension;
    made.scale = 1;
    made.source = source;
    made.source_norms = norms;
    made.target = costs == OT_DOTS && single ? target_f32 : target_f64;
  } else {
    made.stride = m;
    made.matrix = costs == OT_STORED_F64 ? (const void *)c : (const void *)singles;
  }
  return made;
}

static int close_to(double x, double y, double tolerance) { return x == y || fabs(x - y) <= tolerance * (1 + fabs(y)); }

/* -eps log sum_j exp(log_b_j + (g_j - C_ij)/eps) */
static double softmin(int64_t i, double epsilon) {
  double sum = 0;
  for (int64_t j = 0; j < m; j++) {
    sum += exp(log_b[j] + (g[j] - at(c, i, j)) / epsilon);
  }
  return -epsilon * log(sum);
}

static void *biases(double epsilon, int single) {
  const double log2e = 1.4426950408889634;
  void *bias = bytes(pad(m) * (single ? 4 : 8));
  for (int64_t j = 0; j < pad(m); j++) {
    double b = single ? -1e7 : -1e30;
    if (j < m && log_b[j] > -INFINITY) {
      b = log2e * ((g[j] - (costs == OT_DOTS ? target_norms[j] : 0)) / epsilon + log_b[j]);
    }
    if (single) {
      ((float *)bias)[j] = (float)b;
    } else {
      ((double *)bias)[j] = b;
    }
  }
  return bias;
}

static void check_softmin(int single) {
  const double epsilon = 0.2, tolerance = single ? 1e-5 : 1e-12;
  const ot_geometry made = geometry(single);
  void *bias = biases(epsilon, single), *own = bytes(2 * (dimension + 1) * (single ? 4 : 8));
  double *result = doubles(n);
  CALL((single ? ot_softmin_rows_f32(isa, &made, epsilon, bias, pad(m), own, result, 0, n)
               : ot_softmin_rows_f64(isa, &made, epsilon, bias, pad(m), own, result, 0, n)));
  for (int64_t i = 0; i < n; i++) {
    CHECK(close_to(result[i], softmin(i, epsilon), tolerance));
  }
  CHECK(result[n] == GUARD);
  free(bias);
  free(own);
  free(result);
}

/* One iteration from a guess that is near for some rows and far for others, in one call and in two. */
static void check_sweep(int single, double relaxation, int64_t cut) {
  const double epsilon = 0.2, tolerance = single ? 2e-5 : 1e-11, tau = 0.9;
  const int64_t size = single ? 4 : 8, kept_stride = pad(m) + 64;
  const ot_geometry made = geometry(single);
  double *columns = doubles(m), *potentials = doubles(n), *expected = bytes((m + 1) * 8);
  ot_sweep sweep;
  memset(&sweep, 0, sizeof sweep);
  sweep.epsilon = epsilon;
  sweep.tau = tau;
  sweep.bound = INFINITY;
  sweep.relaxation = relaxation;
  sweep.weights = a;
  sweep.potentials = potentials;
  sweep.padded = pad(m);
  sweep.bias = biases(epsilon, single);
  sweep.kept = bytes((kept_stride + pad(m)) * size);
  sweep.kept_stride = kept_stride;
  sweep.sums = bytes(pad(m) * size);
  sweep.coordinates = bytes(2 * (dimension + 1) * size);
  sweep.columns = columns;
  memset(columns, 0, (size_t)m * 8);
  double missed = 0;
  for (int64_t i = 0; i < n; i++) {
    const double minimum = softmin(i, epsilon), start = potentials[i] = i % 4 == 1 ? -300 : i % 4 == 2 ? 300 : f[i];
    const double next = (1 - relaxation) * start + relaxation * tau * minimum;
    if (a[i] > 0 && relaxation != 1 && isfinite(minimum)) {
      missed += fabs(a[i] * exp((next - minimum) / epsilon) - a[i] * exp(-next * (1 - tau) / (epsilon * tau)));
    }
    for (int64_t j = 0; j < m && a[i] > 0; j++) {
      expected[j] += a[i] * exp((next + g[j] - at(c, i, j)) / epsilon + log_b[j]);
    }
  }
  for (int64_t start = 0; start < n; start += cut) {
    const int64_t end = start + cut < n ? start + cut : n;
    CALL((single ? ot_sweep_rows_f32 : ot_sweep_rows_f64)(isa, &made, &sweep, start, end));
  }
  CALL((single ? ot_flush_columns_f32 : ot_flush_columns_f64)(isa, &made, &sweep));
  for (int64_t i = 0; i < n; i++) {
    const double minimum = softmin(i, epsilon), start = i % 4 == 1 ? -300 : i % 4 == 2 ? 300 : f[i];
    CHECK(close_to(potentials[i], isfinite(minimum) ? (1 - relaxation) * start + relaxation * tau * minimum : 0, tolerance));
  }
  if (relaxation == 1) { /* else the far guesses overflow, as they must */
    for (int64_t j = 0; j < m; j++) {
      CHECK(close_to(columns[j], expected[j], tolerance * 10));
    }
  } else if (isfinite(missed) && !single) {
    CHECK(close_to(sweep.row_error, missed, 1e-9));
  }
  CHECK(columns[m] == GUARD && potentials[n] == GUARD);
  free((void *)sweep.bias);
  free(sweep.kept);
  free(sweep.sums);
  free(sweep.coordinates);
  free(columns);
  free(potentials);
  free(expected);
}

static void check_minima(void) {
  const ot_geometry made = geometry(0);
  double *rows = doubles(n), *columns = doubles(m), *top = doubles(m), *sums = doubles(m);
  CALL(ot_min_rows_f64(isa, &made, g, rows, 0, n));
  for (int64_t j = 0; j < m; j++) {
    columns[j] = INFINITY;
    top[j] = -1e30;
    sums[j] = 0;
  }
  const int64_t half = m / 2, middle = n / 2;
  const int64_t cuts[4][4] = {{0, middle, 0, half}, {0, middle, half, m}, {middle, n, 0, half}, {middle, n, half, m}};
  for (int k = 0; k < 4; k++) {
    const int64_t *r = cuts[k];
    CALL(ot_min_columns_f64(isa, &made, f, columns, r[0], r[1], r[2], r[3]));
    CALL(ot_softmin_columns_f64(isa, &made, 0.2, f, log_a, top, sums, r[0], r[1], r[2], r[3]));
  }
  for (int64_t i = 0; i < n; i++) {
    double least = INFINITY;
    for (int64_t j = 0; j < m; j++) {
      least = fmin(least, at(c, i, j) - g[j]);
    }
    CHECK(close_to(rows[i], least, 1e-14));
  }
  for (int64_t j = 0; j < m; j++) {
    double least = INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
      least = fmin(least, at(c, i, j) - f[i]);
      sum += exp(log_a[i] + (f[i] - at(c, i, j)) / 0.2);
    }
    CHECK(close_to(columns[j], least, 1e-14));
    CHECK(sum == 0 ? top[j] < -5e29 : close_to(top[j] * log(2) + log(sums[j]), log(sum), 1e-12));
  }
  CHECK(rows[n] == GUARD && columns[m] == GUARD && top[m] == GUARD && sums[m] == GUARD);
  free(rows);
  free(columns);
  free(top);
  free(sums);
}

static void check_plans(int64_t count) {
  const ot_geometry made = geometry(0);
  const ot_plan plan = {0.2, f, log_a, g, log_b};
  double *v = doubles(count * m), *u = doubles(count * n), *pv = doubles(count * n), *pu = doubles(count * m), *rows = doubles(n),
         *row_costs = doubles(n), *columns = doubles(m);
  double *p = bytes(n * m * 8);
  memset(pu, 0, (size_t)(count * m) * 8);
  memset(columns, 0, (size_t)m * 8);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < m; j++) {
      p[i * m + j] = exp((f[i] + g[j] - at(c, i, j)) / 0.2 + log_a[i] + log_b[j]);
    }
  }
  const int64_t half = m / 2, middle = n / 3;
  CALL(ot_apply_plan_f64(isa, &made, &plan, count, v, pv, 0, middle));
  CALL(ot_apply_plan_f64(isa, &made, &plan, count, v, pv, middle, n));
  CALL(ot_apply_transpose_f64(isa, &made, &plan, count, u, pu, 0, middle, 0, m));
  CALL(ot_apply_transpose_f64(isa, &made, &plan, count, u, pu, middle, n, 0, half));
  CALL(ot_apply_transpose_f64(isa, &made, &plan, count, u, pu, middle, n, half, m));
  CALL(ot_sum_plan_f64(isa, &made, &plan, rows, row_costs, columns, 0, n));
  for (int64_t i = 0; i < n; i++) {
    double sum = 0, cost = 0;
    for (int64_t j = 0; j < m; j++) {
      sum += p[i * m + j];
      cost += p[i * m + j] > 0 ? p[i * m + j] * at(c, i, j) : 0;
    }
    CHECK(close_to(rows[i], sum, 1e-12) && close_to(row_costs[i], cost, 1e-12));
    for (int64_t k = 0; k < count; k++) {
      double product = 0;
      for (int64_t j = 0; j < m; j++) {
        product += p[i * m + j] * v[k * m + j];
      }
      CHECK(close_to(pv[k * n + i], product, 1e-12));
    }
  }
  for (int64_t j = 0; j < m; j++) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
      sum += p[i * m + j];
    }
    CHECK(close_to(columns[j], sum, 1e-12));
    for (int64_t k = 0; k < count; k++) {
      double product = 0;
      for (int64_t i = 0; i < n; i++) {
        product += p[i * m + j] * u[k * n + i];
      }
      CHECK(close_to(pu[k * m + j], product, 1e-12));
    }
  }
  CHECK(pv[count * n] == GUARD && pu[count * m] == GUARD && rows[n] == GUARD && row_costs[n] == GUARD && columns[m] == GUARD);
  free(v);
  free(u);
  free(pv);
  free(pu);
  free(rows);
  free(row_costs);
  free(columns);
  free(p);
}

static void check_shape(int64_t rows, int64_t length) {
  n = rows;
  m = length;
  make();
  for (int single = costs == OT_STORED_F64 ? 0 : 1; single >= 0; single--) {
    check_softmin(single);
    check_sweep(single, 1, 2 * n + 2);
    check_sweep(single, 1, 2);
    check_sweep(single, 1.3, 2 * n + 2);
  }
  if (costs != OT_DOTS) {
    check_minima();
    check_plans(1);
    check_plans(3);
  }
  unmake();
}

int main(void) {
  const char *name;
  for (isa = OT_ISA_SCALAR; isa <= OT_ISA_AVX512; isa++) {
    if (ot_isa_name(isa, &name) != OT_OK) {
      continue;
    }
    state = 1;
    for (costs = OT_STORED_F64; costs <= OT_DOTS; costs++) {
      static const int64_t dimensions[] = {1, 2, 3, 7};
      for (int k = 0; k < (costs >= OT_POINTS ? 4 : 1); k++) {
        dimension = costs >= OT_POINTS ? dimensions[k] : 0;
        for (int64_t length = 0; length <= LONGEST; length++) {
          check_shape(7, length);
          check_shape(length, 5);
        }
        check_shape(66, 1100); /* several tiles, and a flush of the sums */
        check_shape(1, 9000);
      }
    }
    printf("%s: %d failed\n", name, failures);
  }
  return failures == 0 ? 0 : 1;
}

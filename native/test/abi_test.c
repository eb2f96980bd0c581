/* Calls the library as a C program does: the header is plain C, the statuses and texts are what it says. */
#include <stdio.h>
#include <string.h>

#include "ot.h"

static int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                     \
    }                                                                 \
  } while (0)

static int is_one_of(const char *text, const char *const *choices, int count) {
  for (int k = 0; k < count; k++) {
    if (strcmp(text, choices[k]) == 0) {
      return 1;
    }
  }
  return 0;
}

#if !defined(_WIN32)
#include <pthread.h>

static void *error_of_fresh_thread(void *result) {
  *(int *)result = strcmp(ot_last_error(), "") == 0;
  return NULL;
}

static void check_error_is_per_thread(void) {
  pthread_t thread;
  int empty = 0;
  CHECK(pthread_create(&thread, NULL, error_of_fresh_thread, &empty) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(empty);
}
#else
static void check_error_is_per_thread(void) {}
#endif

/* Calls what is wrong in one way after the other; the text names the function and the rule. */
#define REFUSED(call, text)                                           \
  do {                                                                \
    CHECK((call) == OT_INVALID_ARGUMENT);                             \
    CHECK(strstr(ot_last_error(), text) != NULL);                     \
    CHECK(strncmp(ot_last_error(), #call, strcspn(#call, "(")) == 0); \
  } while (0)

static void check_arguments(void) {
  double matrix[4] = {0}, v[OT_PADDING] = {0}, bias[OT_PADDING] = {0}, kept[2 * OT_PADDING] = {0}, sums[OT_PADDING] = {0};
  float bias_f32[OT_PADDING] = {0};
  const int32_t isa = OT_ISA_SCALAR;
  ot_geometry good, bad;
  ot_sweep sweep, wrong;
  ot_plan plan = {1, v, v, v, v}, half;
  memset(&good, 0, sizeof good);
  good.costs = OT_STORED_F64;
  good.rows = good.columns = good.stride = 2;
  good.matrix = matrix;
  memset(&sweep, 0, sizeof sweep);
  sweep.epsilon = sweep.tau = sweep.relaxation = sweep.bound = 1;
  sweep.weights = sweep.potentials = sweep.columns = v;
  sweep.padded = sweep.kept_stride = OT_PADDING;
  sweep.bias = bias;
  sweep.kept = kept;
  sweep.sums = sums;
  CHECK(ot_sweep_rows_f64(isa, &good, &sweep, 0, 2) == OT_OK);

  REFUSED(ot_sweep_rows_f64(isa, NULL, &sweep, 0, 2), "geometry is null");
  REFUSED(ot_sweep_rows_f64(isa, &good, NULL, 0, 2), "sweep is null");
  REFUSED(ot_sweep_rows_f64(isa, &good, &sweep, 0, 3), "range");
  REFUSED(ot_sweep_rows_f64(isa, &good, &sweep, -1, 1), "range");
  REFUSED(ot_sweep_rows_f64(isa, &good, &sweep, 2, 1), "range");
  REFUSED(ot_sweep_rows_f32(isa, &good, &sweep, 0, 2), "not streamed in floats");
  wrong = sweep;
  wrong.columns = NULL;
  REFUSED(ot_sweep_rows_f64(isa, &good, &wrong, 0, 2), "pointer of the sweep is null");
  REFUSED(ot_flush_columns_f64(isa, &good, &wrong), "pointer of the sweep is null");
  wrong = sweep;
  wrong.bias = NULL;
  REFUSED(ot_flush_columns_f64(isa, &good, &wrong), "bias is null");
  wrong = sweep;
  wrong.padded = 2;
  REFUSED(ot_sweep_rows_f64(isa, &good, &wrong, 0, 2), "padded");
  wrong.padded = 2 * OT_PADDING;
  REFUSED(ot_sweep_rows_f64(isa, &good, &wrong, 0, 2), "kept_stride");
  wrong = sweep;
  wrong.epsilon = 0;
  REFUSED(ot_sweep_rows_f64(isa, &good, &wrong, 0, 2), "epsilon");

  bad = good;
  bad.rows = -1;
  REFUSED(ot_min_rows_f64(isa, &bad, v, v, 0, 0), "negative");
  bad = good;
  bad.stride = 1;
  REFUSED(ot_min_rows_f64(isa, &bad, v, v, 0, 2), "stride");
  bad = good;
  bad.matrix = NULL;
  REFUSED(ot_min_columns_f64(isa, &bad, v, v, 0, 2, 0, 2), "matrix is null");
  bad = good;
  bad.costs = 9;
  REFUSED(ot_softmin_columns_f64(isa, &bad, 1, v, v, v, v, 0, 2, 0, 2), "enum ot_costs");
  bad = good;
  bad.costs = OT_POINTS;
  REFUSED(ot_min_rows_f64(isa, &bad, v, v, 0, 2), "source or target is null");
  bad.source = v;
  bad.target = v;
  REFUSED(ot_min_rows_f64(isa, &bad, v, v, 0, 2), "dimension is 0");
  bad.costs = OT_DOTS;
  REFUSED(ot_min_rows_f64(isa, &bad, v, v, 0, 2), "give no costs");
  REFUSED(ot_softmin_rows_f64(isa, &bad, 1, bias, OT_PADDING, v, v, 0, 2), "source_norms is null");
  bad.source_norms = v;
  bad.dimension = 1;
  bad.stride = OT_PADDING;
  REFUSED(ot_softmin_rows_f64(isa, &bad, 1, bias, OT_PADDING, NULL, v, 0, 2), "coordinates is null");

  REFUSED(ot_softmin_rows_f64(isa, &good, -1, bias, OT_PADDING, v, v, 0, 2), "epsilon");
  REFUSED(ot_softmin_rows_f64(isa, &good, 1, bias, OT_PADDING, v, NULL, 0, 2), "null");
  REFUSED(ot_softmin_rows_f32(isa, NULL, 1, bias_f32, OT_PADDING, NULL, v, 0, 2), "geometry is null");
  REFUSED(ot_min_rows_f64(isa, &good, NULL, v, 0, 2), "null");
  REFUSED(ot_min_columns_f64(isa, &good, v, v, 0, 2, 0, 3), "range");
  REFUSED(ot_softmin_columns_f64(isa, &good, 0, v, v, v, v, 0, 2, 0, 2), "epsilon");
  REFUSED(ot_apply_plan_f64(isa, &good, NULL, 1, v, v, 0, 2), "plan is null");
  REFUSED(ot_apply_plan_f64(isa, &good, &plan, -1, v, v, 0, 2), "count is negative");
  REFUSED(ot_apply_transpose_f64(isa, &good, &plan, 1, v, NULL, 0, 2, 0, 2), "null");
  half = plan;
  half.log_b = NULL;
  REFUSED(ot_sum_plan_f64(isa, &good, &half, v, v, v, 0, 2), "pointer of the plan is null");
  half = plan;
  half.epsilon = 0;
  REFUSED(ot_sum_plan_f64(isa, &good, &half, v, v, v, 0, 2), "epsilon");

  CHECK(ot_min_rows_f64(OT_ISA_AVX512 + 1, &good, v, v, 0, 2) == OT_UNSUPPORTED);
  CHECK(strcmp(ot_last_error(), "ot_min_rows_f64: this processor or this build has no such instruction set") == 0);
}

int main(void) {
  static const char *const isas[] = {"scalar", "avx2", "avx512", "neon"};
  const char *version = NULL;
  const char *isa = NULL;
  int32_t best = -1;

  CHECK(ot_abi_version() == OT_ABI_VERSION);
  CHECK(strcmp(ot_last_error(), "") == 0);

  CHECK(ot_version(&version) == OT_OK);
  CHECK(version != NULL && strlen(version) >= strlen("0.0.0"));
  CHECK(ot_best_isa(&best) == OT_OK);
  CHECK(ot_isa_name(best, &isa) == OT_OK);
  CHECK(isa != NULL && is_one_of(isa, isas, 4));

  CHECK(ot_version(NULL) == OT_INVALID_ARGUMENT);
  CHECK(strcmp(ot_last_error(), "ot_version: text is null") == 0);
  CHECK(ot_best_isa(NULL) == OT_INVALID_ARGUMENT);
  CHECK(strcmp(ot_last_error(), "ot_best_isa: isa is null") == 0);
  CHECK(ot_isa_name(best, NULL) == OT_INVALID_ARGUMENT);
  CHECK(strcmp(ot_last_error(), "ot_isa_name: name is null") == 0);
  CHECK(ot_isa_name(best + 1, &isa) == OT_UNSUPPORTED);
  CHECK(ot_isa_name(-1, &isa) == OT_UNSUPPORTED);
  check_error_is_per_thread();
  check_arguments();

  if (failures == 0) {
    printf("libot %s, %s\n", version, isa);
  }
  return failures == 0 ? 0 : 1;
}

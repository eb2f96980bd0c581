#ifndef OT_KERNELS_H
#define OT_KERNELS_H

#include "ot.h"

namespace ot {

// Rows or columns first ... last - 1.
struct Range {
  int64_t first, last;
};

// The kernels of one instruction set; arguments as in ot.h, checked by the caller.
struct Kernels {
  void (*sweep_rows_f64)(const ot_geometry &geometry, ot_sweep &sweep, Range rows);
  void (*sweep_rows_f32)(const ot_geometry &geometry, ot_sweep &sweep, Range rows);
  void (*flush_columns_f64)(const ot_geometry &geometry, ot_sweep &sweep);
  void (*flush_columns_f32)(const ot_geometry &geometry, ot_sweep &sweep);
  void (*softmin_rows_f64)(const ot_geometry &geometry, double epsilon, const void *bias, void *coordinates, double *f,
                           Range rows);
  void (*softmin_rows_f32)(const ot_geometry &geometry, double epsilon, const void *bias, void *coordinates, double *f,
                           Range rows);
  void (*min_rows)(const ot_geometry &geometry, const double *g, double *f, Range rows);
  void (*min_columns)(const ot_geometry &geometry, const double *f, double *g, Range rows, Range columns);
  void (*softmin_columns)(const ot_geometry &geometry, double epsilon, const double *f, const double *log_a, double *top,
                          double *sums, Range rows, Range columns);
  void (*apply_plan)(const ot_geometry &geometry, const ot_plan &plan, int64_t count, const double *vectors, double *result,
                     Range rows);
  void (*apply_transpose)(const ot_geometry &geometry, const ot_plan &plan, int64_t count, const double *vectors, double *result,
                          Range rows, Range columns);
  void (*sum_plan)(const ot_geometry &geometry, const ot_plan &plan, double *row_sums, double *row_costs, double *columns,
                   Range rows);
};

extern const Kernels scalar_kernels;
#if defined(OT_HAS_NEON)
extern const Kernels neon_kernels;
#endif
#if defined(OT_HAS_AVX)
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
#endif

}  // namespace ot

#endif

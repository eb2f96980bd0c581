/*
 * libot: the C interface.
 *
 * Every function but ot_abi_version and ot_last_error returns a status, 0 when all went well, and writes its results through
 * pointers. No exception crosses this border. Texts belong to the library and stay valid until it is unloaded, unless said
 * otherwise.
 *
 * Kernels allocate nothing, start no thread and keep no state: whoever calls brings the memory and the threads. Two calls may run
 * at once unless they write to the same memory. Functions ending in _f64 and _f32 compute in doubles and in floats; potentials,
 * weights and sums of columns are doubles in both. Sizes are elements, not bytes. No alignment is needed; memory on cache lines
 * is faster.
 */
#ifndef OT_H
#define OT_H

#include <stdint.h>

#if defined(_WIN32)
#if defined(OT_BUILD)
#define OT_API __declspec(dllexport)
#else
#define OT_API __declspec(dllimport)
#endif
#else
#define OT_API __attribute__((visibility("default")))
#endif

/* Raised whenever a function of this file changes its meaning or its parameters. */
#define OT_ABI_VERSION 2

/* Columns of a workspace are a multiple of this. */
#define OT_PADDING 64

#ifdef __cplusplus
extern "C" {
#endif

enum ot_status {
  OT_OK = 0,
  /* A pointer is null or a value is outside its range. */
  OT_INVALID_ARGUMENT = -1,
  /* This processor, or this build of the library, has no such instruction set. */
  OT_UNSUPPORTED = -2
};

/* Instruction sets, as the first argument of every kernel. */
enum ot_isa { OT_ISA_SCALAR = 0, OT_ISA_NEON = 1, OT_ISA_AVX2 = 2, OT_ISA_AVX512 = 3 };

/* The OT_ABI_VERSION that the library was built with. A caller built with another one must not call anything else. */
OT_API int ot_abi_version(void);

/* The release, such as "0.1.0". */
OT_API int ot_version(const char **text);

/* The best instruction set of this processor that kernels were built for. */
OT_API int ot_best_isa(int32_t *isa);

/* "scalar", "neon", "avx2" or "avx512"; OT_UNSUPPORTED where kernels cannot run in it here. */
OT_API int ot_isa_name(int32_t isa, const char **name);

/*
 * What went wrong in the last failed call of this thread; "" when nothing has. Valid until the next failed call of this thread.
 * Successful calls leave it as it is.
 */
OT_API const char *ot_last_error(void);

/* Where costs come from. */
enum ot_costs {
  OT_STORED_F64 = 0, /* a matrix of doubles; +infinity forbids a pair */
  OT_STORED_F32 = 1, /* a matrix of floats */
  OT_POINTS = 2,     /* s |x - y|^2 from differences of coordinates, in doubles */
  OT_DOTS = 3 /* s |x - y|^2 = s |x|^2 + s |y|^2 - 2 s x.y, the middle term in the bias of the column: only where a bias is */
};

typedef struct ot_geometry {
  int64_t costs;   /* enum ot_costs */
  int64_t rows;    /* n */
  int64_t columns; /* m */
  int64_t stride;  /* from one row of the matrix to the next; from one coordinate of all targets to the next, at least m padded */
  int64_t dimension;          /* d; 0 for a matrix */
  double scale;               /* s */
  const void *matrix;         /* n rows of m costs */
  const double *source;       /* n x d */
  const double *source_norms; /* OT_DOTS: s |x|^2 */
  const void *target; /* d x stride, what is beyond m finite; OT_POINTS: doubles, OT_DOTS: in the precision of the function */
} ot_geometry;

/*
 * A chunk of rows of one Sinkhorn iteration: f_i from the biases of the columns, and what the rows of the plan that follow from
 * it add to the sums of the columns. The exponentials of two rows are kept until the next two are made, which adds them to the
 * sums; those, in the precision of the function, are added to the doubles of `columns` every 64 rows.
 */
typedef struct ot_sweep {
  double epsilon;
  double tau;            /* damping of the rows' update; 1 for none */
  double bound;          /* largest size of f; +infinity for none */
  double relaxation;     /* omega; 1 for none */
  const double *weights; /* a, n */
  double *potentials;    /* f, n: in, a guess that exponents are shifted by; out, the new ones */
  int64_t padded;        /* m rounded up to a multiple of OT_PADDING */
  const void *bias; /* log2(e) (g_j - offset_j)/epsilon + log2 b_j, padded with the lowest exponent: -1e30, or -1e7 in floats */
  void *kept;       /* two rows of exponentials, padded each, kept_stride apart; finite before the first call */
  int64_t kept_stride;
  void *sums;        /* padded; 0 before the first call of a chunk */
  void *coordinates; /* 2 (d + 1): OT_DOTS only */
  double *columns;   /* m: sums of the plan's columns */
  double pending[2]; /* weights of the kept rows; 0 before the first call of a chunk */
  double row_error;  /* what the marginals of the rows are off is added to it, where omega is not 1 */
  int64_t unflushed; /* rows in `sums`; 0 before the first call of a chunk */
} ot_sweep;

/* Sweeps rows start ... end - 1. A chunk may be swept by several calls, all but the last of an even number of rows. */
OT_API int ot_sweep_rows_f64(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep, int64_t start, int64_t end);
OT_API int ot_sweep_rows_f32(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep, int64_t start, int64_t end);

/* Ends a chunk: adds what is kept, and the sums, to `columns`. */
OT_API int ot_flush_columns_f64(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep);
OT_API int ot_flush_columns_f32(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep);

/*
 * f_i = -epsilon log sum_j 2^(bias_j - log2(e) C_ij/epsilon) for rows start ... end - 1 (of OT_DOTS: with the norm of the column
 * in the bias); +infinity where no column is allowed. bias and padded as in ot_sweep; coordinates too.
 */
OT_API int ot_softmin_rows_f64(int32_t isa, const ot_geometry *geometry, double epsilon, const double *bias, int64_t padded,
                               double *coordinates, double *f, int64_t start, int64_t end);
OT_API int ot_softmin_rows_f32(int32_t isa, const ot_geometry *geometry, double epsilon, const float *bias, int64_t padded,
                               float *coordinates, double *f, int64_t start, int64_t end);

/* f_i = min_j C_ij - g_j for rows start ... end - 1; g_j = -infinity takes j out. */
OT_API int ot_min_rows_f64(int32_t isa, const ot_geometry *geometry, const double *g, double *f, int64_t start, int64_t end);

/*
 * g_j = min(g_j, min_i C_ij - f_i) over rows first_row ... last_row - 1, for columns start ... end - 1; f_i = -infinity takes i
 * out. Start with g_j = +infinity.
 */
OT_API int ot_min_columns_f64(int32_t isa, const ot_geometry *geometry, const double *f, double *g, int64_t first_row,
                              int64_t last_row, int64_t start, int64_t end);

/*
 * Adds rows first_row ... last_row - 1 to sums_j 2^(top_j) = sum_i exp(log_a_i + (f_i - C_ij)/epsilon), where top_j is the
 * largest exponent so far in base 2, for columns start ... end - 1. Start with top_j = -1e30, sums_j = 0; a top below -5e29 at
 * the end says that no row is allowed.
 */
OT_API int ot_softmin_columns_f64(int32_t isa, const ot_geometry *geometry, double epsilon, const double *f, const double *log_a,
                                  double *top, double *sums, int64_t first_row, int64_t last_row, int64_t start, int64_t end);

/* P_ij = exp((f_i + g_j - C_ij)/epsilon + log_a_i + log_b_j): never stored. */
typedef struct ot_plan {
  double epsilon;
  const double *f;     /* n */
  const double *log_a; /* n; -infinity where a weight is 0 */
  const double *g;     /* m */
  const double *log_b; /* m; -infinity where a weight is 0 */
} ot_plan;

/* result_k,i = sum_j P_ij vectors_k,j for count vectors of m numbers each, and rows start ... end - 1 of results of n numbers
 * each. */
OT_API int ot_apply_plan_f64(int32_t isa, const ot_geometry *geometry, const ot_plan *plan, int64_t count, const double *vectors,
                             double *result, int64_t start, int64_t end);

/*
 * result_k,j += sum_i P_ij vectors_k,i over rows first_row ... last_row - 1, for count vectors of n numbers each, and columns
 * start ... end - 1 of results of m numbers each.
 */
OT_API int ot_apply_transpose_f64(int32_t isa, const ot_geometry *geometry, const ot_plan *plan, int64_t count,
                                  const double *vectors, double *result, int64_t first_row, int64_t last_row, int64_t start,
                                  int64_t end);

/* For rows start ... end - 1: row_sums_i = sum_j P_ij, row_costs_i = sum_j P_ij C_ij, and columns_j += sum_i P_ij. */
OT_API int ot_sum_plan_f64(int32_t isa, const ot_geometry *geometry, const ot_plan *plan, double *row_sums, double *row_costs,
                           double *columns, int64_t start, int64_t end);

#ifdef __cplusplus
}
#endif

#endif

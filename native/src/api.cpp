// The C interface: checks arguments and calls the kernels of the instruction set asked for.

#include <stddef.h>

#include "dispatch.h"
#include "error.h"

using ot::Kernels;
using ot::Range;

namespace {

// The first rule that a call breaks, or null.
using Fault = const char *;

const char *const names[] = {"scalar", "neon", "avx2", "avx512"};

Fault range_fault(Range range, int64_t count) {
  return 0 <= range.first && range.first <= range.last && range.last <= count ? nullptr : "the range is not within the geometry";
}

// `element` is the size of what exponents are made in; 0 where only costs themselves serve.
Fault geometry_fault(const ot_geometry *g, size_t element) {
  if (g == nullptr) {
    return "geometry is null";
  }
  if (g->rows < 0 || g->columns < 0 || g->stride < 0 || g->dimension < 0) {
    return "a size of the geometry is negative";
  }
  switch (g->costs) {
    case OT_STORED_F64:
      if (element == sizeof(float)) {
        return "doubles are not streamed in floats";
      }
      [[fallthrough]];
    case OT_STORED_F32:
      if (g->matrix == nullptr) {
        return "matrix is null";
      }
      return g->stride < g->columns ? "stride is less than the columns" : nullptr;
    case OT_DOTS:
      if (element == 0) {
        return "dot products give no costs";
      }
      if (g->source_norms == nullptr) {
        return "source_norms is null";
      }
      [[fallthrough]];
    case OT_POINTS:
      if (g->source == nullptr || g->target == nullptr) {
        return "source or target is null";
      }
      if (g->dimension == 0 || g->stride < (g->columns + OT_PADDING - 1) / OT_PADDING * OT_PADDING) {
        return "dimension is 0, or stride is less than the padded columns";
      }
      return nullptr;
    default:
      return "costs is none of enum ot_costs";
  }
}

Fault workspace_fault(const ot_geometry &g, double epsilon, int64_t padded, const void *bias, const void *coordinates) {
  if (!(epsilon > 0)) {
    return "epsilon is not positive";
  }
  if (padded < g.columns || padded % OT_PADDING != 0) {
    return "padded is less than the columns or no multiple of OT_PADDING";
  }
  if (bias == nullptr) {
    return "bias is null";
  }
  return g.costs == OT_DOTS && coordinates == nullptr ? "coordinates is null" : nullptr;
}

Fault sweep_fault(const ot_geometry *g, const ot_sweep *s, size_t element) {
  if (Fault fault = geometry_fault(g, element)) {
    return fault;
  }
  if (s == nullptr) {
    return "sweep is null";
  }
  if (s->weights == nullptr || s->potentials == nullptr || s->kept == nullptr || s->sums == nullptr || s->columns == nullptr) {
    return "a pointer of the sweep is null";
  }
  return s->kept_stride < s->padded ? "kept_stride is less than padded"
                                    : workspace_fault(*g, s->epsilon, s->padded, s->bias, s->coordinates);
}

Fault plan_fault(const ot_geometry *g, const ot_plan *p) {
  if (Fault fault = geometry_fault(g, 0)) {
    return fault;
  }
  if (p == nullptr) {
    return "plan is null";
  }
  if (p->f == nullptr || p->g == nullptr || p->log_a == nullptr || p->log_b == nullptr) {
    return "a pointer of the plan is null";
  }
  return p->epsilon > 0 ? nullptr : "epsilon is not positive";
}

Fault null_fault(bool any) { return any ? "a pointer is null" : nullptr; }

// Runs `call` with the kernels asked for, unless there are none or there is a fault.
template <class Call>
int run(const char *function, int32_t isa, Fault fault, const Call &call) {
  const Kernels *kernels = ot::kernels(isa);
  if (kernels == nullptr) {
    return ot::fail(OT_UNSUPPORTED, function, "this processor or this build has no such instruction set");
  }
  if (fault != nullptr) {
    return ot::fail(OT_INVALID_ARGUMENT, function, fault);
  }
  call(*kernels);
  return OT_OK;
}

Fault first(Fault a, Fault b) { return a != nullptr ? a : b; }

}  // namespace

extern "C" {

int ot_abi_version(void) { return OT_ABI_VERSION; }

int ot_version(const char **text) {
  if (text == nullptr) {
    return ot::fail(OT_INVALID_ARGUMENT, "ot_version", "text is null");
  }
  *text = OT_VERSION;
  return OT_OK;
}

int ot_best_isa(int32_t *isa) {
  if (isa == nullptr) {
    return ot::fail(OT_INVALID_ARGUMENT, "ot_best_isa", "isa is null");
  }
  *isa = ot::best_isa();
  return OT_OK;
}

int ot_isa_name(int32_t isa, const char **name) {
  return run("ot_isa_name", isa, name == nullptr ? "name is null" : nullptr, [&](const Kernels &) { *name = names[isa]; });
}

int ot_sweep_rows_f64(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep, int64_t start, int64_t end) {
  Fault fault = sweep_fault(geometry, sweep, sizeof(double));
  return run("ot_sweep_rows_f64", isa, fault ? fault : range_fault({start, end}, geometry->rows), [&](const Kernels &k) {
    k.sweep_rows_f64(*geometry, *sweep, {start, end});
  });
}

int ot_sweep_rows_f32(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep, int64_t start, int64_t end) {
  Fault fault = sweep_fault(geometry, sweep, sizeof(float));
  return run("ot_sweep_rows_f32", isa, fault ? fault : range_fault({start, end}, geometry->rows), [&](const Kernels &k) {
    k.sweep_rows_f32(*geometry, *sweep, {start, end});
  });
}

int ot_flush_columns_f64(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep) {
  return run("ot_flush_columns_f64", isa, sweep_fault(geometry, sweep, sizeof(double)),
             [&](const Kernels &k) { k.flush_columns_f64(*geometry, *sweep); });
}

int ot_flush_columns_f32(int32_t isa, const ot_geometry *geometry, ot_sweep *sweep) {
  return run("ot_flush_columns_f32", isa, sweep_fault(geometry, sweep, sizeof(float)),
             [&](const Kernels &k) { k.flush_columns_f32(*geometry, *sweep); });
}

int ot_softmin_rows_f64(int32_t isa, const ot_geometry *geometry, double epsilon, const double *bias, int64_t padded,
                        double *coordinates, double *f, int64_t start, int64_t end) {
  Fault fault = geometry_fault(geometry, sizeof(double));
  fault = fault ? fault : first(workspace_fault(*geometry, epsilon, padded, bias, coordinates), null_fault(f == nullptr));
  return run("ot_softmin_rows_f64", isa, fault ? fault : range_fault({start, end}, geometry->rows), [&](const Kernels &k) {
    k.softmin_rows_f64(*geometry, epsilon, bias, coordinates, f, {start, end});
  });
}

int ot_softmin_rows_f32(int32_t isa, const ot_geometry *geometry, double epsilon, const float *bias, int64_t padded,
                        float *coordinates, double *f, int64_t start, int64_t end) {
  Fault fault = geometry_fault(geometry, sizeof(float));
  fault = fault ? fault : first(workspace_fault(*geometry, epsilon, padded, bias, coordinates), null_fault(f == nullptr));
  return run("ot_softmin_rows_f32", isa, fault ? fault : range_fault({start, end}, geometry->rows), [&](const Kernels &k) {
    k.softmin_rows_f32(*geometry, epsilon, bias, coordinates, f, {start, end});
  });
}

int ot_min_rows_f64(int32_t isa, const ot_geometry *geometry, const double *g, double *f, int64_t start, int64_t end) {
  Fault fault = first(geometry_fault(geometry, 0), null_fault(g == nullptr || f == nullptr));
  return run("ot_min_rows_f64", isa, fault ? fault : range_fault({start, end}, geometry->rows), [&](const Kernels &k) {
    k.min_rows(*geometry, g, f, {start, end});
  });
}

int ot_min_columns_f64(int32_t isa, const ot_geometry *geometry, const double *f, double *g, int64_t first_row, int64_t last_row,
                       int64_t start, int64_t end) {
  const Range rows = {first_row, last_row}, columns = {start, end};
  Fault fault = first(geometry_fault(geometry, 0), null_fault(f == nullptr || g == nullptr));
  fault = fault ? fault : first(range_fault(rows, geometry->rows), range_fault(columns, geometry->columns));
  return run("ot_min_columns_f64", isa, fault, [&](const Kernels &k) { k.min_columns(*geometry, f, g, rows, columns); });
}

int ot_softmin_columns_f64(int32_t isa, const ot_geometry *geometry, double epsilon, const double *f, const double *log_a,
                           double *top, double *sums, int64_t first_row, int64_t last_row, int64_t start, int64_t end) {
  const Range rows = {first_row, last_row}, columns = {start, end};
  Fault fault =
      first(geometry_fault(geometry, 0), null_fault(f == nullptr || log_a == nullptr || top == nullptr || sums == nullptr));
  fault = first(fault, epsilon > 0 ? nullptr : "epsilon is not positive");
  fault = fault ? fault : first(range_fault(rows, geometry->rows), range_fault(columns, geometry->columns));
  return run("ot_softmin_columns_f64", isa, fault,
             [&](const Kernels &k) { k.softmin_columns(*geometry, epsilon, f, log_a, top, sums, rows, columns); });
}

int ot_apply_plan_f64(int32_t isa, const ot_geometry *geometry, const ot_plan *plan, int64_t count, const double *vectors,
                      double *result, int64_t start, int64_t end) {
  Fault fault = first(plan_fault(geometry, plan), null_fault(vectors == nullptr || result == nullptr));
  fault = first(fault, count < 0 ? "count is negative" : nullptr);
  return run("ot_apply_plan_f64", isa, fault ? fault : range_fault({start, end}, geometry->rows), [&](const Kernels &k) {
    k.apply_plan(*geometry, *plan, count, vectors, result, {start, end});
  });
}

int ot_apply_transpose_f64(int32_t isa, const ot_geometry *geometry, const ot_plan *plan, int64_t count, const double *vectors,
                           double *result, int64_t first_row, int64_t last_row, int64_t start, int64_t end) {
  const Range rows = {first_row, last_row}, columns = {start, end};
  Fault fault = first(plan_fault(geometry, plan), null_fault(vectors == nullptr || result == nullptr));
  fault = first(fault, count < 0 ? "count is negative" : nullptr);
  fault = fault ? fault : first(range_fault(rows, geometry->rows), range_fault(columns, geometry->columns));
  return run("ot_apply_transpose_f64", isa, fault,
             [&](const Kernels &k) { k.apply_transpose(*geometry, *plan, count, vectors, result, rows, columns); });
}

int ot_sum_plan_f64(int32_t isa, const ot_geometry *geometry, const ot_plan *plan, double *row_sums, double *row_costs,
                    double *columns, int64_t start, int64_t end) {
  Fault fault = first(plan_fault(geometry, plan), null_fault(row_sums == nullptr || row_costs == nullptr || columns == nullptr));
  return run("ot_sum_plan_f64", isa, fault ? fault : range_fault({start, end}, geometry->rows), [&](const Kernels &k) {
    k.sum_plan(*geometry, *plan, row_sums, row_costs, columns, {start, end});
  });
}

}  // extern "C"

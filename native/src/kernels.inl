// The kernels, over the vector types of one instruction set: each kernels_<isa>.cpp includes one simd_<isa>.h, names its table
// OT_KERNELS and includes this file. `V` is a register of the precision that exponents are made in, f64 or f32.

#include "exponents.inl"
#include "plans.inl"
#include "sweep.inl"

const ot::Kernels ot::OT_KERNELS = {
    sweep_rows<f64>, sweep_rows<f32>, flush_columns<f64>, flush_columns<f32>, softmin_rows<f64>, softmin_rows<f32>,
    min_rows,        min_columns,     softmin_columns,    apply_plan,         apply_transpose,   sum_plan,
};

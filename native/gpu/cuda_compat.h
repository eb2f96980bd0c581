/* The words of language.h for CUDA, compiled by clang with no CUDA toolkit: builtins of its PTX back end and nothing else. */
#ifndef OT_CUDA_COMPAT_H
#define OT_CUDA_COMPAT_H

#define OT_DEVICE static inline __attribute__((device, always_inline))

#define KERNEL extern "C" __attribute__((global))
#define GROUP(size) __attribute__((launch_bounds(size)))
#define GLOBAL
#define LOCAL
#define SHARED __attribute__((shared))
#define INLINE OT_DEVICE
#define GROUP_ID ((int)__nvvm_read_ptx_sreg_ctaid_x())
#define LOCAL_ID ((int)__nvvm_read_ptx_sreg_tid_x())
#define BARRIER() __syncthreads()
#define BARRIER_ALL() __syncthreads()
#define EXP2_FLOAT(x) __nvvm_ex2_approx_ftz_f(x)
#define LOG2_FLOAT(x) __nvvm_lg2_approx_f(x)

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")

OT_DEVICE long BITS_OF_DOUBLE(double x) { return __builtin_bit_cast(long, x); }
OT_DEVICE double DOUBLE_OF_BITS(long n) { return __builtin_bit_cast(double, n); }

OT_DEVICE float fabs(float x) { return __builtin_fabsf(x); }
OT_DEVICE double fabs(double x) { return __builtin_fabs(x); }
OT_DEVICE float fmax(float x, float y) { return __builtin_fmaxf(x, y); }
OT_DEVICE double fmax(double x, double y) { return __builtin_fmax(x, y); }
OT_DEVICE float fmin(float x, float y) { return __builtin_fminf(x, y); }
OT_DEVICE double fmin(double x, double y) { return __builtin_fmin(x, y); }
OT_DEVICE float floor(float x) { return __builtin_floorf(x); }
OT_DEVICE double floor(double x) { return __builtin_floor(x); }
OT_DEVICE float sqrt(float x) { return __nvvm_sqrt_rn_f(x); }
OT_DEVICE double sqrt(double x) { return __nvvm_sqrt_rn_d(x); }
OT_DEVICE float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
OT_DEVICE double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
OT_DEVICE bool isfinite(float x) { return __builtin_fabsf(x) <= 3.40282347e38f; }
OT_DEVICE bool isfinite(double x) { return __builtin_fabs(x) <= 1.7976931348623157e308; }

#define UNROLL _Pragma("unroll")

/* Words of tensor.cu alone. */

#define ALIGNED_16 __attribute__((aligned(16)))

/* 16 bytes from global to shared memory, by themselves; and the wait for all that this work item has sent for. */
OT_DEVICE void COPY_16(float* to, const float* from)
{
  __nvvm_cp_async_cg_shared_global_16((__attribute__((address_space(3))) void*)to, (const __attribute__((address_space(1))) void*)from);
}
#define COPIES_HAVE_COME() __nvvm_cp_async_wait_all()

/* A 16 x 8 block of sums, += 16 x 8 of a times 8 x 8 of b, by a warp together; operands are floats with 10 bits of mantissa. */
OT_DEVICE void MULTIPLY_ADD_TF32(float* sums, const float* a, float b0, float b1)
{
  asm volatile(
    "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
    : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
    : "r"(__builtin_bit_cast(int, a[0])), "r"(__builtin_bit_cast(int, a[1])), "r"(__builtin_bit_cast(int, a[2])), "r"(__builtin_bit_cast(int, a[3])),
      "r"(__builtin_bit_cast(int, b0)), "r"(__builtin_bit_cast(int, b1)));
}

#endif

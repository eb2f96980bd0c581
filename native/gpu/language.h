/* The dozen words in which OpenCL C and CUDA differ, and the types of a module. Kernels use these and nothing of either language beyond them but
 * arithmetic, fabs, fmax, fmin, floor, sqrt, fma and isfinite. */

#if defined(__OPENCL_C_VERSION__) || defined(__OPENCL_VERSION__)

#if REAL_IS_DOUBLE || STORED_IS_DOUBLE || WIDE_IS_DOUBLE
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#define KERNEL __kernel
#define GROUP(size) __attribute__((reqd_work_group_size(size, 1, 1)))
#define GLOBAL __global
#define LOCAL __local  /* of a pointer to what a group shares */
#define SHARED __local /* of an array that a group shares, declared at the top of a kernel */
#define INLINE static inline
#define GROUP_ID ((int)get_group_id(0))
#define LOCAL_ID ((int)get_local_id(0))
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define BARRIER_ALL() barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE) /* what items of the group wrote to GLOBAL is seen, too */
#ifndef UNROLL
#define UNROLL _Pragma("unroll") /* before a loop whose arrays are to lie in registers */
#endif
#define BITS_OF_DOUBLE(x) as_long(x)
#define DOUBLE_OF_BITS(n) as_double(n)
#define EXP2_FLOAT(x) exp2((float)(x))
#define LOG2_FLOAT(x) log2((float)(x))

#endif /* CUDA's words come from cuda_compat.h, included on its compiler's command line. */

#if REAL_IS_DOUBLE
typedef double REAL;
#define REAL_MAX 1.7976931348623157e308
#else
typedef float REAL;
#define REAL_MAX 3.40282347e38f
#endif
#if STORED_IS_DOUBLE
typedef double STORED;
#else
typedef float STORED;
#endif
#if WIDE_IS_DOUBLE
typedef double WIDE;
#else
typedef float WIDE;
#endif

// The words of language.h in C++: what cuda_compat.h is for CUDA, for a processor that runs one work item at a time.
#pragma once

#include "processor.h"

#define KERNEL static
#define GROUP(size)
#define GLOBAL
#define LOCAL
#define SHARED static  // groups run one at a time
#define INLINE static inline
#define GROUP_ID fake::group_id
#define LOCAL_ID fake::local_id
#define BARRIER() fake::group_barrier()
#define BARRIER_ALL() fake::group_barrier()
#define EXP2_FLOAT(x) std::exp2(static_cast<float>(x))
#define LOG2_FLOAT(x) std::log2(static_cast<float>(x))

static inline std::int64_t BITS_OF_DOUBLE(double x) {
  std::int64_t n;
  std::memcpy(&n, &x, sizeof n);
  return n;
}
static inline double DOUBLE_OF_BITS(std::int64_t n) {
  double x;
  std::memcpy(&x, &n, sizeof x);
  return x;
}

using std::fabs;
using std::floor;
using std::fma;
using std::fmax;
using std::fmin;
using std::isfinite;
using std::sqrt;

// Words of tensor.cu alone.

#define UNROLL
#define ALIGNED_16 __attribute__((aligned(16)))
#define COPY_16(to, from) fake::send_for(to, from)
#define COPIES_HAVE_COME() fake::copies_have_come()
#define MULTIPLY_ADD_TF32(sums, a, b0, b1) fake::multiply_add_tf32(sums, a, b0, b1)

#include "simd_avx2.h"
#define OT_KERNELS avx2_kernels
#include "kernels.inl"

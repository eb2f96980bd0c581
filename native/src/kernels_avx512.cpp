#include "simd_avx512.h"
#define OT_KERNELS avx512_kernels
#include "kernels.inl"

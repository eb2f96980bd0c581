#include "simd_neon.h"
#define OT_KERNELS neon_kernels
#include "kernels.inl"

#include "simd_scalar.h"
#define OT_KERNELS scalar_kernels
#include "kernels.inl"

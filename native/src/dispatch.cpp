#include "dispatch.h"

namespace {

ot_isa detect() noexcept {
#if defined(OT_HAS_NEON)
  return OT_ISA_NEON;  // part of the architecture
#elif defined(OT_HAS_AVX)
  // The compiler's own test covers the processor and the operating system's support for the registers.
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return OT_ISA_SCALAR;
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw")) {
    return OT_ISA_AVX512;
  }
  return OT_ISA_AVX2;
#else
  return OT_ISA_SCALAR;
#endif
}

}  // namespace

namespace ot {

ot_isa best_isa() noexcept {
  static const ot_isa best = detect();
  return best;
}

const Kernels *kernels(int32_t isa) noexcept {
  // In the order of the enumeration; on one processor a lower one always runs.
  static const Kernels *const tables[] = {
    &scalar_kernels,
#if defined(OT_HAS_NEON)
    &neon_kernels,
#else
    nullptr,
#endif
#if defined(OT_HAS_AVX)
    &avx2_kernels,
    &avx512_kernels,
#else
    nullptr,
    nullptr,
#endif
  };
  return isa < 0 || isa > best_isa() ? nullptr : tables[isa];
}

}  // namespace ot

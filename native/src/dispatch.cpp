#include "error.h"

namespace {

const char *detect_isa() noexcept {
#if defined(__aarch64__) || defined(_M_ARM64)
  return "neon";  // part of the architecture
#elif (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
  // The compiler's own test covers the processor and the operating system's support for the registers.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw")) {
    return "avx512";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return "avx2";
  }
  return "scalar";
#else
  return "scalar";  // a compiler with no test of its own
#endif
}

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

int ot_isa(const char **name) {
  if (name == nullptr) {
    return ot::fail(OT_INVALID_ARGUMENT, "ot_isa", "name is null");
  }
  static const char *const detected = detect_isa();
  *name = detected;
  return OT_OK;
}

}  // extern "C"

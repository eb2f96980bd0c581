#include "error.h"

#include <cstdio>

namespace {

// A fixed buffer: reporting an error allocates nothing and cannot fail itself.
thread_local char last_error[512] = "";

}  // namespace

namespace ot {

int fail(ot_status status, const char *function, const char *text) noexcept {
  std::snprintf(last_error, sizeof last_error, "%s: %s", function, text);
  return status;
}

}  // namespace ot

extern "C" const char *ot_last_error(void) { return last_error; }

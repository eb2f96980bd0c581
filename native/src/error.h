#ifndef OT_ERROR_H
#define OT_ERROR_H

#include "ot.h"

namespace ot {

// Keeps the text for ot_last_error and hands the status back, so that a check reads `return fail(...)`.
int fail(ot_status status, const char *function, const char *text) noexcept;

}  // namespace ot

#endif

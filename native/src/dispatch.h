#ifndef OT_DISPATCH_H
#define OT_DISPATCH_H

#include "kernels.h"

namespace ot {

// The best instruction set of this processor that kernels were built for; found once.
ot_isa best_isa() noexcept;

// The kernels of an instruction set, or null where they cannot run here.
const Kernels *kernels(int32_t isa) noexcept;

}  // namespace ot

#endif

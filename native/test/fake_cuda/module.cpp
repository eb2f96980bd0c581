// One module: a file of kernels compiled for the types that the command line names, like its PTX.
#include "words.h"

namespace {
#include KERNELS

[[maybe_unused]] const bool registered = [] {
#define ENTRY(name) fake::add(MODULE, #name, fake::Kernel<name>::entry());
#include ENTRIES
#undef ENTRY
  return true;
}();
}  // namespace

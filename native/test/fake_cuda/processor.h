// A processor for kernels: their words in C++, and groups of work items that take turns on one thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace fake {

// A kernel as a module has it: how to call it with the addresses of its arguments, and how many bytes each of them has.
struct Entry {
  void (*call)(void** arguments);
  std::vector<int> sizes;
};

// Runs all groups of a launch, one after the other. False, with the reason in `failure`, where work items do not all reach the same barriers.
bool run(const Entry& entry, int groups, int group_size, void** arguments, std::string& failure);

// The work item that runs, and its places to wait.
extern int group_id;
extern int local_id;
void group_barrier();

// Copies of 16 bytes that have not happened before they are waited for.
void send_for(float* to, const float* from);
void copies_have_come();

// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32, as the PTX manual lays out its operands; what lies below 10 bits of mantissa is not seen.
void multiply_add_tf32(float* sums, const float* a, float b0, float b1);

// The kernel `name` of the module `module`, or null.
const Entry* find(const std::string& module, const std::string& name);
void add(const char* module, const char* name, Entry entry);

template <class... A>
struct Caller {
  template <void (*kernel)(A...), std::size_t... I>
  static void call(void** arguments, std::index_sequence<I...>) {
    (void)arguments;
    kernel(*static_cast<A*>(arguments[I])...);
  }
};

template <auto kernel>
struct Kernel;

template <class... A, void (*kernel)(A...)>
struct Kernel<kernel> {
  static void call(void** arguments) { Caller<A...>::template call<kernel>(arguments, std::index_sequence_for<A...>()); }
  static Entry entry() { return Entry{call, {static_cast<int>(sizeof(A))...}}; }
};

}  // namespace fake

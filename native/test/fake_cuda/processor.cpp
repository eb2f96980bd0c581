#include "processor.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <map>

namespace fake {

thread_local int group_id;
thread_local int local_id;

namespace {

constexpr int kWarp = 32;
constexpr std::size_t kStack = 128 << 10;

enum class Wait { kNothing, kGroup, kWarp, kDone };

// One group of work items. Each has a stack of its own and runs until it waits; when all of a group (of a warp) wait, they go on.
struct Group {
  ucontext_t scheduler;
  std::vector<ucontext_t> items;
  std::vector<Wait> waits;
  std::vector<char*> stacks;
  const Entry* entry = nullptr;
  void** arguments = nullptr;

  ~Group() {
    for (char* stack : stacks) munmap(stack, kStack);
  }
};

thread_local Group group;

void body() {
  group.entry->call(group.arguments);
  group.waits[local_id] = Wait::kDone;
  swapcontext(&group.items[local_id], &group.scheduler);
}

void wait(Wait what) {
  int self = local_id;
  group.waits[self] = what;
  swapcontext(&group.items[self], &group.scheduler);
}

// Whether all items from..to wait for the same; frees them if they do.
bool release(int from, int to, Wait what) {
  for (int k = from; k < to; k++) {
    if (group.waits[k] != what) return false;
  }
  for (int k = from; k < to; k++) group.waits[k] = Wait::kNothing;
  return true;
}

bool run_group(int size, std::string& failure) {
  for (int k = 0; k < size; k++) {
    getcontext(&group.items[k]);
    group.items[k].uc_stack.ss_sp = group.stacks[k];
    group.items[k].uc_stack.ss_size = kStack;
    group.items[k].uc_link = nullptr;
    makecontext(&group.items[k], body, 0);
    group.waits[k] = Wait::kNothing;
  }
  for (;;) {
    for (int k = 0; k < size; k++) {
      if (group.waits[k] != Wait::kNothing) continue;
      local_id = k;
      swapcontext(&group.scheduler, &group.items[k]);
    }
    bool moved = release(0, size, Wait::kGroup);
    for (int k = 0; k < size; k += kWarp) moved |= release(k, std::min(k + kWarp, size), Wait::kWarp);
    if (moved) continue;
    for (int k = 0; k < size; k++) {
      if (group.waits[k] != Wait::kDone) {
        failure = "work item " + std::to_string(k) + " of group " + std::to_string(group_id) + " waits at a barrier that others do not reach";
        return false;
      }
    }
    return true;
  }
}

std::map<std::string, Entry>& entries() {
  static std::map<std::string, Entry> all;
  return all;
}

}  // namespace

void group_barrier() { wait(Wait::kGroup); }
void warp_barrier() { wait(Wait::kWarp); }

bool run(const Entry& entry, int groups, int group_size, void** arguments, std::string& failure) {
  while (static_cast<int>(group.stacks.size()) < group_size) {
    void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) {
      failure = "no memory for stacks";
      return false;
    }
    group.stacks.push_back(static_cast<char*>(stack));
  }
  group.items.resize(group.stacks.size());
  group.waits.resize(group.stacks.size());
  group.entry = &entry;
  group.arguments = arguments;
  for (group_id = 0; group_id < groups; group_id++) {
    if (!run_group(group_size, failure)) return false;
  }
  return true;
}

const Entry* find(const std::string& module, const std::string& name) {
  auto found = entries().find(module + "/" + name);
  return found == entries().end() ? nullptr : &found->second;
}

void add(const char* module, const char* name, Entry entry) { entries()[std::string(module) + "/" + name] = std::move(entry); }

}  // namespace fake

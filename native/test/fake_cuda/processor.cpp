#include "processor.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

namespace fake {

int group_id;
int local_id;

namespace {

constexpr int kWarp = 32;
constexpr std::size_t kStack = 128 << 10;

// What the work items of a warp hold while they multiply.
struct Warp {
  float a[kWarp][4], b[kWarp][2];
};

enum class Wait { kNothing, kGroup, kWarp, kDone };

// One group of work items. Each has a stack of its own and runs until it waits; when all of a group (of a warp) wait, they go on. An item is entered once by its
// context, and from then on by jumps, which need no system call.
struct Item {
  ucontext_t context;
  jmp_buf here;
  bool entered = false;
};

struct Group {
  jmp_buf scheduler;
  std::vector<std::unique_ptr<Item>> items;
  std::vector<Wait> waits;
  std::vector<char*> stacks;
  std::vector<std::vector<std::pair<float*, const float*>>> copies;
  std::vector<Warp> warps;
  const Entry* entry = nullptr;
  void** arguments = nullptr;

};

Group group;  // one at a time: the driver runs commands under its lock

void wait(Wait what) {
  Item& self = *group.items[local_id];
  group.waits[local_id] = what;
  if (_setjmp(self.here) == 0) _longjmp(group.scheduler, 1);
}

[[noreturn]] void body() {
  for (;;) {
    group.entry->call(group.arguments);
    wait(Wait::kDone);
  }
}

void resume(int k) {
  local_id = k;
  Item& item = *group.items[k];
  if (_setjmp(group.scheduler) != 0) return;
  if (item.entered) _longjmp(item.here, 1);
  item.entered = true;
  setcontext(&item.context);
}

void release_stacks() {
  for (char* stack : group.stacks) munmap(stack, kStack);
  group.stacks.clear();
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
  std::fill_n(group.waits.begin(), size, Wait::kNothing);
  for (;;) {
    for (int k = 0; k < size; k++) {
      if (group.waits[k] == Wait::kNothing) resume(k);
    }
    bool moved = release(0, size, Wait::kGroup);
    for (int k = 0; k < size; k += kWarp) moved |= release(k, std::min(k + kWarp, size), Wait::kWarp);
    if (moved) continue;
    for (int k = 0; k < size; k++) {
      if (group.waits[k] != Wait::kDone) {
        group.items.clear();  // what waits there is given up
        release_stacks();
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

void send_for(float* to, const float* from) {
  // The device refuses other addresses.
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0) std::abort();
  group.copies[local_id].emplace_back(to, from);
}

void copies_have_come() {
  for (auto [to, from] : group.copies[local_id]) std::memcpy(to, from, 16);
  group.copies[local_id].clear();
}

static float head(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits &= ~0x1FFFu;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

void multiply_add_tf32(float* sums, const float* a, float b0, float b1) {
  int lane = local_id % kWarp;
  Warp& warp = group.warps[local_id / kWarp];
  for (int k = 0; k < 4; k++) warp.a[lane][k] = head(a[k]);
  warp.b[lane][0] = head(b0);
  warp.b[lane][1] = head(b1);
  wait(Wait::kWarp);
  // Item 4 r + c holds a[r][c], a[r + 8][c], a[r][c + 4], a[r + 8][c + 4]; b[c][r], b[c + 4][r]; and sums[r][2 c], [r][2 c + 1], [r + 8][2 c], [r + 8][2 c + 1].
  for (int s = 0; s < 4; s++) {
    int row = lane / 4, low = s / 2, column = 2 * (lane % 4) + s % 2;
    for (int k = 0; k < 8; k++)
      sums[s] += warp.a[4 * row + k % 4][low + 2 * (k / 4)] * warp.b[4 * column + k % 4][k / 4];
  }
  wait(Wait::kWarp);
}

bool run(const Entry& entry, int groups, int group_size, void** arguments, std::string& failure) {
  while (static_cast<int>(group.stacks.size()) < group_size) {
    void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) {
      failure = "no memory for stacks";
      return false;
    }
    group.stacks.push_back(static_cast<char*>(stack));
    group.items.push_back(std::make_unique<Item>());
    ucontext_t& context = group.items.back()->context;
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStack;
    context.uc_link = nullptr;
    makecontext(&context, body, 0);
  }
  group.waits.resize(group.stacks.size());
  group.copies.resize(group.stacks.size());
  group.warps.resize((group.stacks.size() + kWarp - 1) / kWarp);
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

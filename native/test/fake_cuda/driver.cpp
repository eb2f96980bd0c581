// CUDA's driver for machines without one: counts what is alive, fails when told to, and runs kernels on the CPU. Nothing runs before somebody waits,
// fresh memory and what lies beside it are NaN, and writes beside it are found.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "processor.h"

#define API extern "C" __attribute__((visibility("default")))

namespace {

enum Status {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidContext = 201,
  kInvalidPtx = 218,
  kInvalidHandle = 400,
  kNotFound = 500,
  kLaunchOutOfResources = 701,
  kLaunchFailed = 719,
  kCaptureUnsupported = 900,
};

constexpr std::size_t kGuard = 256;
constexpr unsigned char kFill = 0xFF;  // as float or double: NaN

struct Function {
  std::string name;
  const fake::Entry* entry;
  int most_items;
};

struct Module {
  std::string name;
  std::string ptx;
  std::map<std::string, std::unique_ptr<Function>> functions;
};

// Something queued: a launch with its arguments as they were, a copy, or a fill.
struct Command {
  const Function* function = nullptr;
  int groups = 0;
  int size = 0;
  std::vector<std::vector<unsigned char>> arguments;
  unsigned char* target = nullptr;
  const unsigned char* source = nullptr;
  std::size_t bytes = 0;
  int fill = -1;
};

struct Stream {
  std::vector<Command> queue;
  bool recording = false;
};

struct Graph {
  std::vector<Command> commands;
};

struct Failure {
  int status;
  int after;
};

struct World {
  std::recursive_mutex gate;
  int version = 12040;
  int devices = 1;
  int major = 9;
  std::size_t memory = std::size_t{1} << 30;
  std::string log = "ptxas application ptx input, line 7; fatal : this log is made up";
  bool initialized = false;
  int sticky = 0;  // an error that every later call repeats, as after a kernel that failed
  int contexts = 0;
  std::map<std::uintptr_t, std::size_t> allocations;
  std::size_t allocated = 0;
  std::set<void*> modules, streams, graphs, executables;
  std::map<std::string, Failure> failures;
  std::map<std::string, long> calls;
  long launches = 0;
  long violations = 0;
  std::string failure;
};

World& world() {
  static World* w = new World;  // outlives whatever still calls at exit
  return *w;
}

thread_local std::vector<void*> context_stack;
int the_context;

// Every call begins here: counted, failed where that was asked for, and refused without what it needs.
int enter(const char* name, bool needs_context) {
  World& w = world();
  w.calls[name]++;
  auto found = w.failures.find(name);
  if (found != w.failures.end() && found->second.after-- == 0) {
    int status = found->second.status;
    w.failures.erase(found);
    return status;
  }
  if (w.sticky != 0) return w.sticky;
  if (!w.initialized && std::strcmp(name, "cuInit") != 0) return kNotInitialized;
  if (needs_context && (context_stack.empty() || context_stack.back() != &the_context)) return kInvalidContext;
  return kSuccess;
}

#define ENTER(context)                                                          \
  std::lock_guard<std::recursive_mutex> lock(world().gate);                     \
  if (int status = enter(__func__, context); status != kSuccess) return status; \
  World& w = world();                                                           \
  (void)w

// Whether bytes from an address on lie in one allocation.
bool inside(const void* address, std::size_t bytes) {
  auto& all = world().allocations;
  auto after = all.upper_bound(reinterpret_cast<std::uintptr_t>(address));
  if (after == all.begin()) return false;
  --after;
  return reinterpret_cast<std::uintptr_t>(address) + bytes <= after->first + after->second;
}

void check_guards(std::uintptr_t address, std::size_t bytes) {
  const auto* memory = reinterpret_cast<const unsigned char*>(address);
  for (std::size_t k = 0; k < kGuard; k++) {
    if (memory[-1 - static_cast<std::ptrdiff_t>(k)] != kFill || memory[bytes + k] != kFill) {
      world().violations++;
      return;
    }
  }
}

int execute(const Command& command) {
  World& w = world();
  if (command.function != nullptr) {
    std::vector<void*> pointers;
    for (const auto& argument : command.arguments) pointers.push_back(const_cast<unsigned char*>(argument.data()));
    w.launches++;
    if (!fake::run(*command.function->entry, command.groups, command.size, pointers.data(), w.failure)) return w.sticky = kLaunchFailed;
  } else if (command.fill >= 0) {
    std::memset(command.target, command.fill, command.bytes);
  } else {
    std::memcpy(command.target, command.source, command.bytes);
  }
  return kSuccess;
}

int drain(Stream* stream) {
  std::vector<Command> queue;
  queue.swap(stream->queue);
  for (const Command& command : queue) {
    if (int status = execute(command); status != kSuccess) return status;
  }
  return kSuccess;
}

int drain_all() {
  for (void* stream : world().streams) {
    if (int status = drain(static_cast<Stream*>(stream)); status != kSuccess) return status;
  }
  return kSuccess;
}

Stream* stream_of(void* handle) { return world().streams.count(handle) != 0 ? static_cast<Stream*>(handle) : nullptr; }

}  // namespace

API int cuGetErrorName(int status, const char** text) {
  static const std::map<int, const char*> names = {
      {kSuccess, "CUDA_SUCCESS"},
      {kInvalidValue, "CUDA_ERROR_INVALID_VALUE"},
      {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
      {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED"},
      {kNoDevice, "CUDA_ERROR_NO_DEVICE"},
      {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE"},
      {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT"},
      {kInvalidPtx, "CUDA_ERROR_INVALID_PTX"},
      {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE"},
      {kNotFound, "CUDA_ERROR_NOT_FOUND"},
      {kLaunchOutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
      {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED"},
      {kCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
  };
  auto found = names.find(status);
  *text = found == names.end() ? nullptr : found->second;
  return *text == nullptr ? kInvalidValue : kSuccess;
}

API int cuGetErrorString(int status, const char** text) {
  const char* name;
  if (cuGetErrorName(status, &name) != kSuccess) return kInvalidValue;
  *text = status == kOutOfMemory ? "out of memory" : status == kNoDevice ? "no CUDA-capable device is detected" : "made up for a test";
  return kSuccess;
}

API int cuDriverGetVersion(int* version) {
  *version = world().version;
  return kSuccess;
}

API int cuInit(unsigned) {
  ENTER(false);
  if (w.devices == 0) return kNoDevice;
  w.initialized = true;
  return kSuccess;
}

API int cuDeviceGetCount(int* count) {
  ENTER(false);
  *count = w.devices;
  return kSuccess;
}

API int cuDeviceGet(int* device, int ordinal) {
  ENTER(false);
  if (ordinal < 0 || ordinal >= w.devices) return kInvalidDevice;
  *device = ordinal;
  return kSuccess;
}

API int cuDeviceGetName(char* name, int length, int) {
  ENTER(false);
  std::strncpy(name, "processor in a GPU's clothes", static_cast<std::size_t>(length));
  return kSuccess;
}

API int cuDeviceGetAttribute(int* value, int attribute, int) {
  ENTER(false);
  switch (attribute) {
    case 13: *value = 1000000; break;
    case 16: *value = 2; break;
    case 75: *value = w.major; break;
    case 76: *value = 0; break;
    default: return kInvalidValue;
  }
  return kSuccess;
}

API int cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  ENTER(false);
  *bytes = w.memory;
  return kSuccess;
}

API int cuDevicePrimaryCtxRetain(void** context, int) {
  ENTER(false);
  w.contexts++;
  *context = &the_context;
  return kSuccess;
}

API int cuDevicePrimaryCtxRelease_v2(int) {
  std::lock_guard<std::recursive_mutex> lock(world().gate);
  World& w = world();
  if (w.contexts == 0) return kInvalidContext;
  if (--w.contexts == 0) w.sticky = 0;  // a context that failed is gone with its last user
  return kSuccess;
}

API int cuCtxPushCurrent_v2(void* context) {
  std::lock_guard<std::recursive_mutex> lock(world().gate);
  World& w = world();
  // A context that is lost can still be entered.
  if (int status = enter(__func__, false); status != kSuccess && status != w.sticky) return status;
  if (w.contexts == 0 || context != &the_context) return kInvalidContext;
  context_stack.push_back(context);
  return kSuccess;
}

API int cuCtxPopCurrent_v2(void** context) {
  if (context_stack.empty()) return kInvalidContext;
  *context = context_stack.back();
  context_stack.pop_back();
  return kSuccess;
}

// Options: 5 and 6 are the buffer of the error log and its length.
API int cuModuleLoadDataEx(void** handle, const char* ptx, unsigned count, const int* options, void** values) {
  std::lock_guard<std::recursive_mutex> lock(world().gate);
  World& w = world();
  char* log = nullptr;
  std::size_t length = 0;
  for (unsigned k = 0; k < count; k++) {
    if (options[k] == 5) log = static_cast<char*>(values[k]);
    if (options[k] == 6) length = reinterpret_cast<std::uintptr_t>(values[k]);
  }
  int status = enter(__func__, true);
  std::string text(ptx);
  std::smatch name;
  if (status == kSuccess && (!std::regex_search(text, name, std::regex("// Module: (\\S+)")) || text.find(".target sm_80") == std::string::npos))
    status = kInvalidPtx;
  if (status != kSuccess) {
    if (log != nullptr && length > 0) {
      std::strncpy(log, w.log.c_str(), length - 1);
      log[length - 1] = 0;
    }
    return status;
  }
  auto* module = new Module{name[1], text, {}};
  w.modules.insert(module);
  *handle = module;
  return kSuccess;
}

API int cuModuleUnload(void* handle) {
  ENTER(true);
  if (int status = drain_all(); status != kSuccess) return status;
  if (w.modules.erase(handle) == 0) return kInvalidHandle;
  delete static_cast<Module*>(handle);
  return kSuccess;
}

// The kernel must be in the PTX, with parameters of the sizes that the kernel on the CPU has.
API int cuModuleGetFunction(void** function, void* handle, const char* name) {
  ENTER(true);
  if (w.modules.count(handle) == 0) return kInvalidHandle;
  auto* module = static_cast<Module*>(handle);
  auto& slot = module->functions[name];
  if (slot == nullptr) {
    const fake::Entry* entry = fake::find(module->name, name);
    std::size_t start = module->ptx.find(std::string(".entry ") + name + "(");
    if (entry == nullptr || start == std::string::npos) return kNotFound;
    std::string head = module->ptx.substr(start, module->ptx.find('{', start) - start);
    std::vector<int> sizes;
    const std::regex parameter("\\.param (?:\\.align \\d+ )?\\.[a-z]+(\\d+)");
    for (std::sregex_iterator k(head.begin(), head.end(), parameter), end; k != end; ++k)
      sizes.push_back(std::stoi((*k)[1]) / 8);
    if (sizes != entry->sizes) return kInvalidPtx;
    std::smatch most;
    int items = std::regex_search(head, most, std::regex("\\.(?:max|req)ntid\\s+(\\d+)")) ? std::stoi(most[1]) : 1024;
    slot = std::make_unique<Function>(Function{name, entry, items});
  }
  *function = slot.get();
  return kSuccess;
}

API int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  ENTER(true);
  *free = w.memory - w.allocated;
  *total = w.memory;
  return kSuccess;
}

API int cuMemAlloc_v2(std::uintptr_t* address, std::size_t bytes) {
  ENTER(true);
  if (bytes == 0) return kInvalidValue;
  if (bytes > w.memory - w.allocated) return kOutOfMemory;
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(kGuard, kGuard * (2 + ((bytes + kGuard - 1) / kGuard) + 1)));
  if (memory == nullptr) return kOutOfMemory;
  std::memset(memory, kFill, bytes + (2 * kGuard));
  *address = reinterpret_cast<std::uintptr_t>(memory) + kGuard;
  w.allocations[*address] = bytes;
  w.allocated += bytes;
  return kSuccess;
}

API int cuMemFree_v2(std::uintptr_t address) {
  ENTER(true);
  drain_all();
  auto found = w.allocations.find(address);
  if (found == w.allocations.end()) return kInvalidValue;
  check_guards(address, found->second);
  w.allocated -= found->second;
  w.allocations.erase(found);
  std::free(reinterpret_cast<unsigned char*>(address) - kGuard);
  return kSuccess;
}

// Not copied at the call: the driver need not.
API int cuMemcpyHtoDAsync_v2(std::uintptr_t target, const void* source, std::size_t bytes, void* handle) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  if (stream->recording) return kCaptureUnsupported;
  if (!inside(reinterpret_cast<void*>(target), bytes)) return kInvalidValue;
  Command command;
  command.target = reinterpret_cast<unsigned char*>(target);
  command.source = static_cast<const unsigned char*>(source);
  command.bytes = bytes;
  stream->queue.push_back(std::move(command));
  return kSuccess;
}

API int cuMemcpyDtoHAsync_v2(void* target, std::uintptr_t source, std::size_t bytes, void* handle) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  if (stream->recording) return kCaptureUnsupported;
  if (!inside(reinterpret_cast<void*>(source), bytes)) return kInvalidValue;
  Command command;
  command.target = static_cast<unsigned char*>(target);
  command.source = reinterpret_cast<const unsigned char*>(source);
  command.bytes = bytes;
  stream->queue.push_back(std::move(command));
  return kSuccess;
}

API int cuMemsetD8Async(std::uintptr_t target, unsigned char value, std::size_t bytes, void* handle) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  if (!inside(reinterpret_cast<void*>(target), bytes)) return kInvalidValue;
  Command command;
  command.target = reinterpret_cast<unsigned char*>(target);
  command.bytes = bytes;
  command.fill = value;
  stream->queue.push_back(std::move(command));
  return kSuccess;
}

API int cuStreamCreate(void** handle, unsigned) {
  ENTER(true);
  *handle = new Stream;
  w.streams.insert(*handle);
  return kSuccess;
}

API int cuStreamDestroy_v2(void* handle) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  drain(stream);
  w.streams.erase(handle);
  delete stream;
  return kSuccess;
}

API int cuStreamSynchronize(void* handle) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  return stream->recording ? kCaptureUnsupported : drain(stream);
}

API int cuLaunchKernel(void* handle, unsigned groups, unsigned y, unsigned z, unsigned size, unsigned v, unsigned u, unsigned shared, void* queue,
                       void** arguments, void**) {
  ENTER(true);
  Stream* stream = stream_of(queue);
  if (stream == nullptr || handle == nullptr) return kInvalidHandle;
  if (groups == 0 || groups > 0x7FFFFFFF || y != 1 || z != 1 || size == 0 || v != 1 || u != 1 || shared != 0) return kInvalidValue;
  Command command;
  command.function = static_cast<const Function*>(handle);
  if (static_cast<int>(size) > command.function->most_items) return kLaunchOutOfResources;
  command.groups = static_cast<int>(groups);
  command.size = static_cast<int>(size);
  const std::vector<int>& sizes = command.function->entry->sizes;
  for (std::size_t k = 0; k < sizes.size(); k++) {
    const auto* argument = static_cast<const unsigned char*>(arguments[k]);
    command.arguments.emplace_back(argument, argument + sizes[k]);
  }
  stream->queue.push_back(std::move(command));
  return kSuccess;
}

API int cuStreamBeginCapture_v2(void* handle, int) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  if (stream->recording) return kCaptureUnsupported;
  if (int status = drain(stream); status != kSuccess) return status;
  stream->recording = true;
  return kSuccess;
}

API int cuStreamEndCapture(void* handle, void** graph) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr || !stream->recording) return kInvalidHandle;
  stream->recording = false;
  auto* made = new Graph;
  made->commands.swap(stream->queue);
  w.graphs.insert(made);
  *graph = made;
  return kSuccess;
}

API int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  ENTER(true);
  if (w.graphs.count(graph) == 0) return kInvalidHandle;
  *executable = new Graph(*static_cast<Graph*>(graph));
  w.executables.insert(*executable);
  return kSuccess;
}

API int cuGraphLaunch(void* executable, void* handle) {
  ENTER(true);
  Stream* stream = stream_of(handle);
  if (stream == nullptr || w.executables.count(executable) == 0) return kInvalidHandle;
  for (const Command& command : static_cast<Graph*>(executable)->commands) stream->queue.push_back(command);
  return kSuccess;
}

API int cuGraphDestroy(void* graph) {
  ENTER(true);
  if (w.graphs.erase(graph) == 0) return kInvalidHandle;
  delete static_cast<Graph*>(graph);
  return kSuccess;
}

API int cuGraphExecDestroy(void* executable) {
  ENTER(true);
  if (w.executables.erase(executable) == 0) return kInvalidHandle;
  delete static_cast<Graph*>(executable);
  return kSuccess;
}

// What tests ask and set.

API void ot_fake_device(int version, int devices, int major, std::size_t memory) {
  std::lock_guard<std::recursive_mutex> lock(world().gate);
  World& w = world();
  w.version = version;
  w.devices = devices;
  w.major = major;
  w.memory = memory;
  w.initialized = false;
}

// The call after `after` more calls of a function fails.
API void ot_fake_fail(const char* function, int status, int after) {
  std::lock_guard<std::recursive_mutex> lock(world().gate);
  world().failures[function] = Failure{status, after};
}

API long ot_fake_calls(const char* function) {
  std::lock_guard<std::recursive_mutex> lock(world().gate);
  return world().calls[function];
}

// Alive: contexts, allocations, bytes, modules, streams, graphs, executable graphs; then launches made and writes beside allocations.
API void ot_fake_counts(long* counts) {
  std::lock_guard<std::recursive_mutex> lock(world().gate);
  World& w = world();
  for (const auto& [address, bytes] : w.allocations) check_guards(address, bytes);
  const long values[] = {w.contexts,
                         static_cast<long>(w.allocations.size()),
                         static_cast<long>(w.allocated),
                         static_cast<long>(w.modules.size()),
                         static_cast<long>(w.streams.size()),
                         static_cast<long>(w.graphs.size()),
                         static_cast<long>(w.executables.size()),
                         w.launches,
                         w.violations};
  std::copy(std::begin(values), std::end(values), counts);
}

API const char* ot_fake_failure() { return world().failure.c_str(); }

// A block of CUDA threads on the host: enough of CUDA's language to compile the device code as
// plain C++ and run it, thread by thread. For tests: it proves algorithms, not speed.
//
// Every thread of a block is a coroutine with its own stack. It runs until a barrier or a warp-wide
// exchange, where it waits for the others; between two of those nothing says which thread runs
// first, and the order is chosen by SetOrder: results that change with it betray a race. A barrier
// that not all threads reach, or a warp whose lanes meet in different exchanges, ends the program
// with a message. Shared variables start a block filled with 0xff (NaN, -1), as memory would.
//
// One launch runs at a time, on the caller's thread, blocks one after the other.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define EMOJAX_EMULATOR_ASAN 1
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emojax::emulator {

constexpr unsigned kLanes = 32, kMostThreads = 1024;
constexpr size_t kStack = 256 * 1024;

enum class Order { kForward, kBackward, kShuffled };

[[noreturn]] inline void Fail(const char* what) {
  std::fprintf(stderr, "emulator: %s (block %u %u %u, thread %u)\n", what, blockIdx.x, blockIdx.y,
               blockIdx.z, threadIdx.x);
  std::abort();
}

// ---- Coroutines -------------------------------------------------------------------------------

#if defined(__x86_64__)
// Saves the registers that a call preserves on the stack, and takes over another stack.
extern "C" void emojax_emulator_switch(void** from, void* to) __attribute__((visibility("hidden")));
asm(R"(
.text
.weak emojax_emulator_switch
.hidden emojax_emulator_switch
.type emojax_emulator_switch, @function
emojax_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emojax_emulator_switch, . - emojax_emulator_switch
)");
#endif

enum class State { kReady, kAtExchange, kAtBarrier, kDone };

struct Thread {
  State state;
#if defined(__x86_64__)
  void* stack_pointer;
#else
  ucontext_t context;
#endif
  void* fake_stack = nullptr;  // AddressSanitizer's
};

// Values that the lanes of a warp show each other. Two sets in turn: a lane may be at the next
// exchange while another still reads this one, but not at the one after.
struct Warp {
  uint64_t values[2][kLanes];
  const char* kind;
  unsigned arrived;
  unsigned turn;
};

struct Machine {
  std::mutex busy;
  Order order = Order::kForward;
  uint64_t random = 1;
  uint64_t block_serial = 0;
  std::vector<std::unique_ptr<char[]>> stacks;
  Thread threads[kMostThreads];
  Warp warps[kMostThreads / kLanes];
  unsigned arrived;    // at the barrier
  int count[2];        // of threads whose predicate is true, by turn
  unsigned turn;       // of the barrier
  unsigned size;       // threads of a block
  unsigned current;    // thread
  const std::function<void()>* body;
#if defined(__x86_64__)
  void* scheduler_stack;
#else
  ucontext_t scheduler;
#endif
  const void* scheduler_bottom = nullptr;
  size_t scheduler_size = 0;
};

inline Machine& TheMachine() {
  static Machine machine;
  return machine;
}

// From now on, which thread goes first where nothing else decides.
inline void SetOrder(Order order) {
  Machine& m = TheMachine();
  std::lock_guard lock(m.busy);
  m.order = order;
}

inline uint64_t Random(Machine& m) {
  m.random ^= m.random << 13;
  m.random ^= m.random >> 7;
  m.random ^= m.random << 17;
  return m.random;
}

inline void SwitchToScheduler(bool last) {
  Machine& m = TheMachine();
  Thread& t = m.threads[m.current];
#ifdef EMOJAX_EMULATOR_ASAN
  __sanitizer_start_switch_fiber(last ? nullptr : &t.fake_stack, m.scheduler_bottom,
                                 m.scheduler_size);
#endif
  (void)last;
#if defined(__x86_64__)
  emojax_emulator_switch(&t.stack_pointer, m.scheduler_stack);
#else
  swapcontext(&t.context, &m.scheduler);
#endif
#ifdef EMOJAX_EMULATOR_ASAN
  __sanitizer_finish_switch_fiber(t.fake_stack, nullptr, nullptr);
#endif
}

inline void ThreadMain() {
  Machine& m = TheMachine();
#ifdef EMOJAX_EMULATOR_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &m.scheduler_bottom, &m.scheduler_size);
#endif
  (*m.body)();
  m.threads[m.current].state = State::kDone;
  SwitchToScheduler(true);
  std::abort();  // a finished thread is never resumed
}

inline void Resume(unsigned index) {
  Machine& m = TheMachine();
  Thread& t = m.threads[index];
  m.current = index;
  threadIdx = dim3(index, 0, 0);
#ifdef EMOJAX_EMULATOR_ASAN
  void* fake_stack;
  __sanitizer_start_switch_fiber(&fake_stack, m.stacks[index].get(), kStack);
#endif
#if defined(__x86_64__)
  emojax_emulator_switch(&m.scheduler_stack, t.stack_pointer);
#else
  swapcontext(&m.scheduler, &t.context);
#endif
#ifdef EMOJAX_EMULATOR_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

inline void Prepare(unsigned index) {
  Machine& m = TheMachine();
  Thread& t = m.threads[index];
  t.state = State::kReady;
#if defined(__x86_64__)
  // What the switch pops: six registers, then the address to go to; then the stack is aligned as
  // if that address had been called.
  auto** top = reinterpret_cast<void**>(
      reinterpret_cast<uintptr_t>(m.stacks[index].get() + kStack) & ~uintptr_t{15});
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&ThreadMain);
  for (int k = 0; k < 6; ++k) *--top = nullptr;
  t.stack_pointer = top;
#else
  getcontext(&t.context);
  t.context.uc_stack.ss_sp = m.stacks[index].get();
  t.context.uc_stack.ss_size = kStack;
  t.context.uc_link = nullptr;
  makecontext(&t.context, ThreadMain, 0);
#endif
}

// Runs the threads of one warp until each waits for another warp or has ended.
inline bool RunWarp(unsigned warp) {
  Machine& m = TheMachine();
  bool any = false;
  for (bool moved = true; moved;) {
    moved = false;
    const unsigned start = m.order == Order::kShuffled ? Random(m) % kLanes : 0;
    for (unsigned k = 0; k < kLanes; ++k) {
      const unsigned lane = m.order == Order::kBackward ? kLanes - 1 - k : (start + k) % kLanes;
      if (m.threads[warp * kLanes + lane].state != State::kReady) continue;
      Resume(warp * kLanes + lane);
      any = moved = true;
    }
  }
  return any;
}

inline void RunBlock() {
  Machine& m = TheMachine();
  const unsigned warps = m.size / kLanes;
  ++m.block_serial;
  m.arrived = m.turn = 0;
  m.count[0] = m.count[1] = 0;
  for (unsigned i = 0; i < m.size; ++i) Prepare(i);
  for (unsigned w = 0; w < warps; ++w) m.warps[w] = Warp{};
  for (;;) {
    bool any = false, done = true;
    const unsigned start = m.order == Order::kShuffled ? Random(m) % warps : 0;
    for (unsigned k = 0; k < warps; ++k) {
      any |= RunWarp(m.order == Order::kBackward ? warps - 1 - k : (start + k) % warps);
    }
    for (unsigned i = 0; i < m.size; ++i) done &= m.threads[i].state == State::kDone;
    if (done) return;
    if (!any) Fail("a barrier or an exchange that not every thread reaches");
  }
}

// Runs a kernel on all blocks, one after the other, in some order.
inline void RunGrid(dim3 grid, unsigned threads, const std::function<void()>& body) {
  Machine& m = TheMachine();
  std::lock_guard lock(m.busy);
  if (threads % kLanes || threads > kMostThreads) Fail("a block of an impossible size");
  while (m.stacks.size() < threads) m.stacks.emplace_back(new char[kStack]);
  m.size = threads;
  m.body = &body;
  gridDim = grid;
  blockDim = dim3(threads);
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  const uint64_t start = m.order == Order::kShuffled && blocks ? Random(m) % blocks : 0;
  for (uint64_t k = 0; k < blocks; ++k) {
    const uint64_t b = m.order == Order::kBackward ? blocks - 1 - k : (start + k) % blocks;
    blockIdx = dim3(b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y);
    RunBlock();
  }
}

// ---- What threads do together -----------------------------------------------------------------

// Shows a value to the lanes of the warp; returns what all of them show.
inline const uint64_t* Exchange(unsigned mask, const char* kind, uint64_t value) {
  Machine& m = TheMachine();
  const unsigned index = m.current, lane = index % kLanes;
  Warp& warp = m.warps[index / kLanes];
  if (mask != 0xffffffffu) Fail("an exchange of a part of a warp");
  if (warp.arrived == 0) warp.kind = kind;
  if (std::strcmp(warp.kind, kind)) Fail("lanes of a warp in different exchanges");
  uint64_t* values = warp.values[warp.turn];
  values[lane] = value;
  if (++warp.arrived == kLanes) {
    warp.arrived = 0;
    warp.turn ^= 1;
    for (unsigned k = 0; k < kLanes; ++k) {
      m.threads[index / kLanes * kLanes + k].state = State::kReady;
    }
  } else {
    m.threads[index].state = State::kAtExchange;
    SwitchToScheduler(false);
  }
  return values;
}

// Waits for all threads of the block; returns how many came with a true predicate.
inline int Barrier(bool predicate) {
  Machine& m = TheMachine();
  const unsigned turn = m.turn;
  m.count[turn] += predicate;
  if (++m.arrived == m.size) {
    m.arrived = 0;
    m.turn ^= 1;
    m.count[m.turn] = 0;
    for (unsigned i = 0; i < m.size; ++i) m.threads[i].state = State::kReady;
  } else {
    m.threads[m.current].state = State::kAtBarrier;
    SwitchToScheduler(false);
  }
  return m.count[turn];
}

// Called by every thread for each shared variable: the first of a block fills it.
inline void FreshInEachBlock(void* variable, size_t size, uint64_t* block) {
  const uint64_t serial = TheMachine().block_serial;
  if (*block == serial) return;
  *block = serial;
  std::memset(variable, 0xff, size);
}

template <class T>
uint64_t BitsOf(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
T FromBits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
inline unsigned LaneNow() { return TheMachine().current % kLanes; }

}  // namespace emojax::emulator

// ---- CUDA's names -----------------------------------------------------------------------------

inline void __syncthreads() { emojax::emulator::Barrier(false); }
inline int __syncthreads_count(int p) { return emojax::emulator::Barrier(p != 0); }
inline int __syncthreads_or(int p) { return emojax::emulator::Barrier(p != 0) != 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  emojax::emulator::Exchange(mask, "syncwarp", 0);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const uint64_t* all = emojax::emulator::Exchange(mask, "ballot", predicate != 0);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) bits |= static_cast<unsigned>(all[lane]) << lane;
  return bits;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  using namespace emojax::emulator;
  return FromBits<T>(Exchange(mask, "shfl", BitsOf(value))[lane & 31]);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  using namespace emojax::emulator;
  const unsigned lane = LaneNow();
  return FromBits<T>(Exchange(mask, "shfl_xor", BitsOf(value))[lane ^ lanes]);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes) {
  using namespace emojax::emulator;
  const unsigned lane = LaneNow();
  const uint64_t* all = Exchange(mask, "shfl_up", BitsOf(value));
  return FromBits<T>(all[lane < lanes ? lane : lane - lanes]);
}

template <class T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = old + value;
  return old;
}
inline unsigned atomicOr(unsigned* at, unsigned value) {
  const unsigned old = *at;
  *at = old | value;
  return old;
}
template <class T>
T atomicMax(T* at, T value) {
  const T old = *at;
  if (value > old) *at = value;
  return old;
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(unsigned x) { return x ? std::countr_zero(x) + 1 : 0; }
inline int __clz(unsigned x) { return std::countl_zero(x); }
inline long long __double2ll_rn(double x) { return std::llrint(x); }

namespace emojax {

using Stream = int;  // nothing waits
constexpr const char* kNoError = nullptr;

template <class... Parameters>
const char* Launch(Stream, dim3 grid, int threads, void (*kernel)(Parameters...),
                   std::type_identity_t<Parameters>... arguments) {
  emulator::RunGrid(grid, threads, [&] { kernel(arguments...); });
  return kNoError;
}

}  // namespace emojax

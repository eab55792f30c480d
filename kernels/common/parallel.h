// Parallel loops on somebody else's threads, without deadlock and without a say in the result.
//
// An XLA handler may itself be running *on* XLA's thread pool, so it must never wait for a task
// that has not started: with every pool thread waiting, nobody would be left to start it. Here the
// caller works too. Indices are handed out by one atomic counter; the caller takes them until none
// is left and then waits only for indices that some running thread has already taken. A helper that
// starts too late finds nothing to do and returns; it touches nothing but the shared counter, which
// it owns a share of.
//
// Which thread runs which index is left to chance, so a body must write only to places owned by its
// index: then results do not depend on the number of threads, bit for bit.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>

namespace emojax {

// Something that can run a function later on another thread: XLA's pool, or plain threads in tests.
struct Scheduler {
  int threads;  // that may work on one loop, the caller included
  std::function<void(std::function<void()>)> schedule;
};

// Runs body(index, worker) for each index of [0, count), in any order, and returns when all are
// done. `worker` lies in [0, scheduler.threads) and is never shared by two running threads: it
// names a scratch space. What a body throws (it may run out of memory) is thrown here, once all
// have ended.
template <class Body>
void ParallelFor(const Scheduler& scheduler, int64_t count, const Body& body) {
  struct Shared {
    std::atomic<int64_t> next{0};
    std::atomic<int64_t> finished{0};
    std::atomic<int> workers{0};
    std::atomic<bool> failed{false};
    std::exception_ptr error;  // of the first body that failed
  };
  if (count <= 0) return;
  const int64_t helpers = std::min<int64_t>(scheduler.threads, count) - 1;
  if (helpers <= 0) {
    for (int64_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  auto shared = std::make_shared<Shared>();
  // `body` lives on the caller's stack. It is used only for an index below `count`, and the caller
  // leaves only after all of those are finished.
  auto work = [shared, count, &body] {
    const int worker = shared->workers.fetch_add(1, std::memory_order_relaxed);
    for (;;) {
      const int64_t i = shared->next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count) return;
      try {
        body(i, worker);
      } catch (...) {
        if (!shared->failed.exchange(true)) shared->error = std::current_exception();
      }
      if (shared->finished.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
        shared->finished.notify_all();
      }
    }
  };
  for (int64_t i = 0; i < helpers; ++i) scheduler.schedule(work);
  work();
  for (int64_t done = shared->finished.load(std::memory_order_acquire); done < count;
       done = shared->finished.load(std::memory_order_acquire)) {
    shared->finished.wait(done, std::memory_order_acquire);
  }
  if (shared->failed.load()) std::rethrow_exception(shared->error);
}

}  // namespace emojax

// Memory that is kept from call to call, and tasks on XLA's threads.

#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "interface.h"

namespace {

using jaxgan::Index;
using jaxgan::Threads;

Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

struct Buffer {  // grows, never shrinks: one for each use and thread
  float* data = nullptr;
  size_t size = 0;
  float* get(size_t n) {
    if (n > size) {
      ::operator delete[](data, std::align_val_t(64));
      data = static_cast<float*>(::operator new[](n * sizeof(float), std::align_val_t(64)));
      size = n;
    }
    return data;
  }
  ~Buffer() { ::operator delete[](data, std::align_val_t(64)); }
};

struct Shared {
  std::function<void(Index)> task;
  Index count;
  std::atomic<Index> next{0};
  Index done = 0;
  std::mutex mutex;
  std::condition_variable finished;
  void work() {
    Index mine = 0;
    for (Index i; (i = next.fetch_add(1)) < count; mine++) task(i);
    if (!mine) return;
    std::lock_guard<std::mutex> lock(mutex);
    done += mine;
    if (done == count) finished.notify_all();
  }
};

// Run task(0) ... task(count - 1) on XLA's threads and on this one. A helper that starts late finds nothing left, so
// nobody waits for a thread that is itself waiting.
void parallel(const Threads& pool, Index count, std::function<void(Index)> task) {
  Index helpers = std::min<Index>(pool.count, count) - 1;
  if (helpers <= 0) {
    for (Index i = 0; i < count; i++) task(i);
    return;
  }
  auto shared = std::make_shared<Shared>();
  shared->task = std::move(task);
  shared->count = count;
  for (Index i = 0; i < helpers; i++) pool.start([shared] { shared->work(); });
  shared->work();
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->finished.wait(lock, [&] { return shared->done == shared->count; });
}

}  // namespace

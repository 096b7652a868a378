// Memory that is kept from call to call, and tasks on XLA's threads.

#pragma once

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "interface.h"

namespace {

using namespace jaxgan;

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

// A task's indices, dealt out one by one. Kept until the last thread that was asked to help has seen that none is left.
struct Shared {
  void (*run)(const void* task, Index i);
  const void* task;
  Index count;
  std::atomic<Index> next{0}, holders;
  Index done = 0;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
  void work() {
    Index mine = 0;
    for (Index i; (i = next.fetch_add(1)) < count; mine++) run(task, i);
    if (!mine) return;
    pthread_mutex_lock(&mutex);
    done += mine;
    if (done == count) pthread_cond_broadcast(&finished);
    pthread_mutex_unlock(&mutex);
  }
  void wait() {
    pthread_mutex_lock(&mutex);
    while (done != count) pthread_cond_wait(&finished, &mutex);
    pthread_mutex_unlock(&mutex);
  }
  void release() {
    if (holders.fetch_sub(1) == 1) delete this;
  }
};

void help(void* data) {
  auto* shared = static_cast<Shared*>(data);
  shared->work();
  shared->release();
}

void run_parallel(const Threads& pool, Index count, void (*run)(const void*, Index), const void* task) {
  Index helpers = std::min<Index>(pool.count, count) - 1;
  if (helpers <= 0) {
    for (Index i = 0; i < count; i++) run(task, i);
    return;
  }
  auto* shared = new Shared{run, task, count};
  shared->holders = helpers + 1;
  for (Index i = 0; i < helpers; i++) pool.schedule(pool.owner, help, shared);
  shared->work();
  shared->wait();
  shared->release();
}

// Run task(0) ... task(count - 1) on XLA's threads and on this one. A helper that starts late finds nothing left, so
// nobody waits for a thread that is itself waiting.
template <class Task>
void parallel(const Threads& pool, Index count, const Task& task) {
  run_parallel(pool, count, [](const void* task, Index i) { (*static_cast<const Task*>(task))(i); }, &task);
}

}  // namespace

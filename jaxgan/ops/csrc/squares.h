// The sum of the squares of several arrays, in one pass over their memory. How it is split depends on their sizes only.

#pragma once

#include <vector>

#include "handlers.h"
#include "machine.h"
#include "threads.h"

namespace {

constexpr Index SUMMED = 1 << 13;  // numbers of a task
constexpr int SUMS = 4;            // vectors that are summed side by side

struct Numbers {
  const float* at;
  Index count;
};

double sum_of_squares(const Numbers& numbers) {
  Vec sums[SUMS] = {};
  Index i = 0;
  for (; i + SUMS * VL <= numbers.count; i += SUMS * VL)
    for (int j = 0; j < SUMS; j++) {
      Vec x = *(const Vec*)(numbers.at + i + j * VL);
      sums[j] += x * x;
    }
  double total = 0;
  for (const Vec& sum : sums)
    for (int lane = 0; lane < VL; lane++) total += sum[lane];
  for (; i < numbers.count; i++) total += double(numbers.at[i]) * numbers.at[i];
  return total;
}

XLA_FFI_Error* handle_squares(const XLA_FFI_CallFrame* call) {
  if (told_version(call)) return nullptr;
  if (call->stage != XLA_FFI_ExecutionStage_EXECUTE || call->rets.size != 1) return refuse(call->api, "jaxgan: squares have one sum");
  std::vector<Numbers> tasks;
  for (Index i = 0; i < call->args.size; i++) {
    auto* buffer = static_cast<const XLA_FFI_Buffer*>(call->args.args[i]);
    if (buffer->dtype != XLA_FFI_DataType_F32) return refuse(call->api, "jaxgan: squares are of float32");
    Index count = 1;
    for (Index axis = 0; axis < buffer->rank; axis++) count *= buffer->dims[axis];
    for (Index first = 0; first < count; first += SUMMED)
      tasks.push_back({static_cast<const float*>(buffer->data) + first, std::min(SUMMED, count - first)});
  }
  std::vector<double> sums(tasks.size());
  parallel(threads_of(call), tasks.size(), [&](Index i) { sums[i] = sum_of_squares(tasks[i]); });
  double total = 0;
  for (double sum : sums) total += sum;
  *static_cast<float*>(static_cast<XLA_FFI_Buffer*>(call->rets.rets[0])->data) = float(total);
  return nullptr;
}

}  // namespace

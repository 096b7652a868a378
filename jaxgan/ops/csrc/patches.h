// Patches times kernel ("implicit GEMM"): small panels of patches are copied into the cache and multiplied by packed
// columns. Narrow groups are read in place instead. Where the padding is a good part of the work, its zeros are not
// multiplied.

#pragma once

#include <utility>
#include <vector>

#include "machine.h"
#include "threads.h"
#include "windows.h"

namespace {

// A kernel's columns in the order of the patches: element (tap, k, n) is weights[tap's + k channel_step + n column_step].
template <class T>
struct Columns {
  const T* weights;
  std::vector<Index> taps;
  Index channels, channel_step, column_step, count;
  Index depth() const { return Index(taps.size()) * channels; }
  const T* at(Index k) const { return weights + taps[k / channels] + k % channels * channel_step; }
};

template <class Type>
void pack_columns(const Columns<typename Type::T>& w, Index first, int width, float* out) {
  using T = typename Type::T;
  constexpr int PER = Type::PER_UNIT;
  Index live = std::min<Index>(width, w.count - first), depth = w.depth(), filled = round_up(depth, PER);
  T* to = reinterpret_cast<T*>(out);
  if (live < width || filled > depth) std::fill_n(to, filled * width, T(0));
  for (Index tap = 0, k = 0; tap < Index(w.taps.size()); tap++)
    for (Index c = 0; c < w.channels; c++, k++) {
      const T* row = w.weights + w.taps[tap] + c * w.channel_step + first * w.column_step;
      T* at = to + k / PER * PER * width + k % PER;
      if (w.column_step == 1)
        for (Index n = 0; n < live; n++) at[n * PER] = row[n];
      else
        for (Index n = 0; n < live; n++) at[n * PER] = row[n * w.column_step];
    }
}

// One product: a window of the images, a kernel's columns, and where pixel (n, q, r) of the result stands.
template <class Type>
struct Job {
  using T = typename Type::T;
  Images images;
  std::vector<Window> windows;
  Columns<T> columns;
  T* out;
  Index image, row, column;  // steps of the result's memory
  int width = 0;
  Index padded = 0, units = 0;  // columns filled up to tiles; depth
  Index packed = 0;             // where its packed columns start
  T* at(const Pixel<T>& p) const { return out + p.n * image + p.q * row + p.r * column; }
};

// A task: rows of pixels [first, first + rows) of a window, and columns [begin, end).
struct Task {
  Index job, window, first, rows, begin, end;
};

// Copy what a pixel sees of a panel as floats.
template <class Type>
inline void copy_floats(const Images& images, const Pixel<typename Type::T>& p, const Panel& panel, bool inside, float* out) {
  if constexpr (Type::PER_UNIT == 1) {
    copy_patch(images, p, panel.pieces, inside, out);
  } else {
    typename Type::T row[DEPTH];
    copy_patch(images, p, panel.pieces, inside, row);
    for (Index k = 0; k < panel.count; k++) out[k] = Type::number(row[k]);
  }
}

template <class Type>
void run_block(const Job<Type>& job, const Window& w, const std::vector<Panel>& panels, const typename Type::T* data,
               const float* packed, const Task& task) {
  using T = typename Type::T;
  static thread_local Buffer patch_buffer, sum_buffer;
  Pixel<T> pixels[BLOCK_PIXELS];
  Index rows = task.rows, filled = round_up(rows, rows_of(job.width)), padded = task.end - task.begin;
  list_pixels(w, job.images, data, task.first, rows, pixels);
  float* patches = patch_buffer.get((BLOCK_PIXELS + TALL) * PATCH_LD);
  float* sums = sum_buffer.get(filled * padded);
  Index ldc = padded, live = std::min(task.end, job.columns.count) - task.begin;
  bool in_place = Type::PER_UNIT == 1 && padded == live && filled == rows &&
                  job.at(pixels[rows - 1]) == job.at(pixels[0]) + (rows - 1) * job.column;
  if (in_place) sums = reinterpret_cast<float*>(job.at(pixels[0]) + task.begin), ldc = job.column;
  if (panels.empty())  // pixels that no tap reaches
    for (Index m = 0; m < rows; m++) std::fill_n(sums + m * ldc, padded, 0.0f);
  for (const Panel& panel : panels) {
    bool add = &panel != &panels.front();
    if (!packed) {
      for (Index m = 0; m < rows; m++) copy_floats<Type>(job.images, pixels[m], panel, w.inside, patches + m * PATCH_LD);
      product<typename Type::InPlace, false>(patches, job.columns.at(panel.from) + task.begin, job.columns.channel_step,
                                             job.width, filled, padded, job.width, panel.count, sums, ldc, job.width, add);
      continue;
    }
    Index units = (panel.count + Type::PER_UNIT - 1) / Type::PER_UNIT;
    for (Index m = 0; m < rows; m++) {
      T* to = reinterpret_cast<T*>(patches + m * PATCH_LD);
      copy_patch(job.images, pixels[m], panel.pieces, w.inside, to);
      if (panel.count % Type::PER_UNIT) to[panel.count] = T(0);
    }
    product<Type, false>(patches, packed + task.begin * job.units + panel.from / Type::PER_UNIT * job.width, job.width,
                         job.units * job.width, filled, padded, job.width, units, sums, ldc, job.width, add);
  }
  if (in_place) return;
  for (Index m = 0; m < rows; m++) Type::store(sums + m * padded, job.at(pixels[m]) + task.begin, live);
}

// A tile of a narrow group, read where it stands: LANES pixels by NR vectors over all taps.
constexpr int LANES = 8;

template <class Type, int NR>
void direct_tile(const Job<Type>& job, const Window& w, const Pixel<typename Type::T>* pixels, const float* packed,
                 const float* zeros, float (*sums)[NR * VL]) {
  Vec acc[LANES][NR] = {};
  const float* b = packed;
  Index depth = job.images.channels / Type::PER_UNIT;
  for (const Run& run : w.runs) {
    const float* at[LANES];
    Index shift = (run.dy * job.images.width + run.dx) * job.images.features;
    bool any = false;
#pragma GCC unroll 8
    for (int m = 0; m < LANES; m++) {
      bool live = w.inside || (uint64_t(pixels[m].y + run.dy) < uint64_t(job.images.height) &&
                               uint64_t(pixels[m].x + run.dx) < uint64_t(job.images.width));
      at[m] = live ? reinterpret_cast<const float*>(pixels[m].at + shift) : zeros;
      any |= live;
    }
    if (!any) {
      b += depth * job.width;
      continue;
    }
    for (Index k = 0; k < depth; k++, b += job.width) {
#pragma GCC unroll 4
      for (int n = 0; n < NR; n++) {
        Vec row = *(const Vec*)(b + n * VL);
#pragma GCC unroll 8
        for (int m = 0; m < LANES; m++) acc[m][n] = Type::fma(acc[m][n], at[m] + k, row);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < LANES; m++)
#pragma GCC unroll 4
    for (int n = 0; n < NR; n++) *(Vec*)(sums[m] + n * VL) = acc[m][n];
}

// One block of pixels of all groups, which lie side by side in memory.
template <class Type, int NR>
void run_direct(const Job<Type>* jobs, Index groups, const typename Type::T* data, const float* packed, Index first,
                Index rows) {
  static thread_local Buffer zero_buffer;
  alignas(64) float sums[LANES][NR * VL];
  Pixel<typename Type::T> pixels[BLOCK_PIXELS + LANES];
  float* zeros = zero_buffer.get(jobs->images.channels);
  std::fill_n(zeros, jobs->images.channels, 0.0f);
  for (Index g = 0; g < groups; g++) {
    const Job<Type>& job = jobs[g];
    const Window& w = job.windows[0];
    list_pixels(w, job.images, data, first, rows, pixels);
    std::fill(pixels + rows, pixels + round_up(rows, LANES), pixels[rows - 1]);
    for (Index m = 0; m < rows; m += LANES) {
      direct_tile<Type, NR>(job, w, pixels + m, packed + job.packed, zeros, sums);
      for (Index i = m; i < std::min(rows, m + LANES); i++) Type::store(sums[i - m], job.at(pixels[i]), job.columns.count);
    }
  }
}

// For so few pixels that packing the columns would cost as much as multiplying them, they are read in place.
template <class Type>
bool reads_in_place(const Job<Type>& job, Index pixels) {
  return pixels <= 64 && job.columns.column_step == 1 && job.columns.count % job.width == 0;
}

template <class Type>
ONCE_A_CALL void run(const Threads& pool, std::vector<Job<Type>>& jobs, const typename Type::T* data, Index batch, Index groups) {
  static thread_local Buffer packed_buffer;
  Index total = 0, area = 0;
  for (Job<Type>& job : jobs) {
    job.width = width_of(job.columns.count);
    job.padded = round_up(job.columns.count, job.width);
    job.units = (job.columns.depth() + Type::PER_UNIT - 1) / Type::PER_UNIT;
    job.packed = total;
    total += job.padded * job.units;
    for (const Window& w : job.windows) area += w.area();
  }
  bool direct = groups > 1 && jobs[0].columns.count <= WIDE && jobs[0].images.channels % Type::PER_UNIT == 0;
  bool in_place = !direct && reads_in_place(jobs[0], batch * area / Index(jobs.size()));
  Index block = std::clamp<Index>(round_up(batch * area / (direct ? groups : 1) / 16, TALL), TALL, BLOCK_PIXELS);
  std::vector<std::pair<Index, Index>> packs;
  std::vector<Task> tasks;
  std::vector<std::vector<std::vector<Panel>>> panels(jobs.size());
  for (Index j = 0; j < Index(jobs.size()); j++) {
    const Job<Type>& job = jobs[j];
    Index columns = in_place ? std::max<Index>(job.width, round_up(job.padded * Index(jobs.size()) / 16, job.width)) : job.padded;
    for (Index n = 0; n < job.padded && !in_place; n += job.width) packs.emplace_back(j, n);
    for (Index i = 0; i < Index(job.windows.size()); i++) {
      const Window& w = job.windows[i];
      if (!direct) panels[j].push_back(make_panels(w, job.images.channels, in_place ? DEPTH : DEPTH * Type::PER_UNIT, in_place));
      if (direct && j % groups) continue;  // its groups go together
      for (Index first = 0; first < batch * w.area(); first += block)
        for (Index n = 0; n < job.padded; n += columns)
          tasks.push_back({j, i, first, std::min(block, batch * w.area() - first), n, std::min(n + columns, job.padded)});
    }
  }
  float* packed = packed_buffer.get(in_place ? 1 : total);
  parallel(pool, packs.size(), [&, packed](Index i) {
    const Job<Type>& job = jobs[packs[i].first];
    pack_columns<Type>(job.columns, packs[i].second, job.width, packed + job.packed + packs[i].second * job.units);
  });
  parallel(pool, tasks.size(), [&, packed](Index i) {
    const Task& task = tasks[i];
    const Job<Type>& job = jobs[task.job];
    if (!direct)
      run_block(job, job.windows[task.window], panels[task.job][task.window], data, in_place ? nullptr : packed + job.packed,
                task);
    else if (job.width == WIDE)
      run_direct<Type, 2>(&job, groups, data, packed, task.first, task.rows);
    else
      run_direct<Type, 1>(&job, groups, data, packed, task.first, task.rows);
  });
}

template <class Type>
ONCE_A_CALL void conv(const Threads& pool, const Shape& s, const typename Type::T* x, const typename Type::T* w, typename Type::T* y) {
  std::vector<Tap> ys = forward_taps(s.kh, s.top), xs = forward_taps(s.kw, s.left);
  std::vector<Index> offsets;
  for (const Tap& i : ys)
    for (const Tap& j : xs) offsets.push_back(s.tap(i.index, j.index));
  std::vector<Job<Type>> jobs;
  for (Index g = 0; g < s.groups; g++)
    jobs.push_back({s.x(g), make_windows(ys, xs, s.rows, s.columns, s.x(g), s.stride, s.batch, s.groups == 1),
                    {w + s.group(g), offsets, s.c(), s.input_step(), s.output_step(), s.o()},
                    y + g * s.o(), s.rows * s.columns * s.features, s.columns * s.features, s.features});
  run(pool, jobs, x, s.batch, s.groups);
}

template <class Type>
ONCE_A_CALL void transposed(const Threads& pool, const Shape& s, const typename Type::T* y, const typename Type::T* w,
                typename Type::T* x) {
  std::vector<Job<Type>> jobs;
  for (Index py = 0; py < std::min(s.stride, s.height); py++)
    for (Index px = 0; px < std::min(s.stride, s.width); px++) {
      std::vector<Tap> ys = phase_taps(s.kh, s.top, s.stride, py), xs = phase_taps(s.kw, s.left, s.stride, px);
      std::vector<Index> offsets;
      for (const Tap& i : ys)
        for (const Tap& j : xs) offsets.push_back(s.tap(i.index, j.index));
      Index rows = (s.height - py + s.stride - 1) / s.stride, columns = (s.width - px + s.stride - 1) / s.stride;
      for (Index g = 0; g < s.groups; g++)
        jobs.push_back({s.y(g), make_windows(ys, xs, rows, columns, s.y(g), 1, s.batch, s.groups == 1),
                        {w + s.group(g), offsets, s.o(), s.output_step(), s.input_step(), s.c()},
                        x + (py * s.width + px) * s.channels + g * s.c(), s.height * s.width * s.channels,
                        s.stride * s.width * s.channels, s.stride * s.channels});
    }
  run(pool, jobs, y, s.batch, s.groups);
}

}  // namespace

// The three bilinear maps of jaxgan.ops.primitives on CPU, as XLA FFI handlers: convolution, its adjoint in the images
// (transposed), its adjoint in the kernel (weight gradient). NHWC images, HWIO kernels, float32 or bfloat16, groups.
//
// Each is a matrix product whose left operand is a window of the images ("implicit GEMM"): small panels of patches are
// copied into the cache, and a register tile of MR rows by NR vectors runs over them (Goto and van de Geijn 2008,
// "Anatomy of high-performance matrix multiplication", section 4). Narrow groups are read in place instead. A panel is
// made of 4-byte units: one float, or two bfloat16 that are neighbours along the contracted axis, multiplied and added
// in float32. Where the padding is a good part of the work, its zeros are not multiplied.
//
// How a sum is split depends on the shapes alone, never on the number of threads: results repeat bit for bit.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Index = int64_t;

// ---------------------------------------------------------------------------------------------- the machine's vectors

#if defined(__AVX512F__)
constexpr int VL = 16, ROWS = 8, TALL = 16;  // floats of a vector; rows of a tile of two vectors, and of one
#elif defined(__AVX__)
constexpr int VL = 8, ROWS = 6, TALL = 12;
#else
constexpr int VL = 4, ROWS = 8, TALL = 16;
#endif
constexpr int WIDE = 2 * VL;

typedef float Vec __attribute__((vector_size(VL * 4), aligned(4), may_alias));

struct Float32 {
  using T = float;
  static constexpr int PER_UNIT = 1;
  static inline Vec fma(Vec acc, const float* a, Vec b) { return acc + *a * b; }
  static inline float unit(const float* first, const float*) { return *first; }
  static inline void store(const float* from, float* to, Index n) { std::memcpy(to, from, n * 4); }
};

#if defined(__AVX512BF16__)
struct BFloat16 {
  using T = uint16_t;
  static constexpr int PER_UNIT = 2;
  static inline Vec fma(Vec acc, const float* a, Vec b) {
    int32_t pair;
    std::memcpy(&pair, a, 4);
    return (Vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)_mm512_set1_epi32(pair), (__m512bh)b);
  }
  static inline void store(const float* from, uint16_t* to, Index n) {
    for (Index i = 0; i < n; i++) {  // round to nearest, ties to even; a NaN stays one
      uint32_t bits;
      std::memcpy(&bits, from + i, 4);
      uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
      to[i] = from[i] != from[i] ? uint16_t((bits >> 16) | 0x40) : uint16_t(rounded);
    }
  }
};
#endif

// ------------------------------------------------------------------------------------------------------ register tile

constexpr int DEPTH = 256;            // units of the contracted axis in a panel of patches
constexpr int PATCH_LD = DEPTH + 16;  // not a multiple of a page, so that rows fall into different sets of the cache
constexpr int BLOCK_PIXELS = 96;      // rows of a panel of patches
constexpr int PIXELS = 128;           // units of pixels in a panel of the weight gradient
constexpr int FEATURES = 128;         // its other axis
constexpr int FEATURES_LD = FEATURES + 16;
constexpr Index PART = 1 << 20, PARTS_MOST = 1 << 23;  // elements of images in a part of a batch; of all parts' sums

// c[MR, NR VL] (+)= sum_k a(m, k) b[k ldb, NR VL]; a(m, k) stands at a[m PATCH_LD + k], or BY_PIXEL at a[k lda + m].
template <class Type, int MR, int NR, bool BY_PIXEL>
inline void tile(const float* a, Index lda, const float* b, Index ldb, Index depth, float* c, Index ldc, bool add) {
  Vec acc[MR][NR];
#pragma GCC unroll 32
  for (int m = 0; m < MR; m++)
#pragma GCC unroll 4
    for (int n = 0; n < NR; n++) acc[m][n] = add ? *(const Vec*)(c + m * ldc + n * VL) : Vec{};
  for (Index k = 0; k < depth; k++) {
    Vec row[NR];
#pragma GCC unroll 4
    for (int n = 0; n < NR; n++) row[n] = *(const Vec*)(b + n * VL);
#pragma GCC unroll 32
    for (int m = 0; m < MR; m++) {
      const float* at = BY_PIXEL ? a + m : a + m * PATCH_LD;
#pragma GCC unroll 4
      for (int n = 0; n < NR; n++) acc[m][n] = Type::fma(acc[m][n], at, row[n]);
    }
    a += BY_PIXEL ? lda : 1;
    b += ldb;
  }
#pragma GCC unroll 32
  for (int m = 0; m < MR; m++)
#pragma GCC unroll 4
    for (int n = 0; n < NR; n++) *(Vec*)(c + m * ldc + n * VL) = acc[m][n];
}

int width_of(Index columns) { return columns > VL ? WIDE : VL; }
int rows_of(int width) { return width == WIDE ? ROWS : TALL; }

// The product of a panel of rows (its memory is filled up to whole tiles) and columns in tiles of `width`, b_tile apart.
template <class Type, bool BY_PIXEL>
void product(const float* a, const float* b, Index ldb, Index b_tile, Index rows, Index columns, int width, Index depth,
             float* c, Index ldc, bool add) {
  for (Index m = 0; m < rows; m += rows_of(width)) {  // these rows stay in the first cache
    const float* row = a + (BY_PIXEL ? m : m * PATCH_LD);
    for (Index n = 0; n < columns; n += width) {
      const float* column = b + n / width * b_tile;
      if (width == WIDE)
        tile<Type, ROWS, 2, BY_PIXEL>(row, FEATURES_LD, column, ldb, depth, c + m * ldc + n, ldc, add);
      else
        tile<Type, TALL, 1, BY_PIXEL>(row, FEATURES_LD, column, ldb, depth, c + m * ldc + n, ldc, add);
    }
  }
}

// -------------------------------------------------------------------------------------------------- memory and threads

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
void parallel(ffi::ThreadPool& pool, Index count, std::function<void(Index)> task) {
  Index helpers = std::min<Index>(pool.num_threads(), count) - 1;
  if (helpers <= 0) {
    for (Index i = 0; i < count; i++) task(i);
    return;
  }
  auto shared = std::make_shared<Shared>();
  shared->task = std::move(task);
  shared->count = count;
  for (Index i = 0; i < helpers; i++) pool.Schedule([shared] { shared->work(); });
  shared->work();
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->finished.wait(lock, [&] { return shared->done == shared->count; });
}

// ------------------------------------------------------------------------------------------------------------- windows

struct Images {
  Index height, width, features;  // memory
  Index first, channels;          // what a group reads
};

// Neighbouring taps of one row of a kernel: a contiguous stretch of memory. `offset` is its place along the depth.
struct Run {
  Index dy, dx, taps, offset;
};

// Pixels [q0, q1) x [r0, r1) of the result; pixel (q, r) sees rows q step + dy and columns r step + dx of the images.
struct Window {
  Index q0, q1, r0, r1, step;
  bool inside;  // no tap leaves the images
  std::vector<Run> runs;
  Index area() const { return (q1 - q0) * (r1 - r0); }
};

// A part of a run: elements [skip, skip + count).
struct Piece {
  Index dy, dx, skip, count;
};

template <class T>
struct Pixel {
  const T* at;  // element 0 of the image's pixel (y, x), which may lie outside
  Index n, q, r, y, x;
};

// Pixels in order: of all images, the rectangle of a window.
template <class T>
void list_pixels(const Window& w, const Images& images, const T* data, Index from, Index count, Pixel<T>* out) {
  Index columns = w.r1 - w.r0, n = from / w.area(), q = w.q0 + from % w.area() / columns, r = w.r0 + from % columns;
  for (Index i = 0; i < count; i++) {
    Index y = q * w.step, x = r * w.step;
    out[i] = {data + ((n * images.height + y) * images.width + x) * images.features + images.first, n, q, r, y, x};
    if (++r == w.r1) {
      r = w.r0;
      if (++q == w.q1) q = w.q0, n++;
    }
  }
}

template <class T>
inline void copy(const T* from, Index count, T* to) {
  constexpr Index STEP = 64 / sizeof(T);
  Index i = 0;
  for (; i + STEP <= count; i += STEP) std::memcpy(to + i, from + i, 64);
  for (; i + STEP / 4 <= count; i += STEP / 4) std::memcpy(to + i, from + i, 16);
  for (; i < count; i++) to[i] = from[i];
}

// Copy pieces of what a pixel sees, one after another; what lies outside the images is zero.
template <class T>
inline void copy_patch(const Images& images, const Pixel<T>& p, const std::vector<Piece>& pieces, bool inside, T* out) {
  for (const Piece& piece : pieces) {
    const T* line = p.at + (piece.dy * images.width + piece.dx) * images.features;
    Index low = piece.skip, high = piece.skip + piece.count;
    if (!inside) {
      Index y = p.y + piece.dy, x = p.x + piece.dx;
      if (y < 0 || y >= images.height) {
        std::fill_n(out, piece.count, T(0));
        out += piece.count;
        continue;
      }
      low = std::clamp<Index>(-x * images.channels, low, high);
      high = std::clamp<Index>((images.width - x) * images.channels, low, high);
      std::fill_n(out, low - piece.skip, T(0));
      std::fill_n(out + (high - piece.skip), piece.skip + piece.count - high, T(0));
    }
    copy(line + low, high - low, out + (low - piece.skip));
    out += piece.count;
  }
}

// A tap along one axis: what it adds to an index, and its place in the kernel.
struct Tap {
  Index shift, index;
};

// A stretch of results along one axis that the taps [low, high) reach inside the images.
struct Stretch {
  Index begin, end, low, high;
};

std::vector<Stretch> stretches(const std::vector<Tap>& taps, Index results, Index size, Index step) {
  std::vector<Stretch> found;
  for (Index i = 0; i < results; i++) {
    Index low = 0, high = Index(taps.size());
    while (low < high && i * step + taps[low].shift < 0) low++;
    while (high > low && i * step + taps[high - 1].shift >= size) high--;
    if (!found.empty() && found.back().low == low && found.back().high == high)
      found.back().end = i + 1;
    else
      found.push_back({i, i + 1, low, high});
  }
  return found;
}

// ------------------------------------------------------------------------------------------------- patches times kernel

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

// A product's windows: one, or where the padding is more than a twentieth of the work, one for each set of taps that
// lie inside.
std::vector<Window> make_windows(const std::vector<Tap>& ys, const std::vector<Tap>& xs, Index rows, Index columns,
                                 const Images& images, Index step, Index batch, bool join) {
  std::vector<Stretch> down = stretches(ys, rows, images.height, step), across = stretches(xs, columns, images.width, step);
  double live_rows = 0, live_columns = 0;
  for (const Stretch& s : down) live_rows += (s.end - s.begin) * (s.high - s.low);
  for (const Stretch& s : across) live_columns += (s.end - s.begin) * (s.high - s.low);
  double live = live_rows * live_columns / std::max<double>(1, rows * ys.size() * columns * xs.size());
  bool inside = live == 1;
  if (!join || live > 0.95 || images.channels % 16 || batch < 16) {
    down = {{0, rows, 0, Index(ys.size())}};
    across = {{0, columns, 0, Index(xs.size())}};
  } else {
    inside = true;
  }
  std::vector<Window> windows;
  for (const Stretch& d : down)
    for (const Stretch& a : across) {
      Window w{d.begin, d.end, a.begin, a.end, step, inside, {}};
      for (Index i = d.low; i < d.high; i++)
        for (Index j = a.low; j < a.high; j++) {
          bool next = join && j > a.low && xs[j].shift == xs[j - 1].shift + 1;
          if (next)
            w.runs.back().taps++;
          else
            w.runs.push_back({ys[i].shift, xs[j].shift, 1, (i * Index(xs.size()) + j) * images.channels});
        }
      windows.push_back(std::move(w));
    }
  return windows;
}

// Panels of a window's patches: pieces that are contiguous along the depth, at most DEPTH units together; `apart`, each of
// one tap.
struct Panel {
  Index from, count;  // elements
  std::vector<Piece> pieces;
};

std::vector<Panel> make_panels(const Window& w, Index channels, Index most, bool apart) {
  std::vector<Panel> panels;
  for (const Run& run : w.runs)
    for (Index done = 0, length = run.taps * channels; done < length;) {
      Index at = run.offset + done;
      if (panels.empty() || panels.back().count == most || panels.back().from + panels.back().count != at ||
          (apart && at % channels == 0))
        panels.push_back({at, 0, {}});
      Panel& panel = panels.back();
      Index count = std::min(length - done, most - panel.count);
      if (apart) count = std::min(count, channels - at % channels);
      panel.pieces.push_back({run.dy, run.dx, done, count});
      panel.count += count;
      done += count;
    }
  return panels;
}

// A task: rows of pixels [first, first + rows) of a window, and columns [begin, end).
struct Task {
  Index job, window, first, rows, begin, end;
};

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
    Index units = (panel.count + Type::PER_UNIT - 1) / Type::PER_UNIT;
    for (Index m = 0; m < rows; m++) {
      T* to = reinterpret_cast<T*>(patches + m * PATCH_LD);
      copy_patch(job.images, pixels[m], panel.pieces, w.inside, to);
      if (panel.count % Type::PER_UNIT) to[panel.count] = T(0);
    }
    const float* b = packed ? packed + task.begin * job.units + panel.from / Type::PER_UNIT * job.width
                            : reinterpret_cast<const float*>(job.columns.at(panel.from) + task.begin);
    product<Type, false>(patches, b, packed ? job.width : job.columns.channel_step, packed ? job.units * job.width : job.width,
                         filled, padded, job.width, units, sums, ldc, &panel != &panels.front());
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
  return Type::PER_UNIT == 1 && pixels <= 64 && job.columns.column_step == 1 && job.columns.count % job.width == 0;
}

template <class Type>
void run(ffi::ThreadPool& pool, std::vector<Job<Type>>& jobs, const typename Type::T* data, Index batch, Index groups) {
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
      if (!direct) panels[j].push_back(make_panels(w, job.images.channels, DEPTH * Type::PER_UNIT, in_place));
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

// ------------------------------------------------------------------------------------------------------- the three maps

struct Shape {
  Index batch, height, width, channels;  // of x
  Index rows, columns, features;         // of y
  Index kh, kw;
  Index stride, top, left, groups;
  bool mirrored;  // the kernel is stored as [kh, kw, o, channels], flipped
  Index c() const { return channels / groups; }
  Index o() const { return features / groups; }
  Images x(Index group) const { return {height, width, channels, group * c(), c()}; }
  Images y(Index group) const { return {rows, columns, features, group * o(), o()}; }
  // Where element (tap, input feature, output feature) of a group's kernel stands.
  Index tap(Index i, Index j) const {
    return mirrored ? ((kh - 1 - i) * kw + kw - 1 - j) * o() * channels : (i * kw + j) * c() * features;
  }
  Index group(Index g) const { return g * (mirrored ? c() : o()); }
  Index input_step() const { return mirrored ? 1 : features; }
  Index output_step() const { return mirrored ? channels : 1; }
};

std::vector<Tap> forward_taps(Index kernel, Index low) {
  std::vector<Tap> taps;
  for (Index i = 0; i < kernel; i++) taps.push_back({i - low, i});
  return taps;
}

// The taps that reach pixels of one phase (its place modulo the stride), by ascending rows of y.
std::vector<Tap> phase_taps(Index kernel, Index low, Index stride, Index phase) {
  std::vector<Tap> taps;
  for (Index i = kernel - 1; i >= 0; i--)
    if ((phase + low - i) % stride == 0) taps.push_back({(phase + low - i) / stride, i});
  return taps;
}

template <class Type>
void conv(ffi::ThreadPool& pool, const Shape& s, const typename Type::T* x, const typename Type::T* w, typename Type::T* y) {
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
void transposed(ffi::ThreadPool& pool, const Shape& s, const typename Type::T* y, const typename Type::T* w,
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

// ----------------------------------------------------------------------------------------------- the weight gradient

// Put rows of features side by side with their pixels, as units: out[unit, feature].
template <class Type>
struct Units;

template <>
struct Units<Float32> {
  template <class Row>
  static inline void fill(Index pixels, Index features, Index filled, Index ld, float* out, Row row) {
    for (Index k = 0; k < pixels; k++) {
      row(k, out + k * ld);
      std::fill(out + k * ld + features, out + k * ld + filled, 0.0f);
    }
  }
};

#if defined(__AVX512BF16__)
template <>
struct Units<BFloat16> {
  template <class Row>
  static inline void fill(Index pixels, Index features, Index filled, Index ld, float* out, Row row) {
    static thread_local Buffer pair_buffer;
    uint16_t* pair = reinterpret_cast<uint16_t*>(pair_buffer.get(filled + 64));
    std::fill_n(pair, 2 * filled, uint16_t(0));
    for (Index k = 0; k < pixels; k += 2) {
      row(k, pair);
      if (k + 1 < pixels)
        row(k + 1, pair + filled);
      else
        std::fill_n(pair + filled, filled, uint16_t(0));
      uint32_t* units = reinterpret_cast<uint32_t*>(out + k / 2 * ld);
      for (Index m = 0; m < filled; m++) units[m] = uint32_t(pair[m]) | uint32_t(pair[filled + m]) << 16;
    }
  }
};
#endif

// Rows of one group's gradient that are computed together: of one tap, over the pixels that it sees; or of all taps.
struct GradientBlock {
  Index group, row, rows;
  Window window;
  std::vector<Piece> pieces;
};

template <class Type>
void gradient_block(const Shape& s, const GradientBlock& block, const typename Type::T* x, const typename Type::T* y,
                    Index first, Index last, int width, Index padded, float* sums) {
  using T = typename Type::T;
  static thread_local Buffer patch_buffer, column_buffer;
  constexpr Index PANEL = PIXELS * Type::PER_UNIT;
  const Images images = s.x(block.group);
  Index filled = round_up(block.rows, rows_of(width));
  float* patches = patch_buffer.get(PIXELS * FEATURES_LD + TALL);
  float* columns = column_buffer.get(PIXELS * padded);
  Pixel<T> pixels[PANEL];
  if (first == last) std::fill_n(sums, filled * padded, 0.0f);
  for (Index p = first; p < last; p += PANEL) {
    Index count = std::min(PANEL, last - p), units = (count + Type::PER_UNIT - 1) / Type::PER_UNIT;
    list_pixels(block.window, images, x, p, count, pixels);
    Units<Type>::fill(count, block.rows, filled, FEATURES_LD, patches, [&](Index k, T* out) {
      copy_patch(images, pixels[k], block.pieces, block.window.inside, out);
    });
    if (Type::PER_UNIT == 1 && padded == s.o()) {  // whole rows of features, dealt out to the tiles
      for (Index k = 0; k < count; k++) {
        const Pixel<T>& at = pixels[k];
        const T* row = y + ((at.n * s.rows + at.q) * s.columns + at.r) * s.features + block.group * s.o();
        for (Index n = 0; n < padded; n += width)
          std::memcpy(columns + n * PIXELS + k * width, row + n, width == WIDE ? WIDE * 4 : VL * 4);
      }
    } else {
      for (Index n = 0; n < padded; n += width) {
        Index live = std::min<Index>(width, s.o() - n);
        Units<Type>::fill(count, live, width, width, columns + n * PIXELS, [&](Index k, T* out) {
          const Pixel<T>& at = pixels[k];
          copy(y + ((at.n * s.rows + at.q) * s.columns + at.r) * s.features + block.group * s.o() + n, live, out);
        });
      }
    }
    product<Type, true>(patches, columns, width, PIXELS * width, filled, padded, width, units, sums, padded, p > first);
  }
}

std::vector<GradientBlock> gradient_blocks(const Shape& s) {
  std::vector<GradientBlock> blocks;
  std::vector<Tap> ys = forward_taps(s.kh, s.top), xs = forward_taps(s.kw, s.left);
  bool by_tap = s.groups == 1 && s.c() >= 128;
  for (Index g = 0; g < s.groups; g++) {
    if (!by_tap) {
      Window all = make_windows(ys, xs, s.rows, s.columns, s.x(g), s.stride, 1, s.groups == 1)[0];
      for (const Panel& panel : make_panels(all, s.c(), FEATURES, false)) blocks.push_back({g, panel.from, panel.count, all, panel.pieces});
      continue;
    }
    for (Index i = 0; i < s.kh; i++)
      for (Index j = 0; j < s.kw; j++) {
        auto seen = [&](const Tap& tap, Index results, Index size) {  // the results that see this tap inside the images
          for (const Stretch& part : stretches({tap}, results, size, s.stride))
            if (part.high > part.low) return part;
          return Stretch{0, 0, 0, 0};
        };
        Stretch down = seen(ys[i], s.rows, s.height), across = seen(xs[j], s.columns, s.width);
        Window w{down.begin, down.end, across.begin, across.end, s.stride, true, {}};
        for (Index from = 0; from < s.c(); from += FEATURES) {
          Index count = std::min<Index>(FEATURES, s.c() - from);
          blocks.push_back({g, (i * s.kw + j) * s.c() + from, count, w, {{ys[i].shift, xs[j].shift, from, count}}});
        }
      }
  }
  return blocks;
}

// Narrow groups of float32, read where they stand: image by image and row by row, all groups and taps of it.
void direct_gradient(ffi::ThreadPool& pool, const Shape& s, const float* x, const float* y, float* w) {
  static thread_local Buffer sum_buffer;
  std::vector<Tap> ys = forward_taps(s.kh, s.top), xs = forward_taps(s.kw, s.left);
  Index chunks = std::min<Index>(s.batch, 8), size = s.kh * s.kw * s.c() * s.features;
  float* sums = sum_buffer.get(size * chunks);
  parallel(pool, chunks, [&](Index part) {
    float* mine = sums + part * size;
    std::fill_n(mine, size, 0.0f);
    for (Index n = part * s.batch / chunks; n < (part + 1) * s.batch / chunks; n++)
      for (Index q = 0; q < s.rows; q++)
        for (Index g = 0; g < s.groups; g++)
          for (const Tap& i : ys)
            for (const Tap& j : xs) {
              Index row = q * s.stride + i.shift, r0 = 0, r1 = s.columns;
              if (row < 0 || row >= s.height) continue;
              while (r0 < r1 && r0 * s.stride + j.shift < 0) r0++;
              while (r1 > r0 && (r1 - 1) * s.stride + j.shift >= s.width) r1--;
              if (r0 == r1) continue;
              const float* a = x + ((n * s.height + row) * s.width + r0 * s.stride + j.shift) * s.channels + g * s.c();
              const float* b = y + ((n * s.rows + q) * s.columns + r0) * s.features + g * s.o();
              float* c = mine + s.tap(i.index, j.index) + g * s.o();
              for (Index m = 0; m < s.c(); m += TALL)
                for (Index k = 0; k < s.o(); k += VL)
                  tile<Float32, TALL, 1, true>(a + m, s.stride * s.channels, b + k, s.features, r1 - r0,
                                               c + m * s.features + k, s.features, true);
            }
  });
  parallel(pool, 8, [&](Index part) {
    for (Index k = part * size / 8; k < (part + 1) * size / 8; k++) {
      float total = sums[k];
      for (Index chunk = 1; chunk < chunks; chunk++) total += sums[chunk * size + k];
      w[k] = total;
    }
  });
}

template <class Type>
void weight_gradient(ffi::ThreadPool& pool, const Shape& s, const typename Type::T* x, const typename Type::T* y,
                     typename Type::T* w) {
  static thread_local Buffer sum_buffer;
  if constexpr (Type::PER_UNIT == 1)
    if (s.groups > 1 && !s.mirrored && s.c() % TALL == 0 && s.o() % VL == 0 && s.o() <= WIDE && s.columns >= 4)
      return direct_gradient(pool, s, x, y, w);
  std::vector<GradientBlock> blocks = gradient_blocks(s);
  int width = width_of(s.o());
  Index padded = round_up(s.o(), width), area = round_up(FEATURES, rows_of(width)) * padded;
  // Parts of the batch, one after another, so that all taps find its images in the cache; each has its own sums.
  Index count = Index(blocks.size()), pixels = s.batch * (s.height * s.width * s.channels + s.rows * s.columns * s.features);
  Index least = std::min<Index>((16 + count - 1) / count, s.batch * s.rows * s.columns / (4 * PIXELS));
  Index most = std::max<Index>(1, PARTS_MOST / (area * count));
  Index parts = std::clamp<Index>(std::max(least, std::min(pixels / PART, most)), 1, s.batch);
  float* sums = sum_buffer.get(area * count * parts);
  parallel(pool, count * parts, [&](Index i) {
    const GradientBlock& block = blocks[i % count];
    Index part = i / count, each = block.window.area();
    gradient_block<Type>(s, block, x, y, part * s.batch / parts * each, (part + 1) * s.batch / parts * each, width, padded,
                         sums + i * area);
  });
  parallel(pool, count, [&](Index i) {
    const GradientBlock& block = blocks[i];
    float* total = sums + i * area;
    for (Index part = 1; part < parts; part++)
      for (Index k = 0; k < block.rows * padded; k++) total[k] += total[part * count * area + k];
    for (Index m = 0; m < block.rows; m++) {
      Index tap = (block.row + m) / s.c(), c = (block.row + m) % s.c();
      typename Type::T* out = w + s.group(block.group) + s.tap(tap / s.kw, tap % s.kw) + c * s.input_step();
      if (!s.mirrored)
        Type::store(total + m * padded, out, s.o());
      else
        for (Index k = 0; k < s.o(); k++) Type::store(total + m * padded + k, out + k * s.output_step(), 1);
    }
  });
}

// ------------------------------------------------------------------------------------------------------------- handlers

using Dims = ffi::AnyBuffer::Dimensions;

Shape shape_of(Dims x, Dims w, Dims y, Index stride, Index top, Index left, Index groups, Index mirrored) {
  return {x[0], x[1], x[2], x[3], y[1], y[2], y[3], w[0], w[1], stride, top, left, groups, mirrored != 0};
}

template <class F32, class BF16>
ffi::Error dispatch(ffi::DataType type, F32 f32, BF16 bf16) {
  if (type == ffi::DataType::F32) {
    f32();
    return ffi::Error::Success();
  }
#if defined(__AVX512BF16__)
  if (type == ffi::DataType::BF16) {
    bf16();
    return ffi::Error::Success();
  }
#endif
  return ffi::Error::InvalidArgument("jaxgan: this kernel was built without this type");
}

#if defined(__AVX512BF16__)
#define CALL(map, a, b, out)                                                                                    \
  dispatch(                                                                                                     \
      a.element_type(),                                                                                         \
      [&] { map<Float32>(pool, s, (const float*)a.untyped_data(), (const float*)b.untyped_data(),               \
                         (float*)out->untyped_data()); },                                                       \
      [&] { map<BFloat16>(pool, s, (const uint16_t*)a.untyped_data(), (const uint16_t*)b.untyped_data(),        \
                          (uint16_t*)out->untyped_data()); })
#else
#define CALL(map, a, b, out)                                                                                    \
  dispatch(                                                                                                     \
      a.element_type(),                                                                                         \
      [&] { map<Float32>(pool, s, (const float*)a.untyped_data(), (const float*)b.untyped_data(),               \
                         (float*)out->untyped_data()); },                                                       \
      [] {})
#endif

ffi::Error conv_handler(ffi::ThreadPool pool, ffi::AnyBuffer x, ffi::AnyBuffer w, ffi::Result<ffi::AnyBuffer> y,
                        Index stride, Index top, Index left, Index groups, Index mirrored) {
  Shape s = shape_of(x.dimensions(), w.dimensions(), y->dimensions(), stride, top, left, groups, mirrored);
  return CALL(conv, x, w, y);
}

ffi::Error transposed_handler(ffi::ThreadPool pool, ffi::AnyBuffer y, ffi::AnyBuffer w, ffi::Result<ffi::AnyBuffer> x,
                              Index stride, Index top, Index left, Index groups, Index mirrored) {
  Shape s = shape_of(x->dimensions(), w.dimensions(), y.dimensions(), stride, top, left, groups, mirrored);
  return CALL(transposed, y, w, x);
}

ffi::Error weight_gradient_handler(ffi::ThreadPool pool, ffi::AnyBuffer x, ffi::AnyBuffer y,
                                   ffi::Result<ffi::AnyBuffer> w, Index stride, Index top, Index left, Index groups, Index mirrored) {
  Shape s = shape_of(x.dimensions(), w->dimensions(), y.dimensions(), stride, top, left, groups, mirrored);
  return CALL(weight_gradient, x, y, w);
}

}  // namespace

#define BINDING                                                                                          \
  ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<ffi::AnyBuffer>().Arg<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>() \
      .Attr<int64_t>("stride").Attr<int64_t>("top").Attr<int64_t>("left").Attr<int64_t>("groups").Attr<int64_t>("mirrored")

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxgan_conv, conv_handler, BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxgan_conv_transposed, transposed_handler, BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxgan_conv_weight_gradient, weight_gradient_handler, BINDING);

extern "C" int jaxgan_has_bfloat16() {
#if defined(__AVX512BF16__)
  return 1;
#else
  return 0;
#endif
}

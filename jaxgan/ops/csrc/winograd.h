// Products of fewer multiplications (Winograd 1980, "Arithmetic complexity of computations"; Lavin and Gray 2016, "Fast
// algorithms for convolutional neural networks"), for kernels whose side is 2 or 3 times the stride.
//
// Along one axis, two results z of a filter g over a patch d are one trilinear form, sum over i and j of z_i d_(i+j) g_j. It is
// also sum over points p of Z_p(z) D_p(d) G_p(g) with three points for two taps and four for three (instead of four and six
// products), where Z, D and G are sums of few terms. In two axes that is 9 products instead of 16, and 16 instead of 36.
// The three maps are its derivatives: each transforms two of the three and gathers the third by the transpose of its
// transform. With a stride, each phase of the images has a filter of its own, and they are contracted together.

#pragma once

#include <vector>

#include "machine.h"
#include "threads.h"
#include "windows.h"

namespace {

// The transforms of a filter of two taps. The gathers are the transposes of the spreads.
template <int TAPS>
struct Minimal {
  static_assert(TAPS == 2);
  static constexpr int POINTS = 3;
  struct Patch {
    static inline void apply(const Vec* d, Vec* p) { p[0] = d[0] - d[1], p[1] = d[1], p[2] = d[1] - d[2]; }
  };
  struct Filter {
    static inline void apply(const Vec* g, Vec* p) { p[0] = g[0], p[1] = g[0] + g[1], p[2] = g[1]; }
  };
  struct GatherFilter {
    static inline void apply(const Vec* p, Vec* g) { g[0] = p[0] + p[1], g[1] = p[1] + p[2]; }
  };
  struct Results {
    static inline void apply(const Vec* z, Vec* p) { p[0] = z[0], p[1] = z[0] + z[1], p[2] = -z[1]; }
  };
  struct GatherResults {
    static inline void apply(const Vec* p, Vec* z) { z[0] = p[0] + p[1], z[1] = p[1] - p[2]; }
  };
};

// Of three taps.
template <>
struct Minimal<3> {
  static constexpr int POINTS = 4;
  struct Patch {
    static inline void apply(const Vec* d, Vec* p) {
      p[0] = d[0] - d[2], p[1] = d[1] + d[2], p[2] = d[2] - d[1], p[3] = d[1] - d[3];
    }
  };
  struct Filter {
    static inline void apply(const Vec* g, Vec* p) {
      Vec even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
      p[0] = g[0], p[1] = even + odd, p[2] = even - odd, p[3] = g[2];
    }
  };
  struct GatherFilter {
    static inline void apply(const Vec* p, Vec* g) {
      Vec even = 0.5f * (p[1] + p[2]);
      g[0] = p[0] + even, g[1] = 0.5f * (p[1] - p[2]), g[2] = even + p[3];
    }
  };
  struct Results {
    static inline void apply(const Vec* z, Vec* p) { p[0] = z[0], p[1] = z[0] + z[1], p[2] = z[0] - z[1], p[3] = -z[1]; }
  };
  struct GatherResults {
    static inline void apply(const Vec* p, Vec* z) { z[0] = p[0] + p[1] + p[2], z[1] = p[1] - p[2] - p[3]; }
  };
};

// Transform a square along both axes.
template <class Along, int FROM, int TO>
inline void along_both(const Vec (&from)[FROM][FROM], Vec (&to)[TO][TO]) {
  Vec half[FROM][TO];
#pragma GCC unroll 4
  for (int i = 0; i < FROM; i++) Along::apply(from[i], half[i]);
#pragma GCC unroll 4
  for (int j = 0; j < TO; j++) {
    Vec line[FROM], done[TO];
#pragma GCC unroll 4
    for (int i = 0; i < FROM; i++) line[i] = half[i][j];
    Along::apply(line, done);
#pragma GCC unroll 4
    for (int i = 0; i < TO; i++) to[i][j] = done[i];
  }
}

// ------------------------------------------------------------------------------------------------------------ the plan

// The step from one point's floats to the next's: not a multiple of a page, so that they fall into different sets of the cache.
constexpr Index apart(Index n) { return (n + 1023) / 1024 * 1024 + 80; }

constexpr Index COLUMNS = 256;        // of them at once, so that their part of the depth stays in the second cache
constexpr Index TILES = 96;           // rows of a panel: squares of two by two results
constexpr Index GRADIENT_TILES = 64;  // units of them in a panel of the weight gradient

// A filter and the patches that it sees: the patch of tile (t, u) has the pixels (y + (2 t + i) step, x + (2 u + j) step).
struct Filter {
  Index y, x;
  std::vector<Index> taps;  // where its taps stand in the kernel
};

// Tiles of two by two over results of so many rows and columns, image after image; the last may reach beyond the edge.
struct Grid {
  Index rows, columns;
  Index across() const { return (columns + 1) / 2; }
  Index each() const { return (rows + 1) / 2 * across(); }
  Index image(Index tile) const { return tile / each(); }
  Index row(Index tile) const { return tile % each() / across() * 2; }  // of its first result
  Index column(Index tile) const { return tile % across() * 2; }
};

// A product: what is read, the filters that are contracted together, and where result (n, q, r) stands. Each group has
// `channels` features of what is read and `count` columns.
template <class T>
struct TileJob {
  Images images;
  Index step;
  std::vector<Filter> filters;
  const T* weights;  // element (tap, k, n) of a group is weights[its own + tap's + k channel_step + n column_step]
  Index group_step, channel_step, column_step;
  Index channels, count, groups;
  Grid grid;
  T* out;
  Index image, row, column;
  Index depth() const { return Index(filters.size()) * channels; }
};

// A tile's pixels in memory; those outside point at zeros. Loading them asks for the next tile's, of the rows that no tile
// before has seen.
template <class T, int SIDE>
struct Square {
  const T* at[SIDE][SIDE];
  Index next;
  inline void find(const Images& images, const T* data, Index n, Index y, Index x, Index step, const T* zeros) {
    next = 2 * step * images.features;
    for (int i = 0; i < SIDE; i++)
      for (int j = 0; j < SIDE; j++) {
        Index row = y + i * step, column = x + j * step;
        bool live = uint64_t(row) < uint64_t(images.height) && uint64_t(column) < uint64_t(images.width);
        at[i][j] = live ? data + ((n * images.height + row) * images.width + column) * images.features : zeros;
      }
  }
  template <class Type>
  inline void load(Index c, Vec (&to)[SIDE][SIDE]) const {
#pragma GCC unroll 4
    for (int i = 0; i < SIDE; i++)
#pragma GCC unroll 4
      for (int j = 0; j < SIDE; j++) to[i][j] = Type::load(at[i][j] + c);
#pragma GCC unroll 2
    for (int i = SIDE - 2; i < SIDE; i++)
#pragma GCC unroll 2
      for (int j = SIDE - 2; j < SIDE; j++) __builtin_prefetch(at[i][j] + c + next);
  }
};

// Features [from, from + count) of what is read, for one filter: a part of the contracted axis.
struct Stripe {
  Index filter, from, count;
};

// Groups [first, last) and the part of their contracted axes that a panel holds, group after group, filter after filter.
struct Part {
  Index first, last, start;  // of one group: where its part starts
  std::vector<Stripe> stripes;
  Index count = 0;
};

// Cut the contracted axes of all groups into panels of at most `most`: several whole groups, or parts of one.
ONCE_A_CALL std::vector<Part> cut(Index groups, Index filters, Index channels, Index most) {
  std::vector<Part> parts;
  Index depth = filters * channels, together = std::max<Index>(1, most / depth);
  for (Index g = 0; g < groups; g += together) {
    Index last = std::min(g + together, groups);
    for (Index k = 0; k < (last - g) * depth;) {
      if (k % most == 0) parts.push_back({g, last, k, {}});
      Index count = std::min(most - k % most, channels - k % channels);
      parts.back().stripes.push_back({k % depth / channels, (g + k / depth) * channels + k % channels, count});
      parts.back().count += count;
      k += count;
    }
  }
  return parts;
}

// Where column n starts in sums that stand in tiles of `width` columns, each with all rows.
inline Index at(Index n, Index rows, int width) { return n / width * width * rows + n % width; }

template <class T>
const T* zero_row(Index count) {
  static thread_local Buffer buffer;
  float* zeros = buffer.get(count);
  std::fill_n(zeros, count, 0.0f);
  return reinterpret_cast<const T*>(zeros);
}

// Store the points of one square, or of two that make units, `step` floats apart.
template <class Type, int POINTS>
inline void put_units(const Vec (&points)[Type::PER_UNIT][POINTS][POINTS], float* to, Index step) {
#pragma GCC unroll 4
  for (int i = 0; i < POINTS; i++)
#pragma GCC unroll 4
    for (int j = 0; j < POINTS; j++)
      *(Vec*)(to + (i * POINTS + j) * step) = Type::unit(points[0][i][j], points[Type::PER_UNIT - 1][i][j]);
}

// ------------------------------------------------------------------------------------- convolution and its transpose

// A group's filters, as points, packed: tiles of `width` columns at [point][column / width][unit][width].
template <class Type, int TAPS>
void pack_filters(const TileJob<typename Type::T>& job, Index group, Index first, int width, Index units, Index point_step,
                  float* out) {
  constexpr int POINTS = Minimal<TAPS>::POINTS, PER = Type::PER_UNIT;
  float block[TAPS][TAPS][VL][VL];  // [tap][channel][column]
  const auto* weights = job.weights + group * job.group_step;
  for (Index n = first; n < first + width; n += VL)
    for (Index k = 0; k < job.depth(); k += VL) {
      const Filter& filter = job.filters[k / job.channels];
      for (int i = 0; i < TAPS; i++)
        for (int j = 0; j < TAPS; j++) {
          const auto* from =
              weights + filter.taps[i * TAPS + j] + k % job.channels * job.channel_step + n * job.column_step;
          if (n >= job.count)
            std::memset(block[i][j], 0, sizeof block[i][j]);
          else if (job.column_step == 1)
            for (int c = 0; c < VL; c++) *(Vec*)block[i][j][c] = Type::load(from + c * job.channel_step);
          else
            for (int m = 0; m < VL; m++)
              for (int c = 0; c < VL; c++) block[i][j][c][m] = Type::number(from[m * job.column_step + c * job.channel_step]);
        }
      for (int c = 0; c < VL; c += PER) {
        Vec points[PER][POINTS][POINTS];
        for (int half = 0; half < PER; half++) {
          Vec taps[TAPS][TAPS];
          for (int i = 0; i < TAPS; i++)
            for (int j = 0; j < TAPS; j++) taps[i][j] = *(const Vec*)block[i][j][c + half];
          along_both<typename Minimal<TAPS>::Filter>(taps, points[half]);
        }
        put_units<Type>(points, out + first * units + (k + c) / PER * width + n - first, point_step);
      }
    }
}

// A kernel's points: of each job and group all points, of each the packed columns.
struct Packed {
  const float* data;
  int width;
  Index padded, units, point_step, group_step;  // columns filled up to tiles; units of a group's depth
};

// A task: tiles [first, first + count) of all images; one part after another of the same groups; columns [begin, end).
struct TileTask {
  Index job, first, count, part, parts, begin, end;
};

template <class Type, int TAPS>
void run_tiles(const TileJob<typename Type::T>& job, const Part* parts, const typename Type::T* data, const Packed& packed,
               const TileTask& task) {
  using T = typename Type::T;
  constexpr int POINTS = Minimal<TAPS>::POINTS, SIDE = 2;
  constexpr Index PANEL = apart(TILES * PATCH_LD);
  static thread_local Buffer patch_buffer, sum_buffer;
  const int width = packed.width;
  Index filled = round_up(task.count, rows_of(width)), padded = task.end - task.begin, groups = parts->last - parts->first;
  Index sums_step = apart(groups * padded * filled);
  const Grid& grid = job.grid;
  float* patches = patch_buffer.get(POINTS * POINTS * PANEL);
  float* sums = sum_buffer.get(POINTS * POINTS * sums_step);
  const T* zeros = zero_row<T>(job.images.features);
  for (const Part* part = parts; part < parts + task.parts; part++) {
    for (Index m = 0; m < task.count; m++) {
      Index tile = task.first + m, n = grid.image(tile), filter = -1;
      Index y = grid.row(tile) * job.step, x = grid.column(tile) * job.step;
      Square<T, POINTS> square;
      T* to = reinterpret_cast<T*>(patches + m * PATCH_LD);
      for (const Stripe& stripe : part->stripes) {
        const Filter& at = job.filters[stripe.filter];
        if (filter != stripe.filter) square.find(job.images, data, n, at.y + y, at.x + x, job.step, zeros);
        filter = stripe.filter;
        for (Index c = stripe.from; c < stripe.from + stripe.count; c += VL, to += VL) {
          Vec patch[POINTS][POINTS], points[POINTS][POINTS];
          square.template load<Type>(c, patch);
          along_both<typename Minimal<TAPS>::Patch>(patch, points);
#pragma GCC unroll 4
          for (int i = 0; i < POINTS; i++)
#pragma GCC unroll 4
            for (int j = 0; j < POINTS; j++) Type::put(points[i][j], to + (i * POINTS + j) * PANEL * Type::PER_UNIT);
        }
      }
    }
    Index depth = part->count / groups / Type::PER_UNIT, start = part->start / Type::PER_UNIT;
    for (Index p = 0; p < POINTS * POINTS; p++)
      for (Index g = 0; g < groups; g++)
        for (Index n = 0; n < padded; n += COLUMNS)
          product<Type, false>(patches + p * PANEL + g * depth,
                               packed.data + (part->first + g) * packed.group_step + p * packed.point_step +
                                   (task.begin + n) * packed.units + start * width,
                               width, packed.units * width, filled, std::min(COLUMNS, padded - n), width, depth,
                               sums + p * sums_step + (g * padded + n) * filled, width, filled * width, part > parts);
  }
  Index live = std::min(task.end, job.count) - task.begin;
  for (Index m = 0; m < task.count; m++) {
    Index tile = task.first + m, n = grid.image(tile), q = grid.row(tile), r = grid.column(tile);
    Index rows = std::min<Index>(SIDE, grid.rows - q), columns = std::min<Index>(SIDE, grid.columns - r);
    T* out = job.out + n * job.image + q * job.row + r * job.column + task.begin;
    for (Index g = 0; g < groups; g++)
      for (Index k = 0; k < live; k += VL) {
        Vec points[POINTS][POINTS], results[SIDE][SIDE];
        const float* from = sums + g * padded * filled + at(k, filled, width) + m * width;
#pragma GCC unroll 4
        for (int i = 0; i < POINTS; i++)
#pragma GCC unroll 4
          for (int j = 0; j < POINTS; j++) points[i][j] = *(const Vec*)(from + (i * POINTS + j) * sums_step);
        along_both<typename Minimal<TAPS>::GatherResults>(points, results);
        T* to = out + (parts->first + g) * job.count + k;
        for (Index i = 0; i < rows; i++)
          for (Index j = 0; j < columns; j++) Type::put(results[i][j], to + i * job.row + j * job.column);
      }
  }
}

template <class Type, int TAPS>
ONCE_A_CALL void run_tile_jobs(const Threads& pool, const std::vector<TileJob<typename Type::T>>& jobs, const typename Type::T* data,
                   Index batch) {
  static thread_local Buffer packed_buffer;
  const auto& one = jobs[0];
  const int width = width_of(one.count);
  Packed packed{nullptr, width, round_up(one.count, width), one.depth() / Type::PER_UNIT};
  packed.point_step = packed.padded * packed.units;
  packed.group_step = Minimal<TAPS>::POINTS * Minimal<TAPS>::POINTS * packed.point_step;
  std::vector<Part> parts = cut(one.groups, one.filters.size(), one.channels, DEPTH * Type::PER_UNIT);
  // Blocks of tiles, of one size; the jobs of a block one after another, for they read the same pixels.
  Index most = 0, count = Index(jobs.size()), columns = packed.padded, batches = 0;
  for (const auto& job : jobs) most = std::max(most, batch * job.grid.each());
  for (const Part& part : parts) batches += part.start == 0;
  Index blocks = round_up((most + TILES - 1) / TILES, 4), block = round_up((most + blocks - 1) / blocks, rows_of(width));
  while (blocks * count * batches * (packed.padded / columns) < 16 && columns % (2 * width) == 0) columns /= 2;
  std::vector<TileTask> tasks;
  for (Index first = 0; first < most; first += block)
    for (Index p = 0, next; p < Index(parts.size()); p = next) {
      for (next = p + 1; next < Index(parts.size()) && parts[next].start;) next++;
      for (Index n = 0; n < packed.padded; n += columns)
        for (Index j = 0; j < count; j++) {
          Index all = batch * jobs[j].grid.each();
          if (first < all) tasks.push_back({j, first, std::min(block, all - first), p, next - p, n, std::min(n + columns, packed.padded)});
        }
    }
  float* points = packed_buffer.get(packed.group_step * one.groups * count);
  Index tiles = packed.padded / width, job_step = packed.group_step * one.groups;
  parallel(pool, count * one.groups * tiles, [&, points](Index i) {
    Index job = i / tiles / one.groups, group = i / tiles % one.groups;
    pack_filters<Type, TAPS>(jobs[job], group, i % tiles * width, width, packed.units, packed.point_step,
                             points + job * job_step + group * packed.group_step);
  });
  parallel(pool, tasks.size(), [&, points](Index i) {
    Packed mine = packed;
    mine.data = points + tasks[i].job * job_step;
    run_tiles<Type, TAPS>(jobs[tasks[i].job], &parts[tasks[i].part], data, mine, tasks[i]);
  });
}

// Whether tiles of two by two results pay: enough of them, few of them beyond the edge, whole vectors of features.
bool pays(const Shape& s, Index rows, Index columns) {
  if (s.kh != s.kw || (s.kh != 2 * s.stride && s.kh != 3 * s.stride)) return false;
  if (s.c() % VL || s.o() % VL || s.height < s.stride || s.width < s.stride) return false;
  Index tiles = s.batch * Grid{rows, columns}.each();
  return tiles >= 64 && 4.0 * tiles <= 1.3 * s.batch * rows * columns;
}

std::vector<Filter> phases(const Shape& s) {
  std::vector<Filter> filters;
  Index taps = s.kh / s.stride;
  for (Index a = 0; a < s.stride; a++)
    for (Index b = 0; b < s.stride; b++) {
      Filter filter{a - s.top, b - s.left, {}};
      for (Index i = 0; i < taps; i++)
        for (Index j = 0; j < taps; j++) filter.taps.push_back(s.tap(a + i * s.stride, b + j * s.stride));
      filters.push_back(std::move(filter));
    }
  return filters;
}

}  // namespace

template <class Type>
ONCE_A_CALL bool jaxgan::Winograd<Type>::conv(const Threads& pool, const Shape& s, const T* x, const T* w, T* y) {
  if (!pays(s, s.rows, s.columns)) return false;
  std::vector<TileJob<T>> jobs = {
      {s.x(0), s.stride, phases(s), w, s.group(1), s.input_step(), s.output_step(), s.c(), s.o(), s.groups,
       {s.rows, s.columns}, y, s.rows * s.columns * s.features, s.columns * s.features, s.features}};
  s.kh == 2 * s.stride ? run_tile_jobs<Type, 2>(pool, jobs, x, s.batch) : run_tile_jobs<Type, 3>(pool, jobs, x, s.batch);
  return true;
}

template <class Type>
ONCE_A_CALL bool jaxgan::Winograd<Type>::transposed(const Threads& pool, const Shape& s, const T* y, const T* w, T* x) {
  if (!pays(s, s.height / s.stride, s.width / s.stride)) return false;
  std::vector<TileJob<T>> jobs;
  for (Index py = 0; py < s.stride; py++)
    for (Index px = 0; px < s.stride; px++) {
      std::vector<Tap> ys = phase_taps(s.kh, s.top, s.stride, py), xs = phase_taps(s.kw, s.left, s.stride, px);
      Filter filter{ys[0].shift, xs[0].shift, {}};
      for (const Tap& i : ys)
        for (const Tap& j : xs) filter.taps.push_back(s.tap(i.index, j.index));
      jobs.push_back({s.y(0), 1, {filter}, w, s.group(1), s.output_step(), s.input_step(), s.o(), s.c(), s.groups,
                      {(s.height - py + s.stride - 1) / s.stride, (s.width - px + s.stride - 1) / s.stride},
                      x + (py * s.width + px) * s.channels, s.height * s.width * s.channels,
                      s.stride * s.width * s.channels, s.stride * s.channels});
    }
  s.kh == 2 * s.stride ? run_tile_jobs<Type, 2>(pool, jobs, y, s.batch) : run_tile_jobs<Type, 3>(pool, jobs, y, s.batch);
  return true;
}

namespace {

// ------------------------------------------------------------------------------------------------ the weight gradient

// Sums over tiles [first, last) of a part's rows of the gradient, which stand along the contracted axis of the convolution,
// and of columns [begin, end) of each of its groups.
template <class Type, int TAPS>
void gradient_tiles(const Shape& s, const std::vector<Filter>& filters, const Part& part, const typename Type::T* x,
                    const typename Type::T* y, Index first, Index last, Index begin, Index end, int width, float* sums,
                    Index sums_step) {
  using T = typename Type::T;
  constexpr int POINTS = Minimal<TAPS>::POINTS, SIDE = 2, PER = Type::PER_UNIT;
  constexpr Index PANEL = apart(GRADIENT_TILES * FEATURES_LD + TALL);
  static thread_local Buffer patch_buffer, result_buffer;
  Index padded = end - begin, live = std::min(end, s.o()), groups = part.last - part.first, rows = part.count / groups;
  Index filled = round_up(rows, rows_of(width)), group_step = GRADIENT_TILES * padded, column_step = apart(groups * group_step);
  const Grid grid{s.rows, s.columns};
  float* patches = patch_buffer.get(POINTS * POINTS * PANEL);
  float* results = result_buffer.get(POINTS * POINTS * column_step);
  const T* zeros = zero_row<T>(std::max(s.channels, s.features));
  const Images images = s.x(0), outs = s.y(0);
  for (Index p = first; p < last; p += GRADIENT_TILES * PER) {
    Index tiles = std::min(GRADIENT_TILES * PER, last - p), units = (tiles + PER - 1) / PER;
    for (Index unit = 0; unit < units; unit++) {
      Square<T, POINTS> seen[PER];
      Square<T, SIDE> made[PER];
      float* to = patches + unit * FEATURES_LD;
      Index filter = -1;
      for (const Stripe& stripe : part.stripes) {
        if (filter != stripe.filter)
          for (int half = 0; half < PER; half++) {
            Index tile = p + unit * PER + half, t = grid.row(tile) * s.stride, u = grid.column(tile) * s.stride;
            Index outside = tile < last ? 0 : images.height * 4;  // a unit's second tile may be missing
            const Filter& at = filters[stripe.filter];
            seen[half].find(images, x, grid.image(tile), at.y + t + outside, at.x + u, s.stride, zeros);
          }
        filter = stripe.filter;
        for (Index c = stripe.from; c < stripe.from + stripe.count; c += VL, to += VL) {
          Vec points[PER][POINTS][POINTS];
#pragma GCC unroll 2
          for (int half = 0; half < PER; half++) {
            Vec patch[POINTS][POINTS];
            seen[half].template load<Type>(c, patch);
            along_both<typename Minimal<TAPS>::Patch>(patch, points[half]);
          }
          put_units<Type>(points, to, PANEL);
        }
      }
      for (int half = 0; half < PER; half++) {
        Index tile = p + unit * PER + half, outside = tile < last ? 0 : s.rows * 4;
        made[half].find(outs, y, grid.image(tile), grid.row(tile) + outside, grid.column(tile), 1, zeros);
      }
      for (Index g = 0; g < groups; g++)
        for (Index n = begin; n < end; n += VL) {
          Vec points[PER][POINTS][POINTS] = {};
          if (n < live)
#pragma GCC unroll 2
            for (int half = 0; half < PER; half++) {
              Vec tile[SIDE][SIDE];
              made[half].template load<Type>((part.first + g) * s.o() + n, tile);
              along_both<typename Minimal<TAPS>::Results>(tile, points[half]);
            }
          put_units<Type>(points, results + g * group_step + at(n - begin, GRADIENT_TILES, width) + unit * width, column_step);
        }
    }
    for (Index k = 0; k < POINTS * POINTS; k++)
      for (Index g = 0; g < groups; g++)
        product<Type, true>(patches + k * PANEL + g * rows, results + k * column_step + g * group_step, width,
                            GRADIENT_TILES * width, filled, padded, width, units, sums + k * sums_step + g * filled * padded,
                            width, filled * width, p > first);
  }
}

template <class Type, int TAPS>
ONCE_A_CALL void run_gradient_tiles(const Threads& pool, const Shape& s, const typename Type::T* x, const typename Type::T* y,
                        typename Type::T* w) {
  constexpr int POINTS = Minimal<TAPS>::POINTS;
  static thread_local Buffer sum_buffer;
  const int width = width_of(s.o());
  std::vector<Filter> filters = phases(s);
  std::vector<Part> blocks = cut(s.groups, filters.size(), s.c(), FEATURES);
  Index padded = round_up(s.o(), width), columns = std::min(padded, COLUMNS), across = (padded + columns - 1) / columns;
  Index tiles = s.batch * Grid{s.rows, s.columns}.each(), count = Index(blocks.size()) * across, sums_step = 0;
  auto filled = [&](const Part& part) { return round_up(part.count / (part.last - part.first), rows_of(width)); };
  for (const Part& part : blocks) sums_step = std::max(sums_step, (part.last - part.first) * filled(part) * columns);
  sums_step = apart(sums_step);
  Index area = POINTS * POINTS * sums_step;
  // Parts of the batch, each with its own sums.
  Index parts = std::clamp<Index>(std::min((16 + count - 1) / count, tiles / (4 * GRADIENT_TILES)), 1, s.batch);
  float* sums = sum_buffer.get(area * count * parts);
  parallel(pool, count * parts, [&](Index i) {
    Index part = i / count, begin = i % across * columns;
    gradient_tiles<Type, TAPS>(s, filters, blocks[i % count / across], x, y, part * tiles / parts, (part + 1) * tiles / parts,
                               begin, std::min(begin + columns, padded), width, sums + i * area, sums_step);
  });
  parallel(pool, count, [&](Index i) {
    const Part& block = blocks[i / across];
    const float* total = sums + i * area;
    Index begin = i % across * columns, end = std::min(begin + columns, padded), live = std::min(end, s.o()), row = 0;
    Index each = block.count / (block.last - block.first), rows = filled(block);
    for (const Stripe& stripe : block.stripes)
      for (Index c = stripe.from; c < stripe.from + stripe.count; c++, row++)
        for (Index n = begin; n < live; n += VL) {
          Index g = row / each;
          const float* first = total + g * rows * (end - begin) + at(n - begin, rows, width) + row % each * width;
          Vec points[POINTS][POINTS], taps[TAPS][TAPS];
#pragma GCC unroll 4
          for (int a = 0; a < POINTS; a++)
#pragma GCC unroll 4
            for (int b = 0; b < POINTS; b++) {
              points[a][b] = *(const Vec*)(first + (a * POINTS + b) * sums_step);
              for (Index part = 1; part < parts; part++)
                points[a][b] += *(const Vec*)(first + (a * POINTS + b) * sums_step + part * count * area);
            }
          along_both<typename Minimal<TAPS>::GatherFilter>(points, taps);
          auto* to = w + s.group(block.first + g) + c % s.c() * s.input_step() + n * s.output_step();
          for (int a = 0; a < TAPS; a++)
            for (int b = 0; b < TAPS; b++) {
              const float* from = (const float*)&taps[a][b];
              auto* place = to + filters[stripe.filter].taps[a * TAPS + b];
              if (!s.mirrored)
                Type::store(from, place, VL);
              else
                for (int k = 0; k < VL; k++) Type::store(from + k, place + k * s.output_step(), 1);
            }
        }
  });
}

}  // namespace

template <class Type>
ONCE_A_CALL bool jaxgan::Winograd<Type>::weight_gradient(const Threads& pool, const Shape& s, const T* x, const T* y, T* w) {
  if (!pays(s, s.rows, s.columns)) return false;
  s.kh == 2 * s.stride ? run_gradient_tiles<Type, 2>(pool, s, x, y, w) : run_gradient_tiles<Type, 3>(pool, s, x, y, w);
  return true;
}

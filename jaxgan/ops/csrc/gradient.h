// The adjoint in the kernel: pixels, as units, times the features of the results that see them.

#pragma once

#include <vector>

#include "machine.h"
#include "threads.h"
#include "windows.h"

namespace {

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
    product<Type, true>(patches, columns, width, PIXELS * width, filled, padded, width, units, sums, padded, width, p > first);
  }
}

ONCE_A_CALL std::vector<GradientBlock> gradient_blocks(const Shape& s) {
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
void direct_gradient(const Threads& pool, const Shape& s, const float* x, const float* y, float* w) {
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
ONCE_A_CALL void weight_gradient(const Threads& pool, const Shape& s, const typename Type::T* x, const typename Type::T* y,
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

}  // namespace

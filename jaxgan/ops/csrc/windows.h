// Which pixels a result sees: taps, the stretches that each reaches, and what is read of the images.

#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "interface.h"

namespace {

using namespace jaxgan;

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

ONCE_A_CALL std::vector<Stretch> stretches(const std::vector<Tap>& taps, Index results, Index size, Index step) {
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

ONCE_A_CALL std::vector<Tap> forward_taps(Index kernel, Index low) {
  std::vector<Tap> taps;
  for (Index i = 0; i < kernel; i++) taps.push_back({i - low, i});
  return taps;
}

// The taps that reach pixels of one phase (its place modulo the stride), by ascending rows of y.
ONCE_A_CALL std::vector<Tap> phase_taps(Index kernel, Index low, Index stride, Index phase) {
  std::vector<Tap> taps;
  for (Index i = kernel - 1; i >= 0; i--)
    if ((phase + low - i) % stride == 0) taps.push_back({(phase + low - i) / stride, i});
  return taps;
}

// A product's windows: one, or where the padding is more than a twentieth of the work, one for each set of taps that
// lie inside.
ONCE_A_CALL std::vector<Window> make_windows(const std::vector<Tap>& ys, const std::vector<Tap>& xs, Index rows, Index columns,
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

ONCE_A_CALL std::vector<Panel> make_panels(const Window& w, Index channels, Index most, bool apart) {
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

}  // namespace

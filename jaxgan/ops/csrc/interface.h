// A convolution's sizes, and XLA's threads.

#pragma once

#include <cstdint>

// What plans a call runs in microseconds: small code, which compiles a fifth faster.
#define ONCE_A_CALL __attribute__((cold))

namespace jaxgan {

using Index = int64_t;

struct Images {
  Index height, width, features;  // memory
  Index first, channels;          // what a group reads
};

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

struct Threads {
  Index count;
  const void* owner;
  void (*schedule)(const void* owner, void (*task)(void*), void* data);
};

}  // namespace jaxgan

// What the parts of the library know of each other: a convolution's sizes, XLA's threads, and the three maps of a type.

#pragma once

#include <cstdint>
#include <functional>

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
  std::function<void(std::function<void()>)> start;
};

// A map reads two operands and writes one result; all null where the machine has no instructions for the type.
using Map = void (*)(const Threads&, const Shape&, const void*, const void*, void*);

struct Maps {
  Map conv, transposed, weight_gradient;
};

extern const Maps float32_maps, bfloat16_maps;

}  // namespace jaxgan

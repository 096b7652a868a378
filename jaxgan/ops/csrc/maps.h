// The three maps of one type of numbers: by fewer multiplications where that pays.

#pragma once

#include "gradient.h"
#include "patches.h"

namespace {

template <class Type>
struct Maps {
  using T = typename Type::T;

  static void conv(const Threads& threads, const Shape& s, const void* x, const void* w, void* y) {
    if (!Winograd<Type>::conv(threads, s, (const T*)x, (const T*)w, (T*)y)) ::conv<Type>(threads, s, (const T*)x, (const T*)w, (T*)y);
  }
  static void transposed(const Threads& threads, const Shape& s, const void* y, const void* w, void* x) {
    if (!Winograd<Type>::transposed(threads, s, (const T*)y, (const T*)w, (T*)x))
      ::transposed<Type>(threads, s, (const T*)y, (const T*)w, (T*)x);
  }
  static void weight_gradient(const Threads& threads, const Shape& s, const void* x, const void* y, void* w) {
    if (!Winograd<Type>::weight_gradient(threads, s, (const T*)x, (const T*)y, (T*)w))
      ::weight_gradient<Type>(threads, s, (const T*)x, (const T*)y, (T*)w);
  }
};

}  // namespace

// The three bilinear maps of jaxgan.ops.primitives on CPU, as XLA FFI handlers: convolution, its adjoint in the images
// (transposed), its adjoint in the kernel (weight gradient). NHWC images, HWIO kernels, float32 or bfloat16, groups.
//
// How a sum is split depends on the shapes alone, never on the number of threads: results repeat bit for bit.

#include <utility>

#include "interface.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Dims = ffi::AnyBuffer::Dimensions;
using jaxgan::Index;

jaxgan::Shape shape_of(Dims x, Dims w, Dims y, Index stride, Index top, Index left, Index groups, Index mirrored) {
  return {x[0], x[1], x[2], x[3], y[1], y[2], y[3], w[0], w[1], stride, top, left, groups, mirrored != 0};
}

ffi::Error call(jaxgan::Map jaxgan::Maps::* map, ffi::ThreadPool& pool, const jaxgan::Shape& s, const ffi::AnyBuffer& a,
                const ffi::AnyBuffer& b, ffi::Result<ffi::AnyBuffer>& out) {
  bool known = a.element_type() == ffi::DataType::F32 || a.element_type() == ffi::DataType::BF16;
  jaxgan::Map apply = (a.element_type() == ffi::DataType::F32 ? jaxgan::float32_maps : jaxgan::bfloat16_maps).*map;
  if (!known || !apply) return ffi::Error::InvalidArgument("jaxgan: this kernel was built without this type");
  jaxgan::Threads threads{pool.num_threads(), [&pool](std::function<void()> task) { pool.Schedule(std::move(task)); }};
  apply(threads, s, a.untyped_data(), b.untyped_data(), out->untyped_data());
  return ffi::Error::Success();
}

ffi::Error conv(ffi::ThreadPool pool, ffi::AnyBuffer x, ffi::AnyBuffer w, ffi::Result<ffi::AnyBuffer> y, Index stride,
                Index top, Index left, Index groups, Index mirrored) {
  auto s = shape_of(x.dimensions(), w.dimensions(), y->dimensions(), stride, top, left, groups, mirrored);
  return call(&jaxgan::Maps::conv, pool, s, x, w, y);
}

ffi::Error transposed(ffi::ThreadPool pool, ffi::AnyBuffer y, ffi::AnyBuffer w, ffi::Result<ffi::AnyBuffer> x, Index stride,
                      Index top, Index left, Index groups, Index mirrored) {
  auto s = shape_of(x->dimensions(), w.dimensions(), y.dimensions(), stride, top, left, groups, mirrored);
  return call(&jaxgan::Maps::transposed, pool, s, y, w, x);
}

ffi::Error weight_gradient(ffi::ThreadPool pool, ffi::AnyBuffer x, ffi::AnyBuffer y, ffi::Result<ffi::AnyBuffer> w,
                           Index stride, Index top, Index left, Index groups, Index mirrored) {
  auto s = shape_of(x.dimensions(), w->dimensions(), y.dimensions(), stride, top, left, groups, mirrored);
  return call(&jaxgan::Maps::weight_gradient, pool, s, x, y, w);
}

}  // namespace

#define BINDING                                                                                          \
  ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<ffi::AnyBuffer>().Arg<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>() \
      .Attr<int64_t>("stride").Attr<int64_t>("top").Attr<int64_t>("left").Attr<int64_t>("groups").Attr<int64_t>("mirrored")

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxgan_conv, conv, BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxgan_conv_transposed, transposed, BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxgan_conv_weight_gradient, weight_gradient, BINDING);

extern "C" int jaxgan_has_bfloat16() { return jaxgan::bfloat16_maps.conv != nullptr; }

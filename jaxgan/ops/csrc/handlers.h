// The three bilinear maps of jaxgan.ops.primitives on CPU, as XLA FFI handlers: convolution, its adjoint in the images
// (transposed), its adjoint in the kernel (weight gradient). NHWC images, HWIO kernels, groups.
//
// By XLA's C interface: its C++ one takes as long to compile as all of the maps.

#pragma once

#include <cstring>

#include "interface.h"
#include "xla/ffi/api/c_api.h"

namespace {

using namespace jaxgan;

XLA_FFI_Error* refuse(const XLA_FFI_Api* api, const char* why) {
  XLA_FFI_Error_Create_Args args{XLA_FFI_Error_Create_Args_STRUCT_SIZE, nullptr, why, XLA_FFI_Error_Code_INVALID_ARGUMENT};
  return api->XLA_FFI_Error_Create(&args);
}

// Whether a call of XLA's went wrong; its error is ours to destroy.
bool failed(const XLA_FFI_Api* api, XLA_FFI_Error* error) {
  if (!error) return false;
  XLA_FFI_Error_Destroy_Args args{XLA_FFI_Error_Destroy_Args_STRUCT_SIZE, nullptr, error};
  api->XLA_FFI_Error_Destroy(&args);
  return true;
}

// Tell XLA which version of its interface this was compiled for, where it asks.
bool told_version(const XLA_FFI_CallFrame* call) {
  auto* asked = call->extension_start;  // a type that jaxlib 0.12 calls by another name
  while (asked && asked->type != XLA_FFI_Extension_Metadata) asked = asked->next;
  if (!asked) return false;
  XLA_FFI_Metadata* told = reinterpret_cast<XLA_FFI_Metadata_Extension*>(asked)->metadata;
  told->api_version = {XLA_FFI_Api_Version_STRUCT_SIZE, nullptr, XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR};
  told->traits = 0;
  told->state_type_id = XLA_FFI_UNKNOWN_TYPE_ID;
  return true;
}

bool read(const XLA_FFI_Attrs& attrs, const char* name, Index* value) {
  for (Index i = 0; i < attrs.size; i++)
    if (attrs.names[i]->len == std::strlen(name) && !std::memcmp(attrs.names[i]->ptr, name, attrs.names[i]->len)) {
      auto* scalar = static_cast<const XLA_FFI_Scalar*>(attrs.attrs[i]);
      if (attrs.types[i] != XLA_FFI_AttrType_SCALAR || scalar->dtype != XLA_FFI_DataType_S64) return false;
      std::memcpy(value, scalar->value, sizeof *value);
      return true;
    }
  return false;
}

void schedule(const void* owner, void (*task)(void*), void* data) {
  auto* call = static_cast<const XLA_FFI_CallFrame*>(owner);
  XLA_FFI_ThreadPool_Schedule_Args args{XLA_FFI_ThreadPool_Schedule_Args_STRUCT_SIZE, nullptr, call->ctx, task, data};
  if (failed(call->api, call->api->XLA_FFI_ThreadPool_Schedule(&args))) task(data);  // without a pool: here
}

Threads threads_of(const XLA_FFI_CallFrame* call) {
  int64_t count = 1;
  XLA_FFI_ThreadPool_NumThreads_Args args{XLA_FFI_ThreadPool_NumThreads_Args_STRUCT_SIZE, nullptr, call->ctx, &count};
  if (failed(call->api, call->api->XLA_FFI_ThreadPool_NumThreads(&args))) count = 1;
  return {count, call, schedule};
}

// Where a map's images, kernel and result stand among its two operands and its result, 2.
struct Roles {
  int x, w, y;
};
constexpr Roles CONV{0, 1, 2}, TRANSPOSED{2, 1, 0}, WEIGHT_GRADIENT{0, 2, 1};

using Map = void (*)(const Threads&, const Shape&, const void*, const void*, void*);

XLA_FFI_Error* handle(const XLA_FFI_CallFrame* call, XLA_FFI_DataType type, Roles roles, Map map) {
  if (told_version(call)) return nullptr;
  if (call->stage != XLA_FFI_ExecutionStage_EXECUTE || call->args.size != 2 || call->rets.size != 1)
    return refuse(call->api, "jaxgan: a map has two operands and a result");
  const XLA_FFI_Buffer* buffers[3] = {static_cast<XLA_FFI_Buffer*>(call->args.args[0]),
                                      static_cast<XLA_FFI_Buffer*>(call->args.args[1]),
                                      static_cast<XLA_FFI_Buffer*>(call->rets.rets[0])};
  for (const XLA_FFI_Buffer* buffer : buffers)
    if (buffer->rank != 4 || buffer->dtype != type) return refuse(call->api, "jaxgan: a map is of four axes and of one type");
  const int64_t *x = buffers[roles.x]->dims, *w = buffers[roles.w]->dims, *y = buffers[roles.y]->dims;
  Shape s{x[0], x[1], x[2], x[3], y[1], y[2], y[3], w[0], w[1]};
  Index mirrored;
  const XLA_FFI_Attrs& attrs = call->attrs;
  if (!read(attrs, "stride", &s.stride) || !read(attrs, "top", &s.top) || !read(attrs, "left", &s.left) ||
      !read(attrs, "groups", &s.groups) || !read(attrs, "mirrored", &mirrored))
    return refuse(call->api, "jaxgan: a map needs stride, top, left, groups and mirrored");
  s.mirrored = mirrored != 0;
  map(threads_of(call), s, buffers[0]->data, buffers[1]->data, buffers[2]->data);
  return nullptr;
}

}  // namespace

#define JAXGAN_HANDLERS(NAME, TYPE, MAPS)                                                                                     \
  extern "C" {                                                                                                                \
  XLA_FFI_Error* jaxgan_conv_##NAME(XLA_FFI_CallFrame* call) { return handle(call, TYPE, CONV, MAPS::conv); }                 \
  XLA_FFI_Error* jaxgan_conv_transposed_##NAME(XLA_FFI_CallFrame* call) {                                                     \
    return handle(call, TYPE, TRANSPOSED, MAPS::transposed);                                                                  \
  }                                                                                                                           \
  XLA_FFI_Error* jaxgan_conv_weight_gradient_##NAME(XLA_FFI_CallFrame* call) {                                                \
    return handle(call, TYPE, WEIGHT_GRADIENT, MAPS::weight_gradient);                                                        \
  }                                                                                                                           \
  }

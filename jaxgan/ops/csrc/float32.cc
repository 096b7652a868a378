// What is computed in float32: the three maps, and sums of squares.

#include "handlers.h"
#include "maps.h"
#include "squares.h"

JAXGAN_HANDLERS(float32, XLA_FFI_DataType_F32, Maps<Float32>)

extern "C" XLA_FFI_Error* jaxgan_squares_float32(XLA_FFI_CallFrame* call) { return handle_squares(call); }

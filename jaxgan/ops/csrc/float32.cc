// The three maps of float32.

#include "handlers.h"
#include "maps.h"

JAXGAN_HANDLERS(float32, XLA_FFI_DataType_F32, Maps<Float32>)

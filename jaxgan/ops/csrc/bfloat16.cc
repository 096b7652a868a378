// The three maps of bfloat16, where the processor multiplies it.

#if defined(__AVX512BF16__)
#include "bfloat16.h"
#include "handlers.h"
#include "maps.h"

JAXGAN_HANDLERS(bfloat16, XLA_FFI_DataType_BF16, Maps<BFloat16>)
#endif

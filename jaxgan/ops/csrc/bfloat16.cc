// The three maps of bfloat16, where the processor multiplies it.

#if defined(__AVX512BF16__)
#include "maps.h"

const jaxgan::Maps jaxgan::bfloat16_maps = {Typed<BFloat16>::conv, Typed<BFloat16>::transposed, Typed<BFloat16>::weight_gradient};
#else
#include "interface.h"

const jaxgan::Maps jaxgan::bfloat16_maps = {nullptr, nullptr, nullptr};
#endif

#if defined(__AVX512BF16__)
#include "bfloat16.h"
#include "winograd.h"

template struct jaxgan::Winograd<jaxgan::BFloat16>;
#endif

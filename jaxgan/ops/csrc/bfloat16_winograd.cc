#if defined(__AVX512BF16__)
#include "winograd.h"

template struct jaxgan::Winograd<jaxgan::BFloat16>;
#endif

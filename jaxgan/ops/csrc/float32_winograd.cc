#include "winograd.h"

template struct jaxgan::Winograd<jaxgan::Float32>;

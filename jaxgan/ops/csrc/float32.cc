// The three maps of float32.

#include "maps.h"

const jaxgan::Maps jaxgan::float32_maps = {Typed<Float32>::conv, Typed<Float32>::transposed, Typed<Float32>::weight_gradient};

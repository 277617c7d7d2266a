#include "colour_kernels_body.h"

namespace spinekit::classify {

extern const ColourKernels kAvx512;
const ColourKernels kAvx512 = kKernels;

}  // namespace spinekit::classify

#include "colour_kernels_body.h"

namespace spinekit::classify {

extern const ColourKernels kAvx2;
const ColourKernels kAvx2 = kKernels;

}  // namespace spinekit::classify

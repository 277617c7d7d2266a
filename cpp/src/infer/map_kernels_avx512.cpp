#include "map_kernels_body.h"

namespace spinekit::infer {

extern const MapKernels<float> kAvx512Float;
extern const MapKernels<Bfloat16> kAvx512Bfloat16;
const MapKernels<float> kAvx512Float = kKernels<float>;
const MapKernels<Bfloat16> kAvx512Bfloat16 = kKernels<Bfloat16>;

extern const TokenKernels kAvx512Tokens;
const TokenKernels kAvx512Tokens = kTokenKernels;

}  // namespace spinekit::infer

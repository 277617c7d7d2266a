#include "map_kernels_body.h"

namespace spinekit::infer {

extern const MapKernels<float> kAvx2Float;
extern const MapKernels<Bfloat16> kAvx2Bfloat16;
const MapKernels<float> kAvx2Float = kKernels<float>;
const MapKernels<Bfloat16> kAvx2Bfloat16 = kKernels<Bfloat16>;

extern const TokenKernels kAvx2Tokens;
const TokenKernels kAvx2Tokens = kTokenKernels;

}  // namespace spinekit::infer

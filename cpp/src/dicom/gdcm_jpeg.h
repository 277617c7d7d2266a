// ISO/IEC 10918-1 frames (baseline, extended, lossless) through GDCM, on input checked beforehand.
#pragma once

#include "spinekit/codec.h"

namespace spinekit {

// Stored values as they were coded: no colour transform is applied; subsampled chroma is
// interpolated up.
void decode_jpeg(Bytes codestream, const FrameFormat& format, MutableBytes out);

}  // namespace spinekit

// ISO/IEC 10918-1 frames: 8-bit lossy ones through libjpeg-turbo, 12-bit and lossless ones through
// GDCM, both on input that was checked beforehand.
#pragma once

#include "spinekit/codec.h"

namespace spinekit {

// Stored values as they were coded: no colour transform is applied; subsampled chroma is
// interpolated up. GDCM repairs damage within coded data in silence; libjpeg-turbo's findings become
// errors, or warnings where no sample can have suffered.
void decode_jpeg(Bytes codestream, const FrameFormat& format, MutableBytes out,
                 std::vector<std::string>& warnings);

}  // namespace spinekit

// What values the samples really take, which headers do not always tell.
#pragma once

#include "spinekit/codec.h"

namespace spinekit {

struct StoredRange {
  std::int32_t least = 0;
  std::int32_t largest = 0;
};

// Over one frame, reading the whole allocated cell as the format's sign says.
StoredRange stored_range(Bytes frame, const FrameFormat& format);

// Signed samples whose unused high bits are zero instead of copies of the sign bit.
bool lacks_sign_extension(const StoredRange& range, const FrameFormat& format);
void extend_sign(MutableBytes frame, const FrameFormat& format);

// Bits that hold every value of the range, at least 1.
int bits_needed(const StoredRange& range, bool is_signed);

// Entropy of the samples' median-edge-detection residuals given their neighbourhood's activity, in
// bytes a frame: what a lossless coder roughly reaches (after Weinberger et al. 2000,
// doi 10.1109/83.855427).
double predicted_lossless_bytes(Bytes frame, const FrameFormat& format);

}  // namespace spinekit

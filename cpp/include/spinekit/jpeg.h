// JPEG (ISO/IEC 10918-1): the walk over a codestream before any library sees it, and 8-bit lossy frames
// through libjpeg-turbo. Functions are pure and thread-safe; each throws Error.
#pragma once

#include "spinekit/codec.h"

namespace spinekit {

struct JpegStream {
  Buffer bytes;  // rebuilt: only the segments that decoding needs
  int precision = 0;
  bool lossless = false;
};

// Throws where the codestream is of another picture than `format`, is cut short, or has bytes between
// its segments, a process that is not decoded, or more scans than encoders write.
JpegStream checked_jpeg_stream(Bytes codestream, const FrameFormat& format);

// Baseline, extended and progressive frames of 8 bits: components as they were coded, interleaved;
// subsampled ones interpolated up. Data that are corrupt or end too early are Error(kMalformed); what
// harms no sample goes to `warnings`.
void decode_jpeg_8_bit(const JpegStream& stream, const FrameFormat& format, MutableBytes out,
                       std::vector<std::string>& warnings);

std::string libjpeg_version();

}  // namespace spinekit

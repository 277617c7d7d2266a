// Frames of every format that the tests of the codecs encode.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "spinekit/codec.h"

namespace spinekit::testing {

inline FrameFormat format_of(std::int64_t rows, std::int64_t columns, int samples, int allocated,
                             int stored, bool is_signed) {
  FrameFormat format;
  format.rows = rows;
  format.columns = columns;
  format.samples = samples;
  format.bits_allocated = allocated;
  format.bits_stored = stored;
  format.is_signed = is_signed;
  return format;
}

// A wave, some noise, and both ends of the stored range.
inline Buffer test_frame(const FrameFormat& format) {
  std::mt19937 random(7);
  const std::int64_t least = format.is_signed ? -(std::int64_t{1} << (format.bits_stored - 1)) : 0;
  const std::int64_t largest = least + (std::int64_t{1} << format.bits_stored) - 1;
  Buffer out;
  for (std::int64_t i = 0; i < format.sample_count(); ++i) {
    const double wave = 0.5 + 0.4 * std::sin(static_cast<double>(i) * 0.05);
    auto value = least + static_cast<std::int64_t>(wave * static_cast<double>(largest - least)) +
                 static_cast<std::int64_t>(random() % 3);
    if (i % 97 == 0) value = least;
    if (i % 89 == 0) value = largest;
    value = std::clamp(value, least, largest);
    out.push_back(static_cast<std::uint8_t>(value & 0xFF));
    if (format.bits_allocated == 16) out.push_back(static_cast<std::uint8_t>(value >> 8 & 0xFF));
  }
  return out;
}

inline std::vector<FrameFormat> formats() {
  return {format_of(1, 1, 1, 8, 8, false),     format_of(17, 33, 1, 8, 8, false),
          format_of(17, 33, 1, 8, 7, true),    format_of(40, 24, 3, 8, 8, false),
          format_of(64, 65, 1, 16, 12, false), format_of(64, 65, 1, 16, 12, true),
          format_of(31, 30, 1, 16, 16, false), format_of(31, 30, 1, 16, 16, true),
          format_of(9, 300, 3, 16, 16, false), format_of(5, 5, 1, 8, 1, false)};
}

inline std::vector<int> values_of(const Buffer& frame, const FrameFormat& format) {
  std::vector<int> out;
  for (std::int64_t i = 0; i < format.sample_count(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (format.bits_allocated == 8) {
      out.push_back(format.is_signed ? static_cast<std::int8_t>(frame[at]) : frame[at]);
    } else {
      const auto value = static_cast<std::uint16_t>(frame[2 * at] | frame[2 * at + 1] << 8);
      out.push_back(format.is_signed ? static_cast<std::int16_t>(value) : value);
    }
  }
  return out;
}

inline std::vector<int> planes_of(const Buffer& frame, const FrameFormat& format) {
  const std::vector<int> interleaved = values_of(frame, format);
  std::vector<int> planes;
  const auto samples = static_cast<std::size_t>(format.samples);
  for (std::size_t c = 0; c < samples; ++c) {
    for (std::size_t i = c; i < interleaved.size(); i += samples) planes.push_back(interleaved[i]);
  }
  return planes;
}

inline Buffer decoded_j2k(Bytes codestream, const FrameFormat& format) {
  Buffer out(static_cast<std::size_t>(format.byte_count()));
  std::vector<std::string> warnings;
  decode_j2k(codestream, format, out, warnings);
  CHECK(warnings.empty());
  return out;
}

}  // namespace spinekit::testing

// The b of 8-bit Lab, which tells yellowed paper from the scanner's white, of pixels of any format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "otsu.h"
#include "picture_parts.h"
#include "spinekit/colour.h"

namespace spinekit::classify {

// A part of a row as RGB of 8 bits: values of 16 bits are rounded to value / 257.
class Rgb8Part {
 public:
  // The pixels may be those given; else they are valid until the next call.
  const std::uint8_t* of(const std::byte* pixels, std::int64_t count, ColourFormat format);

 private:
  std::array<std::uint8_t, 3 * kPartPixels> rgb_;
};

// By colour, as cvtColor gives it for COLOR_RGB2Lab.
class LabB {
 public:
  static constexpr std::int64_t kBytes = std::int64_t{1} << 24;

  LabB(Executor& executor, const CancelToken& cancel);

  // Adds pixels to a histogram, and writes the b of each to `levels` unless that is null.
  void count(const std::uint8_t* rgb, std::int64_t count, Histogram& histogram,
             std::uint8_t* levels) const;

  // Bits by colour, for look_up_row: 1 where b is greater than the threshold.
  [[nodiscard]] std::vector<std::uint32_t> above(int threshold, Executor& executor,
                                                 const CancelToken& cancel) const;

 private:
  std::vector<std::uint8_t> table_;
};

}  // namespace spinekit::classify

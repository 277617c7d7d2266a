// Stored samples to RGB, row by row.
#pragma once

#include <array>
#include <vector>

#include "spinekit/bytes.h"

namespace spinekit {

enum class Alpha { kNone, kStraight, kPremultiplied };

struct SampleLayout {
  static constexpr int kMostChannels = 4;

  int bits = 8;                // of a stored sample: 1, 2, 4, 8, 16; below 8 a pixel has one sample
  int colours = 3;             // channels that are colour: 1 (grey or palette) or 3
  Alpha alpha = Alpha::kNone;  // of the channel behind the colours
  int stride = 3;              // samples from one pixel to the next
  bool inverted = false;       // grey whose 0 is white
  // 3 x 2^bits entries, red first, in the range of out_bits; empty: no palette.
  std::vector<std::uint16_t> palette;
  int out_bits = 8;

  [[nodiscard]] int channels() const { return colours + (alpha == Alpha::kNone ? 0 : 1); }
  // Whether a stored row is the delivered row.
  [[nodiscard]] bool plain() const {
    return colours == 3 && stride == 3 && alpha == Alpha::kNone && bits == out_bits;
  }
};

// Where the first sample of each channel stands.
using ChannelRows = std::array<const std::uint8_t*, SampleLayout::kMostChannels>;

// 16-bit samples in the machine's order. `scratch` is kept between calls.
void to_rgb(const SampleLayout& layout, const ChannelRows& rows, std::int64_t width,
            std::uint8_t* rgb, Buffer& scratch);

}  // namespace spinekit

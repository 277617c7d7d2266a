#include "scan/samples.h"

#include <cstring>
#include <limits>

namespace spinekit {
namespace {

// `rows` may point at any byte of a file's buffer: samples are read without assuming alignment.
template <typename T>
T sample(const std::uint8_t* row, std::int64_t index) {
  T value;
  std::memcpy(&value, row + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void put(std::uint8_t* rgb, std::int64_t index, T value) {
  std::memcpy(rgb + index * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
}

// A colour laid over white. Sums stay below 2^32 at 16 bits: colour x alpha + most x (most - alpha) is at
// most most^2.
template <typename T>
T over_white(T colour, T alpha, Alpha kind) {
  constexpr std::uint32_t kMost = std::numeric_limits<T>::max();
  if (kind == Alpha::kPremultiplied) {
    const std::uint32_t sum = std::uint32_t{colour} + (kMost - alpha);
    return static_cast<T>(sum < kMost ? sum : kMost);
  }
  const std::uint32_t sum = std::uint32_t{colour} * alpha + kMost * (kMost - alpha);
  return static_cast<T>((sum + kMost / 2) / kMost);
}

template <typename T>
void colours_to_rgb(const SampleLayout& layout, const ChannelRows& rows, std::int64_t width,
                    std::uint8_t* rgb) {
  const T flip = layout.inverted ? std::numeric_limits<T>::max() : T{0};
  const bool colour = layout.colours == 3;
  const bool blended = layout.alpha != Alpha::kNone;
  for (std::int64_t x = 0; x < width; ++x) {
    const std::int64_t at = x * layout.stride;
    const T alpha = blended ? sample<T>(rows[static_cast<std::size_t>(layout.colours)], at) : T{0};
    for (int c = 0; c < 3; ++c) {
      T value = sample<T>(rows[colour ? static_cast<std::size_t>(c) : 0], at);
      value = static_cast<T>(value ^ flip);
      put<T>(rgb, 3 * x + c, blended ? over_white(value, alpha, layout.alpha) : value);
    }
  }
}

template <typename Index, typename T>
void palette_to_rgb(const SampleLayout& layout, const std::uint8_t* row, std::int64_t width,
                    std::uint8_t* rgb) {
  const std::size_t count = layout.palette.size() / 3;
  for (std::int64_t x = 0; x < width; ++x) {
    const std::size_t index = sample<Index>(row, x * layout.stride);
    for (std::size_t c = 0; c < 3; ++c) {
      put<T>(rgb, 3 * x + static_cast<std::int64_t>(c),
             static_cast<T>(layout.palette[c * count + index]));
    }
  }
}

// Samples of 1, 2 or 4 bits, the first in the highest bits, each times `scale`.
void unpack(const std::uint8_t* row, std::int64_t width, int bits, int scale, Buffer& out) {
  out.resize(static_cast<std::size_t>(width));
  const int mask = (1 << bits) - 1;
  const int per_byte = 8 / bits;
  for (std::int64_t x = 0; x < width; ++x) {
    const int shift = 8 - bits * (static_cast<int>(x % per_byte) + 1);
    out[static_cast<std::size_t>(x)] =
        static_cast<std::uint8_t>(((row[x / per_byte] >> shift) & mask) * scale);
  }
}

}  // namespace

void to_rgb(const SampleLayout& layout, const ChannelRows& rows, std::int64_t width,
            std::uint8_t* rgb, Buffer& scratch) {
  if (layout.plain()) {
    std::memcpy(rgb, rows[0], static_cast<std::size_t>(width * 3 * (layout.bits / 8)));
    return;
  }
  const bool indexed = !layout.palette.empty();
  ChannelRows from = rows;
  if (layout.bits < 8) {
    unpack(rows[0], width, layout.bits, indexed ? 1 : 255 / ((1 << layout.bits) - 1), scratch);
    from[0] = scratch.data();
  }
  if (indexed) {
    const bool wide = layout.out_bits == 16;
    if (layout.bits == 16) {
      (wide ? palette_to_rgb<std::uint16_t, std::uint16_t>
            : palette_to_rgb<std::uint16_t, std::uint8_t>)(layout, from[0], width, rgb);
    } else {
      (wide ? palette_to_rgb<std::uint8_t, std::uint16_t>
            : palette_to_rgb<std::uint8_t, std::uint8_t>)(layout, from[0], width, rgb);
    }
  } else if (layout.out_bits == 16) {
    colours_to_rgb<std::uint16_t>(layout, from, width, rgb);
  } else {
    colours_to_rgb<std::uint8_t>(layout, from, width, rgb);
  }
}

}  // namespace spinekit

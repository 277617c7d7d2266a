#include "stored_range.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace spinekit {
namespace {

// Host order is little endian on every platform that is built for.
static_assert(std::endian::native == std::endian::little);

template <typename Sample>
StoredRange range_of(Bytes frame) {
  const auto* samples = reinterpret_cast<const Sample*>(frame.data());
  const std::size_t count = frame.size() / sizeof(Sample);
  Sample least = std::numeric_limits<Sample>::max();
  Sample largest = std::numeric_limits<Sample>::min();
  for (std::size_t i = 0; i < count; ++i) {
    least = std::min(least, samples[i]);
    largest = std::max(largest, samples[i]);
  }
  return {least, largest};
}

template <typename Sample>
void extend(MutableBytes frame, unsigned unused_bits) {
  auto* samples = reinterpret_cast<Sample*>(frame.data());
  for (std::size_t i = 0; i < frame.size() / sizeof(Sample); ++i) {
    const unsigned shifted = static_cast<unsigned>(samples[i]) << unused_bits;
    samples[i] = static_cast<Sample>(static_cast<Sample>(shifted) >> unused_bits);
  }
}

// Residuals beyond the reach are rare; they count as the outermost ones.
constexpr int kResidualReach = 1024;
constexpr std::size_t kContexts = 13;

template <typename Sample>
double entropy_bytes(Bytes frame, const FrameFormat& format) {
  const auto* samples = reinterpret_cast<const Sample*>(frame.data());
  const std::int64_t stride = format.samples;
  const std::int64_t row = format.columns * stride;
  using Histogram = std::array<std::uint32_t, 2 * kResidualReach>;
  std::vector<Histogram> histograms(kContexts, Histogram{});
  // Some 128 rows tell enough.
  const std::int64_t step = std::max<std::int64_t>(1, format.rows / 128);
  std::int64_t visited = 0;
  for (std::int64_t y = 1; y < format.rows; y += step) {
    ++visited;
    const Sample* here = samples + y * row;
    const Sample* above = here - row;
    for (std::int64_t x = stride; x < row; ++x) {
      const int a = here[x - stride];
      const int b = above[x];
      const int c = above[x - stride];
      const int prediction = std::clamp(a + b - c, std::min(a, b), std::max(a, b));
      const int bin =
          kResidualReach + std::clamp(here[x] - prediction, -kResidualReach, kResidualReach - 1);
      // Rough neighbourhoods and smooth ones are coded apart, as any good coder does.
      const auto activity = static_cast<unsigned>(std::abs(a - c) + std::abs(b - c));
      const auto context = std::min<std::size_t>(std::bit_width(activity), kContexts - 1);
      ++histograms[context][static_cast<std::size_t>(bin)];
    }
  }
  double bits = 0;
  for (const Histogram& histogram : histograms) {
    double count = 0;
    for (const std::uint32_t n : histogram) count += n;
    for (const std::uint32_t n : histogram) {
      if (n > 0) bits -= n * std::log2(n / count);
    }
  }
  const std::int64_t all = format.rows - 1;
  return visited == 0 ? 0 : bits / 8.0 * static_cast<double>(all) / static_cast<double>(visited);
}

}  // namespace

StoredRange stored_range(Bytes frame, const FrameFormat& format) {
  if (format.bits_allocated == 8) {
    return format.is_signed ? range_of<std::int8_t>(frame) : range_of<std::uint8_t>(frame);
  }
  return format.is_signed ? range_of<std::int16_t>(frame) : range_of<std::uint16_t>(frame);
}

bool lacks_sign_extension(const StoredRange& range, const FrameFormat& format) {
  return format.is_signed && format.bits_stored < format.bits_allocated && range.least >= 0 &&
         range.largest >= (1 << (format.bits_stored - 1)) &&
         range.largest < (1 << format.bits_stored);
}

void extend_sign(MutableBytes frame, const FrameFormat& format) {
  const auto unused = static_cast<unsigned>(format.bits_allocated - format.bits_stored);
  if (format.bits_allocated == 8) {
    extend<std::int8_t>(frame, unused);
  } else {
    extend<std::int16_t>(frame, unused);
  }
}

int bits_needed(const StoredRange& range, bool is_signed) {
  if (!is_signed) {
    return std::max(1, static_cast<int>(std::bit_width(static_cast<unsigned>(range.largest))));
  }
  const auto width = [](std::int32_t value) {
    return static_cast<int>(std::bit_width(static_cast<unsigned>(value < 0 ? ~value : value))) + 1;
  };
  return std::max(width(range.least), width(range.largest));
}

double predicted_lossless_bytes(Bytes frame, const FrameFormat& format) {
  if (format.bits_allocated == 8) {
    return format.is_signed ? entropy_bytes<std::int8_t>(frame, format)
                            : entropy_bytes<std::uint8_t>(frame, format);
  }
  return format.is_signed ? entropy_bytes<std::int16_t>(frame, format)
                          : entropy_bytes<std::uint16_t>(frame, format);
}

}  // namespace spinekit

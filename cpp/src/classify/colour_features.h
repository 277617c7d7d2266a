// Features of pixels in float64, by their definition.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "colour_kernels.h"
#include "spinekit/colour.h"

namespace spinekit::classify {

// sRGB's curve undone for values / 65535.
struct LinearLight {
  std::array<double, 65536> exact;
  std::array<float, 65536> single;
};
const LinearLight& linear_light();

ColourVector features_of(std::uint16_t red, std::uint16_t green, std::uint16_t blue);

inline constexpr std::int64_t kColours = std::int64_t{1} << 24;
inline constexpr std::int64_t kSlab = kColours / 256;  // those that share a blue

// All colours from an index on, in the order of colour_index.
void colours_from(std::int64_t first, std::int64_t count, std::uint8_t* rgb);

// Makes features of pixels of 8 bits, a block at a time. Each is one thread's.
// Has OpenCV make its tables of Lab and HSV, once: it makes them without a lock where several threads are
// the first to need them, each some of its own.
void prepare_opencv();

class FeatureBlocks {
 public:
  // `rgb` has 1 to kMostPixels pixels.
  void convert(const std::uint8_t* rgb, std::int64_t count);

  // Those of pixels `first` on, of which there may be less than a block.
  void block(std::int64_t first, ColourPlanes& planes) const;

  static constexpr std::int64_t kMostPixels = 16384;

 private:
  std::int64_t count_ = 0;
  std::array<std::uint8_t, 3 * kMostPixels> lab_;
  std::array<std::uint8_t, 3 * kMostPixels> hsv_;
};

}  // namespace spinekit::classify

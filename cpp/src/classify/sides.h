// How large masks and scans may be.
#pragma once

#include <cstdint>
#include <string>

#include "spinekit/error.h"

namespace spinekit::classify {

// Coordinates are 32 bits, and sums of them must not overflow.
inline constexpr std::int64_t kLargestSide = std::int64_t{1} << 24;

inline void check_sides(const std::string& what, std::int64_t width, std::int64_t height) {
  if (width >= 1 && height >= 1 && width <= kLargestSide && height <= kLargestSide) return;
  throw_argument(what + ": " + std::to_string(width) + " x " + std::to_string(height) +
                 ", expected 1 to " + std::to_string(kLargestSide) + " pixels a side");
}

}  // namespace spinekit::classify

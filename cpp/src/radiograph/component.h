// The largest 4-connected piece of a mask, and its outer border.
#pragma once

#include <cstdint>
#include <vector>

#include "mask_scan.h"

namespace spinekit::radiograph {

// One byte a pixel of `box`: 1 inside the largest piece.
struct Component {
  PixelBox box;
  std::vector<std::uint8_t> inside;
  std::int64_t pixels = 0;
  std::int64_t other_pixels = 0;  // of all the other pieces

  [[nodiscard]] bool contains(std::int64_t row, std::int64_t column) const {
    if (row < box.top || row > box.bottom || column < box.left || column > box.right) return false;
    return inside[static_cast<std::size_t>((row - box.top) * box.columns() + column - box.left)] !=
           0;
  }
};

// Of several of the same size, the first.
Component largest_component(const Plane& plane, const PixelBox& box);

// A point where the border crosses the line between a pixel of the piece and its neighbour outside.
struct BorderPoint {
  double x = 0;  // pixels
  double y = 0;
  bool at_film_edge = false;  // the bone may go on beyond
};

// The outer border, clockwise as seen on the film, at the level 0.5 of the probabilities.
std::vector<BorderPoint> trace_border(const Plane& plane, const Component& component);

}  // namespace spinekit::radiograph

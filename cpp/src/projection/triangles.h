// Exact rasterising of triangles: a sample that lies on an edge which two triangles share belongs to
// one of them, so that a ray enters a closed surface as often as it leaves it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "spinekit/error.h"

namespace spinekit {

// Positions in units of 1 / 256 sample.
struct FixedPoint {
  std::int64_t x = 0;
  std::int64_t y = 0;
};

constexpr std::int64_t kFixed = 256;

// Error(kArgument) for a point that is not finite or lies 2 million samples away: up to there products
// of differences, two of them added up, have less than 63 bits.
inline FixedPoint fixed_point(double x, double y) {
  constexpr double kFarthest = 2e6;
  if (!(std::abs(x) < kFarthest && std::abs(y) < kFarthest)) {
    throw_argument("a mesh reaches too far: expected less than 2 million samples");
  }
  return {std::llround(x * kFixed), std::llround(y * kFixed)};
}

// Least integer >= a / b for b > 0.
inline std::int64_t ceiling(std::int64_t a, std::int64_t b) {
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

class FixedTriangle {
 public:
  FixedTriangle(FixedPoint a, FixedPoint b, FixedPoint c) : corners_{a, b, c} {
    const std::int64_t area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    orientation_ = area > 0 ? 1 : (area < 0 ? -1 : 0);
    if (area < 0) std::swap(corners_[1], corners_[2]);
  }

  // 1 where x to y is the way from the first corner over the second to the third, -1 against it, 0
  // for a triangle without area.
  [[nodiscard]] int orientation() const { return orientation_; }
  [[nodiscard]] std::int64_t first_row() const {
    return ceiling(std::min({corners_[0].y, corners_[1].y, corners_[2].y}), kFixed);
  }
  [[nodiscard]] std::int64_t end_row() const {
    return std::max({corners_[0].y, corners_[1].y, corners_[2].y}) / kFixed + 1;
  }

  // Samples [first, end) of a row that lie inside.
  [[nodiscard]] std::array<std::int64_t, 2> span(std::int64_t row, std::int64_t columns) const {
    std::int64_t first = 0;
    std::int64_t end = columns;
    const std::int64_t y = row * kFixed;
    for (int e = 0; e < 3; ++e) {
      const FixedPoint a = corners_[e];
      const FixedPoint b = corners_[(e + 1) % 3];
      const std::int64_t dx = b.x - a.x;
      const std::int64_t dy = b.y - a.y;
      // Inside is at + slope * x >= 0, on the edge itself only for edges of one half of all directions.
      const std::int64_t at = dx * (y - a.y) + dy * a.x - (dy < 0 || (dy == 0 && dx > 0) ? 0 : 1);
      if (dy == 0) {
        if (at < 0) return {0, 0};
      } else if (dy < 0) {
        first = std::max(first, ceiling(-at, -dy * kFixed));
      } else {
        end = std::min(end, floor_of(at, dy * kFixed) + 1);
      }
    }
    return {first, std::max(first, end)};
  }

 private:
  static std::int64_t floor_of(std::int64_t a, std::int64_t b) {
    return a >= 0 ? a / b : -ceiling(-a, b);
  }

  std::array<FixedPoint, 3> corners_;
  int orientation_ = 0;
};

}  // namespace spinekit

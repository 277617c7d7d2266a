#include "simplifying.h"

#include <cstddef>
#include <cstdint>

namespace spinekit::classify {
namespace {

// Differences of coordinates; their products are whole numbers below 2^53.
struct Offset {
  double x;
  double y;
};

Offset operator-(PixelPoint to, PixelPoint from) {
  return {static_cast<double>(to.x) - from.x, static_cast<double>(to.y) - from.y};
}
double dot(Offset a, Offset b) { return a.x * b.x + a.y * b.y; }
double cross(Offset a, Offset b) { return a.x * b.y - a.y * b.x; }
double square(Offset a) { return dot(a, a); }

class Segment {
 public:
  Segment(PixelPoint from, PixelPoint to)
      : from_(from), to_(to), along_(to - from), length_(square(along_)) {}

  // Squared, as that of points is times it.
  [[nodiscard]] double length() const { return length_; }
  [[nodiscard]] double away(PixelPoint point) const {
    const Offset offset = point - from_;
    const double place = dot(offset, along_);
    if (place < 0) return square(offset) * length_;
    if (place > length_) return square(point - to_) * length_;
    const double across = cross(along_, offset);
    return across * across;
  }

 private:
  PixelPoint from_;
  PixelPoint to_;
  Offset along_;
  double length_;
};

// Points from ... to of a closed contour, round its end if need be.
struct Stretch {
  std::size_t from;
  std::size_t to;
};

// What is nearly straight goes, if the way goes on in its direction. Like OpenCV's, this looks at the
// points while it moves them up, and skips the one after each that goes.
void straighten(std::vector<PixelPoint>& points, double tolerance) {
  const std::size_t count = points.size();
  std::size_t left = count, read = 0, write = 0;
  const auto next = [&] {
    const PixelPoint point = points[read];
    read = (read + 1) % count;
    return point;
  };
  PixelPoint before = points.back();
  PixelPoint point = next();
  for (std::size_t seen = 0; seen < count && left > 2; ++seen) {
    const PixelPoint after = next();
    const Offset whole = after - before;
    const double across = cross(whole, point - before);
    const bool straight = across * across <= 0.5 * tolerance * square(whole) && whole.x != 0 &&
                          whole.y != 0 && dot(point - before, after - point) >= 0;
    before = straight ? after : point;
    points[write] = before;
    write = (write + 1) % count;
    if (straight) {
      --left;
      ++seen;
      point = next();
    } else {
      point = after;
    }
  }
  points.resize(left);
}

}  // namespace

std::vector<PixelPoint> simplified(const std::vector<PixelPoint>& contour, double epsilon) {
  const std::size_t count = contour.size();
  const auto after = [count](std::size_t k) { return k + 1 == count ? 0 : k + 1; };
  const double tolerance = epsilon * epsilon;
  // Two points far from each other: each time the farthest from the one before.
  std::size_t start = 0, farthest = 0;
  double distance = 0;
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    start = (start + farthest) % count;
    distance = 0;
    for (std::size_t k = 1, at = after(start); k < count; ++k, at = after(at)) {
      const double other = square(contour[at] - contour[start]);
      if (other <= distance) continue;
      distance = other;
      farthest = k;
    }
  }
  if (distance <= tolerance) return {contour[start]};
  const std::size_t opposite = (start + farthest) % count;
  std::vector<PixelPoint> kept;
  std::vector<Stretch> stack{{opposite, start}, {start, opposite}};
  while (!stack.empty()) {
    const Stretch stretch = stack.back();
    stack.pop_back();
    const Segment segment(contour[stretch.from], contour[stretch.to]);
    double most = 0;
    std::size_t corner = stretch.from;
    for (std::size_t k = after(stretch.from); k != stretch.to; k = after(k)) {
      const double other = segment.away(contour[k]);
      if (other <= most) continue;
      most = other;
      corner = k;
    }
    if (most <= tolerance * segment.length()) {
      kept.push_back(contour[stretch.from]);
    } else {
      stack.push_back({corner, stretch.to});
      stack.push_back({stretch.from, corner});
    }
  }
  straighten(kept, tolerance);
  return kept;
}

}  // namespace spinekit::classify

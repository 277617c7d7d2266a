// The border of a bone in mm, as a closed clockwise polygon, with what fits need of its points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "component.h"
#include "plane.h"

namespace spinekit::radiograph {

struct ContourPoint {
  Vec at;
  Vec outward;       // unit, of the border smoothed over a few pixels
  double share = 0;  // length of border that it stands for
  bool at_film_edge = false;
};

struct Contour {
  std::vector<ContourPoint> points;
  Vec centre;  // of the enclosed area
  double area = 0;
  double length = 0;
  double pixel = 0;  // mm: the larger of both spacings

  [[nodiscard]] std::size_t size() const { return points.size(); }
};

// Clockwise as seen on the film.
Contour contour_of(const std::vector<BorderPoint>& border, const PixelSpacing& spacing);

// The film seen from the other side, x turned to -x; still clockwise.
Contour mirrored(const Contour& contour);

// Starts with the point farthest along `direction`, and takes points together where there are very
// many: what follows does not depend on where the tracing began, and takes a bounded time.
void prepare(Contour& contour, Vec direction);

// `count` points at equal steps along the border.
std::vector<Vec> even_points(const Contour& contour, std::size_t count);

// How rough the border is at the scale of `stretch` mm: variance of the mean of a stretch about its
// neighbours', times its length. Bends and corners do not count.
double roughness(const Contour& contour, double stretch);

// Central second moments of the area: variance along and across the longest axis, and that axis.
struct Moments {
  Vec axis;
  double along = 0;
  double across = 0;
};
Moments moments_of(const Contour& contour);

}  // namespace spinekit::radiograph

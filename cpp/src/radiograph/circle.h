// The circle of a femoral head, fitted so that leaks, bites and the neck do not count.
#pragma once

#include <array>
#include <string>

#include "contour.h"
#include "random.h"

namespace spinekit::radiograph {

struct CircleFit {
  Vec centre;
  double radius = 0;
  double noise = 0;    // robust standard deviation of the border about the circle, mm
  double support = 0;  // share of the circle that border near it backs
  // Normal equations of (x, y, radius), by the angle about the centre.
  static constexpr std::size_t kSectors = 12;
  struct Sums {
    std::array<double, 6> matrix{};
    std::array<double, 3> right{};
  };
  std::array<Sums, kSectors> sectors;
  std::string problem;  // why it is no femoral head; empty when it is
};

// Algebraic start (Kasa), then Gauss-Newton on distances with annealed Geman-McClure weights.
CircleFit fit_circle(const Contour& contour);

// The centre again, with the evidence weighted anew.
Vec resampled_centre(const CircleFit& fit, Random& random);

}  // namespace spinekit::radiograph

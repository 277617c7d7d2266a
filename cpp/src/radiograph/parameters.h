// Key points in the plane of measurement, and every number that follows from them.
#pragma once

#include <array>
#include <vector>

#include "plane.h"

namespace spinekit::radiograph {

// In mm and seen so that the patient looks to the right; NaN where unknown.
struct Skeleton {
  std::array<std::array<Vec, 4>, kVertebrae> vertebrae;  // by Corner
  std::array<Vec, 2> sacrum;                             // anterior, posterior
  std::array<Vec, 2> heads;
};

// Everything unknown.
Skeleton unknown_skeleton();

// As parameters() of the public header.
std::vector<double> values_of(const Skeleton& skeleton);

}  // namespace spinekit::radiograph

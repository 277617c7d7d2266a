// All fits of a film together: the directions of all sides reconciled, and the key points that follow.
#pragma once

#include <array>

#include "anatomy.h"
#include "circle.h"
#include "parameters.h"
#include "sacrum.h"
#include "vertebra.h"

namespace spinekit::radiograph {

struct Fits {
  std::array<BodyFit, kVertebrae> bodies;
  EndplateFit sacrum;
  std::array<CircleFit, 2> heads;
};

// The most probable key points of the bones that are there; with `random`, a sample of the possible
// ones (Bayesian bootstrap of the borders, and known angles drawn anew).
Skeleton skeleton_of(const FoundBones& bones, const Fits& fits, Random* random);

}  // namespace spinekit::radiograph

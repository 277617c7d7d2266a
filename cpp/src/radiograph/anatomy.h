// What the bones' places say of each other: their order, the spine's direction, the anterior side.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "contour.h"

namespace spinekit::radiograph {

// One bone as it was found; without points when it was not, and `problem` says why.
struct FoundBone {
  Contour contour;
  std::string problem;
  [[nodiscard]] bool there() const { return problem.empty(); }
};

using FoundBones = std::array<FoundBone, kBones>;

// Gives a problem to bones that cannot be where they are, or of the size that they are.
void check_places(FoundBones& bones, std::vector<std::string>& warnings);

// From the positions of bones to each other, whatever the film's tilt.
Facing facing_of(const FoundBones& bones, std::string& problem, std::vector<std::string>& warnings);

// Unit direction of the spine at vertebra `level`, towards the feet.
Vec down_at(const FoundBones& bones, int level);
// Unit direction from the sacrum to the spine above it.
Vec up_from_sacrum(const FoundBones& bones);

}  // namespace spinekit::radiograph

#include "spine_model.h"

#include <vector>

#include "spine_angles.h"

namespace spinekit::radiograph {
namespace {

// How far the ends of endplates stray from what their borders say even where these are clean, by
// osteophytes and by rims that the beam meets aslant: radians, as phantoms show it.
constexpr double kBodyShape = 0.0047;
constexpr double kSacrumShape = 0.0012;

struct Part {
  std::size_t bone;
  std::size_t first;  // number of its first side
  std::vector<SolvedSide> sides;
};

}  // namespace

Skeleton skeleton_of(const FoundBones& bones, const Fits& fits, Random* random) {
  const auto outline_of = [&](std::size_t bone) -> const OutlineFit& {
    return bone == kSacrum ? fits.sacrum.outline : fits.bodies[bone].outline;
  };
  std::vector<Part> parts;
  std::vector<AngleEstimate> angles;
  std::vector<AngleRelation> relations;
  constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t inferior_above = kNone;
  for (std::size_t bone = 0; bone <= kSacrum; ++bone) {
    if (!bones[bone].there()) {
      inferior_above = kNone;
      continue;
    }
    parts.push_back({bone, angles.size(), solve_sides(outline_of(bone), random)});
    const Part& part = parts.back();
    for (const SolvedSide& side : part.sides) angles.push_back(side.angle);
    const bool sacrum = bone == kSacrum;
    for (const AngleRelation& relation :
         sacrum ? relations_of_sacrum(part.first)
                : relations_of_body(static_cast<int>(bone), part.first)) {
      relations.push_back(relation);
    }
    if (inferior_above != kNone) {
      const std::size_t superior = part.first + (sacrum ? 1 : 0);
      relations.push_back(relation_of_disc(static_cast<int>(bone) - 1, inferior_above, superior));
    }
    inferior_above = part.first + 2;
  }
  std::vector<double> turns = reconcile(angles, relations, random);
  if (random != nullptr) {
    for (const Part& part : parts) {
      const double spread = part.bone == kSacrum ? kSacrumShape : kBodyShape;
      for (std::size_t k = 0; k < part.sides.size(); ++k)
        turns[part.first + k] += spread * random->normal();
    }
  }

  Skeleton skeleton = unknown_skeleton();
  for (const Part& part : parts) {
    const OutlineFit& outline = outline_of(part.bone);
    std::vector<Vec> corners = outline.corners;
    turned_corners(part.sides, turns.data() + part.first, outline.closed, corners);
    if (part.bone == kSacrum) {
      skeleton.sacrum = {corners[2], corners[1]};
    } else {
      auto& named = skeleton.vertebrae[part.bone];
      named[kSuperiorAnterior] = corners[1];
      named[kSuperiorPosterior] = corners[0];
      named[kInferiorAnterior] = corners[2];
      named[kInferiorPosterior] = corners[3];
    }
  }
  for (std::size_t k = 0; k < 2; ++k) {
    if (!bones[kFirstHead + k].there()) continue;
    skeleton.heads[k] =
        random != nullptr ? resampled_centre(fits.heads[k], *random) : fits.heads[k].centre;
  }
  return skeleton;
}

}  // namespace spinekit::radiograph

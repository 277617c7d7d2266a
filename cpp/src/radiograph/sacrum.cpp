#include "sacrum.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "chords.h"

namespace spinekit::radiograph {
namespace {

constexpr std::size_t kEvenPoints = 180;
// Of the chord of the endplate: how much of each wall takes part.
constexpr double kWallShare = 0.55;

struct Candidate {
  double cost = std::numeric_limits<double>::infinity();
  std::vector<Vec> corners;
};

// The run of border, between two walls, that is straight, faces up, and ends in clear corners.
Candidate best_candidate(const Contour& contour, Vec up) {
  const ChordTable table(even_points(contour, kEvenPoints));
  const double step = contour.length / static_cast<double>(kEvenPoints);
  Candidate best;
  constexpr std::size_t kShortest = kEvenPoints * 7 / 100;
  constexpr std::size_t kLongest = kEvenPoints * 34 / 100;
  for (std::size_t first = 0; first < kEvenPoints; ++first) {
    for (std::size_t length = kShortest; length <= kLongest; ++length) {
      const auto wall_length = static_cast<std::size_t>(kWallShare * static_cast<double>(length));
      const std::size_t before_first = first + kEvenPoints - wall_length;
      const double residual = table.residual(first, length) +
                              table.residual(before_first, wall_length) +
                              table.residual(first + length, wall_length);
      const double count = static_cast<double>(length + 2 * wall_length);
      const double span = static_cast<double>(length) * step;
      const double straight = residual / count / (span * span);
      if (straight > best.cost) continue;
      const Chord plate = table.chord(first, length);
      const double facing = dot(outward(plate.along), up);
      if (facing < 0.5 || dot(plate.centre - contour.centre, up) < 0) continue;
      const Chord posterior = table.chord(before_first, wall_length);
      const Chord anterior = table.chord(first + length, wall_length);
      // Each corner turns by more than 30 degrees, and less than 150.
      constexpr double kTurn = 0.5;
      if (cross(posterior.along, plate.along) < kTurn) continue;
      if (cross(plate.along, anterior.along) < kTurn) continue;
      const double cost = straight + 0.002 * (1 - facing);
      if (cost >= best.cost) continue;
      best.cost = cost;
      const Vec start = meeting(posterior, plate);
      const Vec end = meeting(plate, anterior);
      const double wall = kWallShare * distance(start, end);
      best.corners = {start - wall * posterior.along, start, end, end + wall * anterior.along};
    }
  }
  return best;
}

std::string problem_of(const OutlineFit& outline, const Contour& contour) {
  if (!outline.sound) return "the endplate of S1 was not found";
  const double plate = distance(outline.corners[1], outline.corners[2]);
  const SideFit& side = outline.sides[1];
  if (plate < 5 * contour.pixel) return "the mask has too few pixels";
  if (plate > 0.4 * contour.length || plate < 0.05 * contour.length) {
    return "the endplate of S1 was not found";
  }
  if (side.support < 0.5) return "too little of the endplate of S1 is left in the mask";
  if (std::abs(side.side.height(0)) > 0.15 * plate) {
    return "the endplate of S1 is too round in the mask";
  }
  if (outline.noise > 0.07 * plate) return "the mask's border is too rough at S1";
  return {};
}

}  // namespace

EndplateFit fit_endplate(Contour contour, Vec up) {
  start_at(contour, -up);
  EndplateFit fit;
  const Candidate candidate = best_candidate(contour, up);
  if (candidate.corners.empty()) {
    fit.problem = "the endplate of S1 was not found";
    return fit;
  }
  OutlineOptions options;
  options.closed = false;
  options.ranges = {{SideKind::kWall, -0.95, 0.88},
                    {SideKind::kEndplate, -0.97, 0.97},
                    {SideKind::kWall, -0.88, 0.95}};
  options.size = 0.85 * distance(candidate.corners[1], candidate.corners[2]);
  fit.outline = fit_outline(contour, candidate.corners, options);
  fit.problem = problem_of(fit.outline, contour);
  return fit;
}

}  // namespace spinekit::radiograph

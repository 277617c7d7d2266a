#include "sacrum.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "chords.h"
#include "spine_angles.h"

namespace spinekit::radiograph {
namespace {

constexpr std::size_t kEvenPoints = 180;
// Of the chord of the endplate: how much of each wall takes part.
constexpr double kWallShare = 0.55;

// Where the endplate may be expected, each as a cost in squared standard deviations.
struct Expectation {
  Vec facing;  // unit
  double facing_spread = 0;
  bool placed = false;
  Vec centre;
  double length = 0;
  double spread = 0;  // mm, of centre and length

  [[nodiscard]] double cost(Vec plate_facing, Vec plate_centre, double plate_length) const {
    const double turn = std::atan2(cross(facing, plate_facing), dot(facing, plate_facing));
    double sum = std::pow(turn / facing_spread, 2);
    if (placed) {
      const double away = distance(plate_centre, centre);
      const double longer = plate_length - length;
      sum += (away * away + longer * longer) / (spread * spread);
    }
    return sum;
  }
};

Expectation expectation(Vec up, const std::optional<EndplateAbove>& above) {
  constexpr double kLooseSpread = 0.4;  // radians
  if (!above) {
    Expectation loose;
    loose.facing = up;
    loose.facing_spread = kLooseSpread;
    return loose;
  }
  // L5/S1: about 15 degrees of lordosis, a disc of a third of the depth, give or take much.
  constexpr double kLordosis = 0.26;
  const Vec along = above->anterior - above->posterior;
  const double depth = norm(along);
  const Vec down = -outward((1 / depth) * along);
  const Vec face = -down;
  const Vec turned{std::cos(kLordosis) * face.x - std::sin(kLordosis) * face.y,
                   std::sin(kLordosis) * face.x + std::cos(kLordosis) * face.y};
  return {.facing = turned,
          .facing_spread = 0.2,
          .placed = true,
          .centre = middle(above->anterior, above->posterior) + 0.3 * depth * down,
          .length = depth,
          .spread = 0.2 * depth};
}

// Posterior wall's start, posterior and anterior end, anterior wall's end.
std::vector<Vec> expected_corners(const Expectation& expected) {
  const Vec along = outward(-expected.facing);
  const Vec posterior = expected.centre - 0.5 * expected.length * along;
  const Vec anterior = expected.centre + 0.5 * expected.length * along;
  const double wall = kWallShare * expected.length;
  return {posterior - wall * expected.facing, posterior, anterior,
          anterior - wall * expected.facing};
}

struct Candidate {
  double cost = std::numeric_limits<double>::infinity();
  std::vector<Vec> corners;
};

// The run of border, between two walls, that is straight, ends in corners, and is where it should be.
Candidate best_candidate(const Contour& contour, const Expectation& expected) {
  const ChordTable table(even_points(contour, kEvenPoints));
  const double step = contour.length / static_cast<double>(kEvenPoints);
  Candidate best;
  constexpr std::size_t kShortest = kEvenPoints * 7 / 100;
  constexpr std::size_t kLongest = kEvenPoints * 34 / 100;
  // Sides of this roughness, as a share of their length, are nothing special.
  constexpr double kRough = 0.02;
  for (std::size_t first = 0; first < kEvenPoints; ++first) {
    for (std::size_t length = kShortest; length <= kLongest; ++length) {
      const auto wall_length = static_cast<std::size_t>(kWallShare * static_cast<double>(length));
      const std::size_t before_first = first + kEvenPoints - wall_length;
      const double residual = table.residual(first, length) +
                              table.residual(before_first, wall_length) +
                              table.residual(first + length, wall_length);
      const auto count = static_cast<double>(length + 2 * wall_length);
      const double span = static_cast<double>(length) * step;
      const double straight = residual / count / std::pow(kRough * span, 2);
      if (straight >= best.cost) continue;
      const Chord plate = table.chord(first, length);
      const double cost = straight + expected.cost(outward(plate.along), plate.centre, span);
      if (cost >= best.cost) continue;
      const Chord posterior = table.chord(before_first, wall_length);
      const Chord anterior = table.chord(first + length, wall_length);
      // Each corner turns by more than 20 degrees, and less than 160.
      constexpr double kTurn = 0.34;
      if (cross(posterior.along, plate.along) < kTurn) continue;
      if (cross(plate.along, anterior.along) < kTurn) continue;
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

EndplateFit fit_endplate(Contour contour, Vec up, const std::optional<EndplateAbove>& above) {
  prepare(contour, -up);
  EndplateFit fit;
  const Expectation expected = expectation(up, above);
  std::vector<std::vector<Vec>> starts{best_candidate(contour, expected).corners};
  if (above) {
    // A lost corner may look straighter than what is left of the endplate.
    Expectation strict = expected;
    strict.facing_spread *= 0.4;
    strict.spread *= 0.6;
    starts.push_back(best_candidate(contour, strict).corners);
    starts.push_back(expected_corners(expected));
  }
  fit.problem = "the endplate of S1 was not found";
  double least = std::numeric_limits<double>::infinity();
  for (const std::vector<Vec>& start : starts) {
    if (start.empty()) continue;
    OutlineOptions options;
    options.closed = false;
    options.ranges = {{SideKind::kSacralWall, -0.95, 0.88},
                      {SideKind::kEndplate, -0.97, 0.97},
                      {SideKind::kSacralWall, -0.88, 0.95}};
    options.relations = relations_of_sacrum(0);
    if (above) {
      options.neighbours.push_back(above->angle);
      options.relations.push_back(relation_of_disc(kVertebrae - 1, 3, 1));
    }
    options.size = 0.85 * distance(start[1], start[2]);
    EndplateFit tried;
    tried.outline = fit_outline(contour, start, options);
    tried.problem = problem_of(tried.outline, contour);
    if (!tried.problem.empty() && !fit.outline.sides.empty()) continue;
    double cost = tried.problem.empty() ? tried.outline.cost : 1e6;
    if (tried.outline.sound) {
      const Vec from = tried.outline.corners[1], to = tried.outline.corners[2];
      cost += 0.5 * expected.cost(outward(unit(to - from)), middle(from, to), distance(from, to));
    }
    if (cost < least) {
      least = cost;
      fit = tried;
    }
  }
  return fit;
}

}  // namespace spinekit::radiograph

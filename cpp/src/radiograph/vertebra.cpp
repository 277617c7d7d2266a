#include "vertebra.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "chords.h"
#include "spine_angles.h"

namespace spinekit::radiograph {
namespace {

constexpr std::size_t kEvenPoints = 72;

Vec anterior_of(Vec down) { return {down.y, -down.x}; }

// Corners in the order of BodyFit, from the best division of the border into four lines.
bool corners_by_division(const Contour& contour, Vec down, std::vector<Vec>& corners) {
  const ChordTable table(even_points(contour, kEvenPoints));
  const auto starts = split_in_four(table);
  std::array<Chord, 4> chords;
  for (std::size_t k = 0; k < 4; ++k) {
    const std::size_t next = k < 3 ? starts[k + 1] : starts[0] + kEvenPoints;
    chords[k] = table.chord(starts[k], next - starts[k]);
  }
  const std::array<Vec, 4> wanted{-down, anterior_of(down), down, -anterior_of(down)};
  std::size_t first = 0;
  double best = -4;
  for (std::size_t turn = 0; turn < 4; ++turn) {
    double sum = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      sum += dot(outward(chords[(k + turn) % 4].along), wanted[k]);
    }
    if (sum > best) {
      best = sum;
      first = turn;
    }
  }
  corners.clear();
  for (std::size_t k = 0; k < 4; ++k) {
    const Chord& before = chords[(k + first + 3) % 4];
    const Chord& after = chords[(k + first) % 4];
    if (cross(before.along, after.along) < 0.3) return false;
    corners.push_back(meeting(before, after));
  }
  return true;
}

// A box with the second moments of the area along and across the spine's direction.
std::vector<Vec> corners_by_moments(const Contour& contour, Vec down) {
  const Moments moments = moments_of(contour);
  const double lean = dot(moments.axis, down);
  const double tall = moments.along * lean * lean + moments.across * (1 - lean * lean);
  const double deep = moments.along + moments.across - tall;
  const Vec v = std::sqrt(3 * std::max(tall, 0.0)) * down;
  const Vec u = std::sqrt(3 * std::max(deep, 0.0)) * anterior_of(down);
  return {contour.centre - u - v, contour.centre + u - v, contour.centre + u + v,
          contour.centre - u + v};
}

// How far a side bulges outwards, as a share of its chord; negative where it is hollow.
double bulge(const SideFit& fit) { return fit.side.height(0) / (2 * fit.side.half); }

std::string problem_of(const OutlineFit& outline, const Contour& contour, double size) {
  if (!outline.sound) return "no four sides fit the mask";
  const std::vector<Vec>& c = outline.corners;
  const double superior = distance(c[0], c[1]), anterior = distance(c[1], c[2]);
  const double inferior = distance(c[2], c[3]), posterior = distance(c[3], c[0]);
  const double depth = 0.5 * (superior + inferior), height = 0.5 * (anterior + posterior);
  if (std::min(depth, height) < 4 * contour.pixel) return "the mask has too few pixels";
  const double area = 0.5 * (cross(c[1] - c[0], c[2] - c[0]) + cross(c[2] - c[0], c[3] - c[0]));
  if (area < 0.65 * contour.area || area > 1.5 * contour.area) {
    return "the mask is not the shape of a vertebral body";
  }
  // Lumbar bodies are 1.0 to 1.8 times as deep as high; a fractured one up to three times.
  if (depth < 0.75 * height || depth > 3.5 * height) {
    return "the mask does not have the proportions of a vertebral body";
  }
  if (std::max(superior, inferior) > 1.6 * std::min(superior, inferior) ||
      std::max(anterior, posterior) > 3 * std::min(anterior, posterior)) {
    return "the mask does not have the proportions of a vertebral body";
  }
  for (const SideFit& side : outline.sides) {
    if (bulge(side) > 0.15 || bulge(side) < -0.35)
      return "the mask is not the shape of a vertebral body";
  }
  if (outline.noise > 0.07 * size) return "the mask's border is too rough";
  for (const std::size_t endplate : {0, 2}) {
    if (outline.sides[endplate].support < 0.5) {
      const bool cut = std::any_of(contour.points.begin(), contour.points.end(),
                                   [](const ContourPoint& p) { return p.at_film_edge; });
      return cut ? "the film's edge cuts the mask"
                 : "too little of an endplate is left in the mask";
    }
  }
  return {};
}

}  // namespace

BodyFit fit_body(Contour contour, int level, Vec down) {
  prepare(contour, -down + -anterior_of(down));
  OutlineOptions options;
  constexpr SideRange kEndplate{SideKind::kEndplate, -0.97, 0.97};
  constexpr SideRange kWall{SideKind::kWall, -0.9, 0.9};
  options.ranges = {kEndplate, kWall, kEndplate, kWall};
  options.relations = relations_of_body(level, 0);
  options.size = std::sqrt(contour.area);
  std::vector<std::vector<Vec>> starts{corners_by_moments(contour, down)};
  std::vector<Vec> corners;
  if (corners_by_division(contour, down, corners)) starts.push_back(corners);
  BodyFit best;
  for (const std::vector<Vec>& start : starts) {
    BodyFit fit;
    fit.outline = fit_outline(contour, start, options);
    fit.problem = problem_of(fit.outline, contour, options.size);
    const bool better =
        best.outline.sides.empty() || fit.problem.empty() > best.problem.empty() ||
        (fit.problem.empty() == best.problem.empty() && fit.outline.cost < best.outline.cost);
    if (better) best = fit;
  }
  return best;
}

}  // namespace spinekit::radiograph

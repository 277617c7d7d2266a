#include "outline.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "robust.h"

namespace spinekit::radiograph {
namespace {

// How well the best of masks tell where a border is, pixels, and how well bones have the shape of the
// curves, shares of their size.
constexpr double kFinestPixels = 0.04;
constexpr double kFinestShape = 0.001;
// Residuals beyond some noise, and beyond this share of a bone's size, hardly count.
constexpr double kNoises = 2.2;
constexpr double kLeastScale = 0.02;
// Stretches miss what is longer than they are.
constexpr double kLongWaves = 2;
// The roughness of the whole border, turned into waviness, and what it weighs beside the sides'.
constexpr double kRoughnessFactor = 7;
constexpr double kRoughnessWeight = 6;
// What bones' own shape has of it, by size^3.
constexpr double kBoneRoughness = 2e-6;
// For comparing fits: a border this far away backs a side half; stretches of this length count one.
constexpr double kTellingScale = 0.05;
constexpr double kCoherence = 0.12;

// The curve as it was over a new chord: its bow stays, its ends are the corners.
Side over_chord(const Side& old, SideKind kind, Vec from, Vec to) {
  Side side = chord_side(kind, from, to);
  side.terms = {0, 0, old.terms[2], old.terms[3], old.terms[4]};
  return side;
}

}  // namespace

OutlineFit fit_outline(const Contour& contour, std::vector<Vec> corners,
                       const OutlineOptions& options) {
  OutlineFit fit;
  fit.closed = options.closed;
  const std::size_t count = options.ranges.size();
  fit.sides.resize(count);
  double scale = 0.08 * options.size;
  std::vector<std::vector<Sample>> samples(count);
  const std::vector<SideRange>& ranges = options.ranges;
  std::vector<WeightedValue> residuals;
  std::vector<double> angle_values;
  const double least_waviness = std::pow(kFinestPixels, 2) * std::pow(contour.pixel, 3) +
                                0.1 * std::pow(kFinestShape, 2) * std::pow(options.size, 3);
  const double rough = std::max(0.0, roughness(contour, kCoherence * std::sqrt(contour.area)) -
                                         kBoneRoughness * std::pow(contour.area, 1.5));
  constexpr int kSteps = 12;
  for (int step = 0; step < kSteps; ++step) {
    residuals.clear();
    const double gate = std::max(4 * scale, 0.1 * options.size);
    for (std::size_t k = 0; k < count; ++k) {
      const Vec from = corners[k], to = corners[(k + 1) % corners.size()];
      if (!(distance(from, to) > 0.2 * options.size)) {
        fit.sound = false;
        return fit;
      }
      Side& side = fit.sides[k].side;
      side = over_chord(side, ranges[k].kind, from, to);
      gather(contour, side, ranges[k], gate, samples[k]);
      for (const Sample& sample : samples[k]) {
        residuals.push_back({std::abs(residual_of(side, sample)), sample.share});
      }
    }
    if (residuals.size() < 8) {
      fit.sound = false;
      return fit;
    }
    fit.noise = std::max(kFinestPixels * contour.pixel, 1.4826 * weighted_median(residuals));
    if (step > 0) {
      scale = std::max({kNoises * fit.noise, 0.6 * scale, kLeastScale * options.size});
    }
    Waviness waviness;
    for (std::size_t k = 0; k < count; ++k) {
      weigh(fit.sides[k], samples[k], ranges[k], scale, waviness);
    }
    // At the start residuals are misfits, which tell no more than how wrong the curves may still be.
    fit.waviness = least_waviness;
    if (step < 3) {
      fit.waviness += kCoherence * options.size * fit.noise * fit.noise;
    } else {
      fit.waviness += (kLongWaves * waviness.sum + kRoughnessWeight * kRoughnessFactor * rough) /
                      (std::max(waviness.degrees_of_freedom, 2.0) + kRoughnessWeight);
    }
    for (SideFit& side : fit.sides) expect(side, fit.waviness);
    const std::vector<SolvedSide> solved = solve_sides(fit, nullptr);
    std::vector<AngleEstimate> angles;
    for (const SolvedSide& side : solved) angles.push_back(side.angle);
    angles.insert(angles.end(), options.neighbours.begin(), options.neighbours.end());
    const std::vector<double> turns = reconcile(angles, options.relations, nullptr);
    fit.sound = turned_corners(solved, turns.data(), fit.closed, corners);
    for (std::size_t k = 0; k < count; ++k) fit.sides[k].side = turned(solved[k], turns[k]);
    if (step + 1 < kSteps) continue;
    for (std::size_t k = 0; k < angles.size(); ++k)
      angle_values.push_back(angles[k].angle + turns[k]);
  }
  fit.cost = improbability(angle_values, options.relations);
  for (std::size_t k = 0; k < count; ++k) {
    fit.cost += unbacked(fit.sides[k].side, samples[k], ranges[k], kTellingScale * options.size) /
                (kCoherence * options.size);
  }
  fit.corners = std::move(corners);
  return fit;
}

std::vector<SolvedSide> solve_sides(const OutlineFit& fit, Random* random) {
  std::vector<SolvedSide> solved(fit.sides.size());
  for (std::size_t k = 0; k < solved.size(); ++k) {
    if (solve(fit.sides[k], fit.waviness, random, solved[k])) continue;
    solved[k].side = fit.sides[k].side;
    solved[k].with_slope = {0, 1, 0, 0, 0};
    solved[k].angle = {solved[k].side.angle(), 1e-6};
  }
  return solved;
}

bool turned_corners(const std::vector<SolvedSide>& sides, const double* angles, bool closed,
                    std::vector<Vec>& corners) {
  const std::size_t count = sides.size();
  std::vector<Side> final_sides;
  for (std::size_t k = 0; k < count; ++k) final_sides.push_back(turned(sides[k], angles[k]));
  bool all = true;
  for (std::size_t k = 0; k < count; ++k) {
    if (!closed && k == 0) {
      corners[0] = final_sides[0].base(-1);
      continue;
    }
    all = meet(final_sides[(k + count - 1) % count], final_sides[k], corners[k]) && all;
  }
  if (!closed) corners[count] = final_sides[count - 1].base(1);
  return all;
}

}  // namespace spinekit::radiograph

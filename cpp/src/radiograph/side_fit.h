// One side fitted to its part of a border: weighted least squares with a habit, kept in blocks for
// the bootstrap.
#pragma once

#include <array>
#include <vector>

#include "angles.h"
#include "contour.h"
#include "curves.h"
#include "random.h"

namespace spinekit::radiograph {

inline constexpr std::size_t kBlocks = 8;

// Weighted normal equations of a part of a side.
struct NormalSums {
  std::array<double, kTerms*(kTerms + 1) / 2> matrix{};
  std::array<double, kTerms> right{};
};

struct SideFit {
  Side side;
  std::array<NormalSums, kBlocks> blocks;  // from the start of the fitted part to its end
  Terms ridge{};                           // weights of what is expected of each term
  Terms expected{};                        // mm
  double support = 0;  // share of the fitted part that border near the curve backs
};

// The part of a side, in xi, that is fitted.
struct SideRange {
  SideKind kind;
  double from;
  double to;
};

// A border point beside a side.
struct Sample {
  double xi;
  double height;
  double share;
  Terms basis;
};

inline double residual_of(const Side& side, const Sample& sample) {
  double height = 0;
  for (std::size_t k = 0; k < kTerms; ++k) height += side.terms[k] * sample.basis[k];
  return sample.height - height;
}

// Noise of a border at the scale of its sides: variance of the mean of a stretch, times its length.
struct Waviness {
  double sum = 0;
  double degrees_of_freedom = 0;
};

// Border points that may belong to the side: near its curve, facing its way.
void gather(const Contour& contour, const Side& side, const SideRange& range, double gate,
            std::vector<Sample>& samples);

// Sets blocks and support from samples with Geman-McClure weights of that scale.
void weigh(SideFit& fit, const std::vector<Sample>& samples, const SideRange& range, double scale,
           Waviness& waviness);

// Length of the fitted part that no border backs, in mm: what is `scale` away counts half.
double unbacked(const Side& side, const std::vector<Sample>& samples, const SideRange& range,
                double scale);

// Sets what is expected of such a side, for a border of that waviness.
void expect(SideFit& fit, double waviness);

// A side solved alone, and how its other terms follow when its slope is changed.
struct SolvedSide {
  Side side;
  AngleEstimate angle;
  Terms with_slope{};  // change of the terms for a slope of 1
};

// With `random`, of evidence weighted anew (Bayesian bootstrap over blocks) and another draw of what
// is expected. False when the evidence does not determine the terms.
bool solve(const SideFit& fit, double waviness, Random* random, SolvedSide& solved);

// The side turned by a small angle, radians.
Side turned(const SolvedSide& solved, double angle);

}  // namespace spinekit::radiograph

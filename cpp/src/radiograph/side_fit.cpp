#include "side_fit.h"

#include <algorithm>
#include <cmath>

namespace spinekit::radiograph {
namespace {

void add(NormalSums& sums, const Terms& basis, double weight, double value) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (std::size_t j = 0; j <= i; ++j) sums.matrix[at++] += weight * basis[i] * basis[j];
    sums.right[i] += weight * basis[i] * value;
  }
}

void add(NormalSums& sums, const NormalSums& other, double factor) {
  for (std::size_t k = 0; k < sums.matrix.size(); ++k) sums.matrix[k] += factor * other.matrix[k];
  for (std::size_t k = 0; k < kTerms; ++k) sums.right[k] += factor * other.right[k];
}

// A Cholesky factor of normal equations.
struct Factor {
  std::array<Terms, kTerms> lower{};

  bool decompose(const NormalSums& sums) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < kTerms; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        double value = sums.matrix[at++];
        for (std::size_t k = 0; k < j; ++k) value -= lower[i][k] * lower[j][k];
        if (i != j) {
          lower[i][j] = value / lower[j][j];
        } else {
          if (!(value > 1e-12)) return false;
          lower[i][i] = std::sqrt(value);
        }
      }
    }
    return true;
  }

  [[nodiscard]] Terms solve(Terms right) const {
    for (std::size_t i = 0; i < kTerms; ++i) {
      for (std::size_t k = 0; k < i; ++k) right[i] -= lower[i][k] * right[k];
      right[i] /= lower[i][i];
    }
    for (std::size_t i = kTerms; i-- > 0;) {
      for (std::size_t k = i + 1; k < kTerms; ++k) right[i] -= lower[k][i] * right[k];
      right[i] /= lower[i][i];
    }
    return right;
  }
};

double geman_mcclure(double residual, double scale) {
  const double ratio = residual / scale;
  const double bell = 1 / (1 + ratio * ratio);
  return bell * bell;
}

// What sides are like, as shares of their chords: mean and spread of bow, skew, and arc or flat bow.
// It counts where the border is noisy; clean borders overrule it.
struct Habit {
  Terms mean;
  Terms spread;
};
constexpr Habit kEndplates{{0, 0, -0.02, 0, 0.04}, {1, 1, 0.03, 0.01, 0.04}};
constexpr Habit kWalls{{0, 0, -0.08, 0, 0}, {1, 1, 0.05, 0.02, 0.03}};
constexpr Habit kSacralWalls{{0, 0, 0, 0, 0}, {1, 1, 0.05, 0.015, 0.015}};

const Habit& habit_of(SideKind kind) {
  if (kind == SideKind::kEndplate) return kEndplates;
  return kind == SideKind::kWall ? kWalls : kSacralWalls;
}

}  // namespace

void gather(const Contour& contour, const Side& side, const SideRange& range, double gate,
            std::vector<Sample>& samples) {
  samples.clear();
  const double per_half = 1 / side.half;
  for (const ContourPoint& point : contour.points) {
    const Vec from = point.at - side.centre;
    const double xi = dot(from, side.along) * per_half;
    if (xi < range.from || xi > range.to || point.at_film_edge) continue;
    const double height = dot(from, side.out);
    if (std::abs(height) > gate + side.half || dot(point.outward, side.out) < 0.6) continue;
    const Sample sample{xi, height, point.share, basis_at(side.kind, xi)};
    if (std::abs(residual_of(side, sample)) <= gate) samples.push_back(sample);
  }
}

void weigh(SideFit& fit, const std::vector<Sample>& samples, const SideRange& range, double scale,
           Waviness& waviness) {
  fit.blocks = {};
  struct Stretch {
    double weight = 0;
    double share = 0;
    double residual = 0;
  };
  std::array<Stretch, kBlocks> stretches{};
  const double span = range.to - range.from;
  std::array<bool, 32> backed{};
  for (const Sample& sample : samples) {
    const double residual = residual_of(fit.side, sample);
    const double weight = geman_mcclure(residual, scale) * sample.share;
    const double part = std::min((sample.xi - range.from) / span, 0.9999);
    const auto block = static_cast<std::size_t>(part * kBlocks);
    add(fit.blocks[block], sample.basis, weight, sample.height);
    stretches[block].weight += weight;
    stretches[block].share += sample.share;
    stretches[block].residual += weight * residual;
    if (std::abs(residual) < 2 * scale) backed[static_cast<std::size_t>(part * 32)] = true;
  }
  fit.support = static_cast<double>(std::count(backed.begin(), backed.end(), true)) / 32;
  waviness.degrees_of_freedom -= kTerms;
  for (const Stretch& stretch : stretches) {
    if (stretch.weight < 0.3 * stretch.share || stretch.weight <= 0) continue;
    const double mean = stretch.residual / stretch.weight;
    waviness.sum += mean * mean * stretch.share;
    waviness.degrees_of_freedom += 1;
  }
}

double unbacked(const Side& side, const std::vector<Sample>& samples, const SideRange& range,
                double scale) {
  constexpr std::size_t kBins = 32;
  std::array<double, kBins> nearest;
  nearest.fill(1e3 * scale);
  for (const Sample& sample : samples) {
    const double part = std::min((sample.xi - range.from) / (range.to - range.from), 0.9999);
    double& bin = nearest[static_cast<std::size_t>(part * kBins)];
    bin = std::min(bin, std::abs(residual_of(side, sample)));
  }
  double bins = 0;
  for (const double away : nearest) bins += away * away / (away * away + scale * scale);
  return bins / kBins * (range.to - range.from) * side.half;
}

void expect(SideFit& fit, double waviness) {
  const double chord = 2 * fit.side.half;
  const Habit& habit = habit_of(fit.side.kind);
  for (std::size_t k = 2; k < kTerms; ++k) {
    fit.expected[k] = habit.mean[k] * chord;
    fit.ridge[k] = waviness / std::pow(habit.spread[k] * chord, 2);
  }
}

bool solve(const SideFit& fit, double waviness, Random* random, SolvedSide& solved) {
  NormalSums sums;
  for (const NormalSums& block : fit.blocks) {
    add(sums, block, random != nullptr ? random->exponential() : 1);
  }
  for (std::size_t k = 0; k < kTerms; ++k) {
    double expected = fit.expected[k];
    if (random != nullptr && fit.ridge[k] > 0) {
      expected += std::sqrt(waviness / fit.ridge[k]) * random->normal();
    }
    sums.matrix[k * (k + 3) / 2] += fit.ridge[k];
    sums.right[k] += fit.ridge[k] * expected;
  }
  Factor factor;
  if (!factor.decompose(sums)) return false;
  solved.side = fit.side;
  solved.side.terms = factor.solve(sums.right);
  const Terms column = factor.solve({0, 1, 0, 0, 0});
  for (std::size_t k = 0; k < kTerms; ++k) solved.with_slope[k] = column[k] / column[1];
  const double half = fit.side.half;
  solved.angle = {solved.side.angle(), half * half / (waviness * column[1])};
  return true;
}

Side turned(const SolvedSide& solved, double angle) {
  Side side = solved.side;
  const double slope = side.half * angle;
  for (std::size_t k = 0; k < kTerms; ++k) side.terms[k] += slope * solved.with_slope[k];
  return side;
}

}  // namespace spinekit::radiograph

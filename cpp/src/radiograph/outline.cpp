#include "outline.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "robust.h"

namespace spinekit::radiograph {
namespace {

using Terms = std::array<double, kTerms>;

// The rim of an endplate is a superellipse of about this exponent.
constexpr double kRim = 2.3;

double arc(double xi) {
  const double rest = 1 - std::pow(std::abs(xi), kRim);
  return rest > 0 ? std::pow(rest, 1 / kRim) : 0;
}

Terms basis_at(SideKind kind, double xi) {
  const double rest = 1 - xi * xi;
  return {1, xi, rest, xi * rest, kind == SideKind::kEndplate ? arc(xi) : xi * xi * rest};
}

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

// By Cholesky; false when the evidence does not determine the terms.
bool solve(NormalSums sums, const SideFit& fit, Terms& terms) {
  std::array<std::array<double, kTerms>, kTerms> lower{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double value = sums.matrix[at++] + (i == j ? fit.ridge[i] : 0);
      for (std::size_t k = 0; k < j; ++k) value -= lower[i][k] * lower[j][k];
      if (i != j) {
        lower[i][j] = value / lower[j][j];
      } else {
        if (!(value > 1e-9)) return false;
        lower[i][i] = std::sqrt(value);
      }
    }
  }
  Terms half{};
  for (std::size_t i = 0; i < kTerms; ++i) {
    half[i] = sums.right[i] + fit.ridge[i] * fit.expected[i];
    for (std::size_t k = 0; k < i; ++k) half[i] -= lower[i][k] * half[k];
    half[i] /= lower[i][i];
  }
  for (std::size_t i = kTerms; i-- > 0;) {
    terms[i] = half[i];
    for (std::size_t k = i + 1; k < kTerms; ++k) terms[i] -= lower[k][i] * terms[k];
    terms[i] /= lower[i][i];
  }
  return true;
}

Side chord_side(SideKind kind, Vec from, Vec to) {
  Side side;
  side.kind = kind;
  side.centre = middle(from, to);
  side.half = 0.5 * distance(from, to);
  side.along = unit(to - from);
  side.out = outward(side.along);
  return side;
}

// Where the end of `a` meets the start of `b`; false when they do not meet near there.
bool meet(const Side& a, const Side& b, Vec& corner) {
  double s = 1, t = -1;
  for (int step = 0; step < 6; ++step) {
    const Vec gap = b.base(t) - a.base(s);
    const Vec da = a.base_tangent(s);
    const Vec db = b.base_tangent(t);
    const double determinant = cross(da, db);
    if (std::abs(determinant) < 0.2 * norm(da) * norm(db)) return false;
    s += cross(gap, db) / determinant;
    t += cross(gap, da) / determinant;
    if (!(std::abs(s - 1) < 0.6 && std::abs(t + 1) < 0.6)) return false;
  }
  corner = a.base(s);
  return true;
}

bool find_corners(const std::vector<SideFit>& sides, bool closed, std::vector<Vec>& corners) {
  const std::size_t count = sides.size();
  for (std::size_t k = 0; k < count; ++k) {
    if (!closed && k == 0) {
      corners[0] = sides[0].side.base(-1);
      continue;
    }
    if (!meet(sides[(k + count - 1) % count].side, sides[k].side, corners[k])) return false;
  }
  if (!closed) corners[count] = sides[count - 1].side.base(1);
  return true;
}

struct Sample {
  double xi;
  double height;
  double share;
};

// Border points that may belong to the side.
void gather(const Contour& contour, const Side& side, const SideRange& range, double gate,
            std::vector<Sample>& samples) {
  samples.clear();
  const double per_half = 1 / side.half;
  for (const ContourPoint& point : contour.points) {
    const Vec from = point.at - side.centre;
    const double xi = dot(from, side.along) * per_half;
    if (xi < range.from || xi > range.to || point.at_film_edge) continue;
    const double height = dot(from, side.out);
    if (std::abs(height - side.height(xi)) > gate || dot(point.outward, side.out) < 0.6) continue;
    samples.push_back({xi, height, point.share});
  }
}

double geman_mcclure(double residual, double scale) {
  const double ratio = residual / scale;
  const double bell = 1 / (1 + ratio * ratio);
  return bell * bell;
}

// How well the best of masks tell where a border is, pixels.
constexpr double kFinest = 0.04;

// What sides are like, as shares of their chords: mean and spread of bow, skew, and arc or flat bow.
// It counts where the border is noisy; clean borders overrule it.
struct Habit {
  Terms mean;
  Terms spread;
};
constexpr Habit kEndplates{{0, 0, -0.02, 0, 0.04}, {1, 1, 0.03, 0.01, 0.04}};
constexpr Habit kWalls{{0, 0, -0.08, 0, 0}, {1, 1, 0.05, 0.02, 0.03}};
// Noise of a border at the scale of its sides: variance of the mean of a stretch, by its length.
struct Waviness {
  double sum = 0;
  double degrees_of_freedom = 0;
  [[nodiscard]] double value() const { return sum / std::max(degrees_of_freedom, 1.0); }
};

void weigh(SideFit& fit, const std::vector<Sample>& samples, const SideRange& range, double scale,
           Waviness& waviness) {
  fit.blocks = {};
  constexpr std::size_t kStretches = 16;
  struct Stretch {
    double weight = 0;
    double share = 0;
    double residual = 0;
  };
  std::array<Stretch, kStretches> stretches{};
  const double span = range.to - range.from;
  std::array<bool, 32> backed{};
  for (const Sample& sample : samples) {
    const double residual = sample.height - fit.side.height(sample.xi);
    const double weight = geman_mcclure(residual, scale) * sample.share;
    const double part = std::min((sample.xi - range.from) / span, 0.9999);
    add(fit.blocks[static_cast<std::size_t>(part * kBlocks)], basis_at(fit.side.kind, sample.xi),
        weight, sample.height);
    Stretch& stretch = stretches[static_cast<std::size_t>(part * kStretches)];
    stretch.weight += weight;
    stretch.share += sample.share;
    stretch.residual += weight * residual;
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

void expect(SideFit& fit, double doubt) {
  const double chord = 2 * fit.side.half;
  const Habit& habit = fit.side.kind == SideKind::kEndplate ? kEndplates : kWalls;
  for (std::size_t k = 0; k < kTerms; ++k) {
    fit.expected[k] = habit.mean[k] * chord;
    fit.ridge[k] = k < 2 ? 0 : doubt / std::pow(habit.spread[k] * chord, 2);
  }
}

}  // namespace

double Side::height(double xi) const {
  return base_height(xi) + (kind == SideKind::kEndplate ? terms[4] * arc(xi) : 0);
}

double Side::base_height(double xi) const {
  const double rest = 1 - xi * xi;
  const double flat = kind == SideKind::kWall ? terms[4] * xi * xi * rest : 0;
  return terms[0] + terms[1] * xi + (terms[2] + terms[3] * xi) * rest + flat;
}

double Side::base_slope(double xi) const {
  const double square = xi * xi;
  const double flat = kind == SideKind::kWall ? terms[4] * xi * (2 - 4 * square) : 0;
  return terms[1] - 2 * xi * terms[2] + (1 - 3 * square) * terms[3] + flat;
}

OutlineFit fit_outline(const Contour& contour, std::vector<Vec> corners,
                       const OutlineOptions& options) {
  OutlineFit fit;
  fit.closed = options.closed;
  const std::size_t count = options.ranges.size();
  fit.sides.resize(count);
  double scale = 0.08 * options.size;
  std::vector<std::vector<Sample>> samples(count);
  std::vector<WeightedValue> residuals;
  constexpr int kSteps = 12;
  for (int step = 0; step < kSteps; ++step) {
    residuals.clear();
    const double gate = std::max(4 * scale, 0.1 * options.size);
    for (std::size_t k = 0; k < count; ++k) {
      Side frame =
          chord_side(options.ranges[k].kind, corners[k], corners[(k + 1) % corners.size()]);
      if (!(frame.half > 0.1 * options.size)) return fit.sound = false, fit;
      // The curve as it was, over the new chord: its bow stays, its ends are the corners.
      if (step > 0) {
        const Terms& old = fit.sides[k].side.terms;
        frame.terms = {0, 0, old[2], old[3], old[4]};
      }
      fit.sides[k].side = frame;
      gather(contour, frame, options.ranges[k], gate, samples[k]);
      for (const Sample& sample : samples[k]) {
        residuals.push_back({std::abs(sample.height - frame.height(sample.xi)), sample.share});
      }
    }
    if (residuals.size() < 8) return fit.sound = false, fit;
    fit.noise = std::max(kFinest * contour.pixel, 1.4826 * weighted_median(residuals));
    scale = step == 0 ? scale : std::max({2.2 * fit.noise, 0.6 * scale, 0.02 * options.size});
    Waviness waviness;
    for (std::size_t k = 0; k < count; ++k) {
      weigh(fit.sides[k], samples[k], options.ranges[k], scale, waviness);
    }
    // At the start residuals are misfits, not noise.
    const double least = std::pow(kFinest * contour.pixel, 2) * contour.pixel;
    const double doubt = step < 3 ? least : std::max(least, waviness.value());
    for (SideFit& side : fit.sides) {
      expect(side, doubt);
      NormalSums sums;
      for (const NormalSums& block : side.blocks) add(sums, block, 1);
      if (!solve(sums, side, side.side.terms)) return fit.sound = false, fit;
    }
    if (!find_corners(fit.sides, options.closed, corners)) return fit.sound = false, fit;
  }
  fit.corners = std::move(corners);
  return fit;
}

std::vector<Vec> resampled_corners(const OutlineFit& fit, Random& random) {
  std::vector<SideFit> sides(fit.sides.size());
  for (std::size_t k = 0; k < sides.size(); ++k) {
    const SideFit& original = fit.sides[k];
    NormalSums sums;
    for (const NormalSums& block : original.blocks) add(sums, block, random.exponential());
    sides[k].side = original.side;
    if (!solve(sums, original, sides[k].side.terms)) sides[k].side = original.side;
  }
  std::vector<Vec> corners(fit.corners.size());
  if (!find_corners(sides, fit.closed, corners)) return fit.corners;
  return corners;
}

}  // namespace spinekit::radiograph

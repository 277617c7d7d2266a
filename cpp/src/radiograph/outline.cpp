#include "outline.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "robust.h"

namespace spinekit::radiograph {
namespace {

using Terms = std::array<double, kTerms>;

Terms legendre(double xi) {
  const double square = xi * xi;
  return {1, xi, 1.5 * square - 0.5, xi * (2.5 * square - 1.5)};
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
bool solve(NormalSums sums, const Terms& ridge, Terms& terms) {
  std::array<std::array<double, kTerms>, kTerms> lower{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double value = sums.matrix[at++] + (i == j ? ridge[i] : 0);
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
    half[i] = sums.right[i];
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

Side chord_side(Vec from, Vec to) {
  Side side;
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
    const Vec gap = b.at(t) - a.at(s);
    const Vec da = a.tangent(s);
    const Vec db = b.tangent(t);
    const double determinant = cross(da, db);
    if (std::abs(determinant) < 0.2 * norm(da) * norm(db)) return false;
    s += cross(gap, db) / determinant;
    t += cross(gap, da) / determinant;
    if (!(std::abs(s - 1) < 0.6 && std::abs(t + 1) < 0.6)) return false;
  }
  corner = a.at(s);
  return true;
}

bool find_corners(const std::vector<SideFit>& sides, bool closed, std::vector<Vec>& corners) {
  const std::size_t count = sides.size();
  for (std::size_t k = 0; k < count; ++k) {
    if (!closed && k == 0) {
      corners[0] = sides[0].side.at(-1);
      continue;
    }
    if (!meet(sides[(k + count - 1) % count].side, sides[k].side, corners[k])) return false;
  }
  if (!closed) corners[count] = sides[count - 1].side.at(1);
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
    if (std::abs(height) > gate || dot(point.outward, side.out) < 0.6) continue;
    samples.push_back({xi, height, point.share});
  }
}

double geman_mcclure(double residual, double scale) {
  const double ratio = residual / scale;
  const double bell = 1 / (1 + ratio * ratio);
  return bell * bell;
}

// How far sides bow, as a share of their chord, and the stretch of border that moves together: with
// much noise the curves may not follow it.
constexpr double kBowSpread = 0.04;
constexpr double kSkewSpread = 0.01;
constexpr double kCoherence = 0.12;

void weigh(SideFit& fit, const std::vector<Sample>& samples, const SideRange& range, double scale,
           double noise) {
  fit.blocks = {};
  const double span = range.to - range.from;
  std::array<bool, 32> backed{};
  for (const Sample& sample : samples) {
    const double residual = sample.height - fit.side.height(sample.xi);
    const double weight = geman_mcclure(residual, scale) * sample.share;
    const double part = (sample.xi - range.from) / span;
    const auto block = std::min(kBlocks - 1, static_cast<std::size_t>(part * kBlocks));
    add(fit.blocks[block], legendre(sample.xi), weight, sample.height);
    if (std::abs(residual) < 2 * scale) backed[static_cast<std::size_t>(part * 31.999)] = true;
  }
  fit.support = static_cast<double>(std::count(backed.begin(), backed.end(), true)) / 32;
  const double chord = 2 * fit.side.half;
  const double doubt = noise * noise * kCoherence * chord;
  fit.ridge = {0, 0, doubt / std::pow(kBowSpread * chord, 2),
               doubt / std::pow(kSkewSpread * chord, 2)};
}

}  // namespace

double Side::height(double xi) const {
  const Terms basis = legendre(xi);
  return terms[0] + terms[1] * xi + terms[2] * basis[2] + terms[3] * basis[3];
}

double Side::slope(double xi) const {
  return terms[1] + 3 * xi * terms[2] + (7.5 * xi * xi - 1.5) * terms[3];
}

OutlineFit fit_outline(const Contour& contour, std::vector<Vec> corners,
                       const OutlineOptions& options) {
  OutlineFit fit;
  fit.closed = options.closed;
  const std::size_t count = options.ranges.size();
  fit.sides.resize(count);
  const double floor = 0.08 * contour.pixel;
  double scale = 0.08 * options.size;
  std::vector<std::vector<Sample>> samples(count);
  std::vector<WeightedValue> residuals;
  constexpr int kSteps = 12;
  for (int step = 0; step < kSteps; ++step) {
    residuals.clear();
    const double gate = std::max(4 * scale, 0.1 * options.size);
    for (std::size_t k = 0; k < count; ++k) {
      Side frame = chord_side(corners[k], corners[(k + 1) % corners.size()]);
      if (!(frame.half > 0.1 * options.size)) return fit.sound = false, fit;
      // The curve as it was, over the new chord: its bow stays, its ends are the corners.
      if (step > 0) {
        const Terms& old = fit.sides[k].side.terms;
        frame.terms = {-old[2], -old[3], old[2], old[3]};
      }
      fit.sides[k].side = frame;
      gather(contour, frame, options.ranges[k], gate, samples[k]);
      for (const Sample& sample : samples[k]) {
        residuals.push_back({std::abs(sample.height - frame.height(sample.xi)), sample.share});
      }
    }
    if (residuals.size() < 8) return fit.sound = false, fit;
    fit.noise = std::max(floor, 1.4826 * weighted_median(residuals));
    scale = step == 0 ? scale : std::max(2.2 * fit.noise, 0.6 * scale);
    for (std::size_t k = 0; k < count; ++k) {
      SideFit& side = fit.sides[k];
      NormalSums sums;
      weigh(side, samples[k], options.ranges[k], scale, fit.noise);
      for (const NormalSums& block : side.blocks) add(sums, block, 1);
      if (!solve(sums, side.ridge, side.side.terms)) return fit.sound = false, fit;
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
    if (!solve(sums, original.ridge, sides[k].side.terms)) sides[k].side = original.side;
  }
  std::vector<Vec> corners(fit.corners.size());
  if (!find_corners(sides, fit.closed, corners)) return fit.corners;
  return corners;
}

}  // namespace spinekit::radiograph

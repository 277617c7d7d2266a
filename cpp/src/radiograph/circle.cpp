#include "circle.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "robust.h"

namespace spinekit::radiograph {
namespace {

using Sums = CircleFit::Sums;

void add(Sums& sums, const Sums& other, double factor) {
  for (std::size_t k = 0; k < 6; ++k) sums.matrix[k] += factor * other.matrix[k];
  for (std::size_t k = 0; k < 3; ++k) sums.right[k] += factor * other.right[k];
}

// matrix: xx xy yy xr yr rr. False when singular.
bool solve(const Sums& s, std::array<double, 3>& out) {
  const auto& [xx, xy, yy, xr, yr, rr] = s.matrix;
  const double a = yy * rr - yr * yr, b = xr * yr - xy * rr, c = xy * yr - xr * yy;
  const double determinant = xx * a + xy * b + xr * c;
  if (!(determinant > 1e-12 * (xx * yy * rr + 1e-300))) return false;
  const double d = xx * rr - xr * xr, e = xy * xr - xx * yr, f = xx * yy - xy * xy;
  const auto& [u, v, w] = s.right;
  out = {(a * u + b * v + c * w) / determinant, (b * u + d * v + e * w) / determinant,
         (c * u + e * v + f * w) / determinant};
  return true;
}

// Kasa 1976: x^2 + y^2 = 2 a x + 2 b y + c by linear least squares, about the contour's centre.
bool start(const Contour& contour, CircleFit& fit) {
  Sums sums;
  for (const ContourPoint& point : contour.points) {
    if (point.at_film_edge) continue;
    const Vec p = point.at - contour.centre;
    const double square = dot(p, p);
    const double w = point.share;
    const Sums one{{w * p.x * p.x, w * p.x * p.y, w * p.y * p.y, w * p.x, w * p.y, w},
                   {w * p.x * square, w * p.y * square, w * square}};
    add(sums, one, 1);
  }
  std::array<double, 3> solution{};
  if (!solve(sums, solution)) return false;
  const Vec centre{solution[0] / 2, solution[1] / 2};
  const double square = solution[2] + dot(centre, centre);
  if (!(square > 0)) return false;
  fit.centre = contour.centre + centre;
  fit.radius = std::sqrt(square);
  return true;
}

void weigh(const Contour& contour, CircleFit& fit, double scale) {
  fit.sectors = {};
  constexpr std::size_t kBins = 72;
  std::array<bool, kBins> backed{};
  for (const ContourPoint& point : contour.points) {
    if (point.at_film_edge) continue;
    const Vec from = point.at - fit.centre;
    const double far = norm(from);
    if (far < 1e-9) continue;
    const Vec ray = (1 / far) * from;
    if (dot(ray, point.outward) < 0.6) continue;
    const double residual = far - fit.radius;
    const double ratio = residual / scale;
    const double bell = 1 / (1 + ratio * ratio);
    const double w = bell * bell * point.share;
    const Sums one{
        {w * ray.x * ray.x, w * ray.x * ray.y, w * ray.y * ray.y, w * ray.x, w * ray.y, w},
        {w * ray.x * residual, w * ray.y * residual, w * residual}};
    const double turn = std::atan2(ray.y, ray.x) / (2 * std::numbers::pi) + 0.5;
    const auto sector = static_cast<std::size_t>(turn * CircleFit::kSectors);
    add(fit.sectors[std::min(sector, CircleFit::kSectors - 1)], one, 1);
    if (std::abs(residual) < 0.06 * fit.radius + contour.pixel) {
      backed[std::min(static_cast<std::size_t>(turn * kBins), kBins - 1)] = true;
    }
  }
  fit.support = static_cast<double>(std::count(backed.begin(), backed.end(), true)) / kBins;
}

}  // namespace

CircleFit fit_circle(const Contour& contour) {
  CircleFit fit;
  if (!start(contour, fit)) {
    fit.problem = "no circle fits the mask";
    return fit;
  }
  double scale = 0.15 * fit.radius;
  std::vector<WeightedValue> residuals;
  for (int step = 0; step < 12; ++step) {
    weigh(contour, fit, scale);
    Sums sums;
    for (const Sums& sector : fit.sectors) add(sums, sector, 1);
    std::array<double, 3> change{};
    if (!solve(sums, change)) {
      fit.problem = "no circle fits the mask";
      return fit;
    }
    fit.centre = fit.centre + Vec{change[0], change[1]};
    fit.radius += change[2];
    if (!(fit.radius > 0) || distance(fit.centre, contour.centre) > contour.length) {
      fit.problem = "no circle fits the mask";
      return fit;
    }
    residuals.clear();
    for (const ContourPoint& point : contour.points) {
      if (point.at_film_edge) continue;
      residuals.push_back({std::abs(distance(point.at, fit.centre) - fit.radius), point.share});
    }
    fit.noise = std::max(0.08 * contour.pixel, 1.4826 * weighted_median(residuals));
    scale = std::max(2.2 * fit.noise, 0.6 * scale);
  }
  if (fit.support < 0.6 || fit.noise > 0.12 * fit.radius) {
    fit.problem = "the mask is not round";
  }
  return fit;
}

Vec resampled_centre(const CircleFit& fit, Random& random) {
  Sums sums;
  for (const Sums& sector : fit.sectors) add(sums, sector, random.exponential());
  std::array<double, 3> change{};
  if (!solve(sums, change)) return fit.centre;
  return fit.centre + Vec{change[0], change[1]};
}

}  // namespace spinekit::radiograph

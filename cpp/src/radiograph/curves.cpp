#include "curves.h"

#include <algorithm>
#include <cmath>

namespace spinekit::radiograph {
namespace {

// The rim of an endplate is a superellipse of about this exponent.
constexpr double kRim = 2.3;
// Walls are hollow between the rims, and turn to them late.
constexpr double kWaist = 2.5;

double exact_arc(double distance) {
  const double rest = 1 - std::pow(distance, kRim);
  return rest > 0 ? std::pow(rest, 1 / kRim) : 0;
}

double exact_waist(double distance) { return 1 - std::pow(distance, kWaist); }

// Of |xi| from 0 to 1, in even steps with linear interpolation: good to 1e-5 where sides are fitted.
class Table {
 public:
  template <typename Function>
  explicit Table(const Function& function) {
    for (std::size_t k = 0; k < values_.size(); ++k) {
      values_[k] = function(std::min(1.0, static_cast<double>(k) / kCells));
    }
  }
  double operator()(double xi) const {
    const double at = std::min(std::abs(xi), 1.0) * kCells;
    const auto cell = static_cast<std::size_t>(at);
    return values_[cell] + (at - static_cast<double>(cell)) * (values_[cell + 1] - values_[cell]);
  }

 private:
  static constexpr double kCells = 1024;
  std::array<double, 1026> values_{};
};

double arc(double xi) {
  static const Table kTable(exact_arc);
  return kTable(xi);
}

double waist(double xi) {
  static const Table kTable(exact_waist);
  return kTable(xi);
}

}  // namespace

Terms basis_at(SideKind kind, double xi) {
  const double rest = 1 - xi * xi;
  if (kind == SideKind::kEndplate) return {1, xi, rest, xi * rest, arc(xi)};
  return {1, xi, waist(xi), xi * rest, xi * xi * rest};
}

double Side::height(double xi) const {
  return base_height(xi) + (kind == SideKind::kEndplate ? terms[4] * arc(xi) : 0);
}

double Side::base_height(double xi) const {
  if (std::abs(xi) > 1) {
    const double end = std::copysign(1.0, xi);
    return base_height(end) + (xi - end) * base_slope(end);
  }
  const double rest = 1 - xi * xi;
  const double odd = terms[0] + terms[1] * xi + terms[3] * xi * rest;
  if (kind == SideKind::kEndplate) return odd + terms[2] * rest;
  return odd + terms[2] * waist(xi) + terms[4] * xi * xi * rest;
}

double Side::base_slope(double xi) const {
  const double at = std::clamp(xi, -1.0, 1.0);
  const double square = at * at;
  const double odd = terms[1] + terms[3] * (1 - 3 * square);
  if (kind == SideKind::kEndplate) return odd - 2 * at * terms[2];
  return odd - terms[2] * kWaist * std::copysign(std::pow(std::abs(at), kWaist - 1), at) +
         terms[4] * at * (2 - 4 * square);
}

double Side::angle() const { return std::atan2(-along.y, along.x) + std::atan2(terms[1], half); }

Side chord_side(SideKind kind, Vec from, Vec to) {
  Side side;
  side.kind = kind;
  side.centre = middle(from, to);
  side.half = 0.5 * distance(from, to);
  side.along = unit(to - from);
  side.out = outward(side.along);
  return side;
}

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

}  // namespace spinekit::radiograph

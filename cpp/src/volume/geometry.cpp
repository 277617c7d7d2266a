#include "spinekit/geometry.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numbers>
#include <numeric>

namespace spinekit {
namespace {

constexpr double kOrientationTolerance = 1e-4;
constexpr double kSamePlaceMm = 1e-3;
constexpr double kRegular = 0.01;
// Below this the slice axis is taken for the normal: positions are rounded in headers.
constexpr double kLeastTiltDeg = 0.05;

Vector3 unit(const Vector3& a) {
  const double norm = length(a);
  return {a[0] / norm, a[1] / norm, a[2] / norm};
}

Vector3 column_axis(const SlicePlace& place) {
  const auto& o = *place.orientation;
  return {o[0], o[1], o[2]};
}

Vector3 row_axis(const SlicePlace& place) {
  const auto& o = *place.orientation;
  return {o[3], o[4], o[5]};
}

// Directions that span a plane, and a place on this planet: a header can hold anything. Written so
// that what is no number is refused.
bool usable(const SlicePlace& place) {
  if (!place.position || !place.orientation) return false;
  constexpr double kFarthestMm = 1e9;
  const auto near = [](double x) { return std::abs(x) <= kFarthestMm; };
  const auto about_1 = [](double x) { return x > 0.5 && x < 2; };
  const Vector3 column = column_axis(place);
  const Vector3 row = row_axis(place);
  return std::all_of(place.position->begin(), place.position->end(), near) &&
         about_1(length(column)) && about_1(length(row)) && about_1(length(cross(column, row)));
}

bool share_orientation(const std::vector<SlicePlace>& places) {
  return std::all_of(places.begin(), places.end(), [&](const SlicePlace& place) {
    return usable(place) && same_orientation(place, places.front());
  });
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string text(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.4g", value);
  return buffer.data();
}

void measure_steps(const std::vector<Vector3>& positions, Geometry& geometry) {
  std::vector<double> steps;
  for (std::size_t k = 1; k < positions.size(); ++k) {
    steps.push_back(length((positions[k] - positions[k - 1])));
  }
  std::vector<double> apart;
  std::copy_if(steps.begin(), steps.end(), std::back_inserter(apart),
               [](double step) { return step >= kSamePlaceMm; });
  geometry.duplicates = static_cast<std::int64_t>(steps.size() - apart.size());
  if (apart.empty()) return;
  const auto [least, largest] = std::minmax_element(apart.begin(), apart.end());
  geometry.least_step_mm = *least;
  geometry.largest_step_mm = *largest;
  double spacing = median(apart);
  const auto even = [&](double step) { return std::abs(step - spacing) <= kRegular * spacing; };
  geometry.regular = geometry.duplicates == 0 && even(*least) && even(*largest);
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const double slices = std::round(steps[k] / spacing);
    if (slices >= 2 && std::abs(steps[k] - slices * spacing) <= 0.1 * spacing) {
      geometry.gaps.push_back(static_cast<std::int64_t>(k));
    }
  }
  // The whole way over all steps has least of the headers' rounding in it.
  if (geometry.regular) {
    spacing = std::accumulate(steps.begin(), steps.end(), 0.0) / static_cast<double>(steps.size());
  }
  geometry.spacing_mm[0] = spacing;
}

// Positions that are one lattice's: the first, and equal ways along one line that leaves the plane.
void measure_shear(const std::vector<Vector3>& positions, const Vector3& normal,
                   Geometry& geometry) {
  constexpr double kRoundingMm = 0.1;
  const Vector3 along = positions.back() - positions.front();
  const double height = dot(along, normal);
  for (const Vector3& position : positions) {
    const Vector3 way = position - positions.front();
    const double part = height >= kSamePlaceMm ? dot(way, normal) / height : 0;
    const Vector3 on_line{part * along[0], part * along[1], part * along[2]};
    geometry.largest_shift_mm = std::max(geometry.largest_shift_mm, length((way - on_line)));
  }
  const double spacing = geometry.spacing_mm[0].value_or(0);
  if (geometry.largest_shift_mm > std::max(kRoundingMm, kRegular * spacing)) {
    geometry.regular = false;
    // In one plane there is no way from slice to slice.
    if (height < kSamePlaceMm) geometry.spacing_mm[0].reset();
    return;
  }
  geometry.largest_shift_mm = 0;
  if (height < kSamePlaceMm) return;
  const double cosine = std::clamp(height / length(along), -1.0, 1.0);
  const double tilt = std::acos(cosine) * 180.0 / std::numbers::pi;
  if (tilt >= kLeastTiltDeg) {
    geometry.tilt_deg = tilt;
    geometry.axes[0] = unit(along);
  }
}

Geometry measure(const std::vector<SlicePlace>& places, const std::vector<std::int64_t>& order) {
  const SlicePlace& first = places[static_cast<std::size_t>(order.front())];
  Geometry geometry;
  if (first.spacing_mm) {
    geometry.spacing_mm[1] = (*first.spacing_mm)[0];
    geometry.spacing_mm[2] = (*first.spacing_mm)[1];
  }
  if (!share_orientation(places)) return geometry;
  std::vector<Vector3> positions;
  positions.reserve(order.size());
  for (const std::int64_t index : order) {
    positions.push_back(*places[static_cast<std::size_t>(index)].position);
  }
  measure_steps(positions, geometry);
  geometry.origin = positions.front();
  geometry.axes[1] = unit(row_axis(first));
  geometry.axes[2] = unit(column_axis(first));
  const Vector3 normal = unit(cross(column_axis(first), row_axis(first)));
  geometry.axes[0] = normal;
  measure_shear(positions, normal, geometry);
  return geometry;
}

}  // namespace

bool same_orientation(const SlicePlace& a, const SlicePlace& b) {
  if (!a.orientation || !b.orientation) return !a.orientation && !b.orientation;
  for (std::size_t i = 0; i < 6; ++i) {
    if (std::abs((*a.orientation)[i] - (*b.orientation)[i]) > kOrientationTolerance) return false;
  }
  return true;
}

Arrangement arrange(const std::vector<SlicePlace>& places) {
  Arrangement out;
  out.order.resize(places.size());
  std::iota(out.order.begin(), out.order.end(), 0);
  if (places.empty()) return out;
  std::vector<double> keys;
  keys.reserve(places.size());
  if (share_orientation(places)) {
    const Vector3 normal = cross(column_axis(places.front()), row_axis(places.front()));
    for (const SlicePlace& place : places) keys.push_back(dot(normal, *place.position));
  } else {
    constexpr double kLast = std::numeric_limits<double>::max();
    for (const SlicePlace& place : places) {
      const double number = place.number.value_or(kLast);
      keys.push_back(std::isnan(number) ? kLast : number);
    }
  }
  std::stable_sort(out.order.begin(), out.order.end(), [&](std::int64_t a, std::int64_t b) {
    return keys[static_cast<std::size_t>(a)] < keys[static_cast<std::size_t>(b)];
  });
  out.geometry = measure(places, out.order);
  return out;
}

std::vector<std::string> Geometry::findings() const {
  std::vector<std::string> found;
  if (!origin) {
    found.emplace_back(
        "no positions, or no common orientation: slices are in the order of InstanceNumber");
    return found;
  }
  if (duplicates > 0) {
    found.push_back(std::to_string(duplicates) + " slices lie where their neighbour lies");
  }
  if (!gaps.empty()) {
    std::string where;
    for (std::size_t i = 0; i < std::min<std::size_t>(gaps.size(), 5); ++i) {
      where += (i == 0 ? "" : ", ") + std::to_string(gaps[i]);
    }
    found.push_back("slices are missing behind slice " + where + (gaps.size() > 5 ? ", ..." : "") +
                    "; the volume has no empty slices in their places");
  } else if (spacing_mm[0] && !regular && largest_step_mm > least_step_mm * (1 + kRegular)) {
    found.push_back("the steps between slices are uneven, " + text(least_step_mm) + " to " +
                    text(largest_step_mm) + " mm");
  }
  if (largest_shift_mm > 0) {
    found.push_back("slices lie up to " + text(largest_shift_mm) +
                    " mm beside each other: they form no regular volume");
  }
  if (tilt_deg > 0) {
    found.push_back("the slices are sheared by " + text(tilt_deg) +
                    " degrees (a tilted gantry): the slice axis is not their normal");
  }
  return found;
}

}  // namespace spinekit

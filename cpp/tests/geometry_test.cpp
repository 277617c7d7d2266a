#include "spinekit/geometry.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>

namespace {

using namespace spinekit;

using Directions = std::array<double, 6>;

// PS3.3 C.7.6.2.1.1: the direction of rows (of rising columns) first, then that of columns.
constexpr Directions kAxial{1, 0, 0, 0, 1, 0};
constexpr Directions kSagittal{0, 1, 0, 0, 0, -1};
constexpr Directions kCoronal{1, 0, 0, 0, 0, -1};

SlicePlace place_at(Vector3 position, Directions orientation = kAxial) {
  SlicePlace place;
  place.position = position;
  place.orientation = orientation;
  place.spacing_mm = {0.5, 0.25};
  return place;
}

// Slices k = 0 ... count - 1 at origin + k * step.
std::vector<SlicePlace> stack(std::int64_t count, Vector3 origin, Vector3 step,
                              Directions orientation = kAxial) {
  std::vector<SlicePlace> out;
  for (std::int64_t k = 0; k < count; ++k) {
    const auto n = static_cast<double>(k);
    out.push_back(place_at(
        {origin[0] + n * step[0], origin[1] + n * step[1], origin[2] + n * step[2]}, orientation));
  }
  return out;
}

std::vector<SlicePlace> axial_at(const std::vector<double>& heights) {
  std::vector<SlicePlace> out;
  out.reserve(heights.size());
  for (const double z : heights) out.push_back(place_at({0, 0, z}));
  return out;
}

void check_near(const Vector3& a, const Vector3& b) {
  for (std::size_t i = 0; i < 3; ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-9));
}

std::vector<std::int64_t> counted(std::size_t count) {
  std::vector<std::int64_t> out(count);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

bool mentions(const Geometry& geometry, const char* what) {
  const std::vector<std::string> found = geometry.findings();
  return std::any_of(found.begin(), found.end(),
                     [&](const std::string& text) { return text.find(what) != std::string::npos; });
}

void check_without_places(const Arrangement& arranged) {
  CHECK_FALSE(arranged.geometry.origin);
  CHECK_FALSE(arranged.geometry.spacing_mm[0]);
  CHECK_FALSE(arranged.geometry.regular);
  CHECK(arranged.geometry.tilt_deg == 0);
  CHECK(mentions(arranged.geometry, "no positions"));
}

}  // namespace

TEST_CASE("upright stacks: spacing, origin and axes, with nothing to remark") {
  struct Case {
    Directions orientation;
    Vector3 normal;  // row direction x column direction
  };
  for (const Case& c :
       {Case{kAxial, {0, 0, 1}}, Case{kSagittal, {-1, 0, 0}}, Case{kCoronal, {0, 1, 0}}}) {
    const Vector3 step{2.5 * c.normal[0], 2.5 * c.normal[1], 2.5 * c.normal[2]};
    const Arrangement arranged = arrange(stack(5, {10, 20, 30}, step, c.orientation));
    const Geometry& g = arranged.geometry;
    CHECK(arranged.order == counted(5));
    CHECK(g.spacing_mm[0].value() == doctest::Approx(2.5));
    CHECK(g.spacing_mm[1] == 0.5);
    CHECK(g.spacing_mm[2] == 0.25);
    REQUIRE(g.origin);
    check_near(*g.origin, {10, 20, 30});
    check_near(g.axes[0], c.normal);
    check_near(g.axes[1], {c.orientation[3], c.orientation[4], c.orientation[5]});
    check_near(g.axes[2], {c.orientation[0], c.orientation[1], c.orientation[2]});
    CHECK(g.regular);
    CHECK(g.tilt_deg == 0);
    CHECK(g.largest_shift_mm == 0);
    CHECK(g.findings().empty());
  }
}

TEST_CASE("slices in any order become ascending along the normal") {
  std::vector<SlicePlace> places = stack(9, {0, 0, 100}, {0, 0, -3});
  const Arrangement reversed = arrange(places);
  CHECK(reversed.order == std::vector<std::int64_t>{8, 7, 6, 5, 4, 3, 2, 1, 0});
  check_near(*reversed.geometry.origin, {0, 0, 76});
  check_near(reversed.geometry.axes[0], {0, 0, 1});
  CHECK(reversed.geometry.findings().empty());

  std::vector<std::int64_t> shuffle = counted(9);
  std::shuffle(shuffle.begin(), shuffle.end(), std::mt19937(3));
  std::vector<SlicePlace> shuffled;
  shuffled.reserve(shuffle.size());
  for (const std::int64_t k : shuffle) shuffled.push_back(places[static_cast<std::size_t>(k)]);
  const Arrangement arranged = arrange(shuffled);
  for (std::size_t k = 0; k < 9; ++k) {
    CHECK((*shuffled[static_cast<std::size_t>(arranged.order[k])].position)[2] ==
          76 + 3 * static_cast<double>(k));
  }
  CHECK(arranged.geometry.regular);
}

TEST_CASE("an oblique stack: a voxel is where rotation by two angles puts it") {
  const double a = 0.3;
  const double b = -0.7;
  const Vector3 right{std::cos(a), std::sin(a), 0};
  const Vector3 down{-std::sin(a) * std::cos(b), std::cos(a) * std::cos(b), std::sin(b)};
  const Vector3 normal{std::sin(a) * std::sin(b), -std::cos(a) * std::sin(b), std::cos(b)};
  const Arrangement arranged =
      arrange(stack(7, {5, -6, 7}, {1.2 * normal[0], 1.2 * normal[1], 1.2 * normal[2]},
                    {right[0], right[1], right[2], down[0], down[1], down[2]}));
  const Geometry& g = arranged.geometry;
  check_near(g.axes[0], normal);
  check_near(g.axes[1], down);
  check_near(g.axes[2], right);
  CHECK(g.spacing_mm[0].value() == doctest::Approx(1.2));
  CHECK(g.regular);
  CHECK(g.tilt_deg == 0);
}

TEST_CASE("a tilted gantry: the slice axis is the way of the table, the angle its tilt") {
  for (const double degrees : {-20.0, 0.5, 12.5, 30.0}) {
    const double t = degrees * std::numbers::pi / 180;
    // The slices are turned about the patient's left-right axis, the table moves along z by 3 mm.
    const Arrangement arranged =
        arrange(stack(20, {0, 0, 0}, {0, 0, 3}, {1, 0, 0, 0, std::cos(t), std::sin(t)}));
    const Geometry& g = arranged.geometry;
    CHECK(g.tilt_deg == doctest::Approx(std::abs(degrees)).epsilon(1e-6));
    check_near(g.axes[0], {0, 0, 1});
    check_near(g.axes[1], {0, std::cos(t), std::sin(t)});
    CHECK(g.spacing_mm[0].value() == doctest::Approx(3));
    CHECK(g.regular);
    CHECK(mentions(g, "tilted gantry"));
  }
}

TEST_CASE("positions rounded to 0.01 mm are regular, and their spacing is that of the whole way") {
  std::vector<double> heights;
  heights.reserve(301);
  for (int k = 0; k < 301; ++k) heights.push_back(std::round(k * 0.625 * 100) / 100);
  const Geometry g = arrange(axial_at(heights)).geometry;
  CHECK(g.regular);
  CHECK(g.spacing_mm[0].value() == doctest::Approx(0.625).epsilon(1e-6));
  CHECK(g.findings().empty());
}

TEST_CASE("uneven steps, gaps and duplicates are found and named") {
  const Geometry uneven = arrange(axial_at({0, 1, 2.3, 3.3, 4.4})).geometry;
  CHECK_FALSE(uneven.regular);
  CHECK(uneven.least_step_mm == doctest::Approx(1));
  CHECK(uneven.largest_step_mm == doctest::Approx(1.3));
  CHECK(mentions(uneven, "uneven, 1 to 1.3 mm"));

  const Geometry gap = arrange(axial_at({0, 2, 4, 10, 12, 14, 18})).geometry;
  CHECK_FALSE(gap.regular);
  CHECK(gap.spacing_mm[0] == 2.0);
  CHECK(gap.gaps == std::vector<std::int64_t>{2, 5});
  CHECK(mentions(gap, "missing behind slice 2, 5;"));
  CHECK_FALSE(mentions(gap, "uneven"));

  const Arrangement twice = arrange(axial_at({6, 0, 3, 0, 9}));
  CHECK(twice.order == std::vector<std::int64_t>{1, 3, 2, 0, 4});  // ties as they came
  CHECK(twice.geometry.duplicates == 1);
  CHECK(twice.geometry.spacing_mm[0] == 3.0);
  CHECK_FALSE(twice.geometry.regular);
  CHECK(mentions(twice.geometry, "1 slices lie where"));

  const Geometry same = arrange(axial_at({5, 5, 5})).geometry;
  CHECK(same.duplicates == 2);
  CHECK_FALSE(same.spacing_mm[0]);
  CHECK_FALSE(same.regular);
  CHECK(same.origin);
  check_near(same.axes[0], {0, 0, 1});
}

TEST_CASE("slices beside each other are no tilted gantry") {
  // Two stacks of one orientation, one above the other and 40 mm to the side.
  std::vector<SlicePlace> places = stack(5, {0, 0, 0}, {0, 0, 4});
  for (const SlicePlace& place : stack(5, {40, 0, 20}, {0, 0, 4})) places.push_back(place);
  const Geometry g = arrange(places).geometry;
  CHECK(g.tilt_deg == 0);
  check_near(g.axes[0], {0, 0, 1});
  CHECK_FALSE(g.regular);
  CHECK(g.largest_shift_mm > 10);
  CHECK(mentions(g, "beside each other"));

  // In one plane: no axis of slices leads from one to the next.
  const Geometry tiles = arrange(stack(4, {0, 0, 7}, {30, 0, 0})).geometry;
  CHECK(tiles.tilt_deg == 0);
  check_near(tiles.axes[0], {0, 0, 1});
  CHECK_FALSE(tiles.spacing_mm[0]);
  CHECK_FALSE(tiles.regular);
  CHECK(tiles.largest_shift_mm == doctest::Approx(90));
}

TEST_CASE("one slice has a place and no step") {
  const Arrangement one = arrange({place_at({1, 2, 3}, kSagittal)});
  CHECK(one.order == counted(1));
  CHECK_FALSE(one.geometry.spacing_mm[0]);
  CHECK(one.geometry.spacing_mm[1] == 0.5);
  check_near(*one.geometry.origin, {1, 2, 3});
  check_near(one.geometry.axes[0], {-1, 0, 0});
  CHECK(one.geometry.findings().empty());
  CHECK(arrange({}).order.empty());
}

TEST_CASE("without positions, slices go by their numbers, those without one last") {
  std::vector<SlicePlace> places(5);
  places[0].number = 3;
  places[2].number = 1;
  places[3].number = 2;
  places[4].number = 1;
  const Arrangement arranged = arrange(places);
  CHECK(arranged.order == std::vector<std::int64_t>{2, 4, 3, 0, 1});
  check_without_places(arranged);

  std::vector<SlicePlace> partly = stack(3, {0, 0, 9}, {0, 0, -3});
  for (std::size_t k = 0; k < 3; ++k) partly[k].number = static_cast<double>(k);
  partly[1].position.reset();
  CHECK(arrange(partly).order == counted(3));
  check_without_places(arrange(partly));
  CHECK(arrange(partly).geometry.spacing_mm[1] == 0.5);
}

TEST_CASE("orientations differ beyond 1e-4, as rounding in a header cannot make them") {
  std::vector<SlicePlace> places = stack(3, {0, 0, 0}, {0, 0, 2});
  (*places[1].orientation)[1] = 0.9e-4;
  CHECK(arrange(places).geometry.origin);
  (*places[1].orientation)[1] = 1.1e-4;
  CHECK_FALSE(same_orientation(places[0], places[1]));
  check_without_places(arrange(places));
  const SlicePlace none;
  CHECK(same_orientation(none, none));
  CHECK_FALSE(same_orientation(none, places[0]));
}

TEST_CASE("orientations that span no plane, and numbers that are none, give no geometry") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto refused = [](Vector3 position, Directions orientation) {
    std::vector<SlicePlace> places = stack(40, position, {0, 0, 1}, orientation);
    for (std::size_t k = 0; k < places.size(); ++k) {
      places[k].number = static_cast<double>(k);
    }
    const Arrangement arranged = arrange(places);
    CHECK(arranged.order == counted(40));
    check_without_places(arranged);
  };
  refused({0, 0, 0}, {0, 0, 0, 0, 0, 0});
  refused({0, 0, 0}, {1, 0, 0, 1, 0, 0});
  refused({0, 0, 0}, {1, 0, 0, -1, 0, 0});
  refused({0, 0, 0}, {1, 0, 0, 0.99, 0.1, 0});
  refused({0, 0, 0}, {1, 0, 0, 0, 0, 0});
  refused({0, 0, 0}, {100, 0, 0, 0, 100, 0});
  refused({0, 0, 0}, {1e300, 0, 0, 0, 1e300, 0});
  refused({0, 0, 0}, {kNan, 0, 0, 0, 1, 0});
  refused({0, 0, 0}, {1, 0, 0, 0, kInfinity, 0});
  refused({kNan, 0, 0}, kAxial);
  refused({0, 0, -kInfinity}, kAxial);
  refused({0, 1e308, 1e308}, kAxial);
  // Cosines that a writer rounded are made unit vectors.
  const Geometry rounded =
      arrange(stack(3, {0, 0, 0}, {0, 0, 2}, {0.98, 0, 0, 0, 1.02, 0})).geometry;
  check_near(rounded.axes[2], {1, 0, 0});
  check_near(rounded.axes[1], {0, 1, 0});

  std::vector<SlicePlace> numbers(3);
  numbers[0].number = kNan;
  numbers[1].number = kInfinity;
  numbers[2].number = -1;
  CHECK(arrange(numbers).order.front() == 2);
}

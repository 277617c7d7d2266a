#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "radiograph/angles.h"
#include "radiograph/chords.h"
#include "radiograph/circle.h"
#include "radiograph/component.h"
#include "radiograph/contour.h"
#include "radiograph/outline.h"
#include "spinekit/error.h"
#include "spinekit/measurement.h"

namespace {

using namespace spinekit;
using namespace spinekit::radiograph;

constexpr double kPi = std::numbers::pi;

// Eight planes; all but those that are set stay empty.
struct Film {
  Film(std::int64_t rows_in, std::int64_t columns_in)
      : rows(rows_in), columns(columns_in), values(static_cast<std::size_t>(8 * rows * columns)) {}

  float& at(int bone, std::int64_t row, std::int64_t column) {
    return values[static_cast<std::size_t>((bone * rows + row) * columns + column)];
  }
  [[nodiscard]] MaskStack stack() const {
    return {.data = values.data(), .type = MaskType::kFloat32, .rows = rows, .columns = columns};
  }
  // The share of each pixel for which `inside` holds, by 16 x 16 samples.
  void draw(int bone, const std::function<bool(double, double)>& inside) {
    constexpr int kSamples = 16;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        int count = 0;
        for (int k = 0; k < kSamples * kSamples; ++k) {
          const double x = static_cast<double>(c) - 0.5 + (k % kSamples + 0.5) / kSamples;
          const double y =
              static_cast<double>(r) - 0.5 + (static_cast<double>(k / kSamples) + 0.5) / kSamples;
          if (inside(x, y)) ++count;
        }
        at(bone, r, c) = static_cast<float>(count) / (kSamples * kSamples);
      }
    }
  }

  std::int64_t rows;
  std::int64_t columns;
  std::vector<float> values;
};

Contour contour_in(const Film& film, int bone, const PixelSpacing& spacing = {}) {
  const Plane plane(film.stack(), bone, 1);
  return contour_of(trace_border(plane, largest_component(plane, plane.scan())), spacing);
}

MeasuredFilm measure(const Film& film, int workers = 1) {
  Executor executor(workers);
  return measure_masks(film.stack(), {}, {}, executor, CancelToken());
}

}  // namespace

TEST_CASE("a plane's box holds every pixel from one half on") {
  Film film(20, 30);
  CHECK(Plane(film.stack(), 2, 1).scan().empty());
  film.at(2, 4, 7) = 0.5F;
  film.at(2, 9, 29) = 1;
  film.at(2, 15, 3) = 0.49F;
  const PixelBox box = Plane(film.stack(), 2, 1).scan();
  CHECK(box.top == 4);
  CHECK(box.bottom == 9);
  CHECK(box.left == 7);
  CHECK(box.right == 29);
}

TEST_CASE("values that are no probabilities are refused with their place") {
  Film film(20, 30);
  film.at(5, 3, 4) = 1.0005F;
  CHECK_NOTHROW((void)Plane(film.stack(), 5, 1).scan());
  for (const float bad : {2.0F, -0.1F, std::numeric_limits<float>::quiet_NaN()}) {
    film.at(5, 3, 4) = bad;
    CHECK_THROWS_WITH_AS((void)Plane(film.stack(), 5, 1).scan(),
                         doctest::Contains("the mask of sacrum at row 3, column 4"), Error);
  }
}

TEST_CASE("the largest piece is that of most pixels, and pieces that touch at corners are two") {
  Film film(12, 12);
  for (int k = 0; k < 3; ++k) film.at(0, 1, 1 + k) = 1;
  for (int k = 0; k < 4; ++k) film.at(0, 2 + k, 4) = 1;  // touches the row above at a corner
  film.at(0, 10, 10) = 1;
  const Plane plane(film.stack(), 0, 1);
  const Component piece = largest_component(plane, plane.scan());
  CHECK(piece.pixels == 4);
  CHECK(piece.other_pixels == 4);
  CHECK(piece.contains(5, 4));
  CHECK_FALSE(piece.contains(1, 3));
}

TEST_CASE("a border has the area of what it surrounds, holes left out") {
  Film film(80, 90);
  const auto ellipse = [](double x, double y) {
    return std::pow((x - 44.3) / 30.2, 2) + std::pow((y - 38.7) / 20.6, 2) <= 1;
  };
  film.draw(1, ellipse);
  film.at(1, 38, 44) = 0;
  const Contour contour = contour_in(film, 1, {.row = 0.5, .column = 0.4});
  CHECK(contour.area == doctest::Approx(kPi * 30.2 * 20.6 * 0.5 * 0.4).epsilon(0.002));
  CHECK(contour.centre.x == doctest::Approx(44.3 * 0.4).epsilon(1e-3));
  CHECK(contour.centre.y == doctest::Approx(38.7 * 0.5).epsilon(1e-3));
  const Moments moments = moments_of(contour);
  CHECK(moments.along == doctest::Approx(std::pow(30.2 * 0.4, 2) / 4).epsilon(0.01));
  CHECK(moments.across == doctest::Approx(std::pow(20.6 * 0.5, 2) / 4).epsilon(0.01));
  for (const ContourPoint& point : contour.points) {
    CHECK(dot(point.outward, point.at - contour.centre) > 0);
  }
}

TEST_CASE("a straight border of coverage is found within a hundredth of a pixel") {
  Film film(60, 60);
  const double slope = 0.21;
  film.draw(0, [&](double x, double y) { return y >= 20.3 + slope * (x - 30) && y <= 50; });
  double worst = 0;
  for (const ContourPoint& point : contour_in(film, 0).points) {
    if (point.at_film_edge || point.at.y > 40 || point.at.x < 3 || point.at.x > 56) continue;
    const double off = point.at.y - (20.3 + slope * (point.at.x - 30));
    worst = std::max(worst, std::abs(off) / std::hypot(1, slope));
  }
  CHECK(worst < 0.02);
}

TEST_CASE("a border at the film's edge is known as such") {
  Film film(30, 30);
  for (int r = 0; r < 10; ++r) {
    for (int c = 5; c < 15; ++c) film.at(0, r, c) = 1;
  }
  int at_edge = 0;
  for (const ContourPoint& point : contour_in(film, 0).points)
    at_edge += point.at_film_edge ? 1 : 0;
  CHECK(at_edge == 10);
}

TEST_CASE("four runs of a square's border are its sides") {
  std::vector<Vec> points;
  for (int k = 0; k < 72; ++k) {
    const double t = k / 18.0;
    const auto side = static_cast<int>(t);
    const double u = t - side;
    const std::array<Vec, 4> at{Vec{u, 0}, Vec{1, u}, Vec{1 - u, 1}, Vec{0, 1 - u}};
    points.push_back(10 * at[static_cast<std::size_t>(side)]);
  }
  const ChordTable table(points);
  const auto starts = split_in_four(table);
  double cost = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    cost += table.residual(starts[k], (k < 3 ? starts[k + 1] : starts[0] + 72) - starts[k]);
  }
  CHECK(cost < 0.3);
  const Chord top = table.chord(2, 14);
  CHECK(top.along.x == doctest::Approx(1));
  CHECK(top.centre.y == doctest::Approx(0));
}

TEST_CASE("a circle is found through a leak and a bite") {
  Film film(120, 130);
  film.draw(6, [](double x, double y) {
    const bool disc = std::hypot(x - 60.3, y - 55.8) <= 30.4;
    const bool leak = std::hypot(x - 92, y - 50) <= 10;
    const bool bite = std::hypot(x - 40, y - 82) <= 12;
    return (disc || leak) && !bite;
  });
  const CircleFit fit = fit_circle(contour_in(film, 6));
  CHECK(fit.problem.empty());
  CHECK(fit.centre.x == doctest::Approx(60.3).epsilon(0.003));
  CHECK(fit.centre.y == doctest::Approx(55.8).epsilon(0.003));
  CHECK(fit.radius == doctest::Approx(30.4).epsilon(0.005));
}

TEST_CASE("a rectangle is no circle") {
  Film film(90, 120);
  film.draw(6, [](double x, double y) { return std::abs(x - 60) < 35 && std::abs(y - 45) < 24; });
  CHECK_FALSE(fit_circle(contour_in(film, 6)).problem.empty());
}

TEST_CASE("four sides meet where a quadrilateral's corners were before a beak and a cut") {
  Film film(120, 140);
  const std::vector<Vec> truth{{30.4, 34.2}, {108.7, 28.9}, {104.1, 92.6}, {33.8, 95.1}};
  film.draw(2, [&](double x, double y) {
    const Vec p{x, y};
    bool inside = true;
    for (std::size_t k = 0; k < 4; ++k) {
      inside = inside && cross(truth[(k + 1) % 4] - truth[k], p - truth[k]) >= 0;
    }
    const bool beak = std::abs(y - 91) < 4 && x > 95 && x < 116;
    const bool cut = x - 30.4 + y - 34.2 < 12;
    return (inside && !cut) || beak;
  });
  OutlineOptions options;
  constexpr SideRange kEndplate{SideKind::kEndplate, -0.97, 0.97};
  constexpr SideRange kWall{SideKind::kWall, -0.9, 0.9};
  options.ranges = {kEndplate, kWall, kEndplate, kWall};
  const Contour contour = contour_in(film, 2);
  options.size = std::sqrt(contour.area);
  const OutlineFit fit = fit_outline(contour, {{26, 30}, {112, 32}, {110, 96}, {30, 92}}, options);
  REQUIRE(fit.sound);
  for (std::size_t k = 0; k < 4; ++k) CHECK(distance(fit.corners[k], truth[k]) < 0.03 * 78);
}

TEST_CASE("clean angles stay, noisy ones follow what is known") {
  const std::vector<AngleRelation> relations{{0, 1, 0.2, 0.05}};
  // 1 / variance: the first is known to a ten-thousandth, the second to a tenth.
  const auto turns = reconcile({{1.0, 1e8}, {0.9, 100}}, relations, nullptr);
  CHECK(std::abs(turns[0]) < 1e-6);
  // Wanted 0.8: four fifths of the way by variance, a little more by the tails' weight.
  CHECK(turns[1] < -0.07);
  CHECK(turns[1] > -0.1);
  const auto free = reconcile({{1.0, 1e8}, {0.2, 1e6}}, relations, nullptr);
  CHECK(std::abs(free[1]) < 0.001);
  CHECK(improbability({1.0, 0.8}, relations) == doctest::Approx(0));
  CHECK(improbability({1.0, 0.8 + 2 * kPi}, relations) == doctest::Approx(0));
}

TEST_CASE("relations are drawn anew with their own spread") {
  Random random(5);
  double sum = 0;
  constexpr int kDraws = 2000;
  for (int k = 0; k < kDraws; ++k) {
    const auto turns = reconcile({{0.0, 1e9}, {0.0, 1e-3}}, {{0, 1, 0.0, 0.1}}, &random);
    sum += turns[1] * turns[1];
  }
  CHECK(std::sqrt(sum / kDraws) == doctest::Approx(0.1).epsilon(0.1));
}

TEST_CASE("replicates' numbers have the moments that they should") {
  Random random(1);
  double exponential = 0, normal = 0, square = 0;
  constexpr int kDraws = 20000;
  for (int k = 0; k < kDraws; ++k) {
    exponential += random.exponential();
    const double n = random.normal();
    normal += n;
    square += n * n;
  }
  CHECK(exponential / kDraws == doctest::Approx(1).epsilon(0.03));
  CHECK(std::abs(normal / kDraws) < 0.03);
  CHECK(square / kDraws == doctest::Approx(1).epsilon(0.03));
}

TEST_CASE("parameters follow from key points by their definitions") {
  KeyPoints points;
  // S1 slopes down to the right by 45 degrees; the hips lie 30 in front of it and 40 below.
  points.sacrum = {FilmPoint{20, 20}, FilmPoint{0, 0}};
  points.heads = {FilmPoint{39, 48}, FilmPoint{41, 52}};
  const std::vector<double> values = parameters_of(points, {});
  CHECK(facing_of(points, {}) == Facing::kRight);
  CHECK(parameters()[0].name == "pi");
  CHECK(parameters()[1].name == "pt");
  CHECK(parameters()[2].name == "ss");
  CHECK(values[1] == doctest::Approx(std::atan2(30, 40) * 180 / kPi));
  CHECK(values[2] == doctest::Approx(45));
  CHECK(values[0] == values[1] + values[2]);
  CHECK(std::isnan(values[3]));
  for (FilmPoint* point : {points.sacrum.data(), points.sacrum.data() + 1, points.heads.data(),
                           points.heads.data() + 1}) {
    point->x = -point->x;
  }
  const std::vector<double> mirrored_values = parameters_of(points, {});
  CHECK(facing_of(points, {}) == Facing::kLeft);
  CHECK(mirrored_values[0] == values[0]);
}

TEST_CASE("what cannot be measured is said") {
  const MeasuredFilm empty = measure(Film(40, 40));
  CHECK(std::all_of(empty.values.begin(), empty.values.end(),
                    [](double value) { return std::isnan(value); }));
  for (const std::string& problem : empty.missing) CHECK(problem == "the mask is empty");
  Executor executor(1);
  const Film film(4, 4);
  CHECK_THROWS_WITH_AS(
      (void)measure_masks(film.stack(), {.row = 0, .column = 1}, {}, executor, CancelToken()),
      doctest::Contains("spacing"), Error);
  CancelToken cancelled;
  cancelled.cancel();
  CHECK_THROWS_AS((void)measure_masks(film.stack(), {}, {}, executor, cancelled), Error);
}

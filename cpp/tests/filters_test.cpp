#include "spinekit/filters.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "radiograph/logistic.h"
#include "radiograph/opencv.h"
#include "radiograph/rounding.h"
#include "spinekit/error.h"
#include "spinekit/letterbox.h"

namespace {

using namespace spinekit;

template <typename T>
constexpr GreyType type_of() {
  return sizeof(T) == 1   ? GreyType::kUint8
         : sizeof(T) == 2 ? GreyType::kUint16
                          : GreyType::kFloat32;
}

template <typename T>
struct Film {
  Film(std::int64_t rows_in, std::int64_t columns_in, T value = T{})
      : rows(rows_in),
        columns(columns_in),
        values(static_cast<std::size_t>(rows * columns), value) {}
  Film(std::int64_t rows_in, std::int64_t columns_in, std::vector<T> values_in)
      : rows(rows_in), columns(columns_in), values(std::move(values_in)) {}

  [[nodiscard]] FilmView view() const { return {values.data(), type_of<T>(), rows, columns}; }
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(values)); }
  T& at(std::int64_t row, std::int64_t column) {
    return values[static_cast<std::size_t>(row * columns + column)];
  }

  std::int64_t rows;
  std::int64_t columns;
  std::vector<T> values;
};

template <typename T>
Film<T> pattern(std::int64_t rows, std::int64_t columns) {
  Film<T> film(rows, columns);
  std::uint32_t state = 7;
  for (T& value : film.values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<T>(state >> 16U);
  }
  return film;
}

template <typename T>
std::vector<T> fitted(const Film<T>& film, const Letterbox& box, int workers = 1) {
  Film<T> out(box.fitted.rows, box.fitted.columns);
  Executor executor(workers);
  letterbox_fit(film.view(), box, out.bytes(), executor, {});
  return out.values;
}

std::vector<float> unfitted(const std::vector<float>& maps, std::int64_t count,
                            const Letterbox& box, bool logits, int workers = 1) {
  std::vector<float> out(static_cast<std::size_t>(count * box.film.pixels()));
  Executor executor(workers);
  letterbox_unfit(maps, count, box, logits, out, executor, {});
  return out;
}

}  // namespace

TEST_CASE("rounding takes halves to even") {
  for (const double value : {0.5, 1.5, 2.5, 2.4999999, 65534.5, -0.5, -1.5}) {
    CHECK(radiograph::rounded(value) == std::nearbyint(value));
  }
}

TEST_CASE("floats that are not finite are the lowest level, and are not asked what that is") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Film<float> film(2, 3, {kNan, 2, 3, kInfinity, -kInfinity, 2.5F});
  Film<std::uint16_t> out(2, 3);
  map_levels(film.view(), {}, out.bytes());
  CHECK(out.values == std::vector<std::uint16_t>{0, 0, 65535, 0, 0, 32768});

  const Film<float> none(1, 2, {kNan, kInfinity});
  Film<std::uint16_t> zeros(1, 2, 9);
  map_levels(none.view(), {}, zeros.bytes());
  CHECK(zeros.values == std::vector<std::uint16_t>{0, 0});
}

TEST_CASE("films of one level become zeros where levels are sought") {
  Film<std::uint16_t> out(4, 4, 9);
  map_levels(Film<float>(4, 4, 3.5F).view(), {}, out.bytes());
  CHECK(out.values == Film<std::uint16_t>(4, 4).values);
  stretch(Film<std::uint16_t>(4, 4, 1000).view(), {}, out.bytes());
  CHECK(out.values == Film<std::uint16_t>(4, 4).values);
}

TEST_CASE("given levels clamp, and 16 bits become 8 by the share of their range") {
  const Film<std::uint16_t> film(1, 5, {0, 100, 150, 200, 65535});
  Film<std::uint8_t> out(1, 5);
  map_levels(film.view(), {LevelsFrom::kGiven, 100, 200, 8}, out.bytes());
  CHECK(out.values == std::vector<std::uint8_t>{0, 0, 128, 255, 255});
  map_levels(film.view(), {.bits = 8}, out.bytes());
  CHECK(out.values == std::vector<std::uint8_t>{0, 0, 1, 1, 255});
}

TEST_CASE("sharpening adds what a pixel has above its neighbours") {
  Film<std::uint8_t> film(5, 5, 100);
  film.at(2, 2) = 120;
  Film<std::uint8_t> out(5, 5);
  sharpen(film.view(), 1, out.bytes());
  CHECK(out.at(2, 2) == 200);
  CHECK(out.at(1, 2) == 80);
  CHECK(out.at(1, 1) == 100);
  sharpen(film.view(), 0.125, out.bytes());
  CHECK(out.at(2, 2) == 130);
  CHECK(out.at(2, 1) == 98);  // 97.5, to even
}

TEST_CASE("sharpening mirrors films about their outermost pixels, however narrow") {
  Film<std::uint8_t> out(1, 3);
  sharpen(Film<std::uint8_t>(1, 3, {10, 20, 40}).view(), 1, out.bytes());
  CHECK(out.values == std::vector<std::uint8_t>{0, 10, 80});
  Film<std::uint8_t> one(1, 1);
  sharpen(Film<std::uint8_t>(1, 1, 77).view(), 1, one.bytes());
  CHECK(one.values[0] == 77);
}

TEST_CASE("stretching brings percentiles, linear between pixels in order, to both ends") {
  // Of 0, 10, ..., 100 the 5th and 95th percentile are 5 and 95.
  Film<std::uint8_t> film(1, 11);
  for (std::int64_t k = 0; k < 11; ++k) film.at(0, k) = static_cast<std::uint8_t>(10 * k);
  Film<std::uint8_t> out(1, 11);
  stretch(film.view(), {5, 95}, out.bytes());
  for (std::int64_t k = 0; k < 11; ++k) {
    const double share = std::clamp((10.0 * static_cast<double>(k) - 5) / 90, 0.0, 1.0);
    CHECK(out.at(0, k) == radiograph::rounded(255 * share));
  }
}

TEST_CASE("CLAHE without a limit in one tile is the cumulative histogram") {
  Film<std::uint8_t> film(16, 16);
  for (std::size_t k = 0; k < 256; ++k) film.values[k] = static_cast<std::uint8_t>(k / 4);
  Film<std::uint8_t> out(16, 16);
  clahe(film.view(), {0, 1, 1}, out.bytes());
  for (std::size_t k = 0; k < 256; ++k) {
    CHECK(out.values[k] == std::nearbyint(255 * 4 * (film.values[k] + 1.0) / 256));
  }
}

TEST_CASE("films smaller than their tiles are filtered") {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {1, 7}, {9, 2}}) {
    const auto film = pattern<std::uint16_t>(rows, columns);
    std::vector<float> out(film.values.size() * 6);
    pen_unit(film.view(), {.clahe = {2, 64, 64}}, out);
    CHECK(*std::min_element(out.begin(), out.end()) >= 0);
    CHECK(*std::max_element(out.begin(), out.end()) <= 1);
  }
}

TEST_CASE("the ensemble is its filters, each one alone, in any choice") {
  const auto film = pattern<std::uint8_t>(40, 30);
  const ClaheOptions how{3, 4, 5};
  std::vector<Film<std::uint8_t>> single(6, Film<std::uint8_t>(40, 30));
  Film<std::uint8_t> sharp(40, 30);
  single[0] = film;
  clahe(film.view(), how, single[1].bytes());
  clahe(single[1].view(), how, single[2].bytes());
  sharpen(film.view(), 0.5, sharp.bytes());
  clahe(sharp.view(), how, single[3].bytes());
  clahe(single[3].view(), how, single[4].bytes());
  stretch(film.view(), {1, 90}, single[5].bytes());
  for (unsigned versions = 1; versions < 64; ++versions) {
    const PenOptions options{
        .clahe = how, .sharpening = 0.5, .stretch = {1, 90}, .versions = versions};
    Film<std::uint8_t> out(std::int64_t{40} * options.channels(), 30);
    pen_levels(film.view(), options, out.bytes());
    std::vector<std::uint8_t> expected;
    for (std::size_t k = 0; k < 6; ++k) {
      if ((versions >> k & 1U) != 0) {
        expected.insert(expected.end(), single[k].values.begin(), single[k].values.end());
      }
    }
    CHECK(out.values == expected);
  }
}

TEST_CASE("a batch is the same for any number of workers") {
  std::vector<Film<std::uint16_t>> films;
  films.reserve(7);
  for (int k = 0; k < 7; ++k) films.push_back(pattern<std::uint16_t>(20 + k, 31));
  std::vector<std::vector<float>> results;
  for (const int workers : {1, 2, 8}) {
    std::vector<FilmView> views;
    std::vector<std::vector<float>> out;
    for (const auto& film : films) {
      views.push_back(film.view());
      out.emplace_back(film.values.size() * 6);
    }
    std::vector<std::span<float>> spans(out.begin(), out.end());
    Executor executor(workers);
    pen_batch(views, {}, spans, executor, {});
    std::vector<float> all;
    for (const auto& one : out) all.insert(all.end(), one.begin(), one.end());
    results.push_back(all);
  }
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("what cannot be filtered is refused") {
  const auto film = pattern<std::uint8_t>(4, 4);
  Film<std::uint8_t> out(4, 4);
  const auto refused = [](const auto& work, const char* message) {
    CHECK_THROWS_WITH_AS(work(), doctest::Contains(message), Error);
  };
  refused([&] { clahe(film.view(), {-1}, out.bytes()); }, "clip_limit: -1");
  refused([&] { clahe(film.view(), {2, 0, 8}, out.bytes()); }, "tiles: 0 x 8, expected 1 to 64");
  refused([&] { sharpen(film.view(), std::nan(""), out.bytes()); }, "sharpening: nan");
  refused([&] { stretch(film.view(), {50, 50}, out.bytes()); }, "percentiles");
  refused([&] { map_levels(film.view(), {LevelsFrom::kGiven, 1, 1}, out.bytes()); }, "levels");
  refused([&] { map_levels(film.view(), {.bits = 12}, out.bytes()); }, "bits: 12");
  refused([&] { clahe(film.view(), {}, out.bytes().first(15)); }, "15 bytes, expected 16");
  refused([&] { check_film({film.values.data(), GreyType::kUint8, 0, 4}); }, "0 rows");
  refused([&] { check_film({film.values.data(), GreyType::kUint8, 4, 32769}); }, "32769 columns");
  refused([&] { check_pen({.versions = 64}); }, "versions: 64");
}

TEST_CASE("failures of OpenCV are errors of ours") {
  const auto failing = [](int code) {
    radiograph::with_opencv("CLAHE", [code] { cv::error(code, "why", "f", "f.cpp", 1); });
  };
  CHECK_THROWS_WITH_AS(failing(cv::Error::StsNoMem), "CLAHE: why", Error);
  try {
    failing(cv::Error::StsNoMem);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kResource);
  }
}

TEST_CASE("the logistic function is within its bound everywhere") {
  double worst = 0;
  for (int k = -200000; k <= 200000; ++k) {
    const float x = static_cast<float>(k) * 5e-4F;
    worst = std::max(worst, std::abs(static_cast<double>(radiograph::logistic(x)) -
                                     1 / (1 + std::exp(-static_cast<double>(x)))));
  }
  CHECK(worst < 2e-7);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK(radiograph::logistic(kInfinity) == 1.0F);
  CHECK(radiograph::logistic(-kInfinity) < 1e-30F);
  CHECK(radiograph::logistic(0) == 0.5F);
  CHECK(std::isnan(radiograph::logistic(std::nanf(""))));
}

TEST_CASE("a letterbox is the largest fit, in the middle") {
  const Letterbox tall = letterbox({2000, 1000}, {224, 224}, 1, 1);
  CHECK(tall.fitted == LetterboxSize{224, 112});
  CHECK(tall.top == 0);
  CHECK(tall.left == 56);
  const Letterbox odd = letterbox({99, 50}, {64, 65}, 1, 1);
  CHECK(odd.fitted == LetterboxSize{64, 32});
  CHECK(odd.left == 16);
  CHECK(odd.column_scale == doctest::Approx(32.0 / 50));
  // Rows twice as far apart: as high as wide.
  CHECK(letterbox({100, 200}, {64, 64}, 0.4, 0.2).fitted == LetterboxSize{64, 64});
  CHECK(letterbox({1, 32768}, {224, 224}, 1, 1).fitted == LetterboxSize{1, 224});
  CHECK_THROWS_WITH_AS((void)letterbox({10, 10}, {0, 9}, 1, 1),
                       doctest::Contains("the input: 0 rows"), Error);
  CHECK_THROWS_WITH_AS((void)letterbox({10, 10}, {9, 9}, 1, 0), doctest::Contains("spacing"),
                       Error);
}

TEST_CASE("shrinking takes exact means over areas") {
  const Film<std::uint8_t> film(2, 3, {0, 30, 60, 90, 120, 151});
  // Three pixels to two: weights 2 and 1, over both rows.
  CHECK(fitted(film, letterbox({2, 3}, {1, 2}, 1.5, 2)) == std::vector<std::uint8_t>{55, 95});
  Film<float> line(1, 4, {1, 2, 4, 8});
  Letterbox half = letterbox({1, 4}, {1, 2}, 1, 1);
  CHECK(fitted(line, half) == std::vector<float>{1.5F, 6});
}

TEST_CASE("growing is linear between pixels, and the edges stay") {
  const Letterbox box = letterbox({1, 2}, {2, 4}, 1, 1);
  CHECK(fitted(Film<float>(1, 2, {0, 4}), box) == std::vector<float>{0, 1, 3, 4, 0, 1, 3, 4});
}

TEST_CASE("fits of one level stay so, at any size and for any number of workers") {
  for (const auto& [rows, columns] : {std::pair{317, 211}, {64, 500}, {40, 40}, {1, 1}}) {
    const Letterbox box = letterbox({rows, columns}, {64, 64}, 0.3, 0.2);
    for (const std::uint16_t value : fitted(Film<std::uint16_t>(rows, columns, 65535), box)) {
      CHECK(value == 65535);
    }
    const auto film = pattern<std::uint16_t>(rows, columns);
    CHECK(fitted(film, box) == fitted(film, box, 8));
  }
}

TEST_CASE("padding surrounds and leaves the film alone") {
  const Letterbox box = letterbox({4, 2}, {4, 5}, 1, 1);
  std::vector<float> stack(16);
  std::iota(stack.begin(), stack.end(), 1.0F);
  std::vector<float> out(40);
  letterbox_pad(stack, 2, box, -1, out);
  CHECK(std::vector<float>(out.begin(), out.begin() + 5) == std::vector<float>{-1, 1, 2, -1, -1});
  CHECK(std::vector<float>(out.begin() + 35, out.end()) == std::vector<float>{-1, 15, 16, -1, -1});
  CHECK_THROWS_WITH_AS(letterbox_pad(stack, 3, box, 0, out), doctest::Contains("stack: 16 values"),
                       Error);
}

TEST_CASE("maps that are planes come back as the same planes") {
  const Letterbox box = letterbox({130, 70}, {32, 48}, 1, 1);
  const auto plane = [](double x, double y) { return 0.25 * x - 0.125 * y + 3; };
  std::vector<float> maps;
  for (std::int64_t r = 0; r < 32; ++r) {
    for (std::int64_t c = 0; c < 48; ++c) {
      maps.push_back(static_cast<float>(plane(static_cast<double>(c), static_cast<double>(r))));
    }
  }
  const std::vector<float> film = unfitted(maps, 1, box, false, 2);
  double worst = 0;
  for (std::int64_t r = 3; r < 127; ++r) {
    for (std::int64_t c = 3; c < 67; ++c) {
      const double x = (static_cast<double>(c) + 0.5) * box.column_scale - 0.5;
      const double y = (static_cast<double>(r) + 0.5) * box.row_scale - 0.5;
      const double expected =
          plane(x + static_cast<double>(box.left), y + static_cast<double>(box.top));
      const double found = film[static_cast<std::size_t>(r * 70 + c)];
      worst = std::max(worst, std::abs(found - expected));
    }
  }
  CHECK(worst < 1e-5);
}

TEST_CASE("what a network says of its padding does not reach the film") {
  const Letterbox box = letterbox({100, 40}, {32, 32}, 1, 1);
  std::vector<float> maps(1024, 1000.0F);
  for (std::int64_t r = 0; r < 32; ++r) {
    std::fill_n(maps.begin() + r * 32 + box.left, box.fitted.columns, 0.0F);
  }
  for (const float value : unfitted(maps, 1, box, true)) CHECK(value == 0.5F);
}

TEST_CASE("unfitting is the same for any number of workers, and stops when told") {
  const Letterbox box = letterbox({301, 197}, {32, 32}, 1, 1);
  std::vector<float> maps;
  for (const std::uint16_t value : pattern<std::uint16_t>(96, 32).values) {
    maps.push_back(static_cast<float>(value) / 5000 - 6);
  }
  const auto one = unfitted(maps, 3, box, true, 1);
  CHECK(one == unfitted(maps, 3, box, true, 2));
  CHECK(one == unfitted(maps, 3, box, true, 8));

  CancelToken cancel;
  cancel.cancel();
  Executor executor(2);
  std::vector<float> out(one.size());
  CHECK_THROWS_WITH_AS(letterbox_unfit(maps, 3, box, true, out, executor, cancel), "cancelled",
                       Error);
}

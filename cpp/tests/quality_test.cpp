#include "spinekit/quality.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "spinekit/error.h"

namespace {

using spinekit::Differences;
using spinekit::differences;
using spinekit::ImageShape;
using spinekit::SampleType;
using spinekit::structural_similarity;

constexpr std::int64_t kReach = Differences::kHistogramReach;

template <typename Sample>
constexpr SampleType kType = sizeof(Sample) == 1 ? (std::is_signed_v<Sample> ? SampleType::kInt8
                                                                             : SampleType::kUint8)
                                                 : (std::is_signed_v<Sample> ? SampleType::kInt16
                                                                             : SampleType::kUint16);

template <typename Sample>
Differences compare(const std::vector<Sample>& a, const std::vector<Sample>& b) {
  return differences(a.data(), b.data(), static_cast<std::int64_t>(a.size()), kType<Sample>);
}

template <typename Sample>
double similarity(const std::vector<Sample>& a, const std::vector<Sample>& b,
                  const ImageShape& shape, double range) {
  return structural_similarity(a.data(), b.data(), shape, kType<Sample>, range);
}

// Stripes, blocks and texture within 0 .. 2870 for shapes up to 150 x 203.
std::int64_t level_at(std::int64_t r, std::int64_t c, std::int64_t k) {
  return 8 * r + 5 * c + r * c % 97 + 600 * ((r / 9 + c / 13) % 2) + 50 * k;
}

// An error within -30 .. 30.
std::int64_t error_at(std::int64_t r, std::int64_t c, std::int64_t k) {
  return (7 * r * r + 3 * c * c + r * c + 11 * k) % 61 - 30;
}

template <typename Sample, typename Value>
std::vector<Sample> image(const ImageShape& shape, const Value& value) {
  std::vector<Sample> samples;
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    for (std::int64_t c = 0; c < shape.columns; ++c) {
      for (std::int64_t k = 0; k < shape.samples; ++k) {
        samples.push_back(static_cast<Sample>(value(level_at(r, c, k), error_at(r, c, k))));
      }
    }
  }
  return samples;
}

std::int64_t in_histogram(const Differences& found, std::int64_t difference) {
  return found.histogram.at(static_cast<std::size_t>(difference + kReach));
}

template <typename Function>
std::string argument_error(const Function& function) {
  try {
    function();
  } catch (const spinekit::Error& error) {
    CHECK(error.code() == spinekit::ErrorCode::kArgument);
    return error.message();
  }
  return {};
}

TEST_CASE("differences of identical samples are all zero") {
  const std::vector<std::int16_t> a(20000, -7);
  const Differences found = compare(a, a);
  CHECK(found.count == 20000);
  CHECK(found.identical == 20000);
  CHECK(found.largest == 0);
  CHECK(found.sum_absolute == 0);
  CHECK(found.sum_squared == 0);
  CHECK(in_histogram(found, 0) == 20000);
  CHECK(found.mean_absolute() == 0);
  CHECK(found.psnr(4095) == std::numeric_limits<double>::infinity());
}

TEST_CASE("differences are signed as b - a and clamped into the outermost bins") {
  const std::vector<std::uint16_t> a = {100, 100, 100, 100, 100, 100, 0, 65535, 500};
  const std::vector<std::uint16_t> b = {100, 101, 98, 132, 68, 133, 65535, 0, 468};
  const Differences found = compare(a, b);
  CHECK(found.count == 9);
  CHECK(found.identical == 1);
  CHECK(found.largest == 65535);
  CHECK(found.sum_absolute == 1 + 2 + 32 + 32 + 33 + 65535 + 65535 + 32);
  CHECK(found.sum_squared == 1.0 + 4 + 3 * 1024 + 1089 + 2 * 4294836225.0);
  CHECK(in_histogram(found, 0) == 1);
  CHECK(in_histogram(found, 1) == 1);
  CHECK(in_histogram(found, -2) == 1);
  CHECK(in_histogram(found, kReach) == 3);
  CHECK(in_histogram(found, -kReach) == 3);
  CHECK(std::accumulate(found.histogram.begin(), found.histogram.end(), std::int64_t{0}) == 9);
}

TEST_CASE_TEMPLATE("differences reach from end to end of the type", Sample, std::uint8_t,
                   std::int8_t, std::uint16_t, std::int16_t) {
  // Longer than a few blocks and of odd length, all at the largest difference.
  constexpr std::int64_t kCount = 40001;
  const std::vector<Sample> a(kCount, std::numeric_limits<Sample>::max());
  const std::vector<Sample> b(kCount, std::numeric_limits<Sample>::min());
  const std::int64_t span = sizeof(Sample) == 1 ? 255 : 65535;
  const Differences found = compare(a, b);
  CHECK(found.identical == 0);
  CHECK(found.largest == span);
  CHECK(found.sum_absolute == kCount * span);
  CHECK(found.sum_squared == static_cast<double>(kCount * span * span));
  CHECK(in_histogram(found, -kReach) == kCount);
  CHECK(found.psnr(static_cast<double>(span)) == doctest::Approx(0.0));
}

TEST_CASE("one changed sample is found wherever it is") {
  const std::vector<std::uint8_t> a(30011, 9);
  for (const std::size_t at : {0, 8191, 8192, 16383, 30010}) {
    std::vector<std::uint8_t> b = a;
    b[at] = 4;
    const Differences found = compare(a, b);
    CHECK(found.identical == 30010);
    CHECK(found.sum_absolute == 5);
    CHECK(in_histogram(found, -5) == 1);
  }
}

TEST_CASE("differences of parts add up to the differences of the whole") {
  const ImageShape shape{.rows = 111, .columns = 193};
  const auto a = image<std::uint16_t>(shape, [](auto level, auto) { return level; });
  const auto b = image<std::uint16_t>(shape, [](auto level, auto e) { return level + 30 + e; });
  const Differences whole = compare(a, b);
  constexpr std::int64_t kCut = 9001;
  Differences sum = differences(a.data(), b.data(), kCut, SampleType::kUint16);
  sum += differences(a.data() + kCut, b.data() + kCut, whole.count - kCut, SampleType::kUint16);
  sum += Differences{};
  CHECK(sum.count == whole.count);
  CHECK(sum.identical == whole.identical);
  CHECK(sum.largest == whole.largest);
  CHECK(sum.sum_absolute == whole.sum_absolute);
  CHECK(sum.sum_squared == whole.sum_squared);
  CHECK(sum.histogram == whole.histogram);
  CHECK(whole.mean_absolute() ==
        static_cast<double>(whole.sum_absolute) / static_cast<double>(whole.count));
}

TEST_CASE("samples need not be aligned") {
  const std::vector<std::uint16_t> a = {1, 2, 3, 4};
  const std::vector<std::uint16_t> b = {1, 2, 3, 9};
  std::vector<std::byte> shifted(9);
  std::memcpy(shifted.data() + 1, b.data(), 8);
  CHECK(differences(a.data(), shifted.data() + 1, 4, SampleType::kUint16).sum_squared == 25);
}

TEST_CASE("psnr follows its definition") {
  // RMSE 1 of 8-bit samples: 20 log10 255 = 48.1308 dB.
  const std::vector<std::uint8_t> a = {10, 20, 30, 40};
  const std::vector<std::uint8_t> b = {11, 19, 31, 39};
  CHECK(compare(a, b).psnr(255) == doctest::Approx(48.130803608679).epsilon(1e-12));
  // RMSE 2 of 12-bit samples, from one difference of 4 in four.
  const std::vector<std::uint8_t> c = {10, 20, 34, 40};
  CHECK(compare(a, c).psnr(4095) == doctest::Approx(20 * std::log10(4095 / 2.0)).epsilon(1e-12));
}

TEST_CASE("nothing compared has no mean and no psnr") {
  const Differences found = differences(nullptr, nullptr, 0, SampleType::kInt16);
  CHECK(found.count == 0);
  CHECK(std::isnan(found.mean_absolute()));
  CHECK(std::isnan(found.psnr(255)));
}

TEST_CASE("constant images have the similarity of their levels") {
  // Without variance SSIM is (2 a b + C1) / (a^2 + b^2 + C1), C1 = (0.01 range)^2.
  const auto expected = [](double a, double b, double range) {
    const double c1 = 1e-4 * range * range;
    return (2 * a * b + c1) / (a * a + b * b + c1);
  };
  for (const auto& [rows, columns] : {std::pair{11, 11}, {12, 37}, {150, 203}}) {
    const ImageShape shape{.rows = rows, .columns = columns};
    const auto flat = [&](auto level) {
      return image<decltype(level)>(shape, [&](auto, auto) { return level; });
    };
    CHECK(similarity(flat(std::uint8_t{100}), flat(std::uint8_t{120}), shape, 255) ==
          doctest::Approx(expected(100, 120, 255)).epsilon(1e-6));
    CHECK(similarity(flat(std::int8_t{-100}), flat(std::int8_t{27}), shape, 255) ==
          doctest::Approx(expected(-100, 27, 255)).epsilon(1e-6));
    CHECK(similarity(flat(std::uint16_t{65535}), flat(std::uint16_t{0}), shape, 65535) ==
          doctest::Approx(expected(65535, 0, 65535)).epsilon(1e-6));
    CHECK(similarity(flat(std::int16_t{-1000}), flat(std::int16_t{-900}), shape, 4095) ==
          doctest::Approx(expected(-1000, -900, 4095)).epsilon(1e-6));
  }
}

TEST_CASE("an image is exactly similar to itself") {
  for (const double range : {1e-3, 255.0, 65535.0, 1e9}) {
    const ImageShape shape{.rows = 77, .columns = 140};
    const auto a = image<std::uint16_t>(shape, [](auto level, auto) { return 20 * level; });
    CHECK(similarity(a, a, shape, range) == 1);
  }
}

TEST_CASE("similarity agrees with scikit-image") {
  // skimage.metrics.structural_similarity 0.26.0 on level_at and error_at, gaussian_weights=True,
  // sigma=1.5, use_sample_covariance=False.
  const ImageShape shape{.rows = 150, .columns = 203};
  const auto check = [](auto sample, const ImageShape& of, double range, double expected,
                        const auto& original, const auto& lossy) {
    using Sample = decltype(sample);
    const auto a = image<Sample>(of, [&](auto level, auto) { return original(level); });
    const auto b = image<Sample>(of, lossy);
    CHECK(similarity(a, b, of, range) == doctest::Approx(expected).epsilon(1e-6));
    CHECK(similarity(b, a, of, range) == similarity(a, b, of, range));
    CHECK(similarity(a, b, of, range) == similarity(a, b, of, range));
  };
  // Rounds down, as // 4 does in Python.
  const auto floor4 = [](std::int64_t e) { return (e + 32) / 4 - 8; };

  SUBCASE("12 bits on a high level") {
    check(
        std::uint16_t{}, shape, 4095, 0.995227892140, [](auto v) { return v + 60000; },
        [](auto v, auto e) { return v + 60000 + e; });
  }
  SUBCASE("signed 12 bits") {
    check(
        std::int16_t{}, shape, 4095, 0.994916642660, [](auto v) { return v - 1024; },
        [](auto v, auto e) { return v - 1024 + e; });
  }
  SUBCASE("16 bits") {
    check(
        std::uint16_t{}, shape, 65535, 0.999977908708, [](auto v) { return 16 * v; },
        [](auto v, auto e) { return 16 * v + 46 + e; });
  }
  SUBCASE("samples spread far wider than the range") {
    check(
        std::uint16_t{}, shape, 255, 0.999955465821, [](auto v) { return 16 * v; },
        [](auto v, auto e) { return 16 * v + 30 + e; });
  }
  SUBCASE("unsigned 8 bits") {
    check(
        std::uint8_t{}, shape, 255, 0.931484270976, [](auto v) { return v / 16 + 10; },
        [&](auto v, auto e) { return v / 16 + 10 + floor4(e); });
  }
  SUBCASE("signed 8 bits") {
    check(
        std::int8_t{}, shape, 255, 0.924198332783, [](auto v) { return v / 16 - 110; },
        [&](auto v, auto e) { return v / 16 - 110 + floor4(e); });
  }
  SUBCASE("three samples a pixel") {
    check(
        std::uint8_t{}, {.rows = 61, .columns = 47, .samples = 3}, 255, 0.935295890858,
        [](auto v) { return v / 16 + 10; },
        [&](auto v, auto e) { return v / 16 + 10 + floor4(e); });
  }
}

TEST_CASE("similarity of colour is the mean over its samples") {
  const ImageShape plane{.rows = 23, .columns = 31};
  const ImageShape colour{.rows = 23, .columns = 31, .samples = 3};
  const auto a = image<std::uint8_t>(plane, [](auto level, auto) { return level / 16; });
  const auto b = image<std::uint8_t>(plane, [](auto level, auto e) { return level / 16 + e + 30; });
  std::vector<std::uint8_t> colour_a;
  std::vector<std::uint8_t> colour_b;
  for (std::size_t i = 0; i < a.size(); ++i) {
    colour_a.insert(colour_a.end(), {a[i], a[i], b[i]});
    colour_b.insert(colour_b.end(), {b[i], a[i], a[i]});
  }
  CHECK(similarity(colour_a, colour_b, colour, 255) ==
        doctest::Approx((2 * similarity(a, b, plane, 255) + 1) / 3).epsilon(1e-12));
}

TEST_CASE("a photographic negative has negative similarity") {
  const ImageShape shape{.rows = 64, .columns = 65};
  const auto a = image<std::uint16_t>(shape, [](auto, auto e) { return 32768 + 1000 * e; });
  const auto b = image<std::uint16_t>(shape, [](auto, auto e) { return 32768 - 1000 * e; });
  CHECK(similarity(a, b, shape, 65535) < 0);
}

TEST_CASE("similarity rejects images smaller than its window and ranges that are none") {
  const std::vector<std::uint8_t> a(1000);
  const auto message = [&](const ImageShape& shape, double range) {
    return argument_error([&] { (void)similarity(a, a, shape, range); });
  };
  CHECK(message({.rows = 10, .columns = 50}, 255).find("10 x 50") != std::string::npos);
  CHECK(message({.rows = 50, .columns = 10}, 255).find("50 x 10") != std::string::npos);
  CHECK(message({.rows = 11, .columns = 11, .samples = 0}, 255).find("of 0") != std::string::npos);
  for (const double range : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK(message({.rows = 11, .columns = 11}, range).find("range") != std::string::npos);
  }
  CHECK(message({.rows = 11, .columns = 11}, 255).empty());
}

TEST_CASE("differences reject a negative count") {
  const std::string message =
      argument_error([] { (void)differences(nullptr, nullptr, -1, SampleType::kUint8); });
  CHECK(message.find("-1") != std::string::npos);
}

}  // namespace

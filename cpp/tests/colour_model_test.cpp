#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "classify/colour_features.h"
#include "classify/colour_kernels.h"
#include "spinekit/colour.h"
#include "spinekit/error.h"
#include "spinekit/pieces.h"

namespace {

using namespace spinekit;
using namespace spinekit::classify;

ColourGaussian gaussian(const ColourVector& mean, const ColourVector& variance, int label) {
  ColourGaussian made{.mean = mean, .weight = 100.0 + 10 * label, .label = label};
  for (std::size_t i = 0; i < kColourFeatures; ++i) made.covariance[i][i] = variance[i];
  made.covariance[0][3] = made.covariance[3][0] = -0.4 * std::sqrt(variance[0] * variance[3]);
  made.covariance[1][2] = made.covariance[2][1] = 0.3 * std::sqrt(variance[1] * variance[2]);
  return made;
}

std::vector<ColourGaussian> paper() {
  return {gaussian({178, 132, 150, 70}, {200, 5, 20, 150}, 0),
          gaussian({250, 128, 129, 4}, {9, 1, 2, 6}, 1),
          gaussian({150, 134, 155, 90}, {90, 4, 12, 80}, 0)};
}

ColourModel model(ColourRule rule = ColourRule::kMahalanobis, double reject = kNeverReject,
                  bool third = false) {
  std::vector<ColourGaussian> gaussians = paper();
  if (third) gaussians.push_back(gaussian({60, 150, 120, 160}, {300, 40, 30, 500}, 2));
  return {gaussians, rule, reject};
}

std::vector<ColourModel> models() {
  return {model(), model(ColourRule::kQda), model(ColourRule::kMahalanobis, 25),
          model(ColourRule::kQda, 40, true)};
}

template <typename Sample>
std::vector<Sample> samples(std::int64_t pixels, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<Sample> made(static_cast<std::size_t>(3 * pixels));
  for (std::size_t k = 0; k < made.size(); ++k) {
    const auto value = static_cast<unsigned>(generator() >> 16);
    // Dark ones and equal ones too.
    made[k] = static_cast<Sample>(k % 1024 < 96 ? value % 500 : k % 1024 < 192 ? 1000 : value);
  }
  return made;
}

ColourVector features8(const std::uint8_t* pixel) {
  FeatureBlocks blocks;
  ColourPlanes planes;
  blocks.convert(pixel, 1);
  blocks.block(0, planes);
  return {planes.values[0][0], planes.values[1][0], planes.values[2][0], planes.values[3][0]};
}

void check_refused(std::vector<ColourGaussian> gaussians, const std::string& words,
                   double reject = kNeverReject) {
  try {
    const ColourModel made(gaussians, ColourRule::kMahalanobis, reject);
    FAIL("was taken");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kArgument);
    CAPTURE(error.message());
    CHECK(error.message().find(words) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("colour kernels of all instruction sets decide as the definition") {
  std::mt19937 generator(1);
  std::uniform_real_distribution<double> anywhere(0, 255);
  ColourPlanes planes;
  for (auto& plane : planes.values) {
    for (double& value : plane) value = std::floor(anywhere(generator));
  }
  for (const ColourModel& one : models()) {
    const ExactModel exact(one);
    for (const auto& [name, kernels] : all_colour_kernels()) {
      CAPTURE(name);
      std::array<std::uint8_t, kColourBlock> labels{};
      kernels.decide(planes, exact, labels.data());
      for (std::size_t k = 0; k < labels.size(); ++k) {
        const auto& v = planes.values;
        CHECK(labels[k] == one.label({v[0][k], v[1][k], v[2][k], v[3][k]}));
      }
    }
  }
}

TEST_CASE("float32 changes features by less than half of what is allowed for") {
  std::vector<std::uint16_t> rgb = samples<std::uint16_t>(1 << 18, 2);
  for (std::size_t k = 0; k < 65536; ++k) rgb[3 * k] = static_cast<std::uint16_t>(k);
  for (const auto& [name, kernels] : all_colour_kernels()) {
    std::array<double, kColourFeatures> worst{};
    alignas(64) float planes[kColourFeatures][kColourBlock];
    for (std::size_t start = 0; 3 * start < rgb.size(); start += kColourBlock) {
      kernels.features16(rgb.data() + 3 * start, kColourBlock, linear_light().single.data(),
                         planes);
      for (std::size_t k = 0; k < kColourBlock; ++k) {
        const std::uint16_t* pixel = rgb.data() + 3 * (start + k);
        const ColourVector exact = features_of(pixel[0], pixel[1], pixel[2]);
        for (std::size_t i = 0; i < kColourFeatures; ++i) {
          worst[i] = std::max(worst[i], std::abs(planes[i][k] - exact[i]));
        }
      }
    }
    for (std::size_t i = 0; i < kColourFeatures; ++i) {
      CAPTURE(name);
      CAPTURE(i);
      CAPTURE(worst[i]);
      CHECK(worst[i] < kFloatFeatureError[i] / 2);
    }
  }
}

TEST_CASE("what float32 is sure of is what the definition says") {
  std::vector<ColourModel> all = models();
  // One colour, and one hardly apart from another.
  ColourGaussian white{.mean = {255, 128, 128, 0}, .label = 1};
  for (std::size_t i = 0; i < kColourFeatures; ++i) white.covariance[i][i] = 1e-4;
  ColourGaussian near = paper()[0];
  near.mean[0] += 1e-3;
  near.label = 1;
  all.emplace_back(std::vector{paper()[0], white}, ColourRule::kMahalanobis, kNeverReject);
  all.emplace_back(std::vector{paper()[0], near}, ColourRule::kQda, kNeverReject);
  const std::vector<std::uint16_t> rgb = samples<std::uint16_t>(1 << 15, 3);
  for (std::size_t m = 0; m < all.size(); ++m) {
    const FloatModel single(all[m]);
    for (const auto& [name, kernels] : all_colour_kernels()) {
      CAPTURE(name);
      CAPTURE(m);
      std::int64_t wrong = 0;
      std::int64_t open = 0;
      for (std::size_t start = 0; 3 * start < rgb.size(); start += kColourBlock) {
        std::array<std::uint8_t, kColourBlock> labels{};
        std::array<std::uint8_t, kColourBlock> unsure{};
        kernels.decide16(rgb.data() + 3 * start, kColourBlock, single, labels.data(),
                         unsure.data());
        for (std::size_t k = 0; k < kColourBlock; ++k) {
          const std::uint16_t* pixel = rgb.data() + 3 * (start + k);
          open += unsure[k];
          wrong += unsure[k] == 0 &&
                   labels[k] != all[m].label(features_of(pixel[0], pixel[1], pixel[2]));
        }
      }
      CHECK(wrong == 0);
      if (m < 4) CHECK(open < 40);
    }
  }
}

TEST_CASE("tables of bits are looked up alike by all instruction sets") {
  const std::int64_t words = 37;
  std::vector<std::uint8_t> rgb = samples<std::uint8_t>(64 * words, 4);
  rgb.push_back(0);
  std::mt19937 generator(5);
  std::vector<std::uint32_t> table(1 << 19);
  for (std::uint32_t& word : table) word = static_cast<std::uint32_t>(generator());
  for (const auto& [name, kernels] : all_colour_kernels()) {
    CAPTURE(name);
    std::vector<std::uint64_t> bits(words);
    kernels.look_up(rgb.data(), words, table.data(), bits.data());
    for (std::size_t k = 0; k < 64 * words; ++k) {
      const std::size_t index = rgb[3 * k] + 256U * rgb[3 * k + 1] + 65536U * rgb[3 * k + 2];
      CHECK((bits[k / 64] >> (k % 64) & 1) == (table[index / 32] >> (index % 32) & 1));
    }
  }
}

TEST_CASE("rows of any length give the same bits, bytes and labels") {
  Executor executor(2);
  const ColourModel one = model(ColourRule::kMahalanobis, 500, true);
  const std::vector<bool> damage = {false, true, true};
  const auto check = [&](ColourFormat format, const auto& all, std::int64_t step) {
    const ColourLabels labelling(one, format, executor, {});
    const DamageMask masking(one, damage, format, executor, {});
    for (const std::int64_t count :
         {1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 4095, 4097, 5000}) {
      CAPTURE(count);
      // Of just this size, so that a sanitizer sees what is read beyond.
      const std::vector row(all.begin(), all.begin() + step * count);
      const auto size = static_cast<std::size_t>(count);
      std::vector<std::uint8_t> labels(size);
      std::vector<std::uint8_t> bytes(size);
      std::vector<std::uint64_t> bits((size + 63) / 64, ~std::uint64_t{0});
      labelling.label_row(row.data(), count, labels.data());
      masking.mask_row(row.data(), count, bytes.data());
      masking.mask_row(row.data(), count, bits.data());
      for (std::size_t k = 0; k < 64 * bits.size(); ++k) {
        const bool expected = k < size && labels[k] != 255 && damage[labels[k]];
        REQUIRE((bits[k / 64] >> (k % 64) & 1) == expected);
        if (k < size) REQUIRE(bytes[k] == expected);
      }
    }
  };
  check(ColourFormat::kRgb8, samples<std::uint8_t>(5000, 6), 3);
  check(ColourFormat::kGrey8, samples<std::uint8_t>(5000, 7), 1);
  check(ColourFormat::kRgb16, samples<std::uint16_t>(5000, 8), 3);
  check(ColourFormat::kGrey16, samples<std::uint16_t>(5000, 9), 1);
}

TEST_CASE("labels of 8 bits are those of the definition") {
  Executor executor(2);
  const std::vector<std::uint8_t> rgb = samples<std::uint8_t>(2000, 10);
  for (const ColourModel& one : models()) {
    const ColourLabels labelling(one, ColourFormat::kRgb8, executor, {});
    std::vector<std::uint8_t> labels(2000);
    labelling.label_row(rgb.data(), 2000, labels.data());
    for (std::size_t k = 0; k < labels.size(); ++k) {
      REQUIRE(labels[k] == one.label(features8(rgb.data() + 3 * k)));
    }
  }
}

TEST_CASE("covariances beyond what float32 holds are decided in float64") {
  ColourGaussian narrow = paper()[1];
  // Hardly more than a line.
  const double shared = 2e-3 * (1 - 5e-12);
  narrow.covariance = {{{4e-12, shared, 0, 0}, {shared, 1e6, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
  const ColourModel one({paper()[0], narrow}, ColourRule::kMahalanobis, kNeverReject);
  CHECK_FALSE(FloatModel(one).usable);
  CHECK(FloatModel(model()).usable);
  Executor executor(1);
  const ColourLabels labelling(one, ColourFormat::kRgb16, executor, {});
  const std::vector<std::uint16_t> rgb = samples<std::uint16_t>(2000, 12);
  std::vector<std::uint8_t> labels(2000);
  labelling.label_row(rgb.data(), 2000, labels.data());
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const std::uint16_t* pixel = rgb.data() + 3 * k;
    REQUIRE(labels[k] == one.label(features_of(pixel[0], pixel[1], pixel[2])));
  }
}

TEST_CASE("pictures whose rows lie apart are those whose rows do not") {
  const std::int64_t rows = 70;
  const std::int64_t columns = 331;
  const std::vector<std::uint16_t> wide = samples<std::uint16_t>(rows * 400, 11);
  std::vector<std::uint16_t> dense;
  for (std::int64_t r = 0; r < rows; ++r) {
    dense.insert(dense.end(), wide.begin() + r * 1200, wide.begin() + r * 1200 + 3 * columns);
  }
  const PictureView apart{wide.data(), ColourFormat::kRgb16, rows, columns, 2400};
  const PictureView close{dense.data(), ColourFormat::kRgb16, rows, columns, 6 * columns};
  std::vector<std::vector<std::uint8_t>> found;
  for (const int workers : {1, 2, 8}) {
    Executor executor(workers);
    const DamageMask mask(model(), {false, true}, ColourFormat::kRgb16, executor, {});
    for (const PictureView& picture : {apart, close}) {
      found.emplace_back(static_cast<std::size_t>(rows * columns));
      mask_picture(picture, mask, found.back().data(), executor, {});
      CHECK(found.back() == found.front());
    }
    for (const PictureView& picture : {apart, close}) {
      const std::int64_t words = mask_words(columns);
      std::vector<std::uint64_t> packed(static_cast<std::size_t>(rows * words), ~std::uint64_t{0});
      mask_picture(picture, mask, packed.data(), executor, {});
      std::vector<std::uint64_t> row(static_cast<std::size_t>(words));
      for (std::int64_t r = 0; r < rows; ++r) {
        pack_mask_row(found.back().data() + r * columns, columns, row.data());
        CHECK(std::equal(row.begin(), row.end(), packed.begin() + r * words));
      }
    }
    const PictureView other{dense.data(), ColourFormat::kRgb8, rows, columns, 3 * columns};
    CHECK_THROWS_AS(mask_picture(other, mask, found.back().data(), executor, {}), Error);
  }
}

TEST_CASE("colour models that cannot be are refused") {
  check_refused({}, "0 components");
  check_refused(paper(), "reject", 0);
  check_refused(paper(), "reject", std::nan(""));
  const auto with = [](const auto& change) {
    std::vector<ColourGaussian> made = paper();
    change(made[1]);
    return made;
  };
  check_refused(with([](auto& g) { g.mean[2] = std::nan(""); }), "component 2: its values");
  check_refused(with([](auto& g) { g.covariance[2][2] = 1e7; }), "component 2: its values");
  check_refused(with([](auto& g) { g.covariance[2][2] = 0; }),
                "component 2: its covariance is singular");
  check_refused(with([](auto& g) { g.covariance = {}; }),
                "component 2: its covariance is singular");
  check_refused(with([](auto& g) { g.covariance[0][1] = 0.1; }),
                "component 2: its covariance is not");
  check_refused(with([](auto& g) { g.weight = 0; }), "component 2: weight");
  check_refused(with([](auto& g) { g.label = -1; }), "component 2: label -1");
  check_refused(with([](auto& g) { g.label = 255; }), "component 2: label 255");
  check_refused(with([](auto& g) { g.label = 3; }), "class 1 has no component");
  Executor executor(1);
  CHECK_THROWS_AS(DamageMask(model(), {true}, ColourFormat::kGrey8, executor, {}), Error);
}

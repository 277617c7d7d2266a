#include "spinekit/artwork.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <opencv2/imgproc.hpp>
#include <random>
#include <vector>

#include "classify/bit_row.h"
#include "classify/lab_b.h"
#include "classify/otsu.h"
#include "classify/rectangle.h"
#include "spinekit/error.h"

namespace {

using namespace spinekit;
using namespace spinekit::classify;

cv::Mat noise(int rows, int columns, unsigned seed, double density) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution set(density);
  cv::Mat mask(rows, columns, CV_8UC1);
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < columns; ++x) mask.at<std::uint8_t>(y, x) = set(generator) ? 255 : 0;
  }
  return mask;
}

cv::Mat through_stage(const cv::Mat& mask, std::int64_t size, Morphology kind) {
  cv::Mat result(0, mask.cols, CV_8UC1);
  SinkStage last([&](const Word* row) {
    cv::Mat bytes(1, mask.cols, CV_8UC1);
    for (int x = 0; x < mask.cols; ++x) {
      bytes.at<std::uint8_t>(0, x) = (row[x / 64] >> (x % 64) & 1) != 0 ? 255 : 0;
    }
    result.push_back(bytes);
    // Bits beyond the width would come in again in the next stage.
    Word beyond = row[mask_words(mask.cols) - 1] & ~tail_mask(mask.cols);
    for (std::int64_t k = mask_words(mask.cols); k < block_words(mask.cols); ++k) beyond |= row[k];
    CHECK(beyond == 0);
  });
  RectangleStage stage(mask.cols, mask.rows, size, kind, last);
  std::vector<Word> words(static_cast<std::size_t>(block_words(mask.cols)));
  for (int y = 0; y < mask.rows; ++y) {
    pack_mask_row(mask.ptr(y), mask.cols, words.data());
    stage.add(words.data());
  }
  return result;
}

bool same(const cv::Mat& one, const cv::Mat& other) {
  return one.size() == other.size() &&
         std::equal(one.begin<std::uint8_t>(), one.end<std::uint8_t>(),
                    other.begin<std::uint8_t>());
}

ErrorCode code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kVerification;
}

// Yellowed paper in a box on white.
std::vector<std::uint8_t> scan_of(std::int64_t width, std::int64_t height, const PieceBox& paper) {
  std::vector<std::uint8_t> rgb;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const bool on =
          x >= paper.x && x < paper.x + paper.width && y >= paper.y && y < paper.y + paper.height;
      for (const int value : {on ? 196 : 246, on ? 172 : 246, on ? 128 : 244}) {
        rgb.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  return rgb;
}

std::optional<PieceBox> artwork_of(const std::vector<std::uint8_t>& rgb, std::int64_t width,
                                   std::int64_t height, std::int64_t strip, int workers,
                                   bool by_levels = false) {
  Executor executor(workers);
  ArtworkFinder finder(width, height);
  std::vector<std::uint8_t> levels(static_cast<std::size_t>(width * height));
  const auto in_strips = [&](const auto& take) {
    for (std::int64_t y = 0; y < height; y += strip) {
      const std::int64_t rows = std::min(strip, height - y);
      take(PictureView{rgb.data() + 3 * y * width, ColourFormat::kRgb8, rows, width, 3 * width},
           levels.data() + y * width);
    }
  };
  in_strips([&](const PictureView& rows, std::uint8_t* place) {
    finder.count(rows, executor, {}, by_levels ? place : nullptr);
  });
  in_strips([&](const PictureView& rows, const std::uint8_t* place) {
    if (by_levels) {
      finder.add_levels(place, rows.rows, executor, {});
    } else {
      finder.add(rows, executor, {});
    }
  });
  return finder.finish();
}

}  // namespace

TEST_CASE("dilation and erosion by squares of every size equal OpenCV's") {
  for (const auto& [rows, columns] :
       {std::pair{1, 1}, {1, 200}, {200, 1}, {5, 63}, {40, 64}, {41, 65}, {90, 129}, {30, 513}}) {
    for (const std::int64_t size :
         {1, 2, 3, 4, 5, 14, 20, 33, 64, 65, 70, 127, 128, 129, 200, 301}) {
      const auto length = static_cast<int>(size);
      const cv::Mat square = cv::getStructuringElement(cv::MORPH_RECT, {length, length});
      for (const double density : {0.001, 0.02, 0.5, 0.98, 0.999, 1.0, 0.0}) {
        CAPTURE(rows);
        CAPTURE(columns);
        CAPTURE(size);
        CAPTURE(density);
        const cv::Mat mask = noise(rows, columns, static_cast<unsigned>(size), density);
        cv::Mat expected;
        cv::dilate(mask, expected, square);
        CHECK(same(through_stage(mask, size, Morphology::kDilate), expected));
        cv::erode(mask, expected, square);
        CHECK(same(through_stage(mask, size, Morphology::kErode), expected));
        cv::morphologyEx(mask, expected, cv::MORPH_CLOSE, square);
        const cv::Mat wide = through_stage(mask, size, Morphology::kDilate);
        CHECK(same(through_stage(wide, size, Morphology::kErode), expected));
        cv::morphologyEx(mask, expected, cv::MORPH_OPEN, square);
        const cv::Mat thin = through_stage(mask, size, Morphology::kErode);
        CHECK(same(through_stage(thin, size, Morphology::kDilate), expected));
      }
    }
  }
}

TEST_CASE("an even square reaches farther left and up") {
  cv::Mat mask = cv::Mat::zeros(9, 9, CV_8UC1);
  mask.at<std::uint8_t>(4, 4) = 255;
  const cv::Mat wide = through_stage(mask, 4, Morphology::kDilate);
  // Of a pixel at x, those count from x - 2 to x + 1: it is seen from 3 to 6.
  CHECK(cv::countNonZero(wide) == 16);
  CHECK(cv::countNonZero(wide(cv::Rect(3, 3, 4, 4))) == 16);
}

TEST_CASE("Otsu's threshold is OpenCV's, of levels equally good too") {
  std::mt19937 generator(1);
  const auto any = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(generator);
  };
  for (int trial = 0; trial < 4000; ++trial) {
    std::vector<std::uint8_t> pixels;
    const auto put = [&](int level, int count) {
      pixels.insert(pixels.end(), static_cast<std::size_t>(count),
                    static_cast<std::uint8_t>(level));
    };
    const int first = any(0, 90), step = any(1, 80);
    switch (trial % 5) {
      case 0:  // symmetric: thresholds tie
        for (int k = 0; k < 3; ++k) put(first + k * step, 10);
        break;
      case 1:
        for (int k = any(1, 40); k > 0; --k) put(any(0, 255), 1);
        break;
      case 2:
        for (int k = 0; k < 256; ++k) put(k, any(0, 30));
        break;
      case 3:  // a share next to OpenCV's epsilon
        put(any(0, 255), 8'388'608 / 16);
        put(any(0, 255), any(0, 2));
        break;
      default:
        put(any(0, 255), any(1, 9));
    }
    if (pixels.empty()) put(0, 1);
    Histogram histogram{};
    for (const std::uint8_t level : pixels) ++histogram[level];
    const cv::Mat row(1, static_cast<int>(pixels.size()), CV_8UC1, pixels.data());
    cv::Mat ignored;
    const double expected =
        cv::threshold(row, ignored, 0, 255, cv::THRESH_BINARY | cv::THRESH_OTSU);
    REQUIRE(otsu_threshold(histogram) == static_cast<int>(expected));
  }
}

TEST_CASE("histograms of more pixels than 32 bits count have a threshold") {
  Histogram histogram{};
  histogram[20] = histogram[40] = std::int64_t{1} << 40;
  histogram[200] = std::int64_t{1} << 41;
  CHECK(otsu_threshold(histogram) == 40);
  CHECK(otsu_threshold(Histogram{}) == 0);
}

TEST_CASE("the b of every colour is that of cvtColor") {
  Executor executor(2);
  const LabB colours(executor, {});
  std::vector<std::uint8_t> rgb(3 * 65536);
  std::mt19937 generator(2);
  for (std::uint8_t& value : rgb) value = static_cast<std::uint8_t>(generator());
  cv::Mat lab;
  cv::cvtColor(cv::Mat(256, 256, CV_8UC3, rgb.data()), lab, cv::COLOR_RGB2Lab);
  Histogram expected{};
  for (const cv::Vec3b& pixel : cv::Mat_<cv::Vec3b>(lab)) ++expected[pixel[2]];
  Histogram found{};
  // In parts of lengths that leave something.
  for (std::int64_t at = 0, count = 1; at < 65536; at += count, count = (count + 5) % 97) {
    count = std::min<std::int64_t>(count, 65536 - at);
    colours.count(rgb.data() + 3 * at, count, found, nullptr);
  }
  CHECK(found == expected);
  std::vector<std::uint8_t> levels(65536);
  found = {};
  colours.count(rgb.data(), 65536, found, levels.data());
  CHECK(found == expected);
  for (int k = 0; k < 65536; ++k) {
    REQUIRE(levels[static_cast<std::size_t>(k)] == lab.at<cv::Vec3b>(k / 256, k % 256)[2]);
  }
  const auto above = colours.above(130, executor, {});
  for (int k = 0; k < 65536; ++k) {
    const std::size_t index = rgb[3 * k] + 256U * rgb[3 * k + 1] + 65536U * rgb[3 * k + 2];
    REQUIRE((above[index / 32] >> (index % 32) & 1) ==
            (lab.at<cv::Vec3b>(k / 256, k % 256)[2] > 130));
  }
}

TEST_CASE("the box of the paper is found, whatever the strips and the workers") {
  // Moved by the pixel that a closing by 20, which is even, moves everything.
  const auto rgb = scan_of(333, 210, {50, 40, 240, 130});
  for (const int workers : {1, 2, 8}) {
    for (const std::int64_t strip : {1, 7, 64, 209, 210}) {
      const auto box = artwork_of(rgb, 333, 210, strip, workers, workers > 1 && strip != 64);
      REQUIRE(box.has_value());
      CHECK(box->x == 51);
      CHECK(box->y == 41);
      CHECK(box->width == 240);
      CHECK(box->height == 130);
    }
  }
  // 179 * 99 of 62,937 pixels are less than 30 %.
  CHECK_FALSE(artwork_of(scan_of(333, 189, {50, 40, 180, 100}), 333, 189, 20, 2).has_value());
}

TEST_CASE("edges of a box are its boundary, and of a plain picture there are none") {
  const auto rgb = scan_of(400, 300, {60, 50, 280, 200});
  const auto box = edges_boundary({rgb.data(), ColourFormat::kRgb8, 300, 400, 1200});
  REQUIRE(box.has_value());
  CHECK(std::abs(box->x - 60) <= 2);
  CHECK(std::abs(box->y - 50) <= 2);
  CHECK(std::abs(box->width - 280) <= 3);
  CHECK(std::abs(box->height - 200) <= 3);
  const auto plain = scan_of(400, 300, {});
  CHECK_FALSE(edges_boundary({plain.data(), ColourFormat::kRgb8, 300, 400, 1200}).has_value());
  CHECK(code_of([&] {
          edges_boundary({plain.data(), ColourFormat::kGrey8, 3, 4, 4});
        }) == ErrorCode::kArgument);
  CHECK(code_of([&] {
          edges_boundary({plain.data(), ColourFormat::kRgb8, 0, 4, 12});
        }) == ErrorCode::kArgument);
}

TEST_CASE("an artwork's finder refuses what is out of turn, and more than its limit") {
  Executor executor(1);
  const auto rgb = scan_of(30, 20, {});
  const PictureView all{rgb.data(), ColourFormat::kRgb8, 20, 30, 90};
  ArtworkFinder finder(30, 20);
  CHECK(code_of([&] { finder.add(all, executor, {}); }) == ErrorCode::kArgument);
  finder.count(all, executor, {});
  CHECK(code_of([&] { finder.count(all, executor, {}); }) == ErrorCode::kArgument);
  CHECK(code_of([&] { finder.finish(); }) == ErrorCode::kArgument);
  const std::vector<std::uint8_t> levels(600);
  CHECK(code_of([&] { finder.add_levels(levels.data(), 21, executor, {}); }) ==
        ErrorCode::kArgument);
  finder.add_levels(levels.data(), 1, executor, {});
  CHECK(code_of([&] { finder.add(all, executor, {}); }) == ErrorCode::kArgument);
  finder.add_levels(levels.data() + 30, 19, executor, {});
  finder.finish();
  CHECK(code_of([&] { finder.finish(); }) == ErrorCode::kArgument);
  CHECK(code_of([] { ArtworkFinder(0, 5); }) == ErrorCode::kArgument);
  CHECK(code_of([] { ArtworkFinder(1 << 24, 1 << 24); }) == ErrorCode::kResource);
  ArtworkFinder small(30, 20, 1 << 20);
  CHECK(code_of([&] { small.count(all, executor, {}); }) == ErrorCode::kResource);
}

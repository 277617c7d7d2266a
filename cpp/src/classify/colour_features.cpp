#include "colour_features.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "radiograph/opencv.h"

namespace spinekit::classify {
namespace {

double lab_curve(double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116; }

}  // namespace

const LinearLight& linear_light() {
  static const auto kTable = [] {
    auto made = std::make_unique<LinearLight>();
    for (std::size_t k = 0; k < made->exact.size(); ++k) {
      const double value = static_cast<double>(k) / 65535;
      made->exact[k] = value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
      made->single[k] = static_cast<float>(made->exact[k]);
    }
    return made;
  }();
  return *kTable;
}

ColourVector features_of(std::uint16_t red, std::uint16_t green, std::uint16_t blue) {
  const LinearLight& linear = linear_light();
  const double r = linear.exact[red];
  const double g = linear.exact[green];
  const double b = linear.exact[blue];
  const double x = (0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.950456;
  const double y = 0.212671 * r + 0.715160 * g + 0.072169 * b;
  const double z = (0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754;
  const double fy = lab_curve(y);
  const int most = std::max({red, green, blue});
  const int least = std::min({red, green, blue});
  return {2.55 * (y > 0.008856 ? 116 * fy - 16 : 903.3 * y), 500 * (lab_curve(x) - fy) + 128,
          200 * (fy - lab_curve(z)) + 128, most > 0 ? 255.0 * (most - least) / most : 0.0};
}

void colours_from(std::int64_t first, std::int64_t count, std::uint8_t* rgb) {
  for (std::int64_t k = 0; k < count; ++k) {
    rgb[3 * k] = static_cast<std::uint8_t>(first + k);
    rgb[3 * k + 1] = static_cast<std::uint8_t>((first + k) >> 8);
    rgb[3 * k + 2] = static_cast<std::uint8_t>((first + k) >> 16);
  }
}

void prepare_opencv() {
  static const bool kReady = [] {
    radiograph::with_opencv("Lab and HSV", [] {
      const cv::Mat source(1, 1, CV_8UC3, cv::Scalar());
      cv::Mat made;
      cv::cvtColor(source, made, cv::COLOR_RGB2Lab);
      cv::cvtColor(source, made, cv::COLOR_RGB2HSV);
    });
    return true;
  }();
  static_cast<void>(kReady);
}

void FeatureBlocks::convert(const std::uint8_t* rgb, std::int64_t count) {
  count_ = count;
  prepare_opencv();
  radiograph::with_opencv("Lab and HSV", [&] {
    const auto columns = static_cast<int>(count);
    const cv::Mat source(1, columns, CV_8UC3, const_cast<std::uint8_t*>(rgb));
    cv::Mat lab(1, columns, CV_8UC3, lab_.data());
    cv::Mat hsv(1, columns, CV_8UC3, hsv_.data());
    cv::cvtColor(source, lab, cv::COLOR_RGB2Lab);
    cv::cvtColor(source, hsv, cv::COLOR_RGB2HSV);
  });
}

void FeatureBlocks::block(std::int64_t first, ColourPlanes& planes) const {
  const std::int64_t count = std::min(kColourBlock, count_ - first);
  const std::uint8_t* lab = lab_.data() + 3 * first;
  const std::uint8_t* hsv = hsv_.data() + 3 * first;
  for (std::int64_t k = 0; k < count; ++k) {
    planes.values[0][k] = lab[3 * k];
    planes.values[1][k] = lab[3 * k + 1];
    planes.values[2][k] = lab[3 * k + 2];
    planes.values[3][k] = hsv[3 * k + 1];
  }
  for (auto& plane : planes.values) std::fill(plane + count, plane + kColourBlock, 0.0);
}

}  // namespace spinekit::classify

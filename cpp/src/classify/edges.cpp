#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "radiograph/opencv.h"
#include "spinekit/artwork.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

// From the least to the greatest end of some lines, in one direction.
struct Extent {
  int lines = 0;
  int least = std::numeric_limits<int>::max();
  int greatest = std::numeric_limits<int>::min();

  void add(int one, int other) {
    ++lines;
    least = std::min({least, one, other});
    greatest = std::max({greatest, one, other});
  }
};

}  // namespace

std::optional<PieceBox> edges_boundary(const PictureView& preview) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  if (preview.format != ColourFormat::kRgb8 || preview.rows < 1 || preview.columns < 1 ||
      preview.rows > kMost || preview.columns > kMost) {
    throw_argument("preview: " + std::to_string(preview.rows) + " x " +
                   std::to_string(preview.columns) + " pixels of " +
                   std::to_string(size_of(preview.format)) + " bytes, expected RGB of 8 bits");
  }
  std::vector<cv::Vec4i> lines;
  radiograph::with_opencv("edges of the preview", [&] {
    auto* const data = const_cast<void*>(preview.data);
    const cv::Mat rgb(static_cast<int>(preview.rows), static_cast<int>(preview.columns), CV_8UC3,
                      data, static_cast<std::size_t>(preview.row_bytes));
    cv::Mat grey, edges;
    cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
    cv::Canny(grey, edges, 50, 150);
    const double shorter = std::min(rgb.rows, rgb.cols);
    cv::HoughLinesP(edges, lines, 1, std::numbers::pi / 180, 100, 0.3 * shorter, 50);
  });
  Extent down, across;
  for (const cv::Vec4i& line : lines) {
    const double radians = std::atan2(line[3] - line[1], line[2] - line[0]);
    const double angle = std::abs(radians * (180 / std::numbers::pi));
    if (angle < 10 || angle > 170) {
      down.add(line[1], line[3]);
    } else if (angle >= 80 && angle <= 100) {
      across.add(line[0], line[2]);
    }
  }
  if (down.lines < 2 || across.lines < 2) return std::nullopt;
  return PieceBox{across.least, down.least, across.greatest - across.least + 1,
                  down.greatest - down.least + 1};
}

}  // namespace spinekit

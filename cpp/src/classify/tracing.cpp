#include "tracing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace spinekit::classify {
namespace {

// Of a picture, words: beyond, searching the runs takes longer, but no room.
constexpr std::int64_t kLargestPicture = std::int64_t{1} << 18;

// To the neighbours, against the clock as seen on the screen, from the right.
constexpr std::array<std::array<std::int32_t, 2>, 8> kSteps{
    {{1, 0}, {1, -1}, {0, -1}, {-1, -1}, {-1, 0}, {-1, 1}, {0, 1}, {1, 1}}};
constexpr int kLeft = 4;

PixelPoint stepped(PixelPoint from, int direction) {
  const auto [dx, dy] = kSteps[static_cast<std::size_t>(direction)];
  return {from.x + dx, from.y + dy};
}

// Border following after Suzuki and Abe, "Topological structural analysis of digitized binary images
// by border following", 1985, for one outer border.
template <typename Contains>
std::vector<PixelPoint> follow(PixelPoint start, const Contains& contains) {
  int direction = kLeft;
  do {
    direction = (direction + 7) % 8;
  } while (direction != kLeft && !contains(stepped(start, direction)));
  if (direction == kLeft) return {start};
  std::vector<PixelPoint> border;
  const PixelPoint last = stepped(start, direction);
  PixelPoint at = start;
  int before = (direction + 4) % 8;  // the step that leads to `at`
  while (true) {
    // From the pixel behind, against the clock.
    direction = (before + 4) % 8;
    do {
      direction = (direction + 1) % 8;
    } while (!contains(stepped(at, direction)));
    if (direction != before) border.push_back(at);
    const PixelPoint next = stepped(at, direction);
    if (next == start && at == last) return border;
    at = next;
    before = direction;
  }
}

struct Extent {
  std::int32_t left;
  std::int32_t right;
};

Extent extent_of(const std::vector<Run>& runs) {
  Extent extent{runs[0].first, runs[0].end};
  for (const Run& run : runs) {
    extent.left = std::min(extent.left, run.first);
    extent.right = std::max(extent.right, run.end);
  }
  return extent;
}

void set_bits(Word* row, std::int64_t first, std::int64_t end) {
  const std::int64_t from = first / kWordBits, to = (end - 1) / kWordBits;
  const Word head = kAllOnes << (first % kWordBits);
  const Word tail = kAllOnes >> (kWordBits - 1 - (end - 1) % kWordBits);
  if (from == to) {
    row[from] |= head & tail;
    return;
  }
  row[from] |= head;
  std::fill(row + from + 1, row + to, kAllOnes);
  row[to] |= tail;
}

}  // namespace

std::vector<PixelPoint> outer_border(const std::vector<Run>& runs) {
  const Extent extent = extent_of(runs);
  const std::int32_t top = runs.front().y - 1, left = extent.left - 1;
  const std::int64_t rows = runs.back().y - top + 2;
  const std::int64_t words = mask_words(extent.right - left + 1);
  if (rows * words > kLargestPicture) return outer_border_by_search(runs);
  // Empty all around, so that no neighbour lies beyond.
  thread_local std::vector<Word> picture;
  picture.assign(static_cast<std::size_t>(rows * words), 0);
  for (const Run& run : runs) {
    set_bits(picture.data() + (run.y - top) * words, run.first - left, run.end - left);
  }
  const Word* bits = picture.data();
  return follow({runs.front().first, runs.front().y}, [=](PixelPoint point) {
    const std::int64_t x = point.x - left;
    return (bits[(point.y - top) * words + x / kWordBits] >> (x % kWordBits) & 1) != 0;
  });
}

std::vector<PixelPoint> outer_border_by_search(const std::vector<Run>& runs) {
  const std::int32_t top = runs.front().y;
  const std::int32_t rows = runs.back().y - top + 1;
  // Of each row the first run; every row of a region has one.
  std::vector<std::size_t> starts;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    if (k == 0 || runs[k].y != runs[k - 1].y) starts.push_back(k);
  }
  starts.push_back(runs.size());
  return follow({runs.front().first, top}, [&](PixelPoint point) {
    const std::int32_t row = point.y - top;
    if (row < 0 || row >= rows) return false;
    const auto begin = runs.begin() + static_cast<std::ptrdiff_t>(starts[static_cast<std::size_t>(row)]);
    const auto end =
        runs.begin() + static_cast<std::ptrdiff_t>(starts[static_cast<std::size_t>(row) + 1]);
    const auto after = std::partition_point(begin, end,
                                            [&](const Run& run) { return run.first <= point.x; });
    return after != begin && point.x < (after - 1)->end;
  });
}

void measure(Piece& piece) {
  const std::vector<PixelPoint>& points = piece.contour;
  piece.first = points[0];
  PixelPoint low = points[0], high = points[0];
  std::int64_t twice_area = 0;
  // cv2 sums these as floating point, exactly as long as they are below 2^53; about the first point
  // they would be other numbers.
  double moment_x = 0, moment_y = 0;
  PixelPoint before = points.back();
  for (const PixelPoint& point : points) {
    const std::int64_t cross = std::int64_t{before.x} * point.y - std::int64_t{point.x} * before.y;
    twice_area += cross;
    moment_x += static_cast<double>(cross) * (double{1} * before.x + point.x);
    moment_y += static_cast<double>(cross) * (double{1} * before.y + point.y);
    low = {std::min(low.x, point.x), std::min(low.y, point.y)};
    high = {std::max(high.x, point.x), std::max(high.y, point.y)};
    before = point;
  }
  piece.box = {low.x, low.y, high.x - low.x + 1, high.y - low.y + 1};
  piece.area = std::abs(static_cast<double>(twice_area)) * 0.5;
  if (twice_area == 0) {
    piece.x = low.x + static_cast<double>(high.x - low.x) / 2;
    piece.y = low.y + static_cast<double>(high.y - low.y) / 2;
    return;
  }
  // In the order of cv2's operations: multiplied by a sixth before the division.
  const double sign = twice_area > 0 ? 1 : -1;
  const double sixth = sign / 6;
  piece.x = moment_x * sixth / piece.area;
  piece.y = moment_y * sixth / piece.area;
}

}  // namespace spinekit::classify

#include "tracing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

// Three neighbouring pixels of a row, the left one in the lowest bit.
using Three = unsigned;

// One bit a direction, of the rows above, at and below a pixel.
unsigned around(Three above, Three at, Three below) {
  constexpr std::array<unsigned, 8> kReversed{0, 4, 2, 6, 1, 5, 3, 7};
  return at >> 2 | kReversed[above] << 1 | (at & 1) << 4 | below << 5;
}

// Border following after Suzuki and Abe, "Topological structural analysis of digitized binary images
// by border following", 1985, for one outer border. `three` gives the pixels around a place.
template <typename GetThree>
std::vector<PixelPoint> follow(PixelPoint start, const GetThree& three) {
  const auto neighbours = [&](PixelPoint at) {
    return around(three(at.x, at.y - 1), three(at.x, at.y), three(at.x, at.y + 1));
  };
  unsigned set = neighbours(start);
  if (set == 0) return {start};
  // With the clock from the left, where there is nothing.
  int direction = kLeft;
  do {
    direction = (direction + 7) % 8;
  } while ((set >> direction & 1) == 0);
  std::vector<PixelPoint> border;
  const PixelPoint last = stepped(start, direction);
  PixelPoint at = start;
  int before = (direction + 4) % 8;  // the step that leads to `at`
  while (true) {
    // From the pixel behind, against the clock.
    const int from = (before + 5) % 8;
    direction = (from + std::countr_zero((set | set << 8) >> from)) % 8;
    if (direction != before) border.push_back(at);
    const PixelPoint next = stepped(at, direction);
    if (next == start && at == last) return border;
    at = next;
    before = direction;
    set = neighbours(at);
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
  // Empty all around, so that no neighbour lies beyond; one word more for the last two bytes.
  thread_local std::vector<Word> picture;
  picture.assign(static_cast<std::size_t>(rows * words + 1), 0);
  for (const Run& run : runs) {
    set_bits(picture.data() + (run.y - top) * words, run.first - left, run.end - left);
  }
  // Byte by byte, so that three pixels never lie in two words.
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(picture.data());
  return follow({runs.front().first, runs.front().y}, [=](std::int32_t x, std::int32_t y) {
    const std::int64_t bit = (y - top) * words * kWordBits + x - left - 1;
    std::uint16_t two;
    std::memcpy(&two, bytes + bit / 8, sizeof two);
    return Three{two} >> (bit % 8) & 7U;
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
  return follow({runs.front().first, top}, [&](std::int32_t x, std::int32_t y) {
    const std::int32_t row = y - top;
    if (row < 0 || row >= rows) return Three{0};
    const auto start = [&](std::int32_t k) {
      return runs.begin() + static_cast<std::ptrdiff_t>(starts[static_cast<std::size_t>(k)]);
    };
    const auto begin = start(row);
    auto run = std::partition_point(begin, start(row + 1),
                                    [&](const Run& other) { return other.first <= x + 1; });
    Three pixels = 0;
    while (run != begin && (--run)->end >= x) {
      for (int k = 0; k < 3; ++k) {
        if (run->first <= x - 1 + k && x - 1 + k < run->end) pixels |= 1U << k;
      }
    }
    return pixels;
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

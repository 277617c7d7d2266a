#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "classify/ellipse.h"
#include "classify/runs.h"
#include "classify/simplifying.h"
#include "spinekit/pieces.h"

namespace {

using namespace spinekit;
using classify::Run;
using Points = std::vector<PixelPoint>;

}  // namespace

TEST_CASE("ellipses are drawn as OpenCV documents them") {
  // Half widths of the rows from the middle outwards: getStructuringElement for 3, 5 and 7.
  CHECK(classify::ellipse_half_widths(1) == std::vector<std::int64_t>{0});
  CHECK(classify::ellipse_half_widths(3) == std::vector<std::int64_t>{1, 0});
  CHECK(classify::ellipse_half_widths(5) == std::vector<std::int64_t>{2, 2, 0});
  CHECK(classify::ellipse_half_widths(7) == std::vector<std::int64_t>{3, 3, 2, 0});
}

TEST_CASE("holes are filled only where nothing can open them any more") {
  // Three gaps: one closed, one open to the right of the row below, one to the rows to come.
  std::vector<Run> runs{{0, 0, 9}, {1, 0, 2}, {1, 3, 5}, {1, 7, 9},
                        {2, 0, 6}, {3, 0, 2}, {3, 4, 6}};
  classify::fill_holes(runs);
  REQUIRE(runs.size() == 6);
  CHECK(runs[1].first == 0);
  CHECK(runs[1].end == 5);
  CHECK(runs[2].first == 7);
  CHECK(runs[4].end == 2);
  CHECK(runs[5].first == 4);
}

TEST_CASE("simplifying keeps corners and spikes, and drops what is within the tolerance") {
  CHECK(classify::simplified({{5, 5}}, 0.9) == Points{{5, 5}});
  // Steps of one pixel are 0.71 from the slope at most.
  Points stairs{{0, 0}};
  for (int k = 0; k < 20; ++k) {
    stairs.push_back({k, k + 1});
    stairs.push_back({k + 1, k + 1});
  }
  CHECK(classify::simplified(stairs, 0.9).size() == 2);
  CHECK(classify::simplified(stairs, 0.5).size() > 20);
  // The tip of a spike lies on the line through the two ends of its stretch, but not between them.
  const Points spike{{0, 0}, {0, 10}, {10, 10}, {10, 5}, {30, 5}, {10, 5}, {10, 0}};
  const Points kept = classify::simplified(spike, 0.9);
  CHECK(std::find(kept.begin(), kept.end(), PixelPoint{30, 5}) != kept.end());
}

TEST_CASE("sizes scale by pixels and their root") {
  const PieceSizes large = scaled({}, 18868, 14151);  // 267,001,068 px: 6.8354 and 2.6145
  CHECK(large.min_area == 341);
  CHECK(large.max_area == 0);
  CHECK(large.kernel == 7);
  CHECK(large.join == 23);
  CHECK(large.cell == 1307);
  const PieceSizes small = scaled({.max_area = 10}, 100, 100);
  CHECK(small.min_area == 0);
  CHECK(small.max_area == 1);
  CHECK(small.kernel == 3);
  CHECK(small.join == 5);
  CHECK(small.cell == 8);
}

#include <algorithm>
#include <cstddef>
#include <vector>

#include "disjoint.h"
#include "runs.h"

namespace spinekit::classify {
namespace {

struct Gap {
  std::int32_t parent;
};

constexpr std::int32_t kOpen = 0;

}  // namespace

void fill_holes(std::vector<Run>& runs) {
  // Gap k + 1 lies between runs k and k + 1 of a row, and touches gaps of other rows along edges. All
  // that reaches the region's outside or the row below its last is open.
  std::vector<Gap> gaps(runs.size() + 1);
  for (std::size_t k = 0; k < gaps.size(); ++k) gaps[k].parent = static_cast<std::int32_t>(k);
  const auto open = [&](std::size_t gap) { unite(gaps, kOpen, static_cast<std::int32_t>(gap)); };
  std::size_t above = 0, above_end = 0;
  for (std::size_t row = 0; row < runs.size();) {
    std::size_t end = row;
    while (end < runs.size() && runs[end].y == runs[row].y) ++end;
    std::size_t candidate = above;
    for (std::size_t k = row; k + 1 < end; ++k) {
      const std::int32_t from = runs[k].end, to = runs[k + 1].first;
      if (end == runs.size()) open(k + 1);
      // The gap left of run j of the row above; left of the first and right of the last is outside.
      while (candidate < above_end && runs[candidate].first <= from) ++candidate;
      for (std::size_t j = candidate; j <= above_end; ++j) {
        if (j > above && runs[j - 1].end >= to) break;
        if (j == above || j == above_end) {
          open(k + 1);
        } else {
          unite(gaps, static_cast<std::int32_t>(j), static_cast<std::int32_t>(k + 1));
        }
      }
    }
    // What the row above has beyond this row's runs, or above its outside, is open too.
    for (std::size_t j = above; j + 1 < above_end; ++j) {
      if (runs[j].end < runs[row].first || runs[j + 1].first > runs[end - 1].end) open(j + 1);
    }
    above = row;
    above_end = end;
    row = end;
  }
  std::size_t kept = 0;
  for (std::size_t k = 1; k < runs.size(); ++k) {
    const bool hole =
        runs[k].y == runs[kept].y && root_of(gaps, static_cast<std::int32_t>(k)) != kOpen;
    if (hole) {
      runs[kept].end = runs[k].end;
    } else {
      runs[++kept] = runs[k];
    }
  }
  runs.resize(std::min(runs.size(), kept + 1));
}

}  // namespace spinekit::classify

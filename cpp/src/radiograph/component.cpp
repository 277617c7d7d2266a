#include "component.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace spinekit::radiograph {
namespace {

struct Run {
  std::int64_t row;
  std::int64_t first;
  std::int64_t last;
};

class DisjointSets {
 public:
  std::size_t add() {
    parent_.push_back(parent_.size());
    return parent_.size() - 1;
  }
  std::size_t root(std::size_t k) {
    while (parent_[k] != k) k = parent_[k] = parent_[parent_[k]];
    return k;
  }
  // The earlier one stays the root.
  void unite(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

constexpr std::array<std::array<int, 2>, 4> kSteps{{{-1, 0}, {0, 1}, {1, 0}, {0, -1}}};

// Distance from the inner pixel's centre to the border, in pixels, along the line to its neighbour.
// Where the mask falls from 1 to 0 within four pixels and is a pixel's coverage, their sum is the
// exact place of a straight border; otherwise the level 0.5 of linear interpolation.
double crossing(const Plane& plane, std::int64_t row, std::int64_t column, int direction) {
  const auto [dr, dc] = kSteps[static_cast<std::size_t>(direction)];
  const double inner = plane(row, column);
  const double outer = plane(row + dr, column + dc);
  const std::int64_t row_in = row - dr, column_in = column - dc;
  const std::int64_t row_out = row + 2 * dr, column_out = column + 2 * dc;
  const auto on_film = [&](std::int64_t r, std::int64_t c) {
    return r >= 0 && c >= 0 && r < plane.rows() && c < plane.columns();
  };
  if (on_film(row_in, column_in) && on_film(row_out, column_out)) {
    const double before = plane(row_in, column_in);
    const double after = plane(row_out, column_out);
    constexpr double kNearly = 0.998;
    if (before >= kNearly && after <= 1 - kNearly) return before + inner + outer + after - 1.5;
  }
  const double fall = inner - outer;
  return fall > 1e-6 ? std::clamp((inner - 0.5) / fall, 0.0, 1.0) : 0.5;
}

}  // namespace

Component largest_component(const Plane& plane, const PixelBox& box) {
  std::vector<Run> runs;
  DisjointSets sets;
  std::size_t above = 0;  // first run of the row above
  std::size_t row_start = 0;
  for (std::int64_t r = box.top; r <= box.bottom; ++r) {
    above = row_start;
    row_start = runs.size();
    std::size_t candidate = above;
    for (std::int64_t c = box.left; c <= box.right; ++c) {
      if (plane(r, c) < 0.5) continue;
      const std::int64_t first = c;
      while (c + 1 <= box.right && plane(r, c + 1) >= 0.5) ++c;
      runs.push_back({r, first, c});
      const std::size_t self = sets.add();
      while (candidate < row_start && runs[candidate].last < first) ++candidate;
      for (std::size_t k = candidate; k < row_start && runs[k].first <= c; ++k) sets.unite(k, self);
    }
  }
  std::vector<std::int64_t> pixels(runs.size(), 0);
  for (std::size_t k = 0; k < runs.size(); ++k) {
    pixels[sets.root(k)] += runs[k].last - runs[k].first + 1;
  }
  Component component;
  if (runs.empty()) return component;
  const auto best = std::max_element(pixels.begin(), pixels.end());
  const auto chosen = static_cast<std::size_t>(best - pixels.begin());
  component.pixels = *best;
  component.other_pixels = std::accumulate(pixels.begin(), pixels.end(), std::int64_t{0}) - *best;
  component.box = {box.bottom, box.right, box.top, box.left};
  for (std::size_t k = 0; k < runs.size(); ++k) {
    if (sets.root(k) != chosen) continue;
    PixelBox& own = component.box;
    own.top = std::min(own.top, runs[k].row);
    own.bottom = std::max(own.bottom, runs[k].row);
    own.left = std::min(own.left, runs[k].first);
    own.right = std::max(own.right, runs[k].last);
  }
  const std::int64_t width = component.box.columns();
  component.inside.resize(static_cast<std::size_t>(component.box.rows() * width));
  for (std::size_t k = 0; k < runs.size(); ++k) {
    if (sets.root(k) != chosen) continue;
    const auto start = component.inside.begin() + (runs[k].row - component.box.top) * width;
    std::fill(start + (runs[k].first - component.box.left),
              start + (runs[k].last - component.box.left) + 1, std::uint8_t{1});
  }
  return component;
}

std::vector<BorderPoint> trace_border(const Plane& plane, const Component& component) {
  std::vector<BorderPoint> border;
  if (component.pixels == 0) return border;
  std::int64_t column = component.box.left;
  while (!component.contains(component.box.top, column)) ++column;
  const std::int64_t start_row = component.box.top, start_column = column;
  std::int64_t row = start_row;
  int direction = 0;  // to the neighbour outside; the walk keeps the piece on its right
  do {
    const auto [dr, dc] = kSteps[static_cast<std::size_t>(direction)];
    const std::int64_t outer_row = row + dr, outer_column = column + dc;
    const bool at_edge = outer_row < 0 || outer_column < 0 || outer_row >= plane.rows() ||
                         outer_column >= plane.columns();
    const double t = at_edge ? 0.5 : crossing(plane, row, column, direction);
    border.push_back(
        {static_cast<double>(column) + t * dc, static_cast<double>(row) + t * dr, at_edge});
    const int onwards = (direction + 1) % 4;
    const auto [mr, mc] = kSteps[static_cast<std::size_t>(onwards)];
    if (!component.contains(row + mr, column + mc)) {
      direction = onwards;
    } else if (!component.contains(row + mr + dr, column + mc + dc)) {
      row += mr;
      column += mc;
    } else {
      row += mr + dr;
      column += mc + dc;
      direction = (direction + 3) % 4;
    }
  } while (row != start_row || column != start_column || direction != 0);
  return border;
}

}  // namespace spinekit::radiograph

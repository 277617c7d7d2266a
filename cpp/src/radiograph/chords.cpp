#include "chords.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace spinekit::radiograph {

ChordTable::ChordTable(const std::vector<Vec>& points)
    : count_(points.size()), origin_(points[0]), sums_(2 * points.size() + 1) {
  for (std::size_t k = 0; k < 2 * count_; ++k) {
    const Vec p = points[k % count_] - origin_;
    const Sums& s = sums_[k];
    sums_[k + 1] = {s.x + p.x, s.y + p.y, s.xx + p.x * p.x, s.xy + p.x * p.y, s.yy + p.y * p.y};
  }
}

ChordTable::Scatter ChordTable::scatter(std::size_t start, std::size_t length) const {
  const Sums& a = sums_[start];
  const Sums& b = sums_[start + length];
  const auto n = static_cast<double>(length);
  const Vec mean{(b.x - a.x) / n, (b.y - a.y) / n};
  return {.mean = mean,
          .xx = std::max(0.0, (b.xx - a.xx) - n * mean.x * mean.x),
          .xy = (b.xy - a.xy) - n * mean.x * mean.y,
          .yy = std::max(0.0, (b.yy - a.yy) - n * mean.y * mean.y)};
}

double ChordTable::residual(std::size_t first, std::size_t length) const {
  const Scatter s = scatter(first % count_, length);
  const double spread = std::sqrt((s.xx - s.yy) * (s.xx - s.yy) + 4 * s.xy * s.xy);
  return std::max(0.0, 0.5 * (s.xx + s.yy - spread));
}

Chord ChordTable::chord(std::size_t first, std::size_t length) const {
  const std::size_t start = first % count_;
  const Scatter s = scatter(start, length);
  const double spread = std::hypot(s.xx - s.yy, 2 * s.xy);
  const double angle = 0.5 * std::atan2(2 * s.xy, s.xx - s.yy);
  Chord chord;
  chord.centre = origin_ + s.mean;
  chord.along = {std::cos(angle), std::sin(angle)};
  chord.residual = std::max(0.0, 0.5 * (s.xx + s.yy - spread));
  // Points at even steps have the variance length^2 / 12.
  chord.half = std::sqrt(1.5 * (s.xx + s.yy + spread) / static_cast<double>(length));
  const Sums& before_last = sums_[start + length - 1];
  const Sums& last = sums_[start + length];
  const Vec from{sums_[start + 1].x - sums_[start].x, sums_[start + 1].y - sums_[start].y};
  const Vec to{last.x - before_last.x, last.y - before_last.y};
  if (dot(to - from, chord.along) < 0) chord.along = -chord.along;
  return chord;
}

std::array<std::size_t, 4> split_in_four(const ChordTable& table) {
  const std::size_t n = table.size();
  const std::size_t shortest = std::max<std::size_t>(3, n / 12);
  constexpr double kNever = std::numeric_limits<double>::infinity();
  // cost[i][length], runs that start at i.
  const std::size_t longest = n - 3 * shortest;
  std::vector<double> cost(n * (n + 1), kNever);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t length = shortest; length <= longest; ++length) {
      cost[i * (n + 1) + length] = table.residual(i, length);
    }
  }
  // Two runs that together start at i and have `length` points, and the length of the first.
  std::vector<double> pair_cost(n * (n + 1), kNever);
  std::vector<std::size_t> pair_first(n * (n + 1), 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t length = 2 * shortest; length <= n - 2 * shortest; ++length) {
      double best = kNever;
      std::size_t best_first = shortest;
      for (std::size_t first = shortest; first + shortest <= length; ++first) {
        const double sum =
            cost[i * (n + 1) + first] + cost[(i + first) % n * (n + 1) + length - first];
        if (sum < best) {
          best = sum;
          best_first = first;
        }
      }
      pair_cost[i * (n + 1) + length] = best;
      pair_first[i * (n + 1) + length] = best_first;
    }
  }
  double best = kNever;
  std::array<std::size_t, 4> starts{};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t length = 2 * shortest; length <= n - 2 * shortest; ++length) {
      const std::size_t other = (i + length) % n;
      const double sum = pair_cost[i * (n + 1) + length] + pair_cost[other * (n + 1) + n - length];
      if (sum < best) {
        best = sum;
        starts = {i, (i + pair_first[i * (n + 1) + length]) % n, other,
                  (other + pair_first[other * (n + 1) + n - length]) % n};
      }
    }
  }
  std::sort(starts.begin(), starts.end());
  return starts;
}

Vec meeting(const Chord& a, const Chord& b) {
  const double t = cross(b.centre - a.centre, b.along) / cross(a.along, b.along);
  return a.centre + t * a.along;
}

}  // namespace spinekit::radiograph

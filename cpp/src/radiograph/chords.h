// Straight pieces of a closed border: lines by total least squares over runs of even points, and
// the best division of a border into four.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "plane.h"

namespace spinekit::radiograph {

// The line through a run of points, directed as the border runs.
struct Chord {
  Vec centre;
  Vec along;            // unit
  double residual = 0;  // sum of squared distances
  double half = 0;      // half the length, from the spread of the points
};

// Chords of any run of consecutive points of a closed border, each in constant time.
class ChordTable {
 public:
  explicit ChordTable(const std::vector<Vec>& points);
  [[nodiscard]] std::size_t size() const { return count_; }
  // Of `length` points from `first` on, which may pass the end; 2 <= length <= size().
  [[nodiscard]] Chord chord(std::size_t first, std::size_t length) const;
  // That chord's sum of squared distances alone.
  [[nodiscard]] double residual(std::size_t first, std::size_t length) const;

 private:
  struct Scatter {
    Vec mean;
    double xx, xy, yy;
  };
  [[nodiscard]] Scatter scatter(std::size_t start, std::size_t length) const;
  struct Sums {
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
  };
  std::size_t count_;
  Vec origin_;
  std::vector<Sums> sums_;
};

// First points of the four runs that lines fit best together, in the order of the border. Every run
// has at least a twelfth of the points.
std::array<std::size_t, 4> split_in_four(const ChordTable& table);

// Where two lines meet; they must not be parallel.
Vec meeting(const Chord& a, const Chord& b);

}  // namespace spinekit::radiograph

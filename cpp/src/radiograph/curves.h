// The curve of a bone's side over its chord.
//
// It is a line, a bow and a skew, which end on the line, and for endplates the arc of their rim, for
// walls a bow that is flatter in the middle. A rim is seen as an arc where the beam does not run in
// its plane; the line between its ends is where the arc would close.
#pragma once

#include <array>
#include <cstddef>

#include "plane.h"

namespace spinekit::radiograph {

inline constexpr std::size_t kTerms = 5;
using Terms = std::array<double, kTerms>;

enum class SideKind { kEndplate, kWall, kSacralWall };

// What the terms are factors of, at xi = -1 ... 1 along the chord: offset, slope, bow, skew, and arc
// or flat bow.
Terms basis_at(SideKind kind, double xi);

// Height above the chord along `out`; the chord runs clockwise about the bone.
struct Side {
  SideKind kind = SideKind::kWall;
  Vec centre;
  Vec along;
  Vec out;
  double half = 0;
  Terms terms{};  // mm

  [[nodiscard]] double height(double xi) const;
  // Of an endplate without its arc. Beyond its ends a side runs straight on.
  [[nodiscard]] double base_height(double xi) const;
  [[nodiscard]] double base_slope(double xi) const;
  [[nodiscard]] Vec base(double xi) const {
    return centre + xi * half * along + base_height(xi) * out;
  }
  [[nodiscard]] Vec base_tangent(double xi) const { return half * along + base_slope(xi) * out; }
  // Direction of the line, radians, counter-clockwise from the film's rows.
  [[nodiscard]] double angle() const;
};

Side chord_side(SideKind kind, Vec from, Vec to);

// Where the end of `a` meets the start of `b`; false when they do not meet near there.
bool meet(const Side& a, const Side& b, Vec& corner);

}  // namespace spinekit::radiograph

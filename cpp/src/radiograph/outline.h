// A bone's outline as curved sides that meet in corners, fitted to its border so that beaks, leaks,
// bites and lost corners do not count.
//
// Each side is a curve over its chord: a line, a bow and a skew, which end on the line, and for
// endplates the arc of their rim, for walls a flatter bow. A rim is seen as an arc where the beam
// does not run in its plane; its ends, and so the line between them, are where the arc would close. Weights are Geman and McClure's, their scale annealed from the
// bone's size down to the border's own noise (graduated non-convexity; Black & Rangarajan 1996, doi
// 10.1007/BF00131148). Corners are where neighbouring curves meet, so that rounded, broken or
// overgrown ones are replaced by what the sides say.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "contour.h"
#include "random.h"

namespace spinekit::radiograph {

inline constexpr std::size_t kTerms = 5;
inline constexpr std::size_t kBlocks = 8;

enum class SideKind { kEndplate, kWall };

// Height above the chord, along `out`, from xi = -1 to 1.
struct Side {
  SideKind kind = SideKind::kWall;
  Vec centre;
  Vec along;
  Vec out;
  double half = 0;
  std::array<double, kTerms> terms{};  // mm; offset, slope, bow, skew, and arc or flat bow

  [[nodiscard]] double height(double xi) const;
  // Of an endplate without its arc.
  [[nodiscard]] double base_height(double xi) const;
  [[nodiscard]] double base_slope(double xi) const;
  [[nodiscard]] Vec base(double xi) const {
    return centre + xi * half * along + base_height(xi) * out;
  }
  [[nodiscard]] Vec base_tangent(double xi) const { return half * along + base_slope(xi) * out; }
};

// Weighted normal equations of a part of a side.
struct NormalSums {
  std::array<double, kTerms*(kTerms + 1) / 2> matrix{};
  std::array<double, kTerms> right{};
};

struct SideFit {
  Side side;
  std::array<NormalSums, kBlocks> blocks;  // from xi = -1 to 1
  std::array<double, kTerms> ridge{};      // weights of what is expected of each term
  std::array<double, kTerms> expected{};   // mm
  double support = 0;  // share of the fitted part that border near the curve backs
};

// The part of a side, in xi, that is fitted.
struct SideRange {
  SideKind kind;
  double from;
  double to;
};

struct OutlineOptions {
  std::vector<SideRange> ranges;  // by side
  bool closed = true;
  double size = 0;  // mm; the square root of the area of a bone of that kind
};

struct OutlineFit {
  std::vector<SideFit> sides;
  // Side k runs from corner k to corner k + 1; closed: the last one back to corner 0.
  std::vector<Vec> corners;
  bool closed = true;
  double noise = 0;   // robust standard deviation of the border about the curves, mm
  bool sound = true;  // false: sides crossed, ran away or found no border
};

// From rough corners, clockwise.
OutlineFit fit_outline(const Contour& contour, std::vector<Vec> corners,
                       const OutlineOptions& options);

// The corners again, with the evidence weighted anew (Bayesian block bootstrap, one step).
std::vector<Vec> resampled_corners(const OutlineFit& fit, Random& random);

}  // namespace spinekit::radiograph

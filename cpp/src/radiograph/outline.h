// A bone's outline as curved sides that meet in corners, fitted to its border so that beaks, leaks,
// bites and lost corners do not count.
//
// Weights are Geman and McClure's, their scale annealed from the bone's size down to the border's own
// noise (graduated non-convexity; Black & Rangarajan 1996, doi 10.1007/BF00131148). Corners are where
// neighbouring curves meet, so that rounded, broken or overgrown ones are replaced by what the sides
// say.
#pragma once

#include <vector>

#include "side_fit.h"

namespace spinekit::radiograph {

struct OutlineOptions {
  std::vector<SideRange> ranges;  // by side
  // Angles of other bones' sides, and what is known of all angles: of the sides first, then of these.
  std::vector<AngleEstimate> neighbours;
  std::vector<AngleRelation> relations;
  bool closed = true;
  double size = 0;  // mm; the square root of the area of a bone of that kind
};

struct OutlineFit {
  std::vector<SideFit> sides;
  // Side k runs from corner k to corner k + 1; closed: the last one back to corner 0.
  std::vector<Vec> corners;
  bool closed = true;
  double noise = 0;     // robust standard deviation of the border about the curves, mm
  double waviness = 0;  // of the border, mm^3
  double cost = 0;      // minus the logarithm of its probability, but for a constant
  bool sound = true;    // false: sides crossed, ran away or found no border
};

// From rough corners, clockwise.
OutlineFit fit_outline(const Contour& contour, std::vector<Vec> corners,
                       const OutlineOptions& options);

// Every side solved alone; with `random`, a bootstrap replicate. Sides that cannot be solved stay.
std::vector<SolvedSide> solve_sides(const OutlineFit& fit, Random* random);

// The corners of sides that are turned by these angles, radians. Corners where sides do not meet
// stay where they are, and the answer is false.
bool turned_corners(const std::vector<SolvedSide>& sides, const double* angles, bool closed,
                    std::vector<Vec>& corners);

}  // namespace spinekit::radiograph

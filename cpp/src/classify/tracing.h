// The outer border of one region, and what is measured on it.
#pragma once

#include <vector>

#include "runs.h"
#include "spinekit/pieces.h"

namespace spinekit::classify {

// The outer border of an 8-connected region from its first pixel in reading order, its inside on the
// left hand, only the ends of straight stretches. `runs` are the region's, sorted by row and column.
std::vector<PixelPoint> outer_border(const std::vector<Run>& runs);
// The same without a picture of the region; for regions whose box is too large for one.
std::vector<PixelPoint> outer_border_by_search(const std::vector<Run>& runs);

// Sets first, area, centroid and box, from the contour.
void measure(Piece& piece);

}  // namespace spinekit::classify

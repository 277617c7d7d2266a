// Fewer points for a contour, none of whose own is farther than a tolerance.
#pragma once

#include <vector>

#include "spinekit/pieces.h"

namespace spinekit::classify {

// A closed contour after Ramer, Douglas and Peucker, as cv2.approxPolyDP of OpenCV 5. Linking Debian's
// 4.6 would not do: it takes the distance to the whole line and cuts off thin spikes.
std::vector<PixelPoint> simplified(const std::vector<PixelPoint>& contour, double epsilon);

}  // namespace spinekit::classify

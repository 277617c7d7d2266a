// Otsu's threshold.
#pragma once

#include <array>
#include <cstdint>

namespace spinekit::classify {

using Histogram = std::array<std::int64_t, 256>;

// What cv2.threshold(..., THRESH_OTSU) gives for pixels of that histogram, to the last rounding: of
// levels that tell the two sides apart equally well it decides. IPP, where OpenCV uses it, rounds otherwise.
// 0 where there is one level only, or none.
int otsu_threshold(const Histogram& histogram);

}  // namespace spinekit::classify

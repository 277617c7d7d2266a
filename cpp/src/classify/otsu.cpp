#include "otsu.h"

#include <algorithm>
#include <cfloat>

namespace spinekit::classify {

int otsu_threshold(const Histogram& histogram) {
  std::int64_t pixels = 0;
  double mean = 0;
  for (int level = 0; level < 256; ++level) {
    const std::int64_t count = histogram[static_cast<std::size_t>(level)];
    pixels += count;
    mean += level * static_cast<double>(count);
  }
  const double share = 1.0 / static_cast<double>(pixels);
  mean *= share;
  double below = 0, mean_below = 0;  // of the levels up to the one at hand
  double greatest = 0;
  int threshold = 0;
  for (int level = 0; level < 256; ++level) {
    const double of_level = static_cast<double>(histogram[static_cast<std::size_t>(level)]) * share;
    mean_below *= below;
    below += of_level;
    const double above = 1.0 - below;
    if (std::min(below, above) < FLT_EPSILON || std::max(below, above) > 1.0 - FLT_EPSILON)
      continue;
    mean_below = (mean_below + level * of_level) / below;
    const double mean_above = (mean - below * mean_below) / above;
    const double between = below * above * (mean_below - mean_above) * (mean_below - mean_above);
    if (between > greatest) {
      greatest = between;
      threshold = level;
    }
  }
  return threshold;
}

}  // namespace spinekit::classify

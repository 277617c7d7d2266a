// Medians of weighted values.
#pragma once

#include <algorithm>
#include <vector>

namespace spinekit::radiograph {

struct WeightedValue {
  double value;
  double weight;
};

// The value below which half of the weight lies; reorders; not of an empty list.
inline double weighted_median(std::vector<WeightedValue>& values) {
  std::sort(values.begin(), values.end(),
            [](const WeightedValue& a, const WeightedValue& b) { return a.value < b.value; });
  double total = 0;
  for (const WeightedValue& value : values) total += value.weight;
  double sum = 0;
  for (const WeightedValue& value : values) {
    sum += value.weight;
    if (2 * sum >= total) return value.value;
  }
  return values.back().value;
}

}  // namespace spinekit::radiograph

#include "intervals.h"

#include <cmath>

namespace spinekit::radiograph {
namespace {

constexpr double kNormal95 = 1.959964;
// Of degraded phantom masks' errors over the spread of replicates: what blocks of one border cannot
// show, such as waves as long as a side (benchmarks/quality/measurement.py).
constexpr double kCalibration = 2.0;

}  // namespace

std::vector<Interval> intervals_of(const std::vector<double>& values,
                                   const std::vector<std::vector<double>>& replicates) {
  std::vector<Interval> intervals(values.size());
  for (std::size_t p = 0; p < values.size(); ++p) {
    if (std::isnan(values[p])) continue;
    double sum = 0;
    double count = 0;
    for (const std::vector<double>& replicate : replicates) {
      double difference = replicate[p] - values[p];
      if (std::isnan(difference)) continue;
      if (parameters()[p].unit == ParameterUnit::kDegree)
        difference = std::remainder(difference, 360.0);
      sum += difference * difference;
      count += 1;
    }
    if (count < 2) continue;
    const double reach = kNormal95 * kCalibration * std::sqrt(sum / count);
    intervals[p] = {values[p] - reach, values[p] + reach};
  }
  return intervals;
}

}  // namespace spinekit::radiograph

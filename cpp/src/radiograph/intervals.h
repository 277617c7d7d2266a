// 95 % intervals of values out of their bootstrap replicates.
#pragma once

#include <vector>

#include "spinekit/measurement.h"

namespace spinekit::radiograph {

// replicates[k][p]: parameter p in replicate k.
std::vector<Interval> intervals_of(const std::vector<double>& values,
                                   const std::vector<std::vector<double>>& replicates);

}  // namespace spinekit::radiograph

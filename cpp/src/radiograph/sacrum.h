// The superior endplate of S1, out of the sacrum's border.
#pragma once

#include <optional>
#include <string>

#include "outline.h"

namespace spinekit::radiograph {

struct EndplateFit {
  OutlineFit
      outline;  // sides: posterior wall, endplate, anterior wall; corners 1 and 2 end the endplate
  std::string problem;  // why S1 was not found; empty when it was
};

// The inferior endplate above.
struct EndplateAbove {
  Vec anterior;
  Vec posterior;
  AngleEstimate angle;  // of the line from anterior to posterior
};

// The border as seen with the patient looking to the right; `up`: unit, from the sacrum towards the
// lumbar spine; `above`: of L5, where it was found.
EndplateFit fit_endplate(Contour contour, Vec up, const std::optional<EndplateAbove>& above);

}  // namespace spinekit::radiograph

// A lumbar body's four corners, out of its border.
#pragma once

#include <string>

#include "outline.h"

namespace spinekit::radiograph {

struct BodyFit {
  OutlineFit
      outline;  // sides: superior, anterior, inferior, posterior; corner 0 superior posterior
  std::string problem;  // why it is no vertebral body; empty when it is
};

// The border as seen with the patient looking to the right; `level` 0 is L1; `down` is the unit
// direction of the lumbar spine there, towards the feet.
BodyFit fit_body(Contour contour, int level, Vec down);

}  // namespace spinekit::radiograph

// The report's algorithms 1 to 3, as written: whole pixels, one facing direction.
#pragma once

#include <string>

#include "component.h"

namespace spinekit::radiograph {

// The mask's pixels are those of the plane from 0.5 on, all pieces of it.
struct ReportedBody {
  std::array<FilmPoint, 4> corners;  // by Corner, for a patient who looks to the left
};
ReportedBody report_vertebra(const Plane& plane, const PixelBox& box);

// Anterior end first, for a patient who looks to the left.
std::array<FilmPoint, 2> report_sacrum(const Plane& plane, const PixelBox& box);

struct ReportedHead {
  FilmPoint centre;
  double radius = 0;  // of the disc of the same area, in pixels
};
ReportedHead report_head(const Plane& plane, const PixelBox& box);

}  // namespace spinekit::radiograph

// Where slices lie in the patient, and in which order (PS3.3 C.7.6.2, Image Plane module).
//
// Coordinates are LPS, millimetres. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spinekit/vectors.h"

namespace spinekit {

// What one slice's header says; absent where it does not.
struct SlicePlace {
  std::optional<Vector3> position;                   // ImagePositionPatient
  std::optional<std::array<double, 6>> orientation;  // ImageOrientationPatient
  std::optional<std::array<double, 2>> spacing_mm;   // of rows, of columns
  std::optional<double> number;                      // InstanceNumber, or the frame's
};

struct Geometry {
  // Between slices (along the way from one position to the next), rows, columns.
  std::array<std::optional<double>, 3> spacing_mm;
  // Of voxel (0, 0, 0), and the unit axes of slices, rows (downwards) and columns (rightwards). With
  // a tilted gantry the slice axis is not the normal of the slices. Absent without positions and a
  // common orientation of two directions that are about unit vectors, about at right angles.
  std::optional<Vector3> origin;
  std::array<Vector3, 3> axes{};
  bool regular = false;  // all steps equal within 1 %
  double tilt_deg = 0;   // between the slice axis and the normal
  double least_step_mm = 0;
  double largest_step_mm = 0;
  // How far a slice lies beside the line from the first to the last; more than a header's rounding
  // makes is no shear: the slice axis is the normal then, and `regular` is false.
  double largest_shift_mm = 0;
  std::int64_t duplicates = 0;     // slices that lie where the one before them lies
  std::vector<std::int64_t> gaps;  // slices behind which at least one is missing

  // In words: what a reader of the volume should know.
  [[nodiscard]] std::vector<std::string> findings() const;
};

struct Arrangement {
  std::vector<std::int64_t> order;  // order[k]: number of the place that becomes slice k
  Geometry geometry;
};

// Sorts along the normal, ascending; without positions or a common orientation, by number; ties stay
// in the order given.
Arrangement arrange(const std::vector<SlicePlace>& places);

// Whether two slices have one orientation, to within what rounding in a header makes (1e-4).
bool same_orientation(const SlicePlace& a, const SlicePlace& b);

}  // namespace spinekit

// Points as a detector sees them.
#pragma once

#include "spinekit/projection.h"

namespace spinekit {

class Perspective {
 public:
  // Error(kArgument) for a detector without area, steps that are not at right angles, or a source in
  // the detector's plane.
  explicit Perspective(const Beam& beam);

  struct Seen {
    double column = 0;
    double row = 0;
    double depth = 0;  // part of the way from the source to the detector
  };
  [[nodiscard]] Seen see(const Vector3& point) const;
  // From the source to the detector at a pixel.
  [[nodiscard]] Vector3 ray(double column, double row) const {
    return to_corner_ + column * beam_.column_step + row * beam_.row_step;
  }
  // 1 where triangles that rays leave through turn from column to row on the detector, else -1.
  [[nodiscard]] int handedness() const { return distance_ > 0 ? 1 : -1; }
  [[nodiscard]] const Beam& beam() const { return beam_; }

 private:
  Beam beam_;
  Vector3 to_corner_{};
  Vector3 normal_{};
  double distance_ = 0;
};

inline Vector3 vertex(const Mesh& mesh, std::int32_t index) {
  const double* p = mesh.vertices.data() + 3 * static_cast<std::ptrdiff_t>(index);
  return {p[0], p[1], p[2]};
}

// Error(kArgument) for numbers that are not finite, or triangles that name no vertex.
void check_mesh(const Mesh& mesh);

}  // namespace spinekit

#include "perspective.h"

#include <cmath>
#include <string>

#include "spinekit/error.h"

namespace spinekit {

Perspective::Perspective(const Beam& beam) : beam_(beam) {
  const double u = length(beam.column_step);
  const double v = length(beam.row_step);
  if (beam.rows < 1 || beam.columns < 1) throw_argument("a detector without pixels");
  if (!(u > 0 && v > 0 && u < 1e6 && v < 1e6) ||
      std::abs(dot(beam.column_step, beam.row_step)) > 1e-6 * u * v) {
    throw_argument("the detector's steps must be finite, not 0, and at right angles");
  }
  to_corner_ = beam.corner - beam.source;
  normal_ = (1 / (u * v)) * cross(beam.column_step, beam.row_step);
  distance_ = dot(normal_, to_corner_);
  if (!(std::abs(distance_) > 1e-6)) throw_argument("the source lies in the detector's plane");
}

Perspective::Seen Perspective::see(const Vector3& point) const {
  const Vector3 way = point - beam_.source;
  const double depth = dot(normal_, way) / distance_;
  if (!(depth > 1e-6)) throw_argument("a point lies behind the source");
  const Vector3 at = (1 / depth) * way - to_corner_;
  return {dot(at, beam_.column_step) / dot(beam_.column_step, beam_.column_step),
          dot(at, beam_.row_step) / dot(beam_.row_step, beam_.row_step), depth};
}

std::vector<std::array<double, 2>> project(const Beam& beam, std::span<const double> points) {
  if (points.size() % 3 != 0) throw_argument("points are not three numbers each");
  const Perspective perspective(beam);
  std::vector<std::array<double, 2>> out;
  out.reserve(points.size() / 3);
  for (std::size_t p = 0; p < points.size(); p += 3) {
    const auto seen = perspective.see({points[p], points[p + 1], points[p + 2]});
    out.push_back({seen.column, seen.row});
  }
  return out;
}

void check_mesh(const Mesh& mesh) {
  if (mesh.vertices.size() % 3 != 0 || mesh.triangles.size() % 3 != 0) {
    throw_argument("a mesh's vertices and triangles are three numbers each");
  }
  const auto count = static_cast<std::int64_t>(mesh.vertices.size() / 3);
  for (const std::int32_t index : mesh.triangles) {
    if (index < 0 || index >= count) {
      throw_argument("vertex " + std::to_string(index) + " of " + std::to_string(count));
    }
  }
  for (const double value : mesh.vertices) {
    if (!(std::abs(value) < 1e6)) throw_argument("a vertex that is not finite");
  }
}

}  // namespace spinekit

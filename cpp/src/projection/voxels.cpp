#include <algorithm>
#include <string>

#include "perspective.h"
#include "spinekit/error.h"
#include "triangles.h"

namespace spinekit {
namespace {

// ---- paint

// Where a line of voxels along x crosses a surface, in voxels.
struct Crossing {
  std::int64_t y = 0;
  double x = 0;
  int inwards = 0;  // 1 where it enters
};

struct GridTriangle {
  FixedTriangle outline;  // in y, z
  double x = 0;           // at y = z = 0
  double per_y = 0;
  double per_z = 0;
  double least = 0;
  double most = 0;
};

std::vector<GridTriangle> on_grid(const Mesh& mesh, const Grid& grid) {
  check_mesh(mesh);
  std::vector<GridTriangle> out;
  const auto at = [&](std::int32_t index) {
    const Vector3 p = vertex(mesh, index) - grid.origin;
    return Vector3{p[0] / grid.spacing[0], p[1] / grid.spacing[1], p[2] / grid.spacing[2]};
  };
  for (std::size_t t = 0; t < mesh.triangles.size(); t += 3) {
    const Vector3 a = at(mesh.triangles[t]);
    const Vector3 b = at(mesh.triangles[t + 1]);
    const Vector3 c = at(mesh.triangles[t + 2]);
    GridTriangle triangle{
        FixedTriangle(fixed_point(a[1], a[2]), fixed_point(b[1], b[2]), fixed_point(c[1], c[2]))};
    if (triangle.outline.orientation() == 0) continue;
    const Vector3 normal = cross(b - a, c - a);
    if (normal[0] != 0) {
      triangle.per_y = -normal[1] / normal[0];
      triangle.per_z = -normal[2] / normal[0];
    }
    triangle.x = a[0] - a[1] * triangle.per_y - a[2] * triangle.per_z;
    triangle.least = std::min({a[0], b[0], c[0]});
    triangle.most = std::max({a[0], b[0], c[0]});
    out.push_back(triangle);
  }
  return out;
}

void fill(float* line, std::int64_t columns, double from, double to, float value) {
  // Voxel i reaches from i - 0.5 to i + 0.5.
  const auto first = static_cast<std::int64_t>(std::max(std::floor(from + 0.5), 0.0));
  const auto last =
      static_cast<std::int64_t>(std::min(std::ceil(to + 0.5), static_cast<double>(columns)));
  for (std::int64_t i = first; i < last; ++i) {
    const auto middle = static_cast<double>(i);
    const auto part = static_cast<float>(std::min(to, middle + 0.5) - std::max(from, middle - 0.5));
    if (part > 0) line[i] += part * (value - line[i]);
  }
}

void paint_slice(const std::vector<GridTriangle>& triangles, float value, std::int64_t z,
                 const Grid& grid, float* slice, std::vector<Crossing>& crossings) {
  crossings.clear();
  for (const GridTriangle& triangle : triangles) {
    if (z < triangle.outline.first_row() || z >= triangle.outline.end_row()) continue;
    const auto [first, end] = triangle.outline.span(z, grid.size[1]);
    for (std::int64_t y = first; y < end; ++y) {
      const double x = triangle.x + static_cast<double>(y) * triangle.per_y +
                       static_cast<double>(z) * triangle.per_z;
      // The outward normal points to where y turns into z: along x, and the line leaves there.
      crossings.push_back(
          {y, std::clamp(x, triangle.least, triangle.most), -triangle.outline.orientation()});
    }
  }
  std::sort(crossings.begin(), crossings.end(), [](const Crossing& a, const Crossing& b) {
    return a.y != b.y ? a.y < b.y : (a.x != b.x ? a.x < b.x : a.inwards > b.inwards);
  });
  int depth = 0;
  double entered = 0;
  for (const Crossing& crossing : crossings) {
    if (depth == 0) entered = crossing.x;
    depth += crossing.inwards;
    if (depth == 0) {
      fill(slice + crossing.y * grid.size[0], grid.size[0], entered, crossing.x, value);
    }
  }
}

// ---- through

class Interpolator {
 public:
  explicit Interpolator(const VoxelField& field) : field_(field) {
    const Vector3 bc = cross(field.axes[1], field.axes[2]);
    const double volume = dot(field.axes[0], bc);
    if (!(std::abs(volume) > 1e-9)) throw_argument("the voxels' axes do not span space");
    if (!std::isfinite(length(field.origin))) throw_argument("voxels whose place is not finite");
    to_index_ = {(1 / volume) * bc, (1 / volume) * cross(field.axes[2], field.axes[0]),
                 (1 / volume) * cross(field.axes[0], field.axes[1])};
  }

  [[nodiscard]] Vector3 index(const Vector3& way) const {
    return {dot(to_index_[0], way), dot(to_index_[1], way), dot(to_index_[2], way)};
  }

  [[nodiscard]] float at(const Vector3& p) const {
    std::array<std::int64_t, 3> low{};
    std::array<float, 3> part{};
    bool inside = true;
    for (std::size_t a = 0; a < 3; ++a) {
      const double floored = std::floor(p[a]);
      low[a] = static_cast<std::int64_t>(floored);
      part[a] = static_cast<float>(p[a] - floored);
      inside = inside && low[a] >= 0 && low[a] + 1 < field_.size[a];
    }
    return inside ? within(low, part) : at_border(low, part);
  }

 private:
  [[nodiscard]] const float* voxel(std::int64_t i, std::int64_t j, std::int64_t k) const {
    return field_.values.data() + (k * field_.size[1] + j) * field_.size[0] + i;
  }

  [[nodiscard]] float within(const std::array<std::int64_t, 3>& low,
                             const std::array<float, 3>& part) const {
    const float* corner = voxel(low[0], low[1], low[2]);
    const std::int64_t row = field_.size[0];
    const std::int64_t slice = row * field_.size[1];
    const auto along = [&](const float* v) { return v[0] + part[0] * (v[1] - v[0]); };
    const float near = along(corner) + part[1] * (along(corner + row) - along(corner));
    const float* behind = corner + slice;
    const float far = along(behind) + part[1] * (along(behind + row) - along(behind));
    return near + part[2] * (far - near);
  }

  // Beyond the outermost centres the value fades out over one voxel.
  [[nodiscard]] float at_border(const std::array<std::int64_t, 3>& low,
                                const std::array<float, 3>& part) const {
    float sum = 0;
    for (int corner = 0; corner < 8; ++corner) {
      float weight = 1;
      std::array<std::int64_t, 3> i{};
      bool inside = true;
      for (std::size_t a = 0; a < 3; ++a) {
        const bool upper = (corner >> a & 1) != 0;
        i[a] = low[a] + (upper ? 1 : 0);
        weight *= upper ? part[a] : 1 - part[a];
        inside = inside && i[a] >= 0 && i[a] < field_.size[a];
      }
      if (inside && weight > 0) sum += weight * *voxel(i[0], i[1], i[2]);
    }
    return sum;
  }

  const VoxelField& field_;
  std::array<Vector3, 3> to_index_{};
};

float along(const Interpolator& voxels, const VoxelField& field, const Vector3& source,
            const Vector3& ray, double step_mm, AlongRay what) {
  const Vector3 start = voxels.index(source - field.origin);
  const Vector3 way = voxels.index(ray);
  double enter = 0;
  double leave = 1;
  for (std::size_t a = 0; a < 3; ++a) {
    const double low = -1;
    const auto high = static_cast<double>(field.size[a]);
    if (std::abs(way[a]) < 1e-12) {
      if (start[a] < low || start[a] > high) return 0;
      continue;
    }
    const double one = (low - start[a]) / way[a];
    const double other = (high - start[a]) / way[a];
    enter = std::max(enter, std::min(one, other));
    leave = std::min(leave, std::max(one, other));
  }
  if (enter >= leave) return 0;
  const double whole = length(ray);
  const auto steps = static_cast<std::int64_t>(std::ceil((leave - enter) * whole / step_mm));
  const double part = (leave - enter) / static_cast<double>(steps);
  double sum = 0;
  float most = 0;
  for (std::int64_t s = 0; s < steps; ++s) {
    const double t = enter + (static_cast<double>(s) + 0.5) * part;
    const float value = voxels.at(start + t * way);
    sum += value;
    most = std::max(most, value);
  }
  return what == AlongRay::kMost ? most : static_cast<float>(sum * part * whole);
}

}  // namespace

void paint(const std::vector<PaintedMesh>& meshes, const Grid& grid, std::span<float> out,
           Executor& executor, const CancelToken& cancel) {
  const std::int64_t slice = grid.size[0] * grid.size[1];
  for (std::size_t a = 0; a < 3; ++a) {
    if (!(grid.spacing[a] > 0) || grid.size[a] < 1) throw_argument("a grid without voxels");
  }
  if (slice * grid.size[2] != static_cast<std::int64_t>(out.size())) {
    throw_argument("the output is not (z, y, x) of the grid");
  }
  std::vector<std::vector<GridTriangle>> triangles(meshes.size());
  executor.parallel_for(
      static_cast<std::int64_t>(meshes.size()),
      [&](std::int64_t m) {
        const auto at = static_cast<std::size_t>(m);
        triangles[at] = on_grid(meshes[at].mesh, grid);
      },
      cancel);
  executor.parallel_for(
      grid.size[2],
      [&](std::int64_t z) {
        std::vector<Crossing> crossings;
        for (std::size_t m = 0; m < meshes.size(); ++m) {
          paint_slice(triangles[m], meshes[m].value, z, grid, out.data() + z * slice, crossings);
        }
      },
      cancel);
}

void through(const VoxelField& field, const Beam& beam, AlongRay what, std::span<float> out,
             Executor& executor, const CancelToken& cancel) {
  const Perspective perspective(beam);
  if (beam.rows * beam.columns != static_cast<std::int64_t>(out.size())) {
    throw_argument("the output is not (rows, columns)");
  }
  if (field.size[0] < 1 || field.size[1] < 1 || field.size[2] < 1 ||
      field.size[0] * field.size[1] * field.size[2] !=
          static_cast<std::int64_t>(field.values.size())) {
    throw_argument("the voxels are not (k, j, i) of the size given");
  }
  const Interpolator voxels(field);
  const double step =
      0.5 * std::min({length(field.axes[0]), length(field.axes[1]), length(field.axes[2])});
  executor.parallel_for(
      beam.rows,
      [&](std::int64_t row) {
        for (std::int64_t column = 0; column < beam.columns; ++column) {
          const Vector3 ray =
              perspective.ray(static_cast<double>(column), static_cast<double>(row));
          out[static_cast<std::size_t>(row * beam.columns + column)] =
              along(voxels, field, beam.source, ray, step, what);
        }
      },
      cancel);
}

}  // namespace spinekit

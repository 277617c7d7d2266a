#include <algorithm>
#include <string>

#include "perspective.h"
#include "spinekit/error.h"
#include "triangles.h"

namespace spinekit {
namespace {

// A triangle on the detector, with the depth of each pixel's ray in its plane.
struct SeenTriangle {
  FixedTriangle outline;
  double numerator = 0;  // depth = numerator / (constant + column * per_column + row * per_row)
  double constant = 0;
  double per_column = 0;
  double per_row = 0;
  double nearest = 0;
  double farthest = 0;
  double weight = 0;  // of the mesh; negative where rays enter it
};

struct SeenMesh {
  std::vector<SeenTriangle> triangles;
  double middle = 0;  // depths are taken from here, for the sake of precision
  std::int64_t channel = 0;
  std::int64_t first_row = 0;
  std::int64_t end_row = 0;
};

SeenMesh see(const WeightedMesh& weighted, const Perspective& perspective) {
  const Mesh& mesh = weighted.mesh;
  check_mesh(mesh);
  const Beam& beam = perspective.beam();
  std::vector<Perspective::Seen> seen;
  SeenMesh out;
  for (std::size_t v = 0; v < mesh.vertices.size() / 3; ++v) {
    seen.push_back(perspective.see(vertex(mesh, static_cast<std::int32_t>(v))));
  }
  out.middle = seen.empty() ? 0 : seen.front().depth;
  out.channel = weighted.channel;
  out.first_row = beam.rows;
  for (std::size_t t = 0; t < mesh.triangles.size(); t += 3) {
    const std::int32_t* corner = mesh.triangles.data() + t;
    const auto& a = seen[static_cast<std::size_t>(corner[0])];
    const auto& b = seen[static_cast<std::size_t>(corner[1])];
    const auto& c = seen[static_cast<std::size_t>(corner[2])];
    SeenTriangle triangle{FixedTriangle(fixed_point(a.column, a.row), fixed_point(b.column, b.row),
                                        fixed_point(c.column, c.row))};
    if (triangle.outline.orientation() == 0) continue;
    const std::int64_t first = std::max<std::int64_t>(triangle.outline.first_row(), 0);
    const std::int64_t end = std::min(triangle.outline.end_row(), beam.rows);
    if (first >= end) continue;
    out.first_row = std::min(out.first_row, first);
    out.end_row = std::max(out.end_row, end);
    const Vector3 at = vertex(mesh, corner[0]);
    const Vector3 normal = cross(vertex(mesh, corner[1]) - at, vertex(mesh, corner[2]) - at);
    triangle.numerator = dot(normal, at - beam.source);
    triangle.constant = dot(normal, perspective.ray(0, 0));
    triangle.per_column = dot(normal, beam.column_step);
    triangle.per_row = dot(normal, beam.row_step);
    triangle.nearest = std::min({a.depth, b.depth, c.depth});
    triangle.farthest = std::max({a.depth, b.depth, c.depth});
    // As it was rounded onto the detector: each ray must leave as often as it enters.
    triangle.weight = triangle.outline.orientation() * perspective.handedness() * weighted.weight;
    out.triangles.push_back(triangle);
  }
  return out;
}

void add(const SeenMesh& mesh, std::int64_t begin, std::int64_t end, std::int64_t columns,
         std::span<double> rows) {
  for (const SeenTriangle& triangle : mesh.triangles) {
    const std::int64_t first_row = std::max(triangle.outline.first_row(), begin);
    const std::int64_t end_row = std::min(triangle.outline.end_row(), end);
    for (std::int64_t row = first_row; row < end_row; ++row) {
      const auto [first, last] = triangle.outline.span(row, columns);
      double* out = rows.data() + (row - begin) * columns;
      const double base = triangle.constant + static_cast<double>(row) * triangle.per_row;
      for (std::int64_t column = first; column < last; ++column) {
        const double below = base + static_cast<double>(column) * triangle.per_column;
        // Seen edge-on the quotient means nothing; no point of the triangle lies beyond its corners.
        const double depth =
            std::clamp(triangle.numerator / below, triangle.nearest, triangle.farthest);
        out[column] += triangle.weight * (depth - mesh.middle);
      }
    }
  }
}

}  // namespace

void add_ray_sums(const std::vector<WeightedMesh>& meshes, const Beam& beam, std::span<float> out,
                  Executor& executor, const CancelToken& cancel) {
  const Perspective perspective(beam);
  const std::int64_t pixels = beam.rows * beam.columns;
  const std::int64_t channels = static_cast<std::int64_t>(out.size()) / pixels;
  if (channels * pixels != static_cast<std::int64_t>(out.size())) {
    throw_argument("the output is not (channels, rows, columns)");
  }
  for (const WeightedMesh& mesh : meshes) {
    if (mesh.channel < 0 || mesh.channel >= channels) {
      throw_argument("channel " + std::to_string(mesh.channel) + " of " + std::to_string(channels));
    }
  }
  std::vector<SeenMesh> seen(meshes.size());
  executor.parallel_for(
      static_cast<std::int64_t>(meshes.size()),
      [&](std::int64_t m) {
        const auto at = static_cast<std::size_t>(m);
        seen[at] = see(meshes[at], perspective);
      },
      cancel);
  constexpr std::int64_t kBand = 32;
  const std::int64_t bands = (beam.rows + kBand - 1) / kBand;
  executor.parallel_for(
      bands * channels,
      [&](std::int64_t item) {
        const std::int64_t channel = item / bands;
        const std::int64_t begin = item % bands * kBand;
        const std::int64_t end = std::min(begin + kBand, beam.rows);
        std::vector<double> depth(static_cast<std::size_t>((end - begin) * beam.columns));
        for (const SeenMesh& mesh : seen) {
          if (mesh.channel == channel && mesh.first_row < end && mesh.end_row > begin) {
            add(mesh, begin, end, beam.columns, depth);
          }
        }
        float* sums = out.data() + channel * pixels + begin * beam.columns;
        for (std::int64_t row = begin; row < end; ++row) {
          for (std::int64_t column = 0; column < beam.columns; ++column) {
            const std::int64_t at = (row - begin) * beam.columns + column;
            const Vector3 ray =
                perspective.ray(static_cast<double>(column), static_cast<double>(row));
            sums[at] += static_cast<float>(depth[static_cast<std::size_t>(at)] * length(ray));
          }
        }
      },
      cancel);
}

}  // namespace spinekit

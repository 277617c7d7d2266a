#include <algorithm>
#include <string>

#include "perspective.h"
#include "spinekit/error.h"
#include "triangles.h"

namespace spinekit {
namespace {

// Samples along each side of a pixel.
constexpr std::int64_t kSamples = 8;

struct Outline {
  std::vector<FixedTriangle> triangles;
  double top = 1e9;
  double bottom = -1e9;

  void add(const Mesh& mesh, const Perspective& perspective) {
    check_mesh(mesh);
    std::vector<FixedPoint> points;
    for (std::size_t v = 0; v < mesh.vertices.size() / 3; ++v) {
      const auto seen = perspective.see(vertex(mesh, static_cast<std::int32_t>(v)));
      top = std::min(top, seen.row);
      bottom = std::max(bottom, seen.row);
      // Sample s of pixel p lies at p + (s + 0.5) / kSamples - 0.5.
      constexpr double kShift = 0.5 * kSamples - 0.5;
      points.push_back(fixed_point(seen.column * kSamples + kShift, seen.row * kSamples + kShift));
    }
    for (std::size_t t = 0; t < mesh.triangles.size(); t += 3) {
      const auto corner = [&](std::size_t i) {
        return points[static_cast<std::size_t>(mesh.triangles[t + i])];
      };
      const FixedTriangle triangle(corner(0), corner(1), corner(2));
      // A closed surface covers its silhouette with either of its sides: one is enough.
      if (triangle.orientation() > 0) triangles.push_back(triangle);
    }
  }
};

void cover(const Outline& outline, const Beam& beam, float* out) {
  const auto clamped = [](double value, std::int64_t most) {
    return static_cast<std::int64_t>(std::clamp(value, 0.0, static_cast<double>(most)));
  };
  const std::int64_t top = clamped(std::floor(outline.top) - 1, beam.rows);
  const std::int64_t bottom = clamped(std::ceil(outline.bottom) + 2, beam.rows);
  const std::int64_t sample_columns = beam.columns * kSamples;
  std::vector<std::uint8_t> line(static_cast<std::size_t>(sample_columns));
  std::vector<const FixedTriangle*> here;
  for (std::int64_t row = top; row < bottom; ++row) {
    here.clear();
    for (const FixedTriangle& triangle : outline.triangles) {
      if (triangle.first_row() < (row + 1) * kSamples && triangle.end_row() > row * kSamples) {
        here.push_back(&triangle);
      }
    }
    if (here.empty()) continue;
    float* pixels = out + row * beam.columns;
    for (std::int64_t sample = row * kSamples; sample < (row + 1) * kSamples; ++sample) {
      std::int64_t left = sample_columns;
      std::int64_t right = 0;
      for (const FixedTriangle* triangle : here) {
        if (sample < triangle->first_row() || sample >= triangle->end_row()) continue;
        const auto [first, end] = triangle->span(sample, sample_columns);
        if (first >= end) continue;
        std::fill(line.begin() + first, line.begin() + end, std::uint8_t{1});
        left = std::min(left, first);
        right = std::max(right, end);
      }
      for (std::int64_t s = left; s < right; ++s) {
        if (line[static_cast<std::size_t>(s)] != 0) {
          pixels[s / kSamples] += 1.0F / static_cast<float>(kSamples * kSamples);
          line[static_cast<std::size_t>(s)] = 0;
        }
      }
    }
  }
}

}  // namespace

void silhouettes(const std::vector<Mesh>& meshes, const std::vector<std::int64_t>& group,
                 const Beam& beam, std::span<float> out, Executor& executor,
                 const CancelToken& cancel) {
  const Perspective perspective(beam);
  const std::int64_t pixels = beam.rows * beam.columns;
  const std::int64_t groups = static_cast<std::int64_t>(out.size()) / pixels;
  if (groups * pixels != static_cast<std::int64_t>(out.size()) || meshes.size() != group.size()) {
    throw_argument("the output is not (groups, rows, columns), or a mesh has no group");
  }
  for (const std::int64_t g : group) {
    if (g < 0 || g >= groups) {
      throw_argument("group " + std::to_string(g) + " of " + std::to_string(groups));
    }
  }
  executor.parallel_for(
      groups,
      [&](std::int64_t g) {
        Outline outline;
        for (std::size_t m = 0; m < meshes.size(); ++m) {
          if (group[m] == g) outline.add(meshes[m], perspective);
        }
        std::fill_n(out.data() + g * pixels, pixels, 0.0F);
        cover(outline, beam, out.data() + g * pixels);
      },
      cancel);
}

}  // namespace spinekit

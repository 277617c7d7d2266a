// Rays from a point source through closed surfaces and through volumes, onto a flat detector.
//
// Coordinates are the patient's (LPS), millimetres. Nothing is kept; inputs are borrowed for the call.
// Results do not depend on the number of workers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "spinekit/executor.h"
#include "spinekit/vectors.h"

namespace spinekit {

// A closed surface whose triangles are counterclockwise when seen from outside.
struct Mesh {
  std::span<const double> vertices;         // x, y, z of each
  std::span<const std::int32_t> triangles;  // three numbers of vertices each
};

// The detector's steps are at right angles to each other.
struct Beam {
  Vector3 source{};
  Vector3 corner{};       // centre of pixel (0, 0)
  Vector3 row_step{};     // from one row to the next
  Vector3 column_step{};  // from one column to the next
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

// Where points fall on the detector, in pixels (column, row). Error(kArgument) for a point that does
// not lie between the source's plane and infinity.
std::vector<std::array<double, 2>> project(const Beam& beam, std::span<const double> points);

// How far each pixel's ray runs within a mesh, in mm times the mesh's weight, added up for each
// channel: `out` is (channels, rows, columns) and is added to.
struct WeightedMesh {
  Mesh mesh;
  std::int64_t channel = 0;
  double weight = 1;
};

void add_ray_sums(const std::vector<WeightedMesh>& meshes, const Beam& beam, std::span<float> out,
                  Executor& executor, const CancelToken& cancel);

// Which part of each pixel the union of a group's meshes covers, 0 to 1, in steps of 1 / 64: `out` is
// (groups, rows, columns), `group` says where each mesh belongs.
void silhouettes(const std::vector<Mesh>& meshes, const std::vector<std::int64_t>& group,
                 const Beam& beam, std::span<float> out, Executor& executor,
                 const CancelToken& cancel);

// A grid of voxels along the patient's axes.
struct Grid {
  Vector3 origin{};                    // centre of voxel (0, 0, 0)
  Vector3 spacing{};                   // x, y, z, > 0
  std::array<std::int64_t, 3> size{};  // x, y, z
};

// Paints the inside of each mesh over what is there, one after the other; voxels at its border are
// mixed by the part of their row that lies inside. `out` is (z, y, x).
struct PaintedMesh {
  Mesh mesh;
  float value = 0;
};

void paint(const std::vector<PaintedMesh>& meshes, const Grid& grid, std::span<float> out,
           Executor& executor, const CancelToken& cancel);

// A volume of float32 voxels (k, j, i) anywhere in space: voxel (i, j, k) lies at origin + i axes[0] +
// j axes[1] + k axes[2].
struct VoxelField {
  std::span<const float> values;
  std::array<std::int64_t, 3> size{};  // i, j, k
  Vector3 origin{};
  std::array<Vector3, 3> axes{};
};

enum class AlongRay : std::uint8_t { kSum, kMost };

// For each pixel the integral (value times mm) or the greatest value along its ray, interpolated
// trilinearly at steps of half the least voxel side; outside the volume there is nothing.
void through(const VoxelField& field, const Beam& beam, AlongRay what, std::span<float> out,
             Executor& executor, const CancelToken& cancel);

}  // namespace spinekit

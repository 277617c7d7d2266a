#include "spinekit/projection.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "spinekit/error.h"

namespace {

using namespace spinekit;

constexpr double kPi = std::numbers::pi;

struct OwnedMesh {
  std::vector<double> vertices;
  std::vector<std::int32_t> triangles;

  [[nodiscard]] Mesh mesh() const { return {vertices, triangles}; }
};

OwnedMesh box(const Vector3& low, const Vector3& high) {
  OwnedMesh out;
  for (int v = 0; v < 8; ++v) {
    for (int a = 0; a < 3; ++a) out.vertices.push_back((v >> a & 1) != 0 ? high[a] : low[a]);
  }
  out.triangles = {0, 2, 1, 1, 2, 3, 4, 5, 6, 5, 7, 6, 0, 1, 4, 1, 5, 4,
                   2, 6, 3, 3, 6, 7, 0, 4, 2, 2, 4, 6, 1, 3, 5, 3, 7, 5};
  return out;
}

OwnedMesh sphere(const Vector3& centre, double radius, int along = 60, int around = 120) {
  OwnedMesh out;
  const auto add = [&](double polar, double turn) {
    out.vertices.push_back(centre[0] + radius * std::sin(polar) * std::cos(turn));
    out.vertices.push_back(centre[1] + radius * std::sin(polar) * std::sin(turn));
    out.vertices.push_back(centre[2] + radius * std::cos(polar));
  };
  add(0, 0);
  for (int i = 1; i < along; ++i) {
    for (int j = 0; j < around; ++j) add(kPi * i / along, 2 * kPi * j / around);
  }
  add(kPi, 0);
  const int last = 1 + (along - 1) * around;
  const auto at = [&](int i, int j) { return 1 + i * around + j % around; };
  for (int j = 0; j < around; ++j) {
    out.triangles.insert(out.triangles.end(), {0, at(0, j), at(0, j + 1)});
    out.triangles.insert(out.triangles.end(), {last, at(along - 2, j + 1), at(along - 2, j)});
    for (int i = 0; i + 2 < along; ++i) {
      out.triangles.insert(out.triangles.end(), {at(i, j), at(i + 1, j), at(i + 1, j + 1)});
      out.triangles.insert(out.triangles.end(), {at(i, j), at(i + 1, j + 1), at(i, j + 1)});
    }
  }
  return out;
}

// The patient at the origin, 1000 mm before the source, magnified 1.25 times; rows run down.
Beam lateral(std::int64_t rows = 200, std::int64_t columns = 160, double pixel = 0.5,
             bool mirrored = false) {
  const double way = mirrored ? -pixel : pixel;
  return {
      {-1000, 0, 0},
      {250, -way * static_cast<double>(columns - 1) / 2, pixel * static_cast<double>(rows - 1) / 2},
      {0, 0, -pixel},
      {0, way, 0},
      rows,
      columns};
}

std::vector<float> sums_of(const std::vector<OwnedMesh>& meshes, const Beam& beam,
                           int workers = 2) {
  std::vector<WeightedMesh> weighted;
  for (const OwnedMesh& mesh : meshes) weighted.push_back({mesh.mesh(), 0, 1});
  std::vector<float> out(static_cast<std::size_t>(beam.rows * beam.columns));
  Executor executor(workers);
  add_ray_sums(weighted, beam, out, executor, {});
  return out;
}

std::vector<float> silhouette_of(const std::vector<OwnedMesh>& meshes, const Beam& beam,
                                 int workers = 2) {
  std::vector<Mesh> views;
  for (const OwnedMesh& mesh : meshes) views.push_back(mesh.mesh());
  std::vector<float> out(static_cast<std::size_t>(beam.rows * beam.columns));
  Executor executor(workers);
  silhouettes(views, std::vector<std::int64_t>(views.size(), 0), beam, out, executor, {});
  return out;
}

double total(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += value;
  return sum;
}

// Length of a ray within a sphere at the origin.
double chord(const Beam& beam, double row, double column, double radius) {
  const Vector3 way = beam.corner + row * beam.row_step + column * beam.column_step - beam.source;
  const double closest = length(cross(beam.source, way)) / length(way);
  return closest < radius ? 2 * std::sqrt(radius * radius - closest * closest) : 0;
}

template <typename Work>
void check_argument(const Work& work) {
  try {
    work();
    FAIL("nothing was refused");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kArgument);
  }
}

}  // namespace

TEST_CASE("points fall where similar triangles put them") {
  const Beam beam = lateral();
  const std::vector<double> points{0, 0, 0, 0, 8, -4, 100, 8, -4};
  const auto seen = project(beam, points);
  CHECK(seen[0][0] == doctest::Approx(79.5));
  CHECK(seen[0][1] == doctest::Approx(99.5));
  CHECK(seen[1][0] == doctest::Approx(79.5 + 8 * 1.25 / 0.5));
  CHECK(seen[1][1] == doctest::Approx(99.5 + 4 * 1.25 / 0.5));
  CHECK(seen[2][0] == doctest::Approx(79.5 + 8 * (1250.0 / 1100.0) / 0.5));
}

TEST_CASE("a ray's way through a sphere is its chord") {
  for (const bool mirrored : {false, true}) {
    const Beam beam = lateral(200, 160, 0.5, mirrored);
    const std::vector<float> sums = sums_of({sphere({0, 0, 0}, 25)}, beam);
    double worst = 0;
    for (std::int64_t row = 0; row < beam.rows; ++row) {
      for (std::int64_t column = 0; column < beam.columns; ++column) {
        const double truth = chord(beam, static_cast<double>(row), static_cast<double>(column), 25);
        // At the rim the polyhedron is a little smaller than the sphere.
        if (truth > 20 || truth == 0) {
          const auto at = static_cast<std::size_t>(row * beam.columns + column);
          worst = std::max(worst, std::abs(sums[at] - truth));
        }
      }
    }
    CHECK(worst < 0.1);
  }
}

TEST_CASE("a box is as long as it is, wherever it is cut by the film's edge") {
  // Its sides run along the beam's axis nearly: a ray that enters in front leaves behind.
  const Beam beam = lateral(64, 64, 4);
  const std::vector<float> sums = sums_of({box({-30, -500, -500}, {30, 500, 500})}, beam);
  for (std::int64_t row = 0; row < beam.rows; ++row) {
    for (std::int64_t column = 0; column < beam.columns; ++column) {
      const Vector3 way = beam.corner + static_cast<double>(row) * beam.row_step +
                          static_cast<double>(column) * beam.column_step - beam.source;
      const double truth = 60 * length(way) / way[0];
      CHECK(sums[static_cast<std::size_t>(row * beam.columns + column)] ==
            doctest::Approx(truth).epsilon(1e-5));
    }
  }
}

TEST_CASE("weights add up, outlines cancel where one mesh is twice there") {
  const Beam beam = lateral();
  const OwnedMesh ball = sphere({3, -4, 5}, 20, 17, 23);
  std::vector<float> out(static_cast<std::size_t>(2 * beam.rows * beam.columns));
  Executor executor(2);
  add_ray_sums({{ball.mesh(), 0, 0.75}, {ball.mesh(), 0, -0.75}, {ball.mesh(), 1, 2}}, beam, out,
               executor, {});
  const auto half = out.begin() + static_cast<std::ptrdiff_t>(out.size() / 2);
  CHECK(std::all_of(out.begin(), half, [](float v) { return std::abs(v) < 1e-5F; }));
  CHECK(*std::max_element(half, out.end()) == doctest::Approx(80).epsilon(0.03));
  // Outside of the outline nothing is left over, not even where triangles are seen edge-on.
  CHECK(*std::min_element(half, out.end()) > -1e-4F);
}

TEST_CASE("a sphere's silhouette has the area of its projection, an ellipse about a circle") {
  const Beam beam = lateral();
  const std::vector<float> covered = silhouette_of({sphere({0, 0, 0}, 25)}, beam);
  // The tangent cone of a sphere on the axis cuts the detector in a circle.
  const double radius = 1250 * 25 / std::sqrt(1000.0 * 1000 - 25 * 25) / 0.5;
  CHECK(total(covered) == doctest::Approx(kPi * radius * radius).epsilon(2e-3));
  CHECK(*std::max_element(covered.begin(), covered.end()) == 1.0F);
  // Symmetric about the middle of the film.
  double moment = 0;
  for (std::int64_t row = 0; row < beam.rows; ++row) {
    for (std::int64_t column = 0; column < beam.columns; ++column) {
      moment += covered[static_cast<std::size_t>(row * beam.columns + column)] *
                (static_cast<double>(column) - 79.5);
    }
  }
  CHECK(std::abs(moment / total(covered)) < 2e-3);
}

TEST_CASE("a silhouette's coverage is exact for a box face on pixel borders, and a union for two") {
  // Seen from far away: 20 x 10 mm at 0.5 mm a pixel, borders amid pixels.
  Beam beam = lateral(60, 60);
  beam.source = {-1e6, 0, 0};
  beam.corner = {0, -0.5 * 29.5, 0.5 * 29.5};
  const OwnedMesh flat = box({-0.001, -10, -5}, {0.001, 10, 5});
  const std::vector<float> covered = silhouette_of({flat}, beam);
  CHECK(total(covered) == doctest::Approx(40 * 20).epsilon(1e-4));
  CHECK(silhouette_of({flat, flat}, beam) == covered);
  const OwnedMesh moved = box({-0.001, -5.125, -5}, {0.001, 14.875, 5});
  CHECK(total(silhouette_of({flat, moved}, beam)) == doctest::Approx(49.75 * 20).epsilon(5e-3));
}

TEST_CASE("results do not depend on the number of workers") {
  const Beam beam = lateral(150, 130);
  const std::vector<OwnedMesh> meshes{sphere({3, 5, -7}, 18, 20, 31), box({-9, -8, -7}, {6, 5, 4}),
                                      sphere({-30, 2, 9}, 22, 11, 13)};
  const auto sums = sums_of(meshes, beam, 1);
  const auto covered = silhouette_of(meshes, beam, 1);
  for (const int workers : {2, 8}) {
    CHECK(sums_of(meshes, beam, workers) == sums);
    CHECK(silhouette_of(meshes, beam, workers) == covered);
  }
}

TEST_CASE("painted voxels hold a sphere's volume; what comes later covers what was there") {
  const OwnedMesh ball = sphere({1, 2, 3}, 20);
  const OwnedMesh core = sphere({1, 2, 3}, 10);
  const Grid grid{{-30, -31, -28}, {1, 0.5, 2}, {64, 130, 32}};
  std::vector<float> out(64 * 130 * 32, 0.0F);
  Executor executor(2);
  paint({{ball.mesh(), 1.0F}}, grid, out, executor, {});
  CHECK(total(out) == doctest::Approx(4.0 / 3 * kPi * 8000).epsilon(5e-3));
  CHECK(*std::max_element(out.begin(), out.end()) == doctest::Approx(1));
  paint({{core.mesh(), 5.0F}}, grid, out, executor, {});
  CHECK(total(out) == doctest::Approx(4.0 / 3 * kPi * (8000 + 4 * 1000)).epsilon(5e-3));
}

TEST_CASE("rays through voxels agree with rays through the surface that was painted") {
  const Beam beam = lateral(80, 80, 1);
  const OwnedMesh ball = sphere({0, 0, 0}, 20);
  const Grid grid{{-25, -25, -25}, {0.5, 0.5, 0.5}, {101, 101, 101}};
  std::vector<float> voxels(101 * 101 * 101, 0.0F);
  Executor executor(2);
  paint({{ball.mesh(), 1.0F}}, grid, voxels, executor, {});
  const VoxelField field{
      voxels, grid.size, grid.origin, {Vector3{0.5, 0, 0}, Vector3{0, 0.5, 0}, Vector3{0, 0, 0.5}}};
  std::vector<float> out(80 * 80);
  through(field, beam, AlongRay::kSum, out, executor, {});
  const std::vector<float> truth = sums_of({ball}, beam);
  double worst = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (truth[i] > 25) worst = std::max<double>(worst, std::abs(out[i] - truth[i]));
  }
  CHECK(worst < 0.6);
  CHECK(total(out) == doctest::Approx(total(truth)).epsilon(2e-3));
  through(field, beam, AlongRay::kMost, out, executor, {});
  CHECK(*std::max_element(out.begin(), out.end()) == doctest::Approx(1));
  CHECK(*std::min_element(out.begin(), out.end()) == 0);
}

TEST_CASE("what cannot be projected is refused") {
  Executor executor(1);
  const OwnedMesh ball = sphere({0, 0, 0}, 5, 6, 8);
  std::vector<float> out(200 * 160);
  const auto sums = [&](const Mesh& mesh, const Beam& beam) {
    add_ray_sums({{mesh, 0, 1}}, beam, out, executor, {});
  };
  OwnedMesh broken = ball;
  broken.triangles[4] = 9999;
  check_argument([&] { sums(broken.mesh(), lateral()); });
  broken = ball;
  broken.vertices[1] = std::nan("");
  check_argument([&] { sums(broken.mesh(), lateral()); });
  check_argument([&] { sums(sphere({-1001, 0, 0}, 5, 6, 8).mesh(), lateral()); });
  Beam flat = lateral();
  flat.column_step = {0, 0, 1};
  check_argument([&] { sums(ball.mesh(), flat); });
  flat = lateral();
  flat.source = flat.corner;
  check_argument([&] { sums(ball.mesh(), flat); });
  check_argument([&] { silhouettes({ball.mesh()}, {1}, lateral(), out, executor, {}); });
  check_argument([&] { paint({{ball.mesh(), 1}}, {{}, {1, 0, 1}, {2, 2, 2}}, out, executor, {}); });
  const VoxelField field{out, {160, 200, 2}, {}, {Vector3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  check_argument([&] { through(field, lateral(), AlongRay::kSum, out, executor, {}); });
  std::vector<float> voxels(8);
  const double nowhere = std::nan("");
  check_argument([&] {
    paint({{ball.mesh(), 1}}, {{0, nowhere, 0}, {1, 1, 1}, {2, 2, 2}}, voxels, executor, {});
  });
  const VoxelField astray{
      voxels, {2, 2, 2}, {nowhere, 0, 0}, {Vector3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  check_argument([&] { through(astray, lateral(), AlongRay::kSum, out, executor, {}); });
}

TEST_CASE("a surface far larger than the detector is exact, or refused before numbers overflow") {
  const Beam fine = lateral(20, 16, 1e-3);
  const auto slab = [](double half) { return box({-1, -half, -half}, {1, half, half}); };
  // 875 000 pixels to each side, 7 million samples of silhouettes.
  for (const float sum : sums_of({slab(700)}, fine)) CHECK(sum == doctest::Approx(2).epsilon(1e-5));
  for (const float part : silhouette_of({slab(100)}, fine)) CHECK(part == 1);
  check_argument([&] { silhouette_of({slab(700)}, fine); });
  check_argument([&] { sums_of({slab(2000)}, fine); });
  std::vector<float> voxels(8);
  Executor executor(1);
  const OwnedMesh large = slab(700);
  const Grid tiny{{0, 0, 0}, {1e-4, 1e-4, 1e-4}, {2, 2, 2}};
  check_argument([&] { paint({{large.mesh(), 1}}, tiny, voxels, executor, {}); });
}

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bind.h"
#include "buffers.h"
#include "spinekit/projection.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

using Vertices = py::array_t<double, py::array::c_style>;
using Triangles = py::array_t<std::int32_t, py::array::c_style>;
using Floats = py::array_t<float, py::array::c_style>;

// Keeps its arrays; they must not change while the engine works on them.
struct PyMesh {
  PyMesh(Vertices v, Triangles t) : vertices(std::move(v)), triangles(std::move(t)) {
    if (vertices.ndim() != 2 || vertices.shape(1) != 3 || triangles.ndim() != 2 ||
        triangles.shape(1) != 3) {
      throw_argument("expected vertices (n, 3) of float64 and triangles (m, 3) of int32");
    }
    view = {{vertices.data(), static_cast<std::size_t>(vertices.size())},
            {triangles.data(), static_cast<std::size_t>(triangles.size())}};
  }

  Vertices vertices;
  Triangles triangles;
  Mesh view;
};

Floats zeros(std::vector<py::ssize_t> shape) {
  Floats out(std::move(shape));
  std::fill_n(out.mutable_data(), out.size(), 0.0F);
  return out;
}

std::span<float> span_of(Floats& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

Floats ray_sums(const std::vector<const PyMesh*>& meshes, const std::vector<std::int64_t>& channels,
                const std::vector<double>& weights, std::int64_t count, const Beam& beam,
                Executor& executor) {
  if (meshes.size() != channels.size() || meshes.size() != weights.size()) {
    throw_argument("expected a channel and a weight for each mesh");
  }
  std::vector<WeightedMesh> weighted;
  for (std::size_t m = 0; m < meshes.size(); ++m) {
    weighted.push_back({meshes[m]->view, channels[m], weights[m]});
  }
  Floats out = zeros({count, beam.rows, beam.columns});
  const auto span = span_of(out);
  const py::gil_scoped_release release;
  add_ray_sums(weighted, beam, span, executor, {});
  return out;
}

Floats silhouettes_of(const std::vector<const PyMesh*>& meshes,
                      const std::vector<std::int64_t>& groups, std::int64_t count, const Beam& beam,
                      Executor& executor) {
  std::vector<Mesh> views;
  for (const PyMesh* mesh : meshes) views.push_back(mesh->view);
  Floats out({count, beam.rows, beam.columns});
  const auto span = span_of(out);
  const py::gil_scoped_release release;
  silhouettes(views, groups, beam, span, executor, {});
  return out;
}

void paint_into(Floats& volume, const std::vector<const PyMesh*>& meshes,
                const std::vector<float>& values, const Vector3& origin, const Vector3& spacing,
                Executor& executor) {
  if (volume.ndim() != 3) throw_argument("expected a volume (z, y, x)");
  if (meshes.size() != values.size()) throw_argument("expected a value for each mesh");
  std::vector<PaintedMesh> painted;
  for (std::size_t m = 0; m < meshes.size(); ++m) painted.push_back({meshes[m]->view, values[m]});
  const Grid grid{origin, spacing, {volume.shape(2), volume.shape(1), volume.shape(0)}};
  const auto span = span_of(volume);
  const py::gil_scoped_release release;
  paint(painted, grid, span, executor, {});
}

Floats through_volume(const Floats& volume, const Vector3& origin,
                      const std::array<Vector3, 3>& axes, const Beam& beam, bool most,
                      Executor& executor) {
  if (volume.ndim() != 3) throw_argument("expected a volume (k, j, i)");
  const VoxelField field{{volume.data(), static_cast<std::size_t>(volume.size())},
                         {volume.shape(2), volume.shape(1), volume.shape(0)},
                         origin,
                         axes};
  Floats out({beam.rows, beam.columns});
  const auto span = span_of(out);
  const py::gil_scoped_release release;
  through(field, beam, most ? AlongRay::kMost : AlongRay::kSum, span, executor, {});
  return out;
}

}  // namespace

void bind_projection(py::module_& module) {
  py::classh<PyMesh>(module, "Mesh",
                     "A closed surface, its triangles counterclockwise as seen from outside.")
      .def(py::init<Vertices, Triangles>(), py::arg("vertices").noconvert(),
           py::arg("triangles").noconvert())
      .def_readonly("vertices", &PyMesh::vertices)
      .def_readonly("triangles", &PyMesh::triangles);

  py::classh<Beam>(module, "Beam", "A point source and a flat detector; patient coordinates, mm.")
      .def(py::init([](const Vector3& source, const Vector3& corner, const Vector3& row_step,
                       const Vector3& column_step, std::int64_t rows, std::int64_t columns) {
             constexpr std::int64_t kMost = 1 << 15;
             if (rows < 1 || columns < 1 || rows > kMost || columns > kMost) {
               throw_argument(std::to_string(rows) + " rows x " + std::to_string(columns) +
                              " columns: expected 1 to 32768 of each");
             }
             return Beam{source, corner, row_step, column_step, rows, columns};
           }),
           py::arg("source"), py::arg("corner"), py::arg("row_step"), py::arg("column_step"),
           py::arg("rows"), py::arg("columns"))
      .def_readonly("source", &Beam::source)
      .def_readonly("corner", &Beam::corner)
      .def_readonly("row_step", &Beam::row_step)
      .def_readonly("column_step", &Beam::column_step)
      .def_readonly("rows", &Beam::rows)
      .def_readonly("columns", &Beam::columns)
      .def(
          "project",
          [](const Beam& beam, const Vertices& points) {
            const auto seen =
                project(beam, {points.data(), static_cast<std::size_t>(points.size())});
            py::array_t<double> out({static_cast<py::ssize_t>(seen.size()), py::ssize_t{2}});
            std::copy_n(reinterpret_cast<const double*>(seen.data()), 2 * seen.size(),
                        out.mutable_data());
            return out;
          },
          py::arg("points"), "Where points (n, 3) fall, in pixels (column, row), shape (n, 2).");

  module.def("ray_sums", &ray_sums, py::arg("meshes"), py::arg("channels"), py::arg("weights"),
             py::arg("count"), py::arg("beam"), py::arg("executor"),
             "Lengths of each pixel's ray within meshes, in mm times their weights, added up per "
             "channel: float32 (count, rows, columns).");
  module.def("silhouettes", &silhouettes_of, py::arg("meshes"), py::arg("groups"), py::arg("count"),
             py::arg("beam"), py::arg("executor"),
             "Part of each pixel that the union of a group's meshes covers: float32 (count, rows, "
             "columns).");
  module.def(
      "paint", &paint_into, py::arg("volume").noconvert(), py::arg("meshes"), py::arg("values"),
      py::arg("origin"), py::arg("spacing"), py::arg("executor"),
      "Paint the inside of meshes into a float32 volume (z, y, x), one over the other; origin "
      "and spacing are (x, y, z).");
  module.def("through", &through_volume, py::arg("volume").noconvert(), py::arg("origin"),
             py::arg("axes"), py::arg("beam"), py::arg("most"), py::arg("executor"),
             "Integral along each pixel's ray through a float32 volume (k, j, i), or the greatest "
             "value: float32 (rows, columns).");
}

}  // namespace spinekit::bindings

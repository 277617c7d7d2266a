#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "bind.h"
#include "pictures.h"
#include "spinekit/artwork.h"
#include "spinekit/error.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

using Levels = py::array_t<std::uint8_t, py::array::c_style>;

// Finders do not tell their width otherwise.
struct BoundArtwork : ArtworkFinder {
  BoundArtwork(std::int64_t width_in, std::int64_t height, std::int64_t memory_limit)
      : ArtworkFinder(width_in, height, memory_limit), width(width_in) {}

  std::int64_t width;
};

void count(BoundArtwork& self, const py::array& picture, Executor& executor,
           const CancelToken& cancel, std::optional<Levels>& levels) {
  const PictureView rows = picture_view(picture);
  if (levels &&
      (levels->ndim() != 2 || levels->shape(0) != rows.rows || levels->shape(1) != rows.columns)) {
    throw_argument("levels: expected bytes of the picture's size");
  }
  std::uint8_t* const out = levels ? levels->mutable_data() : nullptr;
  const py::gil_scoped_release release;
  self.count(rows, executor, cancel, out);
}

void add_levels(BoundArtwork& self, const Levels& levels, Executor& executor,
                const CancelToken& cancel) {
  if (levels.ndim() != 2 || levels.shape(1) != self.width) {
    throw_argument("levels: expected bytes (rows, " + std::to_string(self.width) + ")");
  }
  const std::uint8_t* const from = levels.data();
  const std::int64_t rows = levels.shape(0);
  const py::gil_scoped_release release;
  self.add_levels(from, rows, executor, cancel);
}

}  // namespace

void bind_artwork(py::module_& module) {
  py::classh<BoundArtwork>(module, "ArtworkFinder",
                           "Rows of a scan in, twice; the artwork's box out.")
      .def(py::init<std::int64_t, std::int64_t, std::int64_t>(), py::arg("width"),
           py::arg("height"), py::arg("memory_limit") = std::int64_t{128} << 20)
      .def("count", &count, py::arg("picture"), py::arg("executor"), py::arg("cancel"),
           py::arg("levels").noconvert() = py::none(),
           "The next rows of the first pass; levels, uint8 (rows, columns), gets what add_levels "
           "takes.")
      .def(
          "add",
          [](BoundArtwork& self, const py::array& picture, Executor& executor,
             const CancelToken& cancel) {
            const PictureView rows = picture_view(picture);
            const py::gil_scoped_release release;
            self.add(rows, executor, cancel);
          },
          py::arg("picture"), py::arg("executor"), py::arg("cancel"),
          "The next rows of the second pass.")
      .def("add_levels", &add_levels, py::arg("levels").noconvert(), py::arg("executor"),
           py::arg("cancel"), "The same, of what count made of them.")
      .def(
          "finish", [](BoundArtwork& self) { return tuple_of(self.finish()); },
          py::call_guard<py::gil_scoped_release>(),
          "(x, y, width, height), or None where nothing is large enough; once.")
      .def_property_readonly(
          "threshold", [](const BoundArtwork& self) { return self.threshold(); },
          "The b of Lab above which pixels are paper, once all are counted.")
      .def_property_readonly("peak_memory",
                             [](const BoundArtwork& self) { return self.peak_memory(); });

  module.def(
      "edges_boundary",
      [](const py::array& preview) {
        const PictureView view = picture_view(preview);
        const py::gil_scoped_release release;
        return tuple_of(edges_boundary(view));
      },
      py::arg("preview"), "The box of the straight edges of an RGB preview of 8 bits, or None.");
}

}  // namespace spinekit::bindings

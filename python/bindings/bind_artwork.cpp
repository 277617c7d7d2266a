#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bind.h"
#include "pictures.h"
#include "spinekit/artwork.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

using Pass = void (ArtworkFinder::*)(const PictureView&, Executor&, const CancelToken&);

auto pass(Pass take) {
  return [take](ArtworkFinder& self, const py::array& picture, Executor& executor,
                const CancelToken& cancel) {
    const PictureView rows = picture_view(picture);
    const py::gil_scoped_release release;
    (self.*take)(rows, executor, cancel);
  };
}

}  // namespace

void bind_artwork(py::module_& module) {
  py::classh<ArtworkFinder>(module, "ArtworkFinder",
                            "Rows of a scan in, twice; the artwork's box out.")
      .def(py::init<std::int64_t, std::int64_t, std::int64_t>(), py::arg("width"),
           py::arg("height"), py::arg("memory_limit") = std::int64_t{128} << 20)
      .def("count", pass(&ArtworkFinder::count), py::arg("picture"), py::arg("executor"),
           py::arg("cancel"), "The next rows of the first pass.")
      .def("add", pass(&ArtworkFinder::add), py::arg("picture"), py::arg("executor"),
           py::arg("cancel"), "The next rows of the second pass.")
      .def(
          "finish", [](ArtworkFinder& self) { return tuple_of(self.finish()); },
          py::call_guard<py::gil_scoped_release>(),
          "(x, y, width, height), or None where nothing is large enough; once.")
      .def_property_readonly("threshold", &ArtworkFinder::threshold,
                             "The b of Lab above which pixels are paper, once all are counted.")
      .def_property_readonly("peak_memory", &ArtworkFinder::peak_memory);

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

#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include "bind.h"
#include "buffers.h"
#include "spinekit/zip_stream.h"

namespace py = pybind11;

namespace spinekit::bindings {

void bind_archive(py::module_& module) {
  py::classh<ZipEntry>(module, "ZipEntry", py::buffer_protocol(),
                       "An entry out of a ZIP stream; its unpacked bytes as a buffer.")
      .def_buffer([](ZipEntry& self) {
        return py::buffer_info(self.bytes.data(), static_cast<py::ssize_t>(self.bytes.size()),
                               true);
      })
      .def_property_readonly(
          "name",
          [](const ZipEntry& self) {
            return py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
                self.name.data(), static_cast<py::ssize_t>(self.name.size()), "surrogateescape"));
          })
      .def_readonly("directory", &ZipEntry::directory)
      .def_property_readonly("problem", [](const ZipEntry& self) { return text_of(self.problem); })
      .def("tobytes",
           [](const ZipEntry& self) {
             return py::bytes(reinterpret_cast<const char*>(self.bytes.data()), self.bytes.size());
           })
      .def("__len__", [](const ZipEntry& self) { return self.bytes.size(); });

  py::classh<ZipStream>(module, "ZipStream", "A ZIP read forward only, from chunks.")
      .def(py::init([] { return std::make_unique<ZipStream>(); }))
      .def(
          "feed",
          [](ZipStream& self, const py::buffer& chunk) {
            const BytesView view(chunk);
            const py::gil_scoped_release release;
            self.feed(view.bytes());
          },
          py::arg("chunk"))
      .def("next", [](ZipStream& self) { return self.next(); })
      .def("finish", &ZipStream::finish)
      .def_property_readonly("directory_reached", &ZipStream::directory_reached)
      .def_property_readonly("consumed", &ZipStream::consumed);

  module.def(
      "unpack_entry",
      [](const py::buffer& raw, int method, std::int64_t size, std::uint32_t crc) {
        const BytesView view(raw);
        ZipEntry entry;
        {
          const py::gil_scoped_release release;
          entry.bytes = unpack_entry(view.bytes(), method, size, crc);
        }
        return entry;
      },
      py::arg("raw"), py::arg("method"), py::arg("size"), py::arg("crc"),
      "The unpacked bytes of an entry whose packed bytes are `raw`.");
  module.def(
      "unpack_prefix",
      [](const py::buffer& raw, int method, std::int64_t want) {
        const BytesView view(raw);
        const Buffer found = unpack_prefix(view.bytes(), method, want);
        return py::bytes(reinterpret_cast<const char*>(found.data()), found.size());
      },
      py::arg("raw"), py::arg("method"), py::arg("want"),
      "The first unpacked bytes of an entry, from its first packed ones.");
  module.def(
      "local_header_bytes",
      [](const py::buffer& first30) { return local_header_bytes(BytesView(first30).bytes()); },
      py::arg("first30"), "So far behind a local header's offset its entry's bytes begin.");
}

}  // namespace spinekit::bindings

#include <pybind11/native_enum.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <optional>

#include "bind.h"
#include "buffers.h"
#include "spinekit/dicom.h"
#include "spinekit/transcode.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

template <auto Member>
auto text_property() {
  return [](const Transcoded& self) { return text_of(self.*Member); };
}

// A file's name: bytes where it is no UTF-8.
using FileName = py::typing::Union<py::str, py::bytes>;

using PixelsOfFile = py::typing::Tuple<py::array, int, py::typing::List<py::str>>;

PixelsOfFile pixels_of_file(const py::buffer& source, const FileName& file_name, Executor& executor,
                            const CancelToken& cancel) {
  const BytesView view(source);
  const auto name = file_name.cast<std::string>();
  Pixels pixels;
  {
    const py::gil_scoped_release release;
    pixels = read_pixels(view.bytes(), name, executor, cancel);
  }
  std::vector<py::ssize_t> shape;
  if (pixels.frames > 1) shape.push_back(pixels.frames);
  shape.push_back(pixels.format.rows);
  shape.push_back(pixels.format.columns);
  if (pixels.format.samples > 1) shape.push_back(pixels.format.samples);
  py::list warnings;
  for (const std::string& warning : pixels.warnings) warnings.append(text_of(warning));
  return py::make_tuple(array_owning(std::move(pixels.bytes), dtype_of(pixels.format), shape),
                        pixels.format.bits_stored, warnings);
}

// Text of the named elements, absent ones left out; sequences and binary values are not for this.
using Header = py::typing::Dict<py::object, py::object>;

Header read_header(const py::buffer& source, const FileName& file_name,
                   const std::vector<std::pair<int, int>>& tags) {
  const BytesView view(source);
  const auto name = file_name.cast<std::string>();
  return with_name(name, [&] {
    std::optional<DataSet> parsed;
    {
      const py::gil_scoped_release release;
      parsed.emplace(view.bytes());
    }
    const DataSet& data_set = *parsed;
    Header out;
    for (const auto& [group, element] : tags) {
      const Tag tag{static_cast<std::uint16_t>(group), static_cast<std::uint16_t>(element)};
      if (data_set.find(tag) == nullptr) continue;
      const py::tuple key = py::make_tuple(group, element);
      if (tag.group == 0x0028 && tag.element < 0x0104 && tag.element != 0x0004 &&
          tag.element != 0x0008 && tag.element != 0x0030) {
        out[key] = data_set.integer(tag).value_or(0);
      } else {
        const std::string text = data_set.text(tag);
        out[key] = py::reinterpret_steal<py::str>(
            PyUnicode_DecodeLatin1(text.data(), static_cast<py::ssize_t>(text.size()), nullptr));
      }
    }
    out["transfer_syntax"] = text_of(data_set.syntax().uid);
    out["has_pixels"] = data_set.find({0x7FE0, 0x0010}) != nullptr;
    return out;
  });
}

Transcoded run(const py::buffer& source, const FileName& file_name, const FileName& target_path,
               const TranscodeOptions& options, Executor& executor, const CancelToken& cancel) {
  const BytesView view(source);
  const auto name = file_name.cast<std::string>();
  const auto target = target_path.cast<std::string>();
  const py::gil_scoped_release release;
  return transcode(view.bytes(), name, target, options, executor, cancel);
}

}  // namespace

void bind_dicom(py::module_& module) {
  py::native_enum<Target>(module, "Target", "enum.Enum", "What transcode() makes.")
      .value("J2K_LOSSLESS", Target::kJ2kLossless)
      .value("JPEGLS_LOSSLESS", Target::kJpegLsLossless)
      .value("HTJ2K_LOSSLESS", Target::kHtj2kLossless)
      .value("J2K_RATIO", Target::kJ2kRatio)
      .value("J2K_QUALITY", Target::kJ2kQuality)
      .value("NATIVE", Target::kNative)
      .finalize();

  py::classh<TranscodeOptions>(module, "TranscodeOptions", "How transcode() makes it.")
      .def(py::init([](Target target, double ratio, double quality, bool force_lossy, bool verify,
                       bool overwrite, std::string software) {
             return TranscodeOptions{
                 target, ratio, quality, force_lossy, verify, overwrite, std::move(software)};
           }),
           py::arg("target"), py::arg("ratio") = 0.0, py::arg("quality") = 0.0,
           py::arg("force_lossy") = false, py::arg("verify") = true, py::arg("overwrite") = false,
           py::arg("software") = "spinekit");

  py::classh<Transcoded>(module, "Transcoded", "What transcode() made, measured.")
      .def_readonly("lossless", &Transcoded::lossless)
      .def_readonly("derived", &Transcoded::derived)
      .def_readonly("verified", &Transcoded::verified)
      .def_readonly("source_lossy", &Transcoded::source_lossy)
      .def_property_readonly("source_transfer_syntax",
                             text_property<&Transcoded::source_transfer_syntax>())
      .def_property_readonly("target_transfer_syntax",
                             text_property<&Transcoded::target_transfer_syntax>())
      .def_property_readonly("source_sop_instance_uid",
                             text_property<&Transcoded::source_sop_instance_uid>())
      .def_property_readonly("target_sop_instance_uid",
                             text_property<&Transcoded::target_sop_instance_uid>())
      .def_property_readonly("photometric", text_property<&Transcoded::photometric>())
      .def_readonly("rows", &Transcoded::rows)
      .def_readonly("columns", &Transcoded::columns)
      .def_readonly("frames", &Transcoded::frames)
      .def_readonly("samples", &Transcoded::samples)
      .def_readonly("bits_stored", &Transcoded::bits_stored)
      .def_readonly("is_signed", &Transcoded::is_signed)
      .def_readonly("source_bytes", &Transcoded::source_bytes)
      .def_readonly("target_bytes", &Transcoded::target_bytes)
      .def_readonly("pixel_bytes", &Transcoded::pixel_bytes)
      .def_readonly("target_pixel_bytes", &Transcoded::target_pixel_bytes)
      .def_readonly("padding_bytes", &Transcoded::padding_bytes)
      .def_readonly("encodes", &Transcoded::encodes)
      .def_readonly("differences", &Transcoded::differences)
      .def_readonly("structural_similarity", &Transcoded::structural_similarity)
      .def_readonly("source_sha256", &Transcoded::source_sha256)
      .def_readonly("target_sha256", &Transcoded::target_sha256)
      .def_readonly("pixel_sha256", &Transcoded::pixel_sha256)
      .def_readonly("encode_seconds", &Transcoded::encode_seconds)
      .def_readonly("write_seconds", &Transcoded::write_seconds)
      .def_readonly("verify_seconds", &Transcoded::verify_seconds)
      .def_property_readonly("warnings", [](const Transcoded& self) {
        py::typing::List<py::str> out;
        for (const std::string& warning : self.warnings) {
          out.append(text_of(warning));
        }
        return out;
      });

  module.def("transcode", &run, py::arg("source"), py::arg("name"), py::arg("target"),
             py::arg("options"), py::arg("executor"), py::arg("cancel"),
             "Compress or decompress the bytes of one DICOM file into the file `target`.");
  module.def("read_pixels", &pixels_of_file, py::arg("source"), py::arg("name"),
             py::arg("executor"), py::arg("cancel"),
             "Stored values, BitsStored and warnings of one DICOM file.");
  module.def("read_header", &read_header, py::arg("source"), py::arg("name"), py::arg("tags"),
             "Text or integer of the named elements that are there.");
  module.def("dicom_versions", &dicom_versions, "Names and versions of the DICOM libraries.");
}

}  // namespace spinekit::bindings

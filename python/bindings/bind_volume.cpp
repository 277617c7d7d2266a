#include <pybind11/native_enum.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include "bind.h"
#include "buffers.h"
#include "errors.h"
#include "spinekit/loader.h"
#include "spinekit/series.h"
#include "spinekit/volume.h"
#include "spinekit/zip_stream.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

py::dtype voxel_dtype(VoxelType type) {
  switch (type) {
    case VoxelType::kUint8:
      return py::dtype::of<std::uint8_t>();
    case VoxelType::kInt8:
      return py::dtype::of<std::int8_t>();
    case VoxelType::kUint16:
      return py::dtype::of<std::uint16_t>();
    case VoxelType::kInt16:
      return py::dtype::of<std::int16_t>();
    case VoxelType::kUint32:
      return py::dtype::of<std::uint32_t>();
    case VoxelType::kInt32:
      return py::dtype::of<std::int32_t>();
    case VoxelType::kFloat32:
      return py::dtype::of<float>();
    case VoxelType::kFloat64:
      break;
  }
  return py::dtype::of<double>();
}

VoxelType type_of(const py::dtype& dtype) {
  for (const VoxelType type :
       {VoxelType::kUint8, VoxelType::kInt8, VoxelType::kUint16, VoxelType::kInt16,
        VoxelType::kUint32, VoxelType::kInt32, VoxelType::kFloat32, VoxelType::kFloat64}) {
    if (voxel_dtype(type).equal(dtype)) return type;
  }
  throw_argument("voxels of dtype " + py::str(dtype).cast<std::string>() +
                 ", expected 8-, 16- or 32-bit integers, float32 or float64");
}

std::vector<py::ssize_t> slice_shape(const VolumeLayout& layout) {
  std::vector<py::ssize_t> shape{layout.rows, layout.columns};
  if (layout.samples > 1) shape.push_back(layout.samples);
  return shape;
}

// Destroying what joins threads must not hold the GIL that they may be waiting for.
template <typename T>
std::shared_ptr<T> without_gil(T* object) {
  return std::shared_ptr<T>(object, [](T* self) { delete_without_gil(self); });
}

py::array array_over(py::handle owner, const py::dtype& dtype,
                     const std::vector<py::ssize_t>& shape, const void* data) {
  return {dtype, shape, data, owner};
}

py::array read_only(py::array array) {
  array.attr("flags").attr("writeable") = false;
  return array;
}

std::chrono::nanoseconds nanoseconds(double seconds) {
  constexpr double kLongest = 3600;
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(std::clamp(seconds, 0.0, kLongest) * 1e9));
}

using PythonError = py::typing::Union<py::str, py::object>;
using ArrivalTuple = py::typing::Tuple<int, SliceState, double>;
using FailureTuple = py::typing::Tuple<int, py::object>;
using WarningTuple = py::typing::Tuple<int, py::str>;
using WantedTuple = py::typing::Tuple<int, int>;

py::typing::List<ArrivalTuple> arrivals(const Volume& volume, std::int64_t first, double seconds) {
  std::vector<Arrival> found;
  {
    const py::gil_scoped_release release;
    found = volume.arrivals(first, nanoseconds(seconds));
  }
  py::typing::List<ArrivalTuple> out;
  for (const Arrival& arrival : found) {
    out.append(py::make_tuple(arrival.index, arrival.state, arrival.seconds));
  }
  return out;
}

void bind_voxels(py::module_& module) {
  py::native_enum<SliceState>(module, "SliceState", "enum.IntEnum",
                              "How much of a slice is there: nothing, a picture of reduced "
                              "resolution brought to full size, everything.")
      .value("EMPTY", SliceState::kEmpty)
      .value("COARSE", SliceState::kCoarse)
      .value("FULL", SliceState::kFull)
      .finalize();

  py::classh<Volume>(module, "VolumeMemory", "Voxels that fill, and the record of what came.")
      .def(py::init([](std::int64_t slices, std::int64_t rows, std::int64_t columns, int samples,
                       const py::dtype& dtype, double fill) {
             return std::make_shared<Volume>(
                 VolumeLayout{slices, rows, columns, samples, type_of(dtype), fill});
           }),
           py::arg("slices"), py::arg("rows"), py::arg("columns"), py::arg("samples"),
           py::arg("dtype"), py::arg("fill"))
      .def_property_readonly("array",
                             [](const py::object& self) {
                               auto& volume = self.cast<Volume&>();
                               std::vector<py::ssize_t> shape = slice_shape(volume.layout());
                               shape.insert(shape.begin(), volume.layout().slices);
                               return array_over(self, voxel_dtype(volume.layout().type), shape,
                                                 volume.data());
                             })
      .def_property_readonly(
          "loaded",
          [](const py::object& self) {
            const auto& volume = self.cast<const Volume&>();
            return read_only(
                array_over(self, py::dtype::of<bool>(), {volume.layout().slices}, volume.loaded()));
          })
      .def_property_readonly(
          "states",
          [](const py::object& self) {
            const auto& volume = self.cast<const Volume&>();
            return read_only(array_over(self, py::dtype::of<std::uint8_t>(),
                                        {volume.layout().slices}, volume.states()));
          })
      .def("arrivals", &arrivals, py::arg("first"), py::arg("seconds"))
      .def_property_readonly("failures",
                             [](const Volume& self) {
                               py::typing::List<FailureTuple> out;
                               for (const auto& [index, error] : self.failures()) {
                                 out.append(py::make_tuple(index, exception_of(error)));
                               }
                               return out;
                             })
      .def_property_readonly("warnings",
                             [](const Volume& self) {
                               py::typing::List<WarningTuple> out;
                               for (const auto& [index, warning] : self.warnings()) {
                                 out.append(py::make_tuple(index, text_of(warning)));
                               }
                               return out;
                             })
      .def_property_readonly("closed", &Volume::closed)
      .def(
          "place_voxels",
          [](Volume& self, std::int64_t index, const py::buffer& voxels) {
            const BytesView view(voxels);
            const py::gil_scoped_release release;
            self.place_voxels(index, view.bytes());
          },
          py::arg("index"), py::arg("voxels"))
      .def(
          "fail",
          [](Volume& self, std::int64_t index, const PythonError& error) {
            self.fail(index, error_of(error));
          },
          py::arg("index"), py::arg("error"))
      .def("close", [](Volume& self) { self.close(); });
}

void bind_geometry(py::module_& module) {
  py::classh<FrameHeader>(module, "FrameHeader", "Place and rescale of one frame.")
      .def(py::init([](std::optional<Vector3> position,
                       std::optional<std::array<double, 6>> orientation,
                       std::optional<std::array<double, 2>> spacing, std::optional<double> number,
                       double slope, double intercept) {
             return FrameHeader{{position, orientation, spacing, number}, slope, intercept};
           }),
           py::arg("position") = std::nullopt, py::arg("orientation") = std::nullopt,
           py::arg("spacing") = std::nullopt, py::arg("number") = std::nullopt,
           py::arg("slope") = 1.0, py::arg("intercept") = 0.0)
      .def_property_readonly("position",
                             [](const FrameHeader& self) { return self.place.position; })
      .def_property_readonly("orientation",
                             [](const FrameHeader& self) { return self.place.orientation; })
      .def_property_readonly("spacing",
                             [](const FrameHeader& self) { return self.place.spacing_mm; })
      .def_property_readonly("number", [](const FrameHeader& self) { return self.place.number; })
      .def_readonly("slope", &FrameHeader::slope)
      .def_readonly("intercept", &FrameHeader::intercept)
      .def("same_orientation", [](const FrameHeader& self, const FrameHeader& other) {
        return same_orientation(self.place, other.place);
      });

  py::classh<Geometry>(module, "SliceGeometry", "Where the slices of a volume lie; LPS, mm.")
      .def_readonly("spacing", &Geometry::spacing_mm)
      .def_readonly("origin", &Geometry::origin)
      .def_readonly("axes", &Geometry::axes)
      .def_readonly("regular", &Geometry::regular)
      .def_readonly("tilt", &Geometry::tilt_deg)
      .def_readonly("duplicates", &Geometry::duplicates)
      .def_readonly("gaps", &Geometry::gaps)
      .def("findings", &Geometry::findings);

  module.def(
      "arrange",
      [](const std::vector<FrameHeader>& frames) {
        std::vector<SlicePlace> places;
        places.reserve(frames.size());
        for (const FrameHeader& frame : frames) places.push_back(frame.place);
        Arrangement arrangement = arrange(places);
        return std::make_pair(std::move(arrangement.order), std::move(arrangement.geometry));
      },
      py::arg("frames"), "Numbers of the frames in slice order, and their geometry.");
}

using Scanned = py::typing::Union<ImageHeader, py::object>;

void bind_series(py::module_& module) {
  py::classh<FileLocation>(module, "FileLocation", "Where a DICOM file's bytes are.")
      .def(py::init([](const py::bytes& path, const py::bytes& label) {
             return FileLocation{.path = path, .label = label};
           }),
           py::arg("path"), py::arg("label"))
      .def(
          py::init([](const py::bytes& path, const py::bytes& label, std::int64_t offset,
                      std::int64_t packed_bytes, std::int64_t size, int method, std::uint32_t crc) {
            return FileLocation{path, label, true, offset, packed_bytes, size, method, crc};
          }),
          py::arg("path"), py::arg("label"), py::arg("offset"), py::arg("packed_bytes"),
          py::arg("size"), py::arg("method"), py::arg("crc"))
      .def_property_readonly("deflated", [](const FileLocation& self) { return self.method != 0; });

  py::classh<ImageHeader>(module, "ImageHeader", "What a volume needs to know of an image.")
      .def(py::init([](std::string series, std::string modality, std::int64_t rows,
                       std::int64_t columns, int samples, int bits_allocated, int bits_stored,
                       bool is_signed, const std::string& photometric, std::string sop_instance,
                       std::vector<FrameHeader> frames) {
             ImageHeader header;
             header.series_instance_uid = std::move(series);
             header.modality = std::move(modality);
             header.image.format = {rows, columns, samples, bits_allocated, bits_stored, is_signed};
             header.image.photometric = photometric;
             header.image.frames = static_cast<std::int64_t>(frames.size());
             header.image.sop_instance_uid = std::move(sop_instance);
             header.frames = std::move(frames);
             return header;
           }),
           py::arg("series"), py::arg("modality"), py::arg("rows"), py::arg("columns"),
           py::arg("samples"), py::arg("bits_allocated"), py::arg("bits_stored"),
           py::arg("is_signed"), py::arg("photometric"), py::arg("sop_instance"), py::arg("frames"))
      .def_property_readonly("study_instance_uid",
                             [](const ImageHeader& h) { return text_of(h.study_instance_uid); })
      .def_property_readonly("series_instance_uid",
                             [](const ImageHeader& h) { return text_of(h.series_instance_uid); })
      .def_property_readonly("series_number",
                             [](const ImageHeader& h) { return text_of(h.series_number); })
      .def_property_readonly("series_description",
                             [](const ImageHeader& h) { return text_of(h.series_description); })
      .def_property_readonly("modality", [](const ImageHeader& h) { return text_of(h.modality); })
      .def_property_readonly("sop_instance_uid",
                             [](const ImageHeader& h) { return text_of(h.image.sop_instance_uid); })
      .def_property_readonly("transfer_syntax_uid",
                             [](const ImageHeader& h) { return text_of(h.transfer_syntax_uid); })
      .def_property_readonly("photometric",
                             [](const ImageHeader& h) { return text_of(h.image.photometric); })
      .def_property_readonly("rows", [](const ImageHeader& h) { return h.image.format.rows; })
      .def_property_readonly("columns", [](const ImageHeader& h) { return h.image.format.columns; })
      .def_property_readonly("samples", [](const ImageHeader& h) { return voxel_samples(h.image); })
      .def_property_readonly("stored_dtype",
                             [](const ImageHeader& h) { return dtype_of(h.image.format); })
      .def_readonly("frames", &ImageHeader::frames);

  module.def(
      "voxel_dtype",
      [](const ImageHeader& header, const std::vector<FrameHeader>& frames) {
        return voxel_dtype(voxel_type(header.modality, header.image, frames));
      },
      py::arg("header"), py::arg("frames"), "dtype of a volume of such frames.");

  module.def(
      "coarse_bytes",
      [](const std::vector<FileLocation>& files, int reduction, Executor& executor,
         const CancelToken& cancel) {
        std::vector<std::int64_t> found(files.size());
        const py::gil_scoped_release release;
        executor.parallel_for(
            static_cast<std::int64_t>(files.size()),
            [&](std::int64_t i) {
              const auto at = static_cast<std::size_t>(i);
              found[at] = coarse_bytes(files[at], reduction);
            },
            cancel);
        return found;
      },
      py::arg("files"), py::arg("reduction"), py::arg("executor"), py::arg("cancel"),
      "How many first bytes of each file decode at reduced size; 0 where it is not J2K.");
  module.def(
      "scan_headers",
      [](const std::vector<FileLocation>& files, Executor& executor, const CancelToken& cancel) {
        std::vector<std::optional<ImageHeader>> headers(files.size());
        std::vector<std::optional<Error>> errors(files.size());
        {
          const py::gil_scoped_release release;
          executor.parallel_for(
              static_cast<std::int64_t>(files.size()),
              [&](std::int64_t i) {
                const auto at = static_cast<std::size_t>(i);
                try {
                  headers[at] = scan_header(files[at]);
                } catch (const Error& error) {
                  errors[at] = error;
                }
              },
              cancel);
        }
        py::typing::List<Scanned> out;
        for (std::size_t i = 0; i < files.size(); ++i) {
          if (headers[i]) {
            out.append(py::cast(*std::move(headers[i])));
          } else {
            out.append(exception_of(*errors[i]));
          }
        }
        return out;
      },
      py::arg("files"), py::arg("executor"), py::arg("cancel"),
      "The header of each file, or the exception that says why there is none.");
}

// ---- sources of frames

// Bytes behind a Python object with `size` and read_at(offset, length); used under the GIL only.
class PythonSource : public ByteSource {
 public:
  explicit PythonSource(py::object object)
      : object_(std::move(object)), size_(object_.attr("size").cast<std::int64_t>()) {}
  ~PythonSource() override {
    // The last owner may be a thread of the engine.
    const py::gil_scoped_acquire acquire;
    object_ = py::object();
  }
  PythonSource(const PythonSource&) = delete;
  PythonSource& operator=(const PythonSource&) = delete;

  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] bool slow() const override { return true; }
  void read(std::int64_t offset, MutableBytes out) const override {
    check_inside(offset, static_cast<std::int64_t>(out.size()));
    const py::object got = object_.attr("read_at")(offset, out.size());
    const BytesView view(got.cast<py::buffer>());
    if (view.bytes().size() != out.size()) {
      throw_malformed("got " + std::to_string(view.bytes().size()) + " bytes, asked for " +
                      std::to_string(out.size()));
    }
    std::copy(view.bytes().begin(), view.bytes().end(), out.begin());
  }

 private:
  py::object object_;
  std::int64_t size_;
};

Buffer copied(const py::buffer& bytes) {
  const BytesView view(bytes);
  return {view.bytes().begin(), view.bytes().end()};
}

py::array voxels_of(FrameSource& source, std::int64_t slice, const py::dtype& dtype) {
  StoredFrame frame;
  Buffer voxels;
  const VoxelType type = type_of(dtype);
  {
    const py::gil_scoped_release release;
    source.read(slice, 0, frame);
    voxels = voxels_from(frame, type);
  }
  std::vector<py::ssize_t> shape{frame.rows, frame.columns};
  if (frame.samples > 1) shape.push_back(frame.samples);
  return array_owning(std::move(voxels), dtype, shape);
}

void bind_sources(py::module_& module) {
  py::classh<FrameSource>(module, "FrameSource", "Where the slices of a volume come from.")
      .def("read", &voxels_of, py::arg("slice"), py::arg("dtype"),
           "One slice, decoded and rescaled, as an array of its own.");

  py::classh<DicomFrames, FrameSource>(module, "DicomFrames", "Slices out of local files.")
      .def(py::init([](const std::vector<FileLocation>& files,
                       const std::vector<std::pair<std::int64_t, std::int64_t>>& slices) {
             std::vector<SliceOrigin> origins;
             for (const auto& [file, frame] : slices) origins.push_back({file, frame});
             return std::make_shared<DicomFrames>(files, std::move(origins));
           }),
           py::arg("files"), py::arg("slices"))
      .def("prepare", &DicomFrames::prepare, py::arg("slice"),
           py::call_guard<py::gil_scoped_release>(),
           "Find the frames of a slice's file, so that the first read need not.");

  py::classh<DicomFile>(module, "DicomFile", "A file whose header is read, its frames are not.")
      .def(py::init([](py::object source) {
             return std::make_shared<DicomFile>(std::make_shared<PythonSource>(std::move(source)));
           }),
           py::arg("source"))
      .def_property_readonly(
          "header", [](const DicomFile& self) { return read_image_header(self.data_set()); })
      .def(
          "extent",
          [](const DicomFile& self, std::int64_t frame) {
            const Extent extent = self.frames().extent(frame);
            return std::make_pair(extent.offset, extent.length);
          },
          py::arg("frame"), "Offset and length of a frame's bytes.");

  py::classh<FetchedFrames, FrameSource>(module, "FetchedFrames",
                                         "Slices whose bytes somebody else fetches.")
      .def(py::init<std::vector<std::string>>(), py::arg("labels"))
      .def(py::init([](std::vector<std::string> labels, const std::shared_ptr<DicomFile>& file,
                       std::vector<std::int64_t> frames) {
             // What needs the source's bytes is done here, under the GIL.
             (void)file->frames();
             return std::make_shared<FetchedFrames>(std::move(labels), file, std::move(frames));
           }),
           py::arg("labels"), py::arg("file"), py::arg("frames"))
      .def(
          "give_file",
          [](FetchedFrames& self, std::int64_t slice, int reduction, const py::buffer& bytes,
             std::int64_t file_bytes) {
            self.give_file(slice, reduction, copied(bytes), file_bytes);
          },
          py::arg("slice"), py::arg("reduction"), py::arg("bytes"), py::arg("file_bytes"))
      .def(
          "give_entry",
          [](FetchedFrames& self, std::int64_t slice, ZipEntry& entry) {
            const auto size = static_cast<std::int64_t>(entry.bytes.size());
            self.give_file(slice, 0, std::exchange(entry.bytes, {}), size);
          },
          py::arg("slice"), py::arg("entry"), "A whole file; the entry is empty afterwards.")
      .def(
          "give_extent",
          [](FetchedFrames& self, std::int64_t slice, int reduction, const py::buffer& bytes) {
            self.give_extent(slice, reduction, copied(bytes));
          },
          py::arg("slice"), py::arg("reduction"), py::arg("bytes"));

  py::classh<FrameSpool>(module, "FrameSpool", "Decoded frames in a temporary file.")
      .def(py::init([](const py::bytes& folder) { return std::make_shared<FrameSpool>(folder); }),
           py::arg("folder"))
      .def(
          "add",
          [](FrameSpool& self, const py::buffer& file, const std::string& label,
             const ImageHeader& header) {
            const BytesView view(file);
            const py::gil_scoped_release release;
            return self.add(view.bytes(), label, header);
          },
          py::arg("file"), py::arg("label"), py::arg("header"));

  py::classh<SpooledFrames, FrameSource>(module, "SpooledFrames", "Slices out of a spool.")
      .def(
          py::init([](const std::shared_ptr<FrameSpool>& spool, std::vector<std::int64_t> numbers) {
            return std::make_shared<SpooledFrames>(spool, std::move(numbers));
          }),
          py::arg("spool"), py::arg("numbers"));

  module.def(
      "image_header",
      [](const py::buffer& file, const std::string& label) {
        const BytesView view(file);
        const py::gil_scoped_release release;
        return with_name(label, [&] {
          const DicomFile parsed(std::make_shared<MemorySource>(view.bytes()));
          return read_image_header(parsed.data_set());
        });
      },
      py::arg("file"), py::arg("label"), "The header of a file that is in memory.");
}

void bind_loader(py::module_& module) {
  py::classh<Loader>(module, "Loader", "Fills a volume on threads of the engine.")
      .def(py::init([](const std::shared_ptr<Volume>& volume,
                       const std::shared_ptr<FrameSource>& source,
                       const std::shared_ptr<Executor>& executor, std::vector<std::int64_t> order,
                       int coarse_reduction, bool supplied) {
             return without_gil(new Loader(volume, source, executor,
                                           {std::move(order), coarse_reduction, supplied}));
           }),
           py::arg("volume"), py::arg("source"), py::arg("executor"), py::arg("order"),
           py::arg("coarse_reduction") = 0, py::arg("supplied") = false)
      .def("prioritise", &Loader::prioritise, py::arg("index"))
      .def("cancel", &Loader::cancel)
      .def("join", &Loader::join, py::call_guard<py::gil_scoped_release>())
      .def("next_wanted",
           [](Loader& self) -> std::optional<std::pair<std::int64_t, int>> {
             Loader::Wanted wanted;
             {
               const py::gil_scoped_release release;
               wanted = self.next_wanted();
             }
             if (wanted.index < 0) return std::nullopt;
             return std::make_pair(wanted.index, wanted.reduction);
           })
      .def(
          "supply",
          [](Loader& self, std::int64_t index, int reduction) {
            const py::gil_scoped_release release;
            self.supply({index, reduction});
          },
          py::arg("index"), py::arg("reduction") = 0)
      .def(
          "fail",
          [](Loader& self, std::int64_t index, const PythonError& exception) {
            const Error error = error_of(exception);
            const py::gil_scoped_release release;
            self.fail(index, error);
          },
          py::arg("index"), py::arg("error"))
      .def(
          "end_supply",
          [](Loader& self, const PythonError& exception) {
            const Error error = error_of(exception);
            const py::gil_scoped_release release;
            self.end_supply(error);
          },
          py::arg("error"));
}

}  // namespace

void bind_volume(py::module_& module) {
  bind_voxels(module);
  bind_geometry(module);
  bind_series(module);
  bind_sources(module);
  bind_loader(module);
}

}  // namespace spinekit::bindings

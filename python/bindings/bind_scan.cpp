#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <mutex>

#include "bind.h"
#include "buffers.h"
#include "spinekit/scan.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

// Python may share a reader between threads, which then wait for each other.
class SharedScan {
 public:
  SharedScan(const std::filesystem::path& path, const ScanLimits& limits,
             std::shared_ptr<Executor> executor)
      : executor_(std::move(executor)) {
    reader_ = open_scan(path.string(), limits, executor_.get());
    info_ = reader_->info();
  }

  // Also after close().
  [[nodiscard]] const ScanInfo& info() const { return info_; }

  template <typename Work>
  auto with_reader(const Work& work) {
    const std::lock_guard lock(mutex_);
    if (!reader_) throw_argument("the scan is closed");
    return work(*reader_);
  }

  void close() {
    const std::lock_guard lock(mutex_);
    reader_.reset();
  }

 private:
  std::shared_ptr<Executor> executor_;
  std::mutex mutex_;
  std::unique_ptr<ScanReader> reader_;
  ScanInfo info_;
};

py::array read(SharedScan& scan, std::int64_t rows) {
  const ScanInfo& info = scan.info();
  if (rows < 0) throw_argument(std::to_string(rows) + " rows wanted");
  Buffer rgb;
  std::int64_t count = 0;
  {
    const py::gil_scoped_release release;
    scan.with_reader([&](ScanReader& reader) {
      count = std::min(rows, info.height - reader.next_row());
      rgb.resize(static_cast<std::size_t>(checked_product(info.row_bytes(), count, "rows")));
      reader.read_rows(rgb.data(), count);
    });
  }
  const py::dtype dtype =
      info.bits == 16 ? py::dtype::of<std::uint16_t>() : py::dtype::of<std::uint8_t>();
  return array_owning(std::move(rgb), dtype, {count, info.width, info.samples});
}

// Fills a caller's rows, so that one array serves a whole scan.
std::int64_t read_into(SharedScan& scan, py::array out) {
  const ScanInfo& info = scan.info();
  const bool shaped = out.ndim() == 3 && out.shape(1) == info.width && out.shape(2) == info.samples;
  const bool typed = out.dtype().kind() == 'u' && out.dtype().itemsize() * 8 == info.bits &&
                     out.dtype().byteorder() != '>';
  if (!shaped || !typed || (out.flags() & py::array::c_style) == 0) {
    throw_argument("expected a C-contiguous uint" + std::to_string(info.bits) +
                   " array of shape (rows, " + std::to_string(info.width) + ", 3)");
  }
  void* const data = out.mutable_data();
  const std::int64_t rows = out.shape(0);
  const py::gil_scoped_release release;
  return scan.with_reader([&](ScanReader& reader) {
    const std::int64_t count = std::min(rows, info.height - reader.next_row());
    reader.read_rows(data, count);
    return count;
  });
}

std::vector<py::str> texts_of(const std::vector<std::string>& texts) {
  std::vector<py::str> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) out.push_back(text_of(text));
  return out;
}

}  // namespace

void bind_scan(py::module_& module) {
  py::classh<ScanInfo>(module, "ScanInfo", "What a scan's header says.")
      .def_readonly("format", &ScanInfo::format)
      .def_readonly("width", &ScanInfo::width)
      .def_readonly("height", &ScanInfo::height)
      .def_readonly("samples", &ScanInfo::samples)
      .def_readonly("bits", &ScanInfo::bits)
      .def_readonly("compression", &ScanInfo::compression)
      .def_property_readonly(
          "mm_per_pixel",
          [](const ScanInfo& info) -> std::optional<std::pair<double, double>> {
            if (info.mm_per_pixel_x <= 0) return std::nullopt;
            return std::make_pair(info.mm_per_pixel_x, info.mm_per_pixel_y);
          },
          "(x, y), or None where the file does not say.")
      .def_property_readonly("notes", [](const ScanInfo& info) { return texts_of(info.notes); });

  py::classh<SharedScan>(module, "ScanReader", "A scan of any size, by rows, in bounded memory.")
      .def(py::init([](const std::filesystem::path& path, std::int64_t memory_limit,
                       std::optional<std::shared_ptr<Executor>> executor, double share) {
             const py::gil_scoped_release release;
             const ScanLimits limits{.memory = memory_limit, .share = share};
             return std::make_unique<SharedScan>(path, limits,
                                                 std::move(executor).value_or(nullptr));
           }),
           py::arg("path"), py::arg("memory_limit") = ScanLimits{}.memory,
           py::arg("executor") = py::none(), py::arg("share") = 1.0)
      .def_property_readonly("info", &SharedScan::info, py::return_value_policy::copy)
      .def_property_readonly(
          "next_row",
          [](SharedScan& self) {
            const py::gil_scoped_release release;
            return self.with_reader([](const ScanReader& reader) { return reader.next_row(); });
          })
      .def("read", &read, py::arg("rows"),
           "The next rows, (rows, columns, 3), uint8 or uint16; fewer at the end.")
      .def("read_into", &read_into, py::arg("out").noconvert(),
           "Fill an array with the next rows; how many of its rows that were.")
      .def("rewind",
           [](SharedScan& self) {
             const py::gil_scoped_release release;
             self.with_reader([](ScanReader& reader) { reader.rewind(); });
           })
      .def("close", &SharedScan::close, py::call_guard<py::gil_scoped_release>())
      .def("__enter__", [](std::shared_ptr<SharedScan> self) { return self; })
      .def("__exit__",
           [](SharedScan& self, const py::object&, const py::object&, const py::object&) {
             const py::gil_scoped_release release;
             self.close();
           });
}

}  // namespace spinekit::bindings

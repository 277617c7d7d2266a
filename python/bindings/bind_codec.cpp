#include <pybind11/stl.h>

#include <cstring>

#include "bind.h"
#include "buffers.h"
#include "spinekit/codec.h"
#include "spinekit/quality.h"

namespace py = pybind11;

namespace spinekit::bindings {

ArrayView::ArrayView(const py::array& array) : data(array.data()), count(array.size()) {
  if ((array.flags() & py::array::c_style) == 0) throw_argument("expected a C-contiguous array");
  const py::dtype dtype = array.dtype();
  const bool is_signed = dtype.kind() == 'i';
  if ((dtype.kind() != 'u' && !is_signed) || dtype.itemsize() > 2 || dtype.byteorder() == '>') {
    throw_argument("dtype is " + std::string(py::str(py::object(dtype))) +
                   ", expected uint8, int8, uint16 or int16");
  }
  if (dtype.itemsize() == 1) {
    type = is_signed ? SampleType::kInt8 : SampleType::kUint8;
  } else {
    type = is_signed ? SampleType::kInt16 : SampleType::kUint16;
  }
}

py::array array_owning(Buffer&& bytes, const py::dtype& dtype,
                       const std::vector<py::ssize_t>& shape) {
  auto owned = std::make_unique<Buffer>(std::move(bytes));
  void* data = owned->data();
  const py::capsule owner(owned.release(),
                          [](void* buffer) { delete static_cast<Buffer*>(buffer); });
  return {dtype, shape, data, owner};
}

py::dtype dtype_of(const FrameFormat& format) {
  if (format.bits_allocated == 8) {
    return format.is_signed ? py::dtype::of<std::int8_t>() : py::dtype::of<std::uint8_t>();
  }
  return format.is_signed ? py::dtype::of<std::int16_t>() : py::dtype::of<std::uint16_t>();
}

py::str text_of(const std::string& text) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "replace"));
}

namespace {

void check_same(const py::array& a, const py::array& b) {
  const bool same_shape =
      a.ndim() == b.ndim() && std::equal(a.shape(), a.shape() + a.ndim(), b.shape());
  if (!same_shape) throw_argument("the two arrays have different shapes");
  if (!a.dtype().is(b.dtype()) && !a.dtype().equal(b.dtype())) {
    throw_argument("the two arrays have different dtypes");
  }
}

Differences compare(const py::array& a, const py::array& b) {
  check_same(a, b);
  const ArrayView left(a);
  const ArrayView right(b);
  const py::gil_scoped_release release;
  return differences(left.data, right.data, left.count, left.type);
}

double ssim(const py::array& a, const py::array& b, double range) {
  check_same(a, b);
  const ArrayView left(a);
  const ArrayView right(b);
  if (a.ndim() != 2 && a.ndim() != 3) {
    throw_argument("expected shape (rows, columns) or (rows, columns, samples)");
  }
  const ImageShape shape{a.shape(0), a.shape(1), a.ndim() == 3 ? a.shape(2) : 1};
  const py::gil_scoped_release release;
  return structural_similarity(left.data, right.data, shape, left.type, range);
}

py::bytes encode(const py::array& frame, int bits_stored, bool reversible,
                 std::int64_t target_bytes, double quality, bool bypass) {
  const ArrayView view(frame);
  if (frame.ndim() != 2 && !(frame.ndim() == 3 && frame.shape(2) == 3)) {
    throw_argument("expected shape (rows, columns) or (rows, columns, 3)");
  }
  const int bits = static_cast<int>(8 * frame.itemsize());
  if (bits_stored < 1 || bits_stored > bits) {
    throw_argument("bits_stored is " + std::to_string(bits_stored) + ", expected 1 to " +
                   std::to_string(bits));
  }
  const FrameFormat format{.rows = frame.shape(0),
                           .columns = frame.shape(1),
                           .samples = frame.ndim() == 3 ? 3 : 1,
                           .bits_allocated = bits,
                           .bits_stored = bits_stored,
                           .is_signed = frame.dtype().kind() == 'i'};
  const J2kEncoding encoding{.reversible = reversible,
                             .target_bytes = target_bytes,
                             .quality = quality,
                             .color_transform = format.samples == 3,
                             .bypass = bypass};
  const Bytes bytes(static_cast<const std::uint8_t*>(view.data),
                    static_cast<std::size_t>(frame.nbytes()));
  Buffer out;
  {
    const py::gil_scoped_release release;
    out = encode_j2k(bytes, format, encoding);
  }
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

}  // namespace

void bind_codec(py::module_& module) {
  py::classh<Differences>(module, "Differences", "Sums over the differences of two images.")
      .def_readonly("count", &Differences::count)
      .def_readonly("identical", &Differences::identical)
      .def_readonly("largest", &Differences::largest)
      .def_readonly("sum_absolute", &Differences::sum_absolute)
      .def_readonly("sum_squared", &Differences::sum_squared)
      .def_property_readonly("histogram",
                             [](const Differences& self) {
                               return std::vector<std::int64_t>(self.histogram.begin(),
                                                                self.histogram.end());
                             })
      .def_property_readonly("mean_absolute", &Differences::mean_absolute)
      .def("psnr", &Differences::psnr, py::arg("range"));
  module.attr("HISTOGRAM_REACH") = Differences::kHistogramReach;
  module.def("differences", &compare, py::arg("a").noconvert(), py::arg("b").noconvert(),
             "Differences b - a of two integer arrays of one shape and dtype.");
  module.def("structural_similarity", &ssim, py::arg("a").noconvert(), py::arg("b").noconvert(),
             py::arg("range"), "Mean SSIM of two images, shape (rows, columns[, samples]).");
  module.def("encode_j2k", &encode, py::arg("frame").noconvert(), py::arg("bits_stored"),
             py::arg("reversible") = true, py::arg("target_bytes") = 0, py::arg("quality") = 0.0,
             py::arg("bypass") = true, "One J2K codestream of one frame.");
  module.def("codec_versions", &codec_versions, "Names and versions of the codec libraries.");
}

}  // namespace spinekit::bindings

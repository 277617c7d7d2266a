// NumPy arrays and bytes as the spans that the engine works on.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "spinekit/codec.h"
#include "spinekit/error.h"
#include "spinekit/quality.h"

namespace spinekit::bindings {

// Joining threads must not hold the GIL that they may be waiting for. The last owner may be an object
// that is deleted without it already.
template <typename T>
void delete_without_gil(T* object) {
  if (PyGILState_Check() == 0) {
    delete object;
    return;
  }
  const pybind11::gil_scoped_release release;
  delete object;
}

// A borrowed view of anything that exports a contiguous buffer; holds it alive and unchanged in size.
class BytesView {
 public:
  explicit BytesView(const pybind11::buffer& source) : info_(source.request()) {
    if (info_.ndim != 1 || info_.itemsize != 1 || (info_.size > 1 && info_.strides[0] != 1)) {
      throw_argument("expected bytes");
    }
  }
  [[nodiscard]] Bytes bytes() const {
    return {static_cast<const std::uint8_t*>(info_.ptr), static_cast<std::size_t>(info_.size)};
  }

 private:
  pybind11::buffer_info info_;
};

// An integer image: C-contiguous, (rows, columns[, samples]) or with leading frame axes.
struct ArrayView {
  explicit ArrayView(const pybind11::array& array);

  const void* data;
  SampleType type;
  std::int64_t count;
};

// Hands a vector over to NumPy without a copy.
pybind11::array array_owning(Buffer&& bytes, const pybind11::dtype& dtype,
                             const std::vector<pybind11::ssize_t>& shape);

pybind11::dtype dtype_of(const FrameFormat& format);

// Text that may stem from a file: bytes that are no UTF-8 become U+FFFD instead of an exception.
pybind11::str text_of(const std::string& text);

}  // namespace spinekit::bindings

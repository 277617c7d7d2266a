// Pictures, and boxes on them, as NumPy and Python have them.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "spinekit/colour.h"
#include "spinekit/pieces.h"

namespace spinekit::bindings {

ColourFormat format_of(int bits, bool colour);

// Rows may lie apart, pixels of a row may not.
PictureView picture_view(const pybind11::array& picture);

using Box = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>;

inline std::optional<Box> tuple_of(const std::optional<PieceBox>& box) {
  if (!box) return std::nullopt;
  return Box{box->x, box->y, box->width, box->height};
}

}  // namespace spinekit::bindings

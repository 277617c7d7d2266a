#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>
#include <map>
#include <string>

#include "bind.h"
#include "pictures.h"
#include "spinekit/error.h"
#include "spinekit/pieces.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

// Points lie in memory as their arrays do.
static_assert(sizeof(PixelPoint) == 2 * sizeof(std::int32_t));

py::array_t<std::int32_t> points_array(const std::vector<PixelPoint>& points) {
  py::array_t<std::int32_t> array({static_cast<py::ssize_t>(points.size()), py::ssize_t{2}});
  if (!points.empty()) {
    std::memcpy(array.mutable_data(), points.data(), static_cast<std::size_t>(array.nbytes()));
  }
  return array;
}

// Rows of a mask, of bytes or packed.
struct Rows {
  explicit Rows(const py::array& array) {
    if (array.ndim() != 2 || (array.flags() & py::array::c_style) == 0) {
      throw_argument("mask: expected a C-contiguous array (rows, columns)");
    }
    data = array.data();
    rows = array.shape(0);
    columns = array.shape(1);
    const py::dtype dtype = array.dtype();
    packed = py::isinstance<py::array_t<std::uint64_t>>(array);
    if (!packed && dtype.kind() != 'b' && (dtype.kind() != 'u' || dtype.itemsize() != 1)) {
      throw_argument("mask: " + std::string(py::str(py::object(dtype))) +
                     ", expected bool, uint8, or packed rows of uint64");
    }
  }

  void expect_width(std::int64_t width) const {
    const std::int64_t expected = packed ? mask_words(width) : width;
    if (columns == expected) return;
    throw_argument("mask: " + std::to_string(columns) + " columns, expected " +
                   std::to_string(expected));
  }
  [[nodiscard]] const std::uint8_t* bytes() const { return static_cast<const std::uint8_t*>(data); }
  [[nodiscard]] const std::uint64_t* words() const {
    return static_cast<const std::uint64_t*>(data);
  }

  const void* data;
  std::int64_t rows;
  std::int64_t columns;
  bool packed;
};

void add_rows(PieceFinder& finder, const Rows& rows) {
  if (rows.packed) {
    finder.add_rows(rows.words(), rows.rows);
  } else {
    finder.add_byte_rows(rows.bytes(), rows.rows);
  }
}

// Finders do not tell their width otherwise.
struct BoundFinder {
  BoundFinder(std::int64_t width_in, std::int64_t height, const PieceOptions& options)
      : width(width_in), finder(width_in, height, options) {}

  std::int64_t width;
  PieceFinder finder;
};

std::vector<Piece> mask_pieces(const py::array& mask, const PieceOptions& options) {
  const Rows rows(mask);
  if (rows.packed) throw_argument("mask: packed rows do not tell their width; use PieceFinder");
  const py::gil_scoped_release release;
  PieceFinder finder(rows.columns, rows.rows, options);
  add_rows(finder, rows);
  return finder.finish();
}

py::array cleaned_mask(const py::array& mask, const CleaningOptions& options) {
  const Rows rows(mask);
  if (rows.packed) throw_argument("mask: expected bool or uint8");
  py::array_t<std::uint8_t> out({rows.rows, rows.columns});
  std::uint8_t* to = out.mutable_data();
  {
    const py::gil_scoped_release release;
    const std::int64_t width = rows.columns;
    MaskCleaner cleaner(width, rows.rows, options, [&](const std::uint64_t* row) {
      for (std::int64_t x = 0; x < width; ++x) *to++ = row[x / 64] >> (x % 64) & 1;
    });
    std::vector<std::uint64_t> words(static_cast<std::size_t>(mask_words(width)));
    for (std::int64_t y = 0; y < rows.rows; ++y) {
      pack_mask_row(rows.bytes() + y * width, width, words.data());
      cleaner.add_row(words.data());
    }
  }
  return out.attr("view")("bool");
}

std::optional<PieceBox> box_of(const std::optional<Box>& box) {
  if (!box) return std::nullopt;
  const auto& [x, y, width, height] = *box;
  return PieceBox{x, y, width, height};
}

}  // namespace

void bind_pieces(py::module_& module) {
  py::native_enum<Numbering>(module, "Numbering", "enum.Enum", "The order of pieces.")
      .value("GRID", Numbering::kGrid)
      .value("ROW", Numbering::kRow)
      .value("COLUMN", Numbering::kColumn)
      .value("SIMPLE", Numbering::kSimple)
      .finalize();

  py::native_enum<AtBoundary>(module, "AtBoundary", "enum.Enum",
                              "What is done with regions at the sides of the boundary.")
      .value("KEEP", AtBoundary::kKeep)
      .value("REMOVE", AtBoundary::kRemove)
      .finalize();

  py::classh<CleaningOptions>(module, "CleaningOptions",
                              "Diameters of ellipses in pixels of the mask; 0 leaves a step out.")
      .def(py::init([](std::int64_t closing, bool smooth, std::int64_t opening, std::int64_t join) {
             return CleaningOptions{
                 .closing = closing, .smooth = smooth, .opening = opening, .join = join};
           }),
           py::kw_only(), py::arg("closing") = 3, py::arg("smooth") = true, py::arg("opening") = 3,
           py::arg("join") = 0)
      .def_readwrite("closing", &CleaningOptions::closing)
      .def_readwrite("smooth", &CleaningOptions::smooth)
      .def_readwrite("opening", &CleaningOptions::opening)
      .def_readwrite("join", &CleaningOptions::join);

  py::classh<PieceOptions>(module, "PieceOptions", "Sizes are pixels of the mask.")
      .def(py::init<>())
      .def_readwrite("cleaning", &PieceOptions::cleaning)
      .def_property(
          "boundary", [](const PieceOptions& self) { return tuple_of(self.boundary); },
          [](PieceOptions& self, const std::optional<Box>& box) { self.boundary = box_of(box); },
          "(x, y, width, height), or None: regions at the border of the mask are left out.")
      .def_readwrite("at_boundary", &PieceOptions::at_boundary,
                     "KEEP: regions that touch all its sides are left out; REMOVE: any side.")
      .def_readwrite("min_area", &PieceOptions::min_area)
      .def_readwrite("max_area", &PieceOptions::max_area, "0: no limit.")
      .def_readwrite("numbering", &PieceOptions::numbering)
      .def_readwrite("cell", &PieceOptions::cell)
      .def_readwrite("epsilon", &PieceOptions::epsilon)
      .def_readwrite("keep_contours", &PieceOptions::keep_contours)
      .def_readwrite("memory_limit", &PieceOptions::memory_limit, "Bytes.");

  py::classh<Piece>(module, "Piece", "One piece of a mask.")
      .def_readonly("number", &Piece::number)
      .def_property_readonly(
          "contour", [](const Piece& self) { return points_array(self.contour); },
          "(n, 2), (x, y); empty unless kept.")
      .def_property_readonly("outline",
                             [](const Piece& self) { return points_array(self.outline); })
      .def_readonly("area", &Piece::area)
      .def_readonly("pixels", &Piece::pixels)
      .def_property_readonly(
          "centroid", [](const Piece& self) { return std::make_pair(self.x, self.y); }, "(x, y)")
      .def_property_readonly(
          "box", [](const Piece& self) { return *tuple_of(self.box); }, "(x, y, width, height)");

  py::classh<BoundFinder>(module, "PieceFinder", "Mask rows in, numbered pieces out.")
      .def(py::init<std::int64_t, std::int64_t, const PieceOptions&>(), py::arg("width"),
           py::arg("height"), py::arg("options"))
      .def(
          "add_rows",
          [](BoundFinder& self, const py::array& mask) {
            const Rows rows(mask);
            rows.expect_width(self.width);
            const py::gil_scoped_release release;
            add_rows(self.finder, rows);
          },
          py::arg("mask").noconvert(),
          "The next rows, (rows, width) of bool or uint8, or (rows, words) of packed uint64.")
      .def(
          "finish", [](BoundFinder& self) { return self.finder.finish(); },
          py::call_guard<py::gil_scoped_release>(), "The pieces by number, once.")
      .def_property_readonly("rows", [](const BoundFinder& self) { return self.finder.rows(); })
      .def_property_readonly("peak_memory",
                             [](const BoundFinder& self) { return self.finder.peak_memory(); });

  module.def("mask_pieces", &mask_pieces, py::arg("mask").noconvert(), py::arg("options"),
             "The numbered pieces of a mask, (rows, columns) of bool or uint8.");
  module.def("cleaned_mask", &cleaned_mask, py::arg("mask").noconvert(), py::arg("options"),
             "The cleaned mask, bool.");
  module.def(
      "scaled_sizes",
      [](std::int64_t width, std::int64_t height, std::int64_t min_area, std::int64_t max_area,
         std::int64_t kernel, std::int64_t join, std::int64_t cell, std::int64_t margin) {
        const PieceSizes sizes = scaled({.min_area = min_area,
                                         .max_area = max_area,
                                         .kernel = kernel,
                                         .join = join,
                                         .cell = cell,
                                         .margin = margin},
                                        width, height);
        return std::map<std::string, std::int64_t>{
            {"min_area", sizes.min_area}, {"max_area", sizes.max_area}, {"kernel", sizes.kernel},
            {"join", sizes.join},         {"cell", sizes.cell},         {"margin", sizes.margin}};
      },
      py::arg("width"), py::arg("height"), py::kw_only(), py::arg("min_area") = 50,
      py::arg("max_area") = 0, py::arg("kernel") = 3, py::arg("join") = 9, py::arg("cell") = 500,
      py::arg("margin") = 0, "Sizes meant at the reference, for a mask of width x height.");
}

}  // namespace spinekit::bindings

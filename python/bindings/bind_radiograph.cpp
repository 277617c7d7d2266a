#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>

#include "bind.h"
#include "spinekit/error.h"
#include "spinekit/measurement.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

using Array = py::array_t<double>;

// Key points lie in memory as their arrays do.
static_assert(sizeof(FilmPoint) == 2 * sizeof(double));

Array points_array(const void* data, std::vector<py::ssize_t> shape) {
  Array array(std::move(shape));
  std::memcpy(array.mutable_data(), data, static_cast<std::size_t>(array.nbytes()));
  return array;
}

using PointsInput = py::array_t<double, py::array::c_style>;

void fill(void* data, std::size_t bytes, const PointsInput& array, const char* name) {
  if (static_cast<std::size_t>(array.nbytes()) != bytes) {
    throw_argument(std::string(name) + ": " + std::to_string(array.size()) + " numbers, expected " +
                   std::to_string(bytes / sizeof(double)));
  }
  std::memcpy(data, array.data(), bytes);
}

MaskStack mask_stack(const py::array& masks) {
  if (masks.ndim() != 3 || masks.shape(0) != kBones) {
    std::string shape;
    for (py::ssize_t k = 0; k < masks.ndim(); ++k) {
      if (k > 0) shape += ", ";
      shape += std::to_string(masks.shape(k));
    }
    throw_argument("masks: shape (" + shape + "), expected (8, rows, columns)");
  }
  if ((masks.flags() & py::array::c_style) == 0) {
    throw_argument("masks: not C-contiguous; pass numpy.ascontiguousarray(masks)");
  }
  MaskStack stack{.data = masks.data(), .rows = masks.shape(1), .columns = masks.shape(2)};
  const py::dtype dtype = masks.dtype();
  if (dtype.kind() == 'f' && dtype.itemsize() == 4 && dtype.byteorder() != '>') {
    stack.type = MaskType::kFloat32;
  } else if (dtype.kind() == 'b' || (dtype.kind() == 'u' && dtype.itemsize() == 1)) {
    stack.type = MaskType::kUint8;
  } else {
    throw_argument("masks: " + std::string(py::str(py::object(dtype))) +
                   ", expected float32, uint8 or bool");
  }
  return stack;
}

std::vector<std::pair<double, double>> interval_list(const MeasuredFilm& film) {
  std::vector<std::pair<double, double>> list;
  for (const Interval& interval : film.intervals) list.emplace_back(interval.low, interval.high);
  return list;
}

}  // namespace

void bind_radiograph(py::module_& module) {
  py::native_enum<Facing>(module, "Facing", "enum.Enum", "The side that the patient looks to.")
      .value("UNKNOWN", Facing::kUnknown)
      .value("LEFT", Facing::kLeft)
      .value("RIGHT", Facing::kRight)
      .finalize();
  py::native_enum<ParameterUnit>(module, "ParameterUnit", "enum.Enum", "What a number counts.")
      .value("DEGREE", ParameterUnit::kDegree)
      .value("LENGTH", ParameterUnit::kLength)
      .value("RATIO", ParameterUnit::kRatio)
      .value("PERCENT", ParameterUnit::kPercent)
      .finalize();
  py::classh<ParameterInfo>(module, "ParameterInfo", "Name, unit and needs of one number.")
      .def_readonly("name", &ParameterInfo::name)
      .def_readonly("unit", &ParameterInfo::unit)
      .def_readonly("bones", &ParameterInfo::bones, "Bit k: BONES[k]; bit 6: any femoral head.");
  module.def("measured_parameters", &parameters, "Every number that measuring gives, in order.");

  py::classh<KeyPoints>(module, "KeyPoints", "Key points in pixels; NaN where unknown.")
      .def(py::init([](const PointsInput& vertebrae, const PointsInput& sacrum,
                       const PointsInput& heads, const PointsInput& radii) {
             KeyPoints points;
             fill(points.vertebrae.data(), sizeof points.vertebrae, vertebrae, "vertebrae");
             fill(points.sacrum.data(), sizeof points.sacrum, sacrum, "sacrum");
             fill(points.heads.data(), sizeof points.heads, heads, "heads");
             fill(points.radii.data(), sizeof points.radii, radii, "radii");
             return points;
           }),
           py::arg("vertebrae"), py::arg("sacrum"), py::arg("heads"), py::arg("radii"))
      .def_property_readonly("vertebrae",
                             [](const KeyPoints& self) {
                               return points_array(self.vertebrae.data(), {5, 4, 2});
                             })
      .def_property_readonly("sacrum",
                             [](const KeyPoints& self) {
                               return points_array(self.sacrum.data(), {2, 2});
                             })
      .def_property_readonly("heads",
                             [](const KeyPoints& self) {
                               return points_array(self.heads.data(), {2, 2});
                             })
      .def_property_readonly(
          "radii", [](const KeyPoints& self) { return points_array(self.radii.data(), {2}); });

  py::classh<MeasuredFilm>(module, "MeasuredFilm", "What eight masks gave.")
      .def_readonly("points", &MeasuredFilm::points)
      .def_readonly("facing", &MeasuredFilm::facing)
      .def_readonly("values", &MeasuredFilm::values, "As measured_parameters().")
      .def_property_readonly("intervals", &interval_list, "As measured_parameters(), or empty.")
      .def_readonly("missing", &MeasuredFilm::missing, "Why a bone gave no points, by bone.")
      .def_readonly("facing_problem", &MeasuredFilm::facing_problem)
      .def_readonly("warnings", &MeasuredFilm::warnings);

  module.def(
      "measure_masks",
      [](const py::array& masks, std::pair<double, double> spacing, bool as_reported,
         int replicates, Executor& executor, const CancelToken& cancel) {
        const MaskStack stack = mask_stack(masks);
        const MeasuringOptions options{
            .method = as_reported ? MeasuringMethod::kReport : MeasuringMethod::kRobust,
            .replicates = replicates};
        const py::gil_scoped_release release;
        return measure_masks(stack, {spacing.first, spacing.second}, options, executor, cancel);
      },
      py::arg("masks").noconvert(), py::arg("spacing"), py::arg("as_reported"),
      py::arg("replicates"), py::arg("executor"), py::arg("cancel"),
      "Key points and numbers from masks, shape (8, rows, columns).");
  module.def(
      "measure_key_points",
      [](const KeyPoints& points, std::pair<double, double> spacing) {
        const PixelSpacing mm{spacing.first, spacing.second};
        return std::make_pair(parameters_of(points, mm), facing_of(points, mm));
      },
      py::arg("points"), py::arg("spacing"), "Numbers, as measured_parameters(), and the facing.");
}

}  // namespace spinekit::bindings

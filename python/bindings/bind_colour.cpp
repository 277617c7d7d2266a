#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bind.h"
#include "pictures.h"
#include "spinekit/colour.h"
#include "spinekit/error.h"
#include "spinekit/pieces.h"

namespace py = pybind11;

namespace spinekit::bindings {

ColourFormat format_of(int bits, bool colour) {
  if (bits != 8 && bits != 16)
    throw_argument("bits: " + std::to_string(bits) + ", expected 8 or 16");
  if (bits == 8) return colour ? ColourFormat::kRgb8 : ColourFormat::kGrey8;
  return colour ? ColourFormat::kRgb16 : ColourFormat::kGrey16;
}

PictureView picture_view(const py::array& picture) {
  const bool colour = picture.ndim() == 3;
  const bool wide = py::isinstance<py::array_t<std::uint16_t>>(picture);
  if ((!wide && !py::isinstance<py::array_t<std::uint8_t>>(picture)) ||
      (!colour && picture.ndim() != 2) || (colour && picture.shape(2) != 3)) {
    throw_argument("picture: expected (rows, columns[, 3]) of uint8 or uint16");
  }
  const PictureView view{.data = picture.data(),
                         .format = format_of(wide ? 16 : 8, colour),
                         .rows = picture.shape(0),
                         .columns = picture.shape(1),
                         .row_bytes = picture.strides(0)};
  const py::ssize_t pixel = colour ? 3 * picture.itemsize() : picture.itemsize();
  if (view.columns > 1 && picture.strides(1) != pixel)
    throw_argument("picture: expected whole rows");
  if (colour && picture.strides(2) != picture.itemsize()) {
    throw_argument("picture: expected interleaved samples");
  }
  return view;
}

namespace {

using Doubles = py::array_t<double, py::array::c_style>;

bool is_block(const py::array& out, std::int64_t rows, std::int64_t columns) {
  return out.ndim() == 2 && out.shape(0) == rows && out.shape(1) == columns &&
         (out.flags() & py::array::c_style) != 0;
}

std::uint8_t* place_for(const PictureView& view, py::array& out) {
  if ((!py::isinstance<py::array_t<std::uint8_t>>(out) &&
       !py::isinstance<py::array_t<bool>>(out)) ||
      !is_block(out, view.rows, view.columns)) {
    throw_argument("out: expected C-contiguous bytes of the picture's size");
  }
  return static_cast<std::uint8_t*>(out.mutable_data());
}

std::uint64_t* packed_place_for(const PictureView& view, py::array& out) {
  const std::int64_t words = mask_words(view.columns);
  if (!py::isinstance<py::array_t<std::uint64_t>>(out) || !is_block(out, view.rows, words)) {
    throw_argument("out: expected C-contiguous uint64 (" + std::to_string(view.rows) + ", " +
                   std::to_string(words) + "), packed rows of the picture");
  }
  return static_cast<std::uint64_t*>(out.mutable_data());
}

ColourMatrix matrix_of(const Doubles& values) {
  if (values.ndim() != 2 || values.shape(0) != kColourFeatures ||
      values.shape(1) != kColourFeatures) {
    throw_argument("covariance: expected 4 x 4 numbers");
  }
  ColourMatrix made;
  for (std::size_t i = 0; i < kColourFeatures; ++i) {
    std::copy_n(values.data() + i * kColourFeatures, kColourFeatures, made[i].begin());
  }
  return made;
}

void bind_model(py::module_& module) {
  using Component = ColourModel::Component;
  py::classh<Component>(module, "ColourComponent", "Colours of one box.")
      .def_property_readonly("mean", [](const Component& c) { return c.gaussian.mean; })
      .def_property_readonly("covariance", [](const Component& c) { return c.gaussian.covariance; })
      .def_property_readonly("weight", [](const Component& c) { return c.gaussian.weight; })
      .def_property_readonly("label", [](const Component& c) { return c.gaussian.label; })
      .def_readonly("inverse", &Component::inverse)
      .def_readonly("log_determinant", &Component::log_determinant)
      .def_readonly("offset", &Component::offset, "Of the score from the squared distance.");

  py::classh<ColourModel>(module, "ColourModel", "Classes of colours.")
      .def(py::init([](const std::vector<std::tuple<ColourVector, Doubles, double, int>>& gaussians,
                       bool qda, double reject) {
             std::vector<ColourGaussian> made;
             for (const auto& [mean, covariance, weight, label] : gaussians) {
               made.push_back({mean, matrix_of(covariance), weight, label});
             }
             return ColourModel(made, qda ? ColourRule::kQda : ColourRule::kMahalanobis, reject);
           }),
           py::arg("gaussians"), py::arg("qda"), py::arg("reject"))
      .def_property_readonly("components", &ColourModel::components)
      .def_property_readonly("classes", &ColourModel::classes);
}

template <typename Classifier, typename Class>
void add_picture(Class& bound, void (*classify)(const PictureView&, const Classifier&,
                                                std::uint8_t*, Executor&, const CancelToken&)) {
  bound.def(
      "picture",
      [classify](const Classifier& self, const py::array& picture, py::array& out,
                 Executor& executor, const CancelToken& cancel) {
        const PictureView view = picture_view(picture);
        std::uint8_t* const place = place_for(view, out);
        const py::gil_scoped_release release;
        classify(view, self, place, executor, cancel);
      },
      py::arg("picture"), py::arg("out"), py::arg("executor"), py::arg("cancel"),
      "Fill bytes (rows, columns).");
}

}  // namespace

void bind_colour(py::module_& module) {
  bind_model(module);

  py::classh<ColourLabels> labels(module, "ColourLabels", "Labels of pixels in one format.");
  labels.def(py::init([](const ColourModel& model, int bits, bool colour, Executor& executor,
                         const CancelToken& cancel) {
               const ColourFormat format = format_of(bits, colour);
               const py::gil_scoped_release release;
               return ColourLabels(model, format, executor, cancel);
             }),
             py::arg("model"), py::arg("bits"), py::arg("colour"), py::arg("executor"),
             py::arg("cancel"));
  add_picture<ColourLabels>(labels, &label_picture);

  py::classh<DamageMask> mask(module, "DamageMask", "Which pixels in one format are damage.");
  mask.def(py::init([](const ColourModel& model, const std::vector<bool>& damage, int bits,
                       bool colour, Executor& executor, const CancelToken& cancel) {
             const ColourFormat format = format_of(bits, colour);
             const py::gil_scoped_release release;
             return DamageMask(model, damage, format, executor, cancel);
           }),
           py::arg("model"), py::arg("damage"), py::arg("bits"), py::arg("colour"),
           py::arg("executor"), py::arg("cancel"));
  add_picture<DamageMask>(mask, &mask_picture);
  mask.def(
      "packed",
      [](const DamageMask& self, const py::array& picture, py::array& out, Executor& executor,
         const CancelToken& cancel) {
        const PictureView view = picture_view(picture);
        std::uint64_t* const place = packed_place_for(view, out);
        const py::gil_scoped_release release;
        mask_picture(view, self, place, executor, cancel);
      },
      py::arg("picture"), py::arg("out"), py::arg("executor"), py::arg("cancel"),
      "Fill packed rows, uint64 (rows, words): pixel k of a row is bit k % 64 of word k // 64.");

  module.def(
      "colour_features",
      [](const py::array& picture, Executor& executor, const CancelToken& cancel) {
        const PictureView view = picture_view(picture);
        Doubles out({view.rows, view.columns, std::int64_t{kColourFeatures}});
        double* const place = out.mutable_data();
        const py::gil_scoped_release release;
        colour_features(view, place, executor, cancel);
        return out;
      },
      py::arg("picture"), py::arg("executor"), py::arg("cancel"),
      "L, a, b and S of each pixel, (rows, columns, 4).");
  module.def(
      "colour_distances",
      [](const py::array& picture, const ColourModel& model, Executor& executor,
         const CancelToken& cancel) {
        const PictureView view = picture_view(picture);
        Doubles out({view.rows, view.columns, std::int64_t{model.classes()}});
        double* const place = out.mutable_data();
        const py::gil_scoped_release release;
        colour_distances(view, model, place, executor, cancel);
        return out;
      },
      py::arg("picture"), py::arg("model"), py::arg("executor"), py::arg("cancel"),
      "Least squared distance to each class, (rows, columns, classes).");
  module.def(
      "colour_confidence",
      [](const py::array& picture, const ColourModel& model, Executor& executor,
         const CancelToken& cancel) {
        const PictureView view = picture_view(picture);
        py::array_t<float> out({view.rows, view.columns});
        float* const place = out.mutable_data();
        const py::gil_scoped_release release;
        colour_confidence(view, model, place, executor, cancel);
        return out;
      },
      py::arg("picture"), py::arg("model"), py::arg("executor"), py::arg("cancel"),
      "How clear the decision is, (rows, columns).");
}

}  // namespace spinekit::bindings

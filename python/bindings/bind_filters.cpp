#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <optional>

#include "bind.h"
#include "spinekit/error.h"
#include "spinekit/filters.h"
#include "spinekit/letterbox.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Pair = std::pair<double, double>;
using Tiles = std::pair<std::int64_t, std::int64_t>;

FilmView film_view(const py::array& film) {
  if (film.ndim() != 2 || (film.flags() & py::array::c_style) == 0) {
    throw_argument("film: expected a C-contiguous array (rows, columns)");
  }
  FilmView view{.data = film.data(), .rows = film.shape(0), .columns = film.shape(1)};
  if (py::isinstance<py::array_t<std::uint8_t>>(film)) {
    view.type = GreyType::kUint8;
  } else if (py::isinstance<py::array_t<std::uint16_t>>(film)) {
    view.type = GreyType::kUint16;
  } else if (py::isinstance<py::array_t<float>>(film)) {
    view.type = GreyType::kFloat32;
  } else {
    throw_argument("film: " + std::string(py::str(py::object(film.dtype()))) +
                   ", expected uint8, uint16 or float32");
  }
  check_film(view);
  return view;
}

py::array empty(GreyType type, const std::vector<py::ssize_t>& shape) {
  switch (type) {
    case GreyType::kUint8:
      return py::array_t<std::uint8_t>(shape);
    case GreyType::kUint16:
      return py::array_t<std::uint16_t>(shape);
    case GreyType::kFloat32:
      break;
  }
  return py::array_t<float>(shape);
}

std::span<std::byte> bytes_of(py::array& array) {
  return {static_cast<std::byte*>(array.mutable_data()), static_cast<std::size_t>(array.nbytes())};
}

std::span<float> floats_of(Floats& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

std::span<const float> values_of(const Floats& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

template <typename Filter>
py::array filtered(const py::array& film, GreyType type, const Filter& filter) {
  py::array out = empty(type, {film.shape(0), film.shape(1)});
  const auto bytes = bytes_of(out);
  const py::gil_scoped_release release;
  filter(bytes);
  return out;
}

GreyMapping mapping_of(const std::optional<Pair>& levels, bool of_film, int bits) {
  GreyMapping mapping{.from = of_film ? LevelsFrom::kFilm : LevelsFrom::kType, .bits = bits};
  if (levels) {
    mapping.from = LevelsFrom::kGiven;
    mapping.low = levels->first;
    mapping.high = levels->second;
  }
  return mapping;
}

Floats pen_array(const FilmView& view, const PenOptions& options) {
  return Floats({static_cast<py::ssize_t>(options.channels()), py::ssize_t{view.rows},
                 py::ssize_t{view.columns}});
}

void bind_pen(py::module_& module) {
  py::classh<PenOptions>(module, "PenOptions", "Of the preprocessing ensemble.")
      .def(py::init([](const GreyMapping& mapping, double clip_limit, Tiles tiles,
                       double sharpening, Pair percentiles, unsigned versions) {
             const PenOptions options{.mapping = mapping,
                                      .clahe = {clip_limit, tiles.first, tiles.second},
                                      .sharpening = sharpening,
                                      .stretch = {percentiles.first, percentiles.second},
                                      .versions = versions};
             check_pen(options);
             return options;
           }),
           py::arg("mapping"), py::arg("clip_limit"), py::arg("tiles"), py::arg("sharpening"),
           py::arg("percentiles"), py::arg("versions"));

  module.def(
      "pen_versions", [] { return std::vector<std::string>(kPenNames.begin(), kPenNames.end()); },
      "What the ensemble is of, in the order of the channels.");
  module.def(
      "pen",
      [](const py::array& film, const PenOptions& options) {
        const FilmView view = film_view(film);
        Floats out = pen_array(view, options);
        const auto values = floats_of(out);
        const py::gil_scoped_release release;
        pen_unit(view, options, values);
        return out;
      },
      py::arg("film"), py::arg("options"),
      "Versions of a film in [0, 1], (channels, rows, columns).");
  module.def(
      "pen_levels",
      [](const py::array& film, const PenOptions& options) {
        const FilmView view = film_view(film);
        py::array out = empty(mapped_type(view, options.mapping),
                              {options.channels(), view.rows, view.columns});
        const auto bytes = bytes_of(out);
        const py::gil_scoped_release release;
        pen_levels(view, options, bytes);
        return out;
      },
      py::arg("film"), py::arg("options"), "The same as integers.");
  module.def(
      "pen_batch",
      [](const std::vector<py::array>& films, const PenOptions& options, Executor& executor,
         const CancelToken& cancel) {
        std::vector<FilmView> views;
        std::vector<Floats> arrays;
        std::vector<std::span<float>> out;
        for (const py::array& film : films) {
          views.push_back(film_view(film));
          arrays.push_back(pen_array(views.back(), options));
          out.push_back(floats_of(arrays.back()));
        }
        const py::gil_scoped_release release;
        pen_batch(views, options, out, executor, cancel);
        return arrays;
      },
      py::arg("films"), py::arg("options"), py::arg("executor"), py::arg("cancel"),
      "Versions of each film in [0, 1].");
}

void bind_letterbox(py::module_& module) {
  const auto pair = [](LetterboxSize Letterbox::*size) {
    return [size](const Letterbox& box) {
      return std::make_pair((box.*size).rows, (box.*size).columns);
    };
  };
  py::classh<Letterbox>(module, "Letterbox", "Where a film lies in a network's input.")
      .def(py::init([](std::pair<std::int64_t, std::int64_t> film,
                       std::pair<std::int64_t, std::int64_t> input, Pair spacing) {
             return letterbox({film.first, film.second}, {input.first, input.second}, spacing.first,
                              spacing.second);
           }),
           py::arg("film"), py::arg("input"), py::arg("spacing"))
      .def_property_readonly("film", pair(&Letterbox::film))
      .def_property_readonly("input", pair(&Letterbox::input))
      .def_property_readonly("fitted", pair(&Letterbox::fitted))
      .def_readonly("top", &Letterbox::top)
      .def_readonly("left", &Letterbox::left)
      .def_property_readonly("scale", [](const Letterbox& box) {
        return std::make_pair(box.row_scale, box.column_scale);
      });

  module.def(
      "letterbox_fit",
      [](const py::array& film, const Letterbox& box, Executor& executor,
         const CancelToken& cancel) {
        const FilmView view = film_view(film);
        py::array out = empty(view.type, {box.fitted.rows, box.fitted.columns});
        const auto bytes = bytes_of(out);
        const py::gil_scoped_release release;
        letterbox_fit(view, box, bytes, executor, cancel);
        return out;
      },
      py::arg("film"), py::arg("box"), py::arg("executor"), py::arg("cancel"),
      "The film at its fitted size, without padding.");
  module.def(
      "letterbox_pad",
      [](const Floats& stack, const Letterbox& box, float value) {
        if (stack.ndim() != 3) throw_argument("stack: expected (channels, rows, columns)");
        Floats out({stack.shape(0), box.input.rows, box.input.columns});
        const auto values = floats_of(out);
        const py::gil_scoped_release release;
        letterbox_pad(values_of(stack), stack.shape(0), box, value, values);
        return out;
      },
      py::arg("stack").noconvert(), py::arg("box"), py::arg("value"),
      "(channels, fitted) amid (channels, input).");
  module.def(
      "letterbox_unfit",
      [](const Floats& maps, const Letterbox& box, bool logits, Executor& executor,
         const CancelToken& cancel) {
        if (maps.ndim() != 3 || maps.shape(1) != box.input.rows ||
            maps.shape(2) != box.input.columns) {
          throw_argument("maps: expected (maps, " + std::to_string(box.input.rows) + ", " +
                         std::to_string(box.input.columns) + ")");
        }
        Floats out({maps.shape(0), box.film.rows, box.film.columns});
        const auto values = floats_of(out);
        const py::gil_scoped_release release;
        letterbox_unfit(values_of(maps), maps.shape(0), box, logits, values, executor, cancel);
        return out;
      },
      py::arg("maps").noconvert(), py::arg("box"), py::arg("logits"), py::arg("executor"),
      py::arg("cancel"), "(maps, input) to (maps, film).");
}

}  // namespace

void bind_filters(py::module_& module) {
  py::classh<GreyMapping>(module, "GreyMapping", "Which grey levels become which integers.")
      .def(py::init(&mapping_of), py::arg("levels"), py::arg("of_film"), py::arg("bits"));
  module.def(
      "map_levels",
      [](const py::array& film, const GreyMapping& mapping) {
        const FilmView view = film_view(film);
        return filtered(film, mapped_type(view, mapping),
                        [&](auto out) { map_levels(view, mapping, out); });
      },
      py::arg("film"), py::arg("mapping"), "A film as integers.");
  module.def(
      "clahe",
      [](const py::array& film, double clip_limit, Tiles tiles) {
        const FilmView view = film_view(film);
        return filtered(film, view.type, [&](auto out) {
          clahe(view, {clip_limit, tiles.first, tiles.second}, out);
        });
      },
      py::arg("film"), py::arg("clip_limit"), py::arg("tiles"),
      "Contrast-limited adaptive histogram equalisation of integers.");
  module.def(
      "sharpen",
      [](const py::array& film, double amount) {
        const FilmView view = film_view(film);
        return filtered(film, view.type, [&](auto out) { sharpen(view, amount, out); });
      },
      py::arg("film"), py::arg("amount"), "Sharpening of integers.");
  module.def(
      "stretch",
      [](const py::array& film, Pair percentiles) {
        const FilmView view = film_view(film);
        return filtered(film, view.type, [&](auto out) {
          stretch(view, {percentiles.first, percentiles.second}, out);
        });
      },
      py::arg("film"), py::arg("percentiles"), "Contrast stretching of integers.");
  module.def("filter_versions", &filter_versions, "Names and versions of the filters' libraries.");
  bind_pen(module);
  bind_letterbox(module);
}

}  // namespace spinekit::bindings

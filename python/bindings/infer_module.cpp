// The module that links torch. It shares no C++ types with _core: arrays and plain values pass between them.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <algorithm>

#include "spinekit/error.h"
#include "spinekit/network.h"

namespace py = pybind11;
using namespace spinekit;

namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Configuration = py::typing::Dict<py::str, py::object>;

const char* class_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kArgument:
      return "ArgumentError";
    case ErrorCode::kMalformed:
      return "MalformedDataError";
    case ErrorCode::kUnsupported:
      return "UnsupportedError";
    case ErrorCode::kResource:
      return "ResourceError";
    case ErrorCode::kCancelled:
      return "CancelledError";
    case ErrorCode::kVerification:
      break;
  }
  return "SpinekitError";
}

template <std::size_t count>
std::array<int, count> numbers_of(const py::dict& configuration, const char* key) {
  const auto numbers = configuration[key].cast<std::vector<int>>();
  if (numbers.size() != count) {
    throw_argument("configuration: " + std::string(key) + " has " + std::to_string(numbers.size()) +
                   " numbers, expected " + std::to_string(count));
  }
  std::array<int, count> array{};
  std::copy(numbers.begin(), numbers.end(), array.begin());
  return array;
}

TransUnetConfiguration configuration_of(const py::dict& given) {
  TransUnetConfiguration numbers;
  try {
    const auto number = [&](const char* key) { return given[key].cast<int>(); };
    const std::array<int, 2> size = numbers_of<2>(given, "size");
    numbers = {.channels = number("channels"),
               .pen = given["pen"].cast<bool>(),
               .classes = number("classes"),
               .rows = size[0],
               .columns = size[1],
               .width = number("width"),
               .units = numbers_of<3>(given, "units"),
               .groups = number("groups"),
               .hidden = number("hidden"),
               .layers = number("layers"),
               .heads = number("heads"),
               .mlp = number("mlp"),
               .entry = number("entry"),
               .decoder = numbers_of<4>(given, "decoder")};
  } catch (const py::cast_error&) {
    throw_argument("configuration: a number is none, or too large");
  } catch (py::error_already_set& failure) {
    if (!failure.matches(PyExc_KeyError)) throw;
    throw_argument("configuration: no " + py::str(failure.value()).cast<std::string>());
  }
  return numbers;
}

NetworkOptions options_of(const std::string& precision, int threads, std::string device,
                          const std::string& kernels) {
  if (precision != "fp32" && precision != "bf16") {
    throw_argument("precision: '" + precision + "', expected 'fp32' or 'bf16'");
  }
  if (kernels != "best" && kernels != "oneDNN" && kernels != "torch") {
    throw_argument("kernels: '" + kernels + "', expected 'best', 'oneDNN' or 'torch'");
  }
  // OpenMP ends the process where the system gives it no more threads.
  constexpr int kMostThreads = 256;
  if (threads < 1 || threads > kMostThreads) {
    throw_argument("threads: " + std::to_string(threads) + ", expected 1 to " +
                   std::to_string(kMostThreads));
  }
  return {.precision = precision == "bf16" ? Precision::kBfloat16 : Precision::kFloat32,
          .threads = threads,
          .device = std::move(device),
          .kernels = kernels == "best"     ? Kernels::kBest
                     : kernels == "oneDNN" ? Kernels::kOneDnn
                                           : Kernels::kTorch};
}

Floats forward(const Network& network, const Floats& films) {
  if (films.ndim() != 4) {
    throw_argument("films: " + std::to_string(films.ndim()) +
                   " dimensions, expected (n, channels, rows, columns)");
  }
  const NetworkShape shape{films.shape(0), films.shape(1), films.shape(2), films.shape(3)};
  const NetworkShape result = network.logits_shape(shape);
  Floats logits({result.count, result.channels, result.rows, result.columns});
  const float* in = films.data();
  float* out = logits.mutable_data();
  const py::gil_scoped_release release;
  network.forward(in, shape, out);
  return logits;
}

}  // namespace

PYBIND11_MODULE(_infer, module) {
  module.doc() =
      "The part of spinekit's engine that runs networks; use spinekit.Segmenter instead.";
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      const py::object type = py::module_::import("spinekit._core").attr(class_of(error.code()));
      PyErr_SetObject(
          type.ptr(),
          py::reinterpret_steal<py::object>(
              PyUnicode_DecodeUTF8(error.what(), static_cast<py::ssize_t>(error.message().size()),
                                   "replace"))
              .ptr());
    }
  });

  py::classh<Network>(module, "Network", "A network that is ready to run.")
      .def("forward", &forward, py::arg("films").noconvert(),
           "Logits, float32 (n, classes, rows, columns), of films, float32 (n, channels, rows, "
           "columns).");

  module.def(
      "transunet",
      [](const Configuration& configuration, const std::map<std::string, Floats>& weights,
         const std::string& precision, int threads, const std::string& device,
         const std::string& kernels) {
        WeightViews views;
        for (const auto& [name, array] : weights) {
          views[name] = {.data = array.data(),
                         .shape = {array.shape(), array.shape() + array.ndim()}};
        }
        const TransUnetConfiguration numbers = configuration_of(configuration);
        const NetworkOptions options = options_of(precision, threads, device, kernels);
        const py::gil_scoped_release release;
        return make_transunet(numbers, views, options);
      },
      py::arg("configuration"), py::arg("weights"), py::arg("precision"), py::arg("threads"),
      py::arg("device") = "cpu", py::arg("kernels") = "best",
      "A TransUNet from the configuration of spinekit.nn and its weights, float32, by name.");
  module.def(
      "torchscript",
      [](const std::string& path, std::int64_t channels, std::int64_t classes,
         const std::string& precision, int threads, const std::string& device) {
        const NetworkOptions options = options_of(precision, threads, device, "best");
        const py::gil_scoped_release release;
        return open_torchscript(path, channels, classes, options);
      },
      py::arg("path"), py::arg("channels"), py::arg("classes"), py::arg("precision"),
      py::arg("threads"), py::arg("device") = "cpu", "A network from a TorchScript file.");
  module.def("settle_after_fork", &settle_after_fork,
             "To be called before torch is used in a child of fork().");
  module.def("versions", &network_versions, "What it was built for, and what the machine offers.");
}

#include "errors.h"

#include <array>
#include <string>

#include "buffers.h"
#include "spinekit/error.h"

namespace py = pybind11;

namespace spinekit::bindings {
namespace {

struct Classes {
  py::object base;
  py::object argument;
  py::object malformed;
  py::object unsupported;
  py::object resource;
  py::object cancelled;
};

PYBIND11_CONSTINIT py::gil_safe_call_once_and_store<Classes> classes;

// Plain Python classes: they pickle, subclass and document themselves as users expect.
Classes make_classes(py::module_& module) {
  const auto make = [&](const char* name, const py::tuple& bases, const char* doc) {
    py::dict body;
    body["__doc__"] = doc;
    body["__module__"] = "spinekit";
    const py::object type = py::type::of(py::type::of(py::none()));
    py::object made = type(name, bases, body);
    module.attr(name) = made;
    return made;
  };
  const py::module_ builtins = py::module_::import("builtins");
  Classes made;
  made.base = make("SpinekitError", py::make_tuple(builtins.attr("Exception")),
                   "Base of every error that spinekit raises on purpose.");
  made.argument = make("ArgumentError", py::make_tuple(made.base, builtins.attr("ValueError")),
                       "An argument, or a combination of arguments, cannot be.");
  made.malformed =
      make("MalformedDataError", py::make_tuple(made.base, builtins.attr("ValueError")),
           "The data contradicts itself or its standard, or is cut off.");
  made.unsupported =
      make("UnsupportedError", py::make_tuple(made.base, builtins.attr("NotImplementedError")),
           "The data is valid but of a kind that is not handled.");
  made.resource = make("ResourceError", py::make_tuple(made.base, builtins.attr("RuntimeError")),
                       "Disk, memory or permissions do not suffice.");
  made.cancelled =
      make("CancelledError", py::make_tuple(made.base), "The work was stopped before it was done.");
  return made;
}

const py::object& class_of(ErrorCode code) {
  const Classes& all = classes.get_stored();
  switch (code) {
    case ErrorCode::kArgument:
      return all.argument;
    case ErrorCode::kMalformed:
      return all.malformed;
    case ErrorCode::kUnsupported:
      return all.unsupported;
    case ErrorCode::kResource:
      return all.resource;
    case ErrorCode::kCancelled:
      return all.cancelled;
    case ErrorCode::kVerification:
      break;
  }
  return all.base;
}

}  // namespace

Error error_of(const py::object& exception) {
  const std::string message = py::str(exception).cast<std::string>();
  for (const ErrorCode code : {ErrorCode::kArgument, ErrorCode::kUnsupported, ErrorCode::kResource,
                               ErrorCode::kCancelled}) {
    if (py::isinstance(exception, class_of(code))) return {code, message};
  }
  return {ErrorCode::kMalformed, message};
}

py::object exception_of(const Error& error) {
  return class_of(error.code())(text_of(error.message()));
}

void bind_errors(py::module_& module) {
  classes.call_once_and_store_result([&] { return make_classes(module); });
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      PyErr_SetObject(class_of(error.code()).ptr(), text_of(error.message()).ptr());
    }
  });
}

}  // namespace spinekit::bindings

// Exceptions: created once at import, one Python class for each code of the engine.
#pragma once

#include <pybind11/pybind11.h>

#include "spinekit/error.h"

namespace spinekit::bindings {

void bind_errors(pybind11::module_& module);

// An error of the engine as the Python exception that it would be raised as.
pybind11::object exception_of(const Error& error);
// The other way round; what is no error of ours becomes one of the data.
Error error_of(const pybind11::object& exception);

}  // namespace spinekit::bindings

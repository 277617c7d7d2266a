// Exceptions: created once at import, one Python class for each code of the engine.
#pragma once

#include <pybind11/pybind11.h>

namespace spinekit::bindings {

void bind_errors(pybind11::module_& module);

}  // namespace spinekit::bindings

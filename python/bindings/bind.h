// One function for each room of the engine.
#pragma once

#include <pybind11/pybind11.h>

namespace spinekit::bindings {

void bind_core(pybind11::module_& module);
void bind_codec(pybind11::module_& module);
void bind_dicom(pybind11::module_& module);
void bind_volume(pybind11::module_& module);
void bind_archive(pybind11::module_& module);
void bind_radiograph(pybind11::module_& module);
void bind_projection(pybind11::module_& module);
void bind_filters(pybind11::module_& module);
void bind_scan(pybind11::module_& module);
void bind_colour(pybind11::module_& module);
void bind_pieces(pybind11::module_& module);
void bind_artwork(pybind11::module_& module);

}  // namespace spinekit::bindings

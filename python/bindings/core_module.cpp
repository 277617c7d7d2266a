#include "bind.h"
#include "errors.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The engine of spinekit; use the functions of the package instead.";
  module.attr("__version__") = SPINEKIT_VERSION;
  spinekit::bindings::bind_errors(module);
  spinekit::bindings::bind_core(module);
  spinekit::bindings::bind_codec(module);
  spinekit::bindings::bind_dicom(module);
  spinekit::bindings::bind_archive(module);
  spinekit::bindings::bind_volume(module);
  spinekit::bindings::bind_radiograph(module);
  spinekit::bindings::bind_projection(module);
  spinekit::bindings::bind_filters(module);
  spinekit::bindings::bind_scan(module);
  spinekit::bindings::bind_colour(module);
  spinekit::bindings::bind_pieces(module);
  spinekit::bindings::bind_artwork(module);
}

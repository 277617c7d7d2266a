#include "bind.h"
#include "buffers.h"
#include "spinekit/executor.h"

namespace py = pybind11;

namespace spinekit::bindings {

void bind_core(py::module_& module) {
  py::classh<CancelToken>(module, "CancelToken", "Stops the work that it was handed to.")
      .def(py::init<>())
      .def("cancel", &CancelToken::cancel, "Stop as soon as possible; from any thread.")
      .def_property_readonly("cancelled", &CancelToken::cancelled);

  py::classh<Executor>(module, "Executor", "A bounded set of threads shared by its callers.")
      .def(py::init([](int workers) {
             return std::shared_ptr<Executor>(new Executor(workers), delete_without_gil<Executor>);
           }),
           py::arg("workers"))
      .def_property_readonly("workers", &Executor::workers);
}

}  // namespace spinekit::bindings

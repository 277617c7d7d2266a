# Finds the libraries of the torch that the interpreter imports: target spinekit_torch, SPINEKIT_HAS_TORCH.
#
# Not find_package(Torch): for a torch with CUDA that asks for the whole CUDA toolkit, which a user of torch
# does not have, and nothing here calls CUDA itself.
set(SPINEKIT_HAS_TORCH OFF)
if(SPINEKIT_INFER STREQUAL "OFF")
  return()
endif()

find_package(Python COMPONENTS Interpreter)
if(NOT Python_FOUND AND SPINEKIT_INFER STREQUAL "AUTO")
  return()
endif()
execute_process(
  COMMAND ${Python_EXECUTABLE} -c
          "import torch; print(torch.__path__[0], torch.__version__, int(torch.compiled_with_cxx11_abi()), sep=';')"
  OUTPUT_VARIABLE torch_answer ERROR_VARIABLE torch_error RESULT_VARIABLE torch_failed
  OUTPUT_STRIP_TRAILING_WHITESPACE)
if(torch_failed)
  if(SPINEKIT_INFER STREQUAL "ON")
    message(FATAL_ERROR "SPINEKIT_INFER is ON, but ${Python_EXECUTABLE} cannot import torch: "
                        "${torch_error}")
  endif()
  message(STATUS "spinekit: no torch, so _infer is not built (segmentation will ask for it)")
  return()
endif()

list(GET torch_answer 0 torch_folder)
list(GET torch_answer 1 torch_version)
list(GET torch_answer 2 torch_abi)
message(STATUS "spinekit: _infer is built for torch ${torch_version}")
add_library(spinekit_torch INTERFACE)
target_include_directories(spinekit_torch SYSTEM INTERFACE
                           ${torch_folder}/include ${torch_folder}/include/torch/csrc/api/include)
target_compile_definitions(spinekit_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=${torch_abi})
target_link_libraries(spinekit_torch INTERFACE ${torch_folder}/lib/libtorch.so
                                               ${torch_folder}/lib/libtorch_cpu.so
                                               ${torch_folder}/lib/libc10.so)
set(SPINEKIT_HAS_TORCH ON)

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "spinekit/network.h"

namespace spinekit {

std::map<std::string, std::string> network_versions() {
  return {{"built for torch", TORCH_VERSION},
          {"CPU capability", at::get_cpu_capability()},
          {"oneDNN", at::hasMKLDNN() ? "yes" : "no"},
          {"CUDA", at::hasCUDA() ? "yes" : "no"}};
}

}  // namespace spinekit

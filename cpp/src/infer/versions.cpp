#include <ATen/Context.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "products.h"
#include "spinekit/network.h"
#include "torch_guard.h"

namespace spinekit {

void settle_after_fork() { infer::settle_after_fork(); }

std::map<std::string, std::string> network_versions() {
  return {{"built for torch", TORCH_VERSION},
          {"CPU capability", at::get_cpu_capability()},
          {"oneDNN", at::hasMKLDNN() ? "yes" : "no"},
          {"matrix units", infer::Products::available() ? "yes" : "no"},
          {"CUDA", at::hasCUDA() ? "yes" : "no"}};
}

}  // namespace spinekit

#include "colour_kernels_body.h"

namespace spinekit::classify {

#ifdef SPINEKIT_X86_KERNELS
extern const ColourKernels kAvx2, kAvx512;
#endif

const std::vector<std::pair<std::string, ColourKernels>>& all_colour_kernels() {
  static const auto kFound = [] {
    std::vector<std::pair<std::string, ColourKernels>> found{{"baseline", kKernels}};
#ifdef SPINEKIT_X86_KERNELS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      found.emplace_back("AVX2", kAvx2);
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
        found.emplace_back("AVX-512", kAvx512);
      }
    }
#endif
    return found;
  }();
  return kFound;
}

const ColourKernels& colour_kernels() { return all_colour_kernels().back().second; }

}  // namespace spinekit::classify

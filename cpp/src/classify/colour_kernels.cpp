#include "colour_kernels_body.h"
#include "spinekit/processor.h"

namespace spinekit::classify {

#ifdef SPINEKIT_X86_KERNELS
extern const ColourKernels kAvx2, kAvx512;
#endif

const std::vector<std::pair<std::string, ColourKernels>>& all_colour_kernels() {
  static const auto kFound = [] {
    std::vector<std::pair<std::string, ColourKernels>> found{{"baseline", kKernels}};
#ifdef SPINEKIT_X86_KERNELS
    if (has_avx2()) {
      found.emplace_back("AVX2", kAvx2);
      if (has_avx512()) found.emplace_back("AVX-512", kAvx512);
    }
#endif
    return found;
  }();
  return kFound;
}

const ColourKernels& colour_kernels() { return all_colour_kernels().back().second; }

}  // namespace spinekit::classify

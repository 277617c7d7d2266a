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

void look_up_row(const std::uint8_t* rgb, std::int64_t count, const std::uint32_t* table,
                 std::uint64_t* bits) {
  // The kernel reads a byte beyond its words, which the row may not have.
  const std::int64_t words = (count - 1) / 64;
  colour_kernels().look_up(rgb, words, table, bits);
  std::uint64_t last = 0;
  for (std::int64_t k = 64 * words; k < count; ++k) {
    const std::uint32_t index = colour_index(rgb + 3 * k);
    last |= std::uint64_t{table[index >> 5] >> (index & 31U) & 1U} << (k % 64);
  }
  bits[words] = last;
}

}  // namespace spinekit::classify

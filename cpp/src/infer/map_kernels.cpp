#include "map_kernels_body.h"
#include "spinekit/processor.h"

namespace spinekit::infer {

#ifdef SPINEKIT_X86_KERNELS
extern const MapKernels<float> kAvx2Float, kAvx512Float;
extern const MapKernels<Bfloat16> kAvx2Bfloat16, kAvx512Bfloat16;
extern const TokenKernels kAvx2Tokens, kAvx512Tokens;
#endif

namespace {

template <typename Kernels>
using Variants = std::vector<std::pair<std::string, Kernels>>;

template <typename Kernels>
Variants<Kernels> supported(const Kernels& baseline, [[maybe_unused]] const Kernels& avx2,
                            [[maybe_unused]] const Kernels& avx512) {
  Variants<Kernels> found{{"baseline", baseline}};
#ifdef SPINEKIT_X86_KERNELS
  if (has_avx2()) {
    found.emplace_back("AVX2", avx2);
    if (has_avx512()) found.emplace_back("AVX-512", avx512);
  }
#endif
  return found;
}

#ifndef SPINEKIT_X86_KERNELS
constexpr const MapKernels<float>& kAvx2Float = kKernels<float>;
constexpr const MapKernels<float>& kAvx512Float = kKernels<float>;
constexpr const MapKernels<Bfloat16>& kAvx2Bfloat16 = kKernels<Bfloat16>;
constexpr const MapKernels<Bfloat16>& kAvx512Bfloat16 = kKernels<Bfloat16>;
constexpr const TokenKernels& kAvx2Tokens = kTokenKernels;
constexpr const TokenKernels& kAvx512Tokens = kTokenKernels;
#endif

}  // namespace

template <>
const Variants<MapKernels<float>>& all_map_kernels<float>() {
  static const auto kFound = supported(kKernels<float>, kAvx2Float, kAvx512Float);
  return kFound;
}

template <>
const Variants<MapKernels<Bfloat16>>& all_map_kernels<Bfloat16>() {
  static const auto kFound = supported(kKernels<Bfloat16>, kAvx2Bfloat16, kAvx512Bfloat16);
  return kFound;
}

const Variants<TokenKernels>& all_token_kernels() {
  static const auto kFound = supported(kTokenKernels, kAvx2Tokens, kAvx512Tokens);
  return kFound;
}

const TokenKernels& token_kernels() { return all_token_kernels().back().second; }

template <>
const MapKernels<float>& map_kernels<float>() {
  return all_map_kernels<float>().back().second;
}

template <>
const MapKernels<Bfloat16>& map_kernels<Bfloat16>() {
  return all_map_kernels<Bfloat16>().back().second;
}

}  // namespace spinekit::infer

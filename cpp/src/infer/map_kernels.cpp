#include "map_kernels_body.h"

namespace spinekit::infer {

#ifdef SPINEKIT_X86_KERNELS
extern const MapKernels<float> kAvx2Float, kAvx512Float;
extern const MapKernels<Bfloat16> kAvx2Bfloat16, kAvx512Bfloat16;
#endif

namespace {

template <typename Value>
using Variants = std::vector<std::pair<std::string, MapKernels<Value>>>;

template <typename Value>
Variants<Value> supported([[maybe_unused]] const MapKernels<Value>& avx2,
                          [[maybe_unused]] const MapKernels<Value>& avx512) {
  Variants<Value> found{{"baseline", kKernels<Value>}};
#ifdef SPINEKIT_X86_KERNELS
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    found.emplace_back("AVX2", avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
      found.emplace_back("AVX-512", avx512);
    }
  }
#endif
  return found;
}

#ifndef SPINEKIT_X86_KERNELS
constexpr const MapKernels<float>& kAvx2Float = kKernels<float>;
constexpr const MapKernels<float>& kAvx512Float = kKernels<float>;
constexpr const MapKernels<Bfloat16>& kAvx2Bfloat16 = kKernels<Bfloat16>;
constexpr const MapKernels<Bfloat16>& kAvx512Bfloat16 = kKernels<Bfloat16>;
#endif

}  // namespace

template <>
const Variants<float>& all_map_kernels<float>() {
  static const Variants<float> kFound = supported(kAvx2Float, kAvx512Float);
  return kFound;
}

template <>
const Variants<Bfloat16>& all_map_kernels<Bfloat16>() {
  static const Variants<Bfloat16> kFound = supported(kAvx2Bfloat16, kAvx512Bfloat16);
  return kFound;
}

template <>
const MapKernels<float>& map_kernels<float>() {
  return all_map_kernels<float>().back().second;
}

template <>
const MapKernels<Bfloat16>& map_kernels<Bfloat16>() {
  return all_map_kernels<Bfloat16>().back().second;
}

}  // namespace spinekit::infer

#include "map_kernels_body.h"

namespace spinekit::infer {

#ifdef SPINEKIT_X86_KERNELS
extern const MapKernels<float> kAvx2Float, kAvx512Float;
extern const MapKernels<Bfloat16> kAvx2Bfloat16, kAvx512Bfloat16;

namespace {

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

template <>
const MapKernels<float>& map_kernels<float>() {
  static const MapKernels<float>& chosen =
      has_avx512() ? kAvx512Float : (has_avx2() ? kAvx2Float : kKernels<float>);
  return chosen;
}

template <>
const MapKernels<Bfloat16>& map_kernels<Bfloat16>() {
  static const MapKernels<Bfloat16>& chosen =
      has_avx512() ? kAvx512Bfloat16 : (has_avx2() ? kAvx2Bfloat16 : kKernels<Bfloat16>);
  return chosen;
}
#else
template <>
const MapKernels<float>& map_kernels<float>() {
  return kKernels<float>;
}

template <>
const MapKernels<Bfloat16>& map_kernels<Bfloat16>() {
  return kKernels<Bfloat16>;
}
#endif

}  // namespace spinekit::infer

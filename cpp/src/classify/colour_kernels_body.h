// The kernels themselves, included once for each instruction set. Nothing here may be inline for the
// linker: it would take one instruction set's code for all.
#pragma once

#include <cstring>
#ifdef __AVX512BW__
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 warns of its own header (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#endif

#include "colour_kernels.h"

namespace spinekit::classify {
namespace {

// These sources are compiled without contraction; float32 may fuse, its bounds allow for either.
float fused(float a, float b, float c) {
#ifdef __FMA__
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

void decide(const ColourPlanes& planes, const ExactModel& model, std::uint8_t* __restrict labels) {
  double best[kColourBlock];
  double least[kColourBlock];
  double label[kColourBlock];
  const double* __restrict l = planes.values[0];
  const double* __restrict a = planes.values[1];
  const double* __restrict b = planes.values[2];
  const double* __restrict s = planes.values[3];
  for (std::int64_t k = 0; k < kColourBlock; ++k) {
    best[k] = least[k] = __builtin_inf();
    label[k] = 0;
  }
  for (const ExactComponent& given : model.components) {
    // Without a copy the compiler must reckon with the arrays above changing it.
    const ExactComponent component = given;
    const auto& mean = component.mean;
    const auto& inv = component.inverse;
    for (std::int64_t k = 0; k < kColourBlock; ++k) {
      const double d0 = l[k] - mean[0];
      const double d1 = a[k] - mean[1];
      const double d2 = b[k] - mean[2];
      const double d3 = s[k] - mean[3];
      const double r0 = d0 * inv[0][0] + d1 * inv[0][1] + d2 * inv[0][2] + d3 * inv[0][3];
      const double r1 = d0 * inv[1][0] + d1 * inv[1][1] + d2 * inv[1][2] + d3 * inv[1][3];
      const double r2 = d0 * inv[2][0] + d1 * inv[2][1] + d2 * inv[2][2] + d3 * inv[2][3];
      const double r3 = d0 * inv[3][0] + d1 * inv[3][1] + d2 * inv[3][2] + d3 * inv[3][3];
      const double distance = d0 * r0 + d1 * r1 + d2 * r2 + d3 * r3;
      const double score = distance + component.offset;
      label[k] = score < best[k] ? component.label : label[k];
      best[k] = score < best[k] ? score : best[k];
      least[k] = distance < least[k] ? distance : least[k];
    }
  }
  for (std::int64_t k = 0; k < kColourBlock; ++k) {
    const double found = least[k] > model.reject ? double{kRejectedColour} : label[k];
    labels[k] = static_cast<std::uint8_t>(static_cast<int>(found));
  }
}

// x^(-1/3) of x >= 0.008 from the exponent, to 3.5 %, and Newton's steps to float32.
float inverse_cube_root(float x) {
  const auto bits = static_cast<float>(__builtin_bit_cast(std::int32_t, x));
  const auto guess = static_cast<std::int32_t>(1419967116.0F - bits * (1.0F / 3));
  auto root = __builtin_bit_cast(float, guess);
  for (int step = 0; step < 3; ++step) {
    const float cube = x * root * root * root;
    root = root * fused(cube, -1.0F / 3, 4.0F / 3);
  }
  return root;
}

float lab_curve(float t) {
  const float x = t > 0.008F ? t : 0.008F;
  const float root = inverse_cube_root(x);
  const float cubic = x * root * root;
  const float straight = fused(7.787F, t, 16.0F / 116);
  return t > 0.008856F ? cubic : straight;
}

void features16(const std::uint16_t* __restrict rgb, std::int64_t count,
                const float* __restrict linear, float (*planes)[kColourBlock]) {
  alignas(64) std::int32_t red[kColourBlock];
  alignas(64) std::int32_t green[kColourBlock];
  alignas(64) std::int32_t blue[kColourBlock];
  float* __restrict l = planes[0];
  float* __restrict a = planes[1];
  float* __restrict b = planes[2];
  float* __restrict s = planes[3];
  for (std::int64_t k = 0; k < count; ++k) {
    red[k] = rgb[3 * k];
    green[k] = rgb[3 * k + 1];
    blue[k] = rgb[3 * k + 2];
  }
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int32_t r = red[k];
    const std::int32_t g = green[k];
    const std::int32_t v = blue[k];
    const std::int32_t low = r < g ? r : g;
    const std::int32_t high = r > g ? r : g;
    const std::int32_t least = low < v ? low : v;
    const std::int32_t most = high > v ? high : v;
    s[k] = static_cast<float>(most - least) * 255.0F / static_cast<float>(most > 1 ? most : 1);
    const float lr = linear[r];
    const float lg = linear[g];
    const float lb = linear[v];
    // OpenCV's sRGB for D65, over its white point.
    const float x = fused(0.18982827F, lb, fused(0.37621943F, lg, 0.43395296F * lr));
    const float y = fused(0.072169F, lb, fused(0.715160F, lg, 0.212671F * lr));
    const float z = fused(0.87276554F, lb, fused(0.10947652F, lg, 0.01775792F * lr));
    const float fx = lab_curve(x);
    const float fy = lab_curve(y);
    const float fz = lab_curve(z);
    l[k] = y > 0.008856F ? fused(295.8F, fy, -40.8F) : 2303.415F * y;
    a[k] = fused(500.0F, fx - fy, 128.0F);
    b[k] = fused(200.0F, fy - fz, 128.0F);
  }
}

// What is known so far of a block of pixels: the least lower bounds of two classes' scores, the least
// upper bound with its class, and bounds of the least d2.
struct Intervals {
  alignas(64) float low[kColourBlock];
  alignas(64) float second_low[kColourBlock];
  alignas(64) float high[kColourBlock];
  alignas(64) float label[kColourBlock];
  alignas(64) float least_low[kColourBlock];
  alignas(64) float least_high[kColourBlock];
  alignas(64) float class_low[kColourBlock];
  alignas(64) float class_high[kColourBlock];
};

void add_component(const float (*planes)[kColourBlock], const FloatComponent& component,
                   Intervals& found) {
  const float* __restrict l = planes[0];
  const float* __restrict a = planes[1];
  const float* __restrict b = planes[2];
  const float* __restrict s = planes[3];
  float* __restrict class_low = found.class_low;
  float* __restrict class_high = found.class_high;
  float* __restrict least_low = found.least_low;
  float* __restrict least_high = found.least_high;
  const float* w = component.whitening;
  for (std::int64_t k = 0; k < kColourBlock; ++k) {
    const float d0 = l[k] - component.mean[0];
    const float d1 = a[k] - component.mean[1];
    const float d2 = b[k] - component.mean[2];
    const float d3 = s[k] - component.mean[3];
    const float z0 = w[0] * d0;
    const float z1 = fused(w[2], d1, w[1] * d0);
    const float z2 = fused(w[5], d2, fused(w[4], d1, w[3] * d0));
    const float z3 = fused(w[9], d3, fused(w[8], d2, fused(w[7], d1, w[6] * d0)));
    const float distance = fused(z3, z3, fused(z2, z2, fused(z1, z1, z0 * z0)));
    const float error = fused(component.growth, __builtin_sqrtf(distance),
                              fused(kFloatRounding, distance, component.slack));
    const float score = distance + component.offset;
    const float low = score - error;
    const float high = score + error;
    class_low[k] = low < class_low[k] ? low : class_low[k];
    class_high[k] = high < class_high[k] ? high : class_high[k];
    const float below = distance - error;
    const float above = distance + error;
    least_low[k] = below < least_low[k] ? below : least_low[k];
    least_high[k] = above < least_high[k] ? above : least_high[k];
  }
}

void end_class(float label, Intervals& found) {
  float* __restrict low = found.low;
  float* __restrict second_low = found.second_low;
  float* __restrict high = found.high;
  float* __restrict labels = found.label;
  float* __restrict class_low = found.class_low;
  float* __restrict class_high = found.class_high;
  for (std::int64_t k = 0; k < kColourBlock; ++k) {
    const float larger = class_low[k] > low[k] ? class_low[k] : low[k];
    second_low[k] = larger < second_low[k] ? larger : second_low[k];
    low[k] = class_low[k] < low[k] ? class_low[k] : low[k];
    labels[k] = class_high[k] < high[k] ? label : labels[k];
    high[k] = class_high[k] < high[k] ? class_high[k] : high[k];
    class_low[k] = class_high[k] = __builtin_inff();
  }
}

void decide16(const std::uint16_t* __restrict rgb, std::int64_t count, const FloatModel& model,
              std::uint8_t* __restrict labels, std::uint8_t* __restrict unsure) {
  alignas(64) float planes[kColourFeatures][kColourBlock];
  Intervals found;
  if (count < kColourBlock) std::memset(planes, 0, sizeof planes);
  features16(rgb, count, model.linear, planes);
  for (std::int64_t k = 0; k < kColourBlock; ++k) {
    found.low[k] = found.second_low[k] = found.high[k] = __builtin_inff();
    found.least_low[k] = found.least_high[k] = __builtin_inff();
    found.class_low[k] = found.class_high[k] = __builtin_inff();
    found.label[k] = 0;
  }
  const std::size_t last = model.components.size() - 1;
  for (std::size_t c = 0; c <= last; ++c) {
    const FloatComponent& component = model.components[c];
    add_component(planes, component, found);
    if (c == last || model.components[c + 1].label != component.label) {
      end_class(component.label, found);
    }
  }
  for (std::int64_t k = 0; k < count; ++k) {
    const bool rejected = found.least_low[k] > model.reject;
    const bool accepted = found.least_high[k] <= model.reject;
    const bool sure = found.second_low[k] > found.high[k];
    const int label = static_cast<int>(found.label[k]);
    labels[k] = static_cast<std::uint8_t>(rejected ? int{kRejectedColour} : label);
    unsure[k] = static_cast<std::uint8_t>(!(rejected | (accepted & sure)));
  }
}

void look_up(const std::uint8_t* __restrict rgb, std::int64_t words,
             const std::uint32_t* __restrict table, std::uint64_t* __restrict bits) {
  for (std::int64_t word = 0; word < words; ++word) {
    std::uint64_t found = 0;
#ifdef __AVX512BW__
    const __m512i apart = _mm512_setr_epi32(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0);
    const __m512i pixels =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
    for (int part = 0; part < 4; ++part) {
      const __m512i bytes = _mm512_maskz_loadu_epi32(0x0fff, rgb + 48 * part);
      const __m512i index = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(apart, bytes), pixels);
      const __m512i place = _mm512_and_si512(index, _mm512_set1_epi32(31));
      const __m512i found32 =
          _mm512_i32gather_epi32(_mm512_srli_epi32(index, 5), table, sizeof *table);
      const __m512i bit = _mm512_srlv_epi32(found32, place);
      found |= std::uint64_t{_mm512_test_epi32_mask(bit, _mm512_set1_epi32(1))} << (16 * part);
    }
#else
    for (int k = 0; k < 64; ++k) {
      std::uint32_t index;
      std::memcpy(&index, rgb + 3 * k, sizeof index);
      index &= 0xffffffU;
      found |= std::uint64_t{table[index >> 5] >> (index & 31U) & 1U} << k;
    }
#endif
    bits[word] = found;
    rgb += 3 * 64;
  }
}

constexpr ColourKernels kKernels = {
    .decide = decide, .features16 = features16, .decide16 = decide16, .look_up = look_up};

}  // namespace
}  // namespace spinekit::classify

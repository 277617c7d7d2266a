// The logistic function of whole rows, in a form that compilers turn into vector code.
#pragma once

#include <bit>
#include <cstdint>

namespace spinekit::radiograph {

// 1 / (1 + exp(-x)), within 2e-7 of it for every x; NaN stays NaN.
//
// exp(-x) = 2^n * exp(r) with n whole and |r| <= ln(2) / 2, exp(r) by its Taylor polynomial of degree
// 6, whose remainder r^7 / 7! is below 1.3e-7 of exp(r); ln(2) is in two parts, the first of which n
// multiplies exactly.
inline float logistic(float x) {
  // Beyond, the result is 0 or 1 to the last bit that matters, and 2^n stays a normal float.
  constexpr float kMost = 80.0F;
  constexpr float kShift = 0x1.8p23F;
  const float low = x > kMost ? kMost : x;
  const float y = -(low < -kMost ? -kMost : low);
  const float shifted = y * 1.44269504F + kShift;
  const float n = shifted - kShift;
  const float r = (y - n * 0.693359375F) + n * 2.12194440e-4F;
  float power = 1.0F / 720;
  power = power * r + 1.0F / 120;
  power = power * r + 1.0F / 24;
  power = power * r + 1.0F / 6;
  power = power * r + 0.5F;
  power = power * r + 1.0F;
  power = power * r + 1.0F;
  // The low bits of `shifted` are n, which goes into the exponent.
  const std::uint32_t exponent = (std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U;
  return 1.0F / (1.0F + power * std::bit_cast<float>(exponent));
}

}  // namespace spinekit::radiograph

// The kernels themselves, included once for each instruction set. Nothing here may be inline for the
// linker: it would take one instruction set's code for all.
#pragma once

#include "map_kernels.h"

namespace spinekit::infer {
namespace {

float loaded(const float* value) { return *value; }

float loaded(const Bfloat16* value) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(value->bits) << 16);
}

void store(float* place, float value) { *place = value; }

// Rounds to even as torch does; NaN stays NaN.
void store(Bfloat16* place, float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  place->bits = static_cast<std::uint16_t>(value == value ? rounded : 0x7FC0U);
}

// Lets NaN through, as torch's does.
float rectified(float value) { return value < 0.0F ? 0.0F : value; }

template <typename Value>
void sums(const Value* __restrict maps, std::int64_t pixels, std::int64_t channels,
          const float* __restrict origin, float* __restrict sum, float* __restrict squares) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    const Value* pixel = maps + p * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float difference = loaded(pixel + c) - origin[c];
      sum[c] += difference;
      squares[c] += difference * difference;
    }
  }
}

template <typename Value>
void relu(Value* __restrict maps, std::int64_t pixels, std::int64_t channels, Affine affine) {
  const float* __restrict scale = affine.scale;
  const float* __restrict shift = affine.shift;
  for (std::int64_t p = 0; p < pixels; ++p) {
    Value* pixel = maps + p * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      store(pixel + c, rectified(loaded(pixel + c) * scale[c] + shift[c]));
    }
  }
}

template <typename Value>
void relu_sum(Value* __restrict maps, const Value* __restrict other, std::int64_t pixels,
              std::int64_t channels, Affine affine, Affine other_affine) {
  const float* __restrict scale = affine.scale;
  const float* __restrict shift = affine.shift;
  const float* __restrict other_scale = other_affine.scale;
  const float* __restrict other_shift = other_affine.shift;
  for (std::int64_t p = 0; p < pixels; ++p) {
    Value* pixel = maps + p * channels;
    const Value* added = other + p * channels;
    if (other_scale == nullptr) {
      for (std::int64_t c = 0; c < channels; ++c) {
        store(pixel + c, rectified(loaded(pixel + c) * scale[c] + shift[c] + loaded(added + c)));
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        store(pixel + c, rectified(loaded(pixel + c) * scale[c] + shift[c] +
                                   loaded(added + c) * other_scale[c] + other_shift[c]));
      }
    }
  }
}

template <typename Value>
void doubled_row(const Value* __restrict above, const Value* __restrict below, float weight,
                 std::int64_t columns, std::int64_t channels, Value* __restrict out,
                 std::int64_t stride) {
  const float step =
      columns > 1 ? static_cast<float>(columns - 1) / static_cast<float>(2 * columns - 1) : 0.0F;
  for (std::int64_t x = 0; x < 2 * columns; ++x) {
    const float place = step * static_cast<float>(x);
    const auto left =
        static_cast<std::int64_t>(place) < columns ? static_cast<std::int64_t>(place) : columns - 1;
    const std::int64_t right = left + (left < columns - 1 ? 1 : 0);
    const float across = place - static_cast<float>(left);
    const Value* a = above + left * channels;
    const Value* b = above + right * channels;
    const Value* c = below + left * channels;
    const Value* d = below + right * channels;
    Value* result = out + x * stride;
    for (std::int64_t k = 0; k < channels; ++k) {
      const float top = (1 - across) * loaded(a + k) + across * loaded(b + k);
      const float bottom = (1 - across) * loaded(c + k) + across * loaded(d + k);
      store(result + k, (1 - weight) * top + weight * bottom);
    }
  }
}

void split(const float* __restrict values, std::int64_t count, Bfloat16* __restrict high,
           Bfloat16* __restrict low) {
  for (std::int64_t k = 0; k < count; ++k) {
    store(high + k, values[k]);
    store(low + k, values[k] - loaded(high + k));
  }
}

// Sums in as many parts as the widest registers have, so that they need no other order than this one.
constexpr std::int64_t kLanes = 16;

float sum_of(const float* lanes) {
  float sum = 0;
  for (std::int64_t k = 0; k < kLanes; ++k) sum += lanes[k];
  return sum;
}

void layer_norm(const float* __restrict token, std::int64_t features,
                const float* __restrict weight, const float* __restrict bias, float eps,
                float* __restrict out) {
  const std::int64_t whole = features / kLanes * kLanes;
  const auto number = static_cast<float>(features);
  float lanes[kLanes] = {};
  for (std::int64_t k = 0; k < whole; k += kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) lanes[j] += token[k + j];
  }
  float sum = sum_of(lanes);
  for (std::int64_t k = whole; k < features; ++k) sum += token[k];
  const float mean = sum / number;
  float squares[kLanes] = {};
  for (std::int64_t k = 0; k < whole; k += kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) {
      const float aside = token[k + j] - mean;
      squares[j] += aside * aside;
    }
  }
  float variance = sum_of(squares);
  for (std::int64_t k = whole; k < features; ++k) variance += (token[k] - mean) * (token[k] - mean);
  const float inverse = 1.0F / __builtin_sqrtf(variance / number + eps);
  for (std::int64_t k = 0; k < features; ++k) {
    out[k] = (token[k] - mean) * inverse * weight[k] + bias[k];
  }
}

void add(const float* __restrict values, const float* __restrict bias,
         const float* __restrict other, std::int64_t count, float* __restrict out) {
  if (other == nullptr) {
    for (std::int64_t k = 0; k < count; ++k) out[k] = values[k] + bias[k];
  } else {
    for (std::int64_t k = 0; k < count; ++k) out[k] = values[k] + bias[k] + other[k];
  }
}

void finish_pixel(const float* __restrict values, const float* __restrict bias, bool rectify,
                  std::int64_t count, float* __restrict out) {
  if (rectify) {
    for (std::int64_t k = 0; k < count; ++k) out[k] = rectified(values[k] + bias[k]);
  } else {
    for (std::int64_t k = 0; k < count; ++k) out[k] = values[k] + bias[k];
  }
}

// e^x for x <= 0, relative error below 2e-7; 0 below the least normal number.
float exponential(float x) {
  const float bounded = x < -87.0F ? -87.0F : x;
  const float powers = bounded * 1.44269504F;
  const float whole = __builtin_floorf(powers + 0.5F);
  // ln 2 in two parts, so that nothing is lost where x is large.
  const float rest = (bounded - whole * 0.693359375F) + whole * 2.12194440e-4F;
  float sum = 1.0F / 5040;
  sum = sum * rest + 1.0F / 720;
  sum = sum * rest + 1.0F / 120;
  sum = sum * rest + 1.0F / 24;
  sum = sum * rest + 1.0F / 6;
  sum = sum * rest + 0.5F;
  sum = sum * rest + 1.0F;
  sum = sum * rest + 1.0F;
  const std::int32_t exponent = (static_cast<std::int32_t>(whole) + 127) << 23;
  return sum * __builtin_bit_cast(float, exponent);
}

// Abramowitz and Stegun 7.1.26: absolute error at most 1.5e-7.
float error_function(float x) {
  const float size = __builtin_fabsf(x);
  const float t = 1.0F / (1.0F + 0.3275911F * size);
  float sum = 1.061405429F;
  sum = sum * t - 1.453152027F;
  sum = sum * t + 1.421413741F;
  sum = sum * t - 0.284496736F;
  sum = sum * t + 0.254829592F;
  const float found = 1.0F - sum * t * exponential(-x * x);
  return __builtin_copysignf(found, x);
}

void add_gelu(float* __restrict values, const float* __restrict bias, std::int64_t count) {
  for (std::int64_t k = 0; k < count; ++k) {
    const float x = values[k] + bias[k];
    values[k] = 0.5F * x * (1.0F + error_function(x * 0.70710678F));
  }
}

constexpr TokenKernels kTokenKernels{split, layer_norm, add, add_gelu, finish_pixel};

template <typename Value>
constexpr MapKernels<Value> kKernels{sums<Value>, relu<Value>, relu_sum<Value>, doubled_row<Value>};

}  // namespace
}  // namespace spinekit::infer

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

template <typename Value>
constexpr MapKernels<Value> kKernels{sums<Value>, relu<Value>, relu_sum<Value>, doubled_row<Value>};

}  // namespace
}  // namespace spinekit::infer

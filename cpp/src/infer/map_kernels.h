// Work on channels-last maps in memory: statistics of groups, what follows from them, and doubling. They
// are compiled for several instruction sets and chosen at run time, so that a package that is built on one
// machine runs on another.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace spinekit::infer {

// The upper half of a float32.
struct Bfloat16 {
  std::uint16_t bits;
};

// Normalised value of a channel: value * scale + shift.
struct Affine {
  const float* scale = nullptr;
  const float* shift = nullptr;
};

template <typename Value>
struct MapKernels {
  // Adds, for each channel, (value - origin) and its square over `pixels` pixels to `sum` and `squares`.
  void (*sums)(const Value* maps, std::int64_t pixels, std::int64_t channels, const float* origin,
               float* sum, float* squares);

  // maps = relu(maps * affine), which has a value for each channel.
  void (*relu)(Value* maps, std::int64_t pixels, std::int64_t channels, Affine affine);

  // maps = relu(maps * affine + other * other_affine); `other` as it is where its scale is null.
  void (*relu_sum)(Value* maps, const Value* other, std::int64_t pixels, std::int64_t channels,
                   Affine affine, Affine other_affine);

  // One row of a doubled map, corners on corners: between rows `above` and `below` by `weight` of the
  // latter. `columns` pixels become 2 * columns pixels that lie `stride` values apart.
  void (*doubled_row)(const Value* above, const Value* below, float weight, std::int64_t columns,
                      std::int64_t channels, Value* out, std::int64_t stride);
};

// Passes over tokens, float32 (tokens, features), between products of matrices.
struct TokenKernels {
  // high = values in bfloat16; low = what that leaves out, in bfloat16.
  void (*split)(const float* values, std::int64_t count, Bfloat16* high, Bfloat16* low);

  // Normalises one token to mean 0 and variance 1, then scales and shifts.
  void (*layer_norm)(const float* token, std::int64_t features, const float* weight,
                     const float* bias, float eps, float* out);

  // out = values + bias + other; `other` null for none.
  void (*add)(const float* values, const float* bias, const float* other, std::int64_t count,
              float* out);

  // values = the exact GELU of values + bias; its error function to 2e-7.
  void (*add_gelu)(float* values, const float* bias, std::int64_t count);

  // out = values + bias, rectified if asked for.
  void (*finish_pixel)(const float* values, const float* bias, bool rectify, std::int64_t count,
                       float* out);
};

const TokenKernels& token_kernels();

// Those that this machine runs, by the name of their instruction set, best last. Value is float or Bfloat16.
template <typename Value>
const std::vector<std::pair<std::string, MapKernels<Value>>>& all_map_kernels();

const std::vector<std::pair<std::string, TokenKernels>>& all_token_kernels();

// The best of them.
template <typename Value>
const MapKernels<Value>& map_kernels();

}  // namespace spinekit::infer

// The decision on blocks of pixels, compiled for several instruction sets and chosen at run time. The
// exact ones give the same bits on all of them: their sources are compiled without fused operations.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "spinekit/colour.h"

namespace spinekit::classify {

// Pixels of a block; its planes stay in the L1 cache.
inline constexpr std::int64_t kColourBlock = 256;

// The definition of d2.
inline double squared_distance(const ColourModel::Component& component, const ColourVector& x) {
  ColourVector d;
  for (std::size_t i = 0; i < kColourFeatures; ++i) d[i] = x[i] - component.gaussian.mean[i];
  double total = 0;
  for (std::size_t i = 0; i < kColourFeatures; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < kColourFeatures; ++j) sum += d[j] * component.inverse[i][j];
    total += d[i] * sum;
  }
  return total;
}

// One plane a feature.
struct alignas(64) ColourPlanes {
  double values[kColourFeatures][kColourBlock];
};

struct ExactComponent {
  double mean[kColourFeatures];
  double inverse[kColourFeatures][kColourFeatures];
  double offset;
  double label;
};

struct ExactModel {
  explicit ExactModel(const ColourModel& model);

  std::vector<ExactComponent> components;
  double reject;
};

// In float32, with bounds of what that and the features' float32 may change: the label is sure where the
// intervals of scores of two classes do not meet.
struct FloatComponent {
  float mean[kColourFeatures];
  float whitening[10];  // lower triangle, row by row
  float offset;
  float slack;  // |d2 - exact d2| <= slack + growth * sqrt(d2) + kFloatRounding * d2
  float growth;
  float label;
};
inline constexpr float kFloatRounding = 2e-6F;

struct FloatModel {
  explicit FloatModel(const ColourModel& model);

  std::vector<FloatComponent> components;
  float reject;
  const float* linear;  // of the 65536 values
  bool usable = true;   // no float32 overflows
};

// By how much float32 may change a feature (L, a, b, S); the tests find less than half of it.
inline constexpr double kFloatFeatureError[kColourFeatures] = {4e-4, 1e-3, 5e-4, 1e-4};

struct ColourKernels {
  // Labels of a block by float64.
  void (*decide)(const ColourPlanes& planes, const ExactModel& model, std::uint8_t* labels);

  // Features of up to a block of pixels by float32.
  void (*features16)(const std::uint16_t* rgb, std::int64_t count, const float* linear,
                     float (*planes)[kColourBlock]);

  // Labels of up to a block of pixels by float32, and which of them (1) are not sure.
  void (*decide16)(const std::uint16_t* rgb, std::int64_t count, const FloatModel& model,
                   std::uint8_t* labels, std::uint8_t* unsure);

  // Bits of whole words of 64 pixels from a table of 2^24 bits; reads one byte beyond them.
  void (*look_up)(const std::uint8_t* rgb, std::int64_t words, const std::uint32_t* table,
                  std::uint64_t* bits);
};

// Where a colour stands in tables of 2^24: red + 256 green + 65536 blue, as its bytes lie in memory.
inline std::uint32_t colour_index(const std::uint8_t* rgb) {
  return rgb[0] | std::uint32_t{rgb[1]} << 8 | std::uint32_t{rgb[2]} << 16;
}

// Those that this machine runs, by the name of their instruction set, best last.
const std::vector<std::pair<std::string, ColourKernels>>& all_colour_kernels();

// The best of them.
const ColourKernels& colour_kernels();

// Bits of a row of pixels from a table of 2^24 bits; what is left of the last word is 0.
void look_up_row(const std::uint8_t* rgb, std::int64_t count, const std::uint32_t* table,
                 std::uint64_t* bits);

}  // namespace spinekit::classify

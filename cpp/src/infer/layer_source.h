// What a network's layers are made from: weights by name, and where they will compute.
#pragma once

#include <string>

#include "layers.h"
#include "weights.h"

namespace spinekit::infer {

// Rows and columns of maps.
struct Size {
  std::int64_t rows, columns;

  [[nodiscard]] Size divided(std::int64_t by) const { return {rows / by, columns / by}; }
};

struct Source {
  Weights& weights;
  const Placement& placement;

  [[nodiscard]] Convolution standardised_convolution(const std::string& name, std::int64_t inputs,
                                                     std::int64_t outputs, std::int64_t kernel,
                                                     std::int64_t stride, Size size) const;
  [[nodiscard]] Convolution convolution(const std::string& name, std::int64_t inputs,
                                        std::int64_t outputs, std::int64_t kernel,
                                        Activation activation, Size size) const;
  // A convolution (name.0) without bias, batch normalisation (name.1) and ReLU.
  [[nodiscard]] Convolution normalised_convolution(const std::string& name, std::int64_t inputs,
                                                   std::int64_t outputs, Size size) const;
  [[nodiscard]] GroupNorm group_norm(const std::string& name, std::int64_t groups,
                                     std::int64_t channels, double eps) const;
  [[nodiscard]] LayerNorm layer_norm(const std::string& name, std::int64_t hidden) const;
  [[nodiscard]] Linear linear(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                              std::int64_t tokens) const;
  // Queries, keys and values of one attention as one layer.
  [[nodiscard]] Linear queries_keys_values(const std::string& name, std::int64_t hidden,
                                           std::int64_t tokens) const;
};

}  // namespace spinekit::infer

// The layers that the networks are made of. Maps are channels-last (count, channels, rows, columns), tokens
// (tokens, features), both of the network's precision on its device.
//
// On a CPU with oneDNN, weights lie in the layout that it computes with, and activations and additions
// happen while a result is still in registers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "products.h"
#include "spinekit/network.h"

namespace spinekit::infer {

// Of convolutions.
enum class Activation { kNone, kRelu, kLeakyRelu };

// Where and how the layers of one network compute.
struct Placement {
  at::Device device{at::kCPU};
  at::ScalarType type = at::kFloat;
  bool packed = true;        // weights in oneDNN's layout
  bool matrix_units = true;  // the CPU has some, and they may be used

  // Whether layers of that size run on the matrix units. In bfloat16 oneDNN uses them as well as we could.
  [[nodiscard]] bool on_matrix_units(std::int64_t inputs, std::int64_t outputs) const {
    return matrix_units && type == at::kFloat && Products::fit(inputs, outputs);
  }
  [[nodiscard]] at::Tensor place(const at::Tensor& tensor) const;
};

Placement placement_of(const NetworkOptions& options);

class Convolution {
 public:
  // weight (outputs, inputs, k, k); rows and columns of the maps that it will mostly see.
  Convolution(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
              std::int64_t stride, std::int64_t padding, Activation activation, std::int64_t rows,
              std::int64_t columns);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& maps) const;

 private:
  Products products_;  // undefined where it runs elsewhere
  bool packed_;
  at::Tensor weight_, bias_;
  std::int64_t kernel_, stride_, padding_;
  Activation activation_;
};

// Tokens on their way into linear layers: as they are, or as a factor for the matrix units.
struct Tokens {
  at::Tensor values;
  Operand operand;
};

class Linear {
 public:
  // weight (outputs, inputs); tokens: how many it will mostly see.
  Linear(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
         std::int64_t tokens);

  // Of the network's precision.
  [[nodiscard]] at::Tensor operator()(const Tokens& tokens) const;
  // The same plus `other`.
  [[nodiscard]] at::Tensor plus(const Tokens& tokens, const at::Tensor& other) const;
  // Through the exact GELU, on their way into the next layer.
  [[nodiscard]] Tokens gelu(const Tokens& tokens) const;

 private:
  Products products_;  // undefined where it runs elsewhere
  bool packed_;
  at::Tensor weight_, bias_;
};

class LayerNorm {
 public:
  LayerNorm(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
            double eps);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& tokens) const;
  // On their way into a linear layer, which runs on the matrix units or does not.
  [[nodiscard]] Tokens tokens(const at::Tensor& tokens, bool on_matrix_units) const;

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

// Values on their way into a linear layer.
Tokens tokens_of(const at::Tensor& values, bool on_matrix_units);

class GroupNorm {
 public:
  GroupNorm(const Placement& placement, std::int64_t groups, const at::Tensor& weight,
            const at::Tensor& bias, double eps);

  // relu(normalised). On a CPU, here and below, `maps` are overwritten and returned.
  [[nodiscard]] at::Tensor relu(const at::Tensor& maps) const;
  // relu(normalised + other), where `other` is normalised too if there is a norm for it.
  [[nodiscard]] at::Tensor relu_plus(const at::Tensor& maps, const at::Tensor& other,
                                     const GroupNorm* norm = nullptr) const;

 private:
  struct Affines;

  [[nodiscard]] at::Tensor plain(const at::Tensor& maps) const;
  template <typename Value>
  [[nodiscard]] Affines affines(const at::Tensor& maps) const;

  std::int64_t groups_;
  at::Tensor weight_, bias_;
  double eps_;
};

// Twice the rows and columns, corners on corners, and a smaller or equal map beside it (undefined for
// none), filled up with zeros at the bottom and right.
at::Tensor doubled_beside(const at::Tensor& maps, const at::Tensor& skip);

// Scaled dot products of `heads` heads: queries, keys and values (count x tokens, 3 x hidden) to mixed
// values (count x tokens, hidden).
at::Tensor attention(const at::Tensor& queries_keys_values, std::int64_t count, std::int64_t heads);

}  // namespace spinekit::infer

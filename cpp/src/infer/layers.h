// The layers that the networks are made of. Maps are channels-last (count, channels, rows, columns), tokens
// (tokens, features), both of the network's precision on its device.
//
// On a CPU with oneDNN, weights lie in the layout that it computes with, and activations and additions
// happen while a result is still in registers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "spinekit/network.h"

namespace spinekit::infer {

enum class Activation { kNone, kRelu, kLeakyRelu, kGelu };

// Where and how the layers of one network compute.
struct Placement {
  at::Device device{at::kCPU};
  at::ScalarType type = at::kFloat;
  bool prepacked = true;

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
  bool packed_;
  at::Tensor weight_, bias_;
  std::int64_t stride_, padding_;
  Activation activation_;
};

class Linear {
 public:
  // weight (outputs, inputs); tokens: how many it will mostly see.
  Linear(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
         Activation activation, std::int64_t tokens);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& tokens) const;
  // The same plus `other`, of the shape of the result; without activation.
  [[nodiscard]] at::Tensor plus(const at::Tensor& tokens, const at::Tensor& other) const;

 private:
  bool packed_;
  at::Tensor weight_, bias_;
  Activation activation_;
};

class LayerNorm {
 public:
  LayerNorm(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
            double eps);

  [[nodiscard]] at::Tensor operator()(const at::Tensor& tokens) const;

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

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

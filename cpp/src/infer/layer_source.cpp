#include "layer_source.h"

#include <ATen/Functions.h>

#include <vector>

namespace spinekit::infer {
namespace {

constexpr double kFilterEps = 1e-5;
constexpr double kLayerEps = 1e-6;
constexpr double kBatchEps = 1e-5;

at::Tensor standardised(const at::Tensor& weight) {
  const at::Tensor wide = weight.to(at::kDouble);
  const auto [variance, mean] =
      at::var_mean(wide, at::OptionalIntArrayRef({1, 2, 3}), /*unbiased=*/false,
                   /*keepdim=*/true);
  return at::div(at::sub(wide, mean), at::sqrt(at::add(variance, kFilterEps))).to(at::kFloat);
}

}  // namespace

Convolution Source::standardised_convolution(const std::string& name, std::int64_t inputs,
                                             std::int64_t outputs, std::int64_t kernel,
                                             std::int64_t stride, Size size) const {
  const at::Tensor weight = weights.take(name + ".weight", {outputs, inputs, kernel, kernel});
  return {placement,  standardised(weight), {},        stride,
          kernel / 2, Activation::kNone,    size.rows, size.columns};
}

Convolution Source::convolution(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                                std::int64_t kernel, Activation activation, Size size) const {
  const at::Tensor weight = weights.take(name + ".weight", {outputs, inputs, kernel, kernel});
  const at::Tensor bias = weights.take(name + ".bias", {outputs});
  return {placement, weight, bias, 1, kernel / 2, activation, size.rows, size.columns};
}

Convolution Source::normalised_convolution(const std::string& name, std::int64_t inputs,
                                           std::int64_t outputs, Size size) const {
  const at::Tensor weight = weights.take(name + ".0.weight", {outputs, inputs, 3, 3});
  const auto of = [&](const char* part) {
    return weights.take(name + ".1." + part, {outputs}).to(at::kDouble);
  };
  const at::Tensor gain = of("weight"), offset = of("bias"), mean = of("running_mean"),
                   variance = of("running_var");
  weights.ignore(name + ".1.num_batches_tracked");
  const at::Tensor scale = at::div(gain, at::sqrt(at::add(variance, kBatchEps)));
  return {placement,
          at::mul(weight, scale.view({-1, 1, 1, 1})).to(at::kFloat),
          at::sub(offset, at::mul(mean, scale)).to(at::kFloat),
          1,
          1,
          Activation::kRelu,
          size.rows,
          size.columns};
}

GroupNorm Source::group_norm(const std::string& name, std::int64_t groups, std::int64_t channels,
                             double eps) const {
  return {placement, groups, weights.take(name + ".weight", {channels}),
          weights.take(name + ".bias", {channels}), eps};
}

LayerNorm Source::layer_norm(const std::string& name, std::int64_t hidden) const {
  return {placement, weights.take(name + ".weight", {hidden}),
          weights.take(name + ".bias", {hidden}), kLayerEps};
}

Linear Source::linear(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                      std::int64_t tokens) const {
  return {placement, weights.take(name + ".weight", {outputs, inputs}),
          weights.take(name + ".bias", {outputs}), tokens};
}

Linear Source::queries_keys_values(const std::string& name, std::int64_t hidden,
                                   std::int64_t tokens) const {
  std::vector<at::Tensor> parts, biases;
  for (const char* part : {".query", ".key", ".value"}) {
    parts.push_back(weights.take(name + part + ".weight", {hidden, hidden}));
    biases.push_back(weights.take(name + part + ".bias", {hidden}));
  }
  return {placement, at::cat(parts), at::cat(biases), tokens};
}

}  // namespace spinekit::infer

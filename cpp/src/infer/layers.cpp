#include "layers.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/MemoryFormat.h>

#include <string>
#include <string_view>

#include "spinekit/error.h"

namespace spinekit::infer {
namespace {

constexpr double kLeak = 0.01;

using Scalars = c10::List<std::optional<at::Scalar>>;
using Text = std::optional<std::string_view>;
using MaybeTensor = std::optional<at::Tensor>;

// oneDNN's operators are not in torch's headers; the dispatcher checks these signatures when it is asked.
template <typename Signature>
auto find_operator(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

at::Tensor pack_convolution(const at::Tensor& weight, at::IntArrayRef padding,
                            at::IntArrayRef stride, at::IntArrayRef input_size) {
  using Signature = at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef,
                               std::int64_t, at::OptionalIntArrayRef);
  static const auto kOperator = find_operator<Signature>("mkldnn::_reorder_convolution_weight");
  return kOperator.call(weight, padding, stride, {1, 1}, 1, input_size);
}

at::Tensor packed_convolution(const at::Tensor& maps, const at::Tensor& weight,
                              const MaybeTensor& bias, at::IntArrayRef padding,
                              at::IntArrayRef stride, std::string_view activation,
                              const Scalars& scalars) {
  using Signature =
      at::Tensor(const at::Tensor&, const at::Tensor&, const MaybeTensor&, at::IntArrayRef,
                 at::IntArrayRef, at::IntArrayRef, std::int64_t, std::string_view, Scalars, Text);
  static const auto kOperator = find_operator<Signature>("mkldnn::_convolution_pointwise");
  return kOperator.call(maps, weight, bias, padding, stride, {1, 1}, 1, activation, scalars, "");
}

at::Tensor pack_linear(const at::Tensor& weight, std::int64_t tokens) {
  using Signature = at::Tensor(const at::Tensor&, std::optional<std::int64_t>);
  static const auto kOperator = find_operator<Signature>("mkldnn::_reorder_linear_weight");
  return kOperator.call(weight, tokens);
}

at::Tensor packed_linear(const at::Tensor& tokens, const at::Tensor& weight, const at::Tensor& bias,
                         std::string_view activation) {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const MaybeTensor&,
                               std::string_view, Scalars, Text);
  static const auto kOperator = find_operator<Signature>("mkldnn::_linear_pointwise");
  // "none": the exact GELU, by the error function.
  return kOperator.call(tokens, weight, bias, activation, Scalars(),
                        activation == "gelu" ? "none" : "");
}

at::Tensor packed_linear_plus(const at::Tensor& tokens, const at::Tensor& other,
                              const at::Tensor& weight, const at::Tensor& bias) {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                               const MaybeTensor&, std::string_view);
  static const auto kOperator = find_operator<Signature>("mkldnn::_linear_pointwise", "binary");
  return kOperator.call(tokens, other, weight, bias, "add");
}

std::string_view name_of(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "relu";
    case Activation::kLeakyRelu:
      return "leaky_relu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kNone:
      break;
  }
  return "none";
}

at::Tensor activated(const at::Tensor& values, Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return at::relu(values);
    case Activation::kLeakyRelu:
      return at::leaky_relu(values, kLeak);
    case Activation::kGelu:
      return at::gelu(values);
    case Activation::kNone:
      break;
  }
  return values;
}

}  // namespace

at::Tensor Placement::place(const at::Tensor& tensor) const {
  // A copy even where nothing changes: the weights that it is made from belong to somebody else.
  return tensor.to(device, type, /*non_blocking=*/false, /*copy=*/true);
}

Placement placement_of(const NetworkOptions& options) {
  Placement placement;
  try {
    placement.device = at::Device(options.device);
  } catch (const c10::Error&) {
    throw_argument("device: '" + options.device + "', expected 'cpu', 'cuda' or 'cuda:1'");
  }
  if (placement.device.is_cuda() && !at::hasCUDA()) {
    throw_unsupported(
        "device: '" + options.device +
        "', but this torch sees no CUDA; use device='cpu', or install torch for CUDA");
  }
  if (!placement.device.is_cuda() && !placement.device.is_cpu()) {
    throw_unsupported("device: '" + options.device + "', expected 'cpu' or 'cuda'");
  }
  placement.type = options.precision == Precision::kBfloat16 ? at::kBFloat16 : at::kFloat;
  placement.prepacked =
      options.prepacked && placement.device.is_cpu() && at::hasMKLDNN() &&
      c10::Dispatcher::singleton().findSchema({"mkldnn::_convolution_pointwise", ""}).has_value();
  return placement;
}

Convolution::Convolution(const Placement& placement, const at::Tensor& weight,
                         const at::Tensor& bias, std::int64_t stride, std::int64_t padding,
                         Activation activation, std::int64_t rows, std::int64_t columns)
    : packed_(placement.prepacked), stride_(stride), padding_(padding), activation_(activation) {
  weight_ = placement.place(weight).contiguous(at::MemoryFormat::ChannelsLast);
  if (bias.defined()) bias_ = placement.place(bias);
  if (packed_) {
    weight_ = pack_convolution(weight_, {padding, padding}, {stride, stride},
                               {1, weight.size(1), rows, columns});
  }
}

at::Tensor Convolution::operator()(const at::Tensor& maps) const {
  const std::array<std::int64_t, 2> stride{stride_, stride_}, padding{padding_, padding_};
  const MaybeTensor bias = bias_.defined() ? MaybeTensor(bias_) : std::nullopt;
  if (packed_) {
    Scalars scalars;
    if (activation_ == Activation::kLeakyRelu) scalars.push_back(at::Scalar(kLeak));
    return packed_convolution(maps, weight_, bias, padding, stride, name_of(activation_), scalars);
  }
  return activated(at::conv2d(maps, weight_, bias, stride, padding), activation_);
}

Linear::Linear(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
               Activation activation, std::int64_t tokens)
    : packed_(placement.prepacked),
      weight_(placement.place(weight)),
      bias_(placement.place(bias)),
      activation_(activation) {
  if (packed_) weight_ = pack_linear(weight_, tokens);
}

at::Tensor Linear::operator()(const at::Tensor& tokens) const {
  if (packed_) return packed_linear(tokens, weight_, bias_, name_of(activation_));
  return activated(at::linear(tokens, weight_, bias_), activation_);
}

at::Tensor Linear::plus(const at::Tensor& tokens, const at::Tensor& other) const {
  if (packed_) return packed_linear_plus(tokens, other, weight_, bias_);
  return at::add(at::linear(tokens, weight_, bias_), other);
}

LayerNorm::LayerNorm(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
                     double eps)
    : weight_(placement.place(weight)), bias_(placement.place(bias)), eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& tokens) const {
  return at::layer_norm(tokens, {tokens.size(1)}, weight_, bias_, eps_);
}

at::Tensor attention(const at::Tensor& queries_keys_values, std::int64_t count,
                     std::int64_t heads) {
  const std::int64_t tokens = queries_keys_values.size(0) / count;
  const std::int64_t hidden = queries_keys_values.size(1) / 3;
  const at::Tensor split =
      queries_keys_values.view({count, tokens, 3, heads, hidden / heads}).permute({2, 0, 3, 1, 4});
  return at::scaled_dot_product_attention(split[0], split[1], split[2])
      .transpose(1, 2)
      .reshape({count * tokens, hidden});
}

}  // namespace spinekit::infer

#include "layers.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/MemoryFormat.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "map_kernels.h"
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

bool onednn_has_bfloat16() {
  static const auto kOperator = find_operator<bool()>("mkldnn::_is_mkldnn_bf16_supported");
  return kOperator.call();
}

std::string_view name_of(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "relu";
    case Activation::kLeakyRelu:
      return "leaky_relu";
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
    case Activation::kNone:
      break;
  }
  return values;
}

// Products plus bias, and plus `other` where it is defined.
at::Tensor summed(const Products& products, const Operand& operand, const at::Tensor& bias_values,
                  const at::Tensor& other) {
  const std::int64_t columns = products.outputs();
  at::Tensor result = at::empty({operand.high.size(0), columns}, at::kFloat);
  const float* bias = bias_values.const_data_ptr<float>();
  const float* added = other.defined() ? other.const_data_ptr<float>() : nullptr;
  float* out = result.data_ptr<float>();
  for_tiles(products, operand,
            [&](const float* tile, std::int64_t first, std::int64_t rows, std::int64_t column) {
              for (std::int64_t row = 0; row < rows; ++row) {
                const std::int64_t place = (first + row) * columns + column;
                token_kernels().add(tile + row * Products::kWidth, bias + column,
                                    added != nullptr ? added + place : nullptr, Products::kWidth,
                                    out + place);
              }
            });
  return result;
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
  const bool cpu = placement.device.is_cpu();
  placement.packed =
      options.kernels != Kernels::kTorch && cpu && at::hasMKLDNN() &&
      c10::Dispatcher::singleton().findSchema({"mkldnn::_convolution_pointwise", ""}).has_value() &&
      (placement.type == at::kFloat || onednn_has_bfloat16());
  placement.matrix_units = options.kernels == Kernels::kBest && cpu && Products::available();
  return placement;
}

Convolution::Convolution(const Placement& placement, const at::Tensor& weight,
                         const at::Tensor& bias, std::int64_t stride, std::int64_t padding,
                         Activation activation, std::int64_t rows, std::int64_t columns)
    : packed_(placement.packed),
      kernel_(weight.size(2)),
      stride_(stride),
      padding_(padding),
      activation_(activation) {
  if (bias.defined()) bias_ = placement.place(bias);
  const bool simple = activation == Activation::kNone || activation == Activation::kRelu;
  if (stride == 1 && simple && placement.on_matrix_units(weight.size(1), weight.size(0))) {
    products_ = Products(weight.permute({2, 3, 0, 1}).flatten(0, 1));
    return;
  }
  weight_ = placement.place(weight).contiguous(at::MemoryFormat::ChannelsLast);
  if (packed_) {
    weight_ = pack_convolution(weight_, {padding, padding}, {stride, stride},
                               {1, weight.size(1), rows, columns});
  }
}

at::Tensor Convolution::operator()(const at::Tensor& maps) const {
  if (products_.defined()) {
    return convolved(products_, maps.contiguous(at::MemoryFormat::ChannelsLast), kernel_, bias_,
                     activation_ == Activation::kRelu);
  }
  const std::array<std::int64_t, 2> stride{stride_, stride_}, padding{padding_, padding_};
  const MaybeTensor bias = bias_.defined() ? MaybeTensor(bias_) : std::nullopt;
  if (packed_) {
    Scalars scalars;
    if (activation_ == Activation::kLeakyRelu) scalars.push_back(at::Scalar(kLeak));
    return packed_convolution(maps, weight_, bias, padding, stride, name_of(activation_), scalars);
  }
  return activated(at::conv2d(maps, weight_, bias, stride, padding), activation_)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

Linear::Linear(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
               std::int64_t tokens)
    : packed_(placement.packed) {
  bias_ = placement.place(bias);
  if (placement.matrix_units) {
    products_ = Products(weight.unsqueeze(0));
    return;
  }
  weight_ = placement.place(weight);
  if (packed_) weight_ = pack_linear(weight_, tokens);
}

at::Tensor Linear::operator()(const Tokens& tokens) const {
  if (products_.defined()) return summed(products_, tokens.operand, bias_, {});
  return packed_ ? packed_linear(tokens.values, weight_, bias_, "none")
                 : at::linear(tokens.values, weight_, bias_);
}

at::Tensor Linear::plus(const Tokens& tokens, const at::Tensor& other) const {
  if (products_.defined()) return summed(products_, tokens.operand, bias_, other);
  return packed_ ? packed_linear_plus(tokens.values, other, weight_, bias_)
                 : at::add(at::linear(tokens.values, weight_, bias_), other);
}

Tokens Linear::gelu(const Tokens& tokens) const {
  if (!products_.defined()) {
    return {packed_ ? packed_linear(tokens.values, weight_, bias_, "gelu")
                    : at::gelu(at::linear(tokens.values, weight_, bias_)),
            {}};
  }
  const std::int64_t columns = products_.outputs();
  Tokens result{{}, Operand::empty({tokens.operand.high.size(0), columns})};
  const Bits bits(result.operand);
  const float* bias = bias_.const_data_ptr<float>();
  for_tiles(products_, tokens.operand,
            [&](float* tile, std::int64_t first, std::int64_t rows, std::int64_t column) {
              for (std::int64_t row = 0; row < rows; ++row) {
                float* values = tile + row * Products::kWidth;
                const std::int64_t place = (first + row) * columns + column;
                token_kernels().add_gelu(values, bias + column, Products::kWidth);
                token_kernels().split(values, Products::kWidth, bits.high + place,
                                      bits.low + place);
              }
            });
  return result;
}

LayerNorm::LayerNorm(const Placement& placement, const at::Tensor& weight, const at::Tensor& bias,
                     double eps)
    : weight_(placement.place(weight)), bias_(placement.place(bias)), eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& tokens) const {
  return at::layer_norm(tokens, {tokens.size(1)}, weight_, bias_, eps_);
}

Tokens LayerNorm::tokens(const at::Tensor& tokens, bool on_matrix_units) const {
  if (!on_matrix_units) return {(*this)(tokens), {}};
  const std::int64_t features = tokens.size(1);
  Tokens result{{}, Operand::empty(tokens.sizes())};
  const Bits bits(result.operand);
  const float* from = tokens.const_data_ptr<float>();
  const float* weight = weight_.const_data_ptr<float>();
  const float* bias = bias_.const_data_ptr<float>();
  at::parallel_for(0, tokens.size(0), 8, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> normalised(static_cast<std::size_t>(features));
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t place = row * features;
      token_kernels().layer_norm(from + place, features, weight, bias, static_cast<float>(eps_),
                                 normalised.data());
      token_kernels().split(normalised.data(), features, bits.high + place, bits.low + place);
    }
  });
  return result;
}

Tokens tokens_of(const at::Tensor& values, bool on_matrix_units) {
  if (!on_matrix_units) return {values, {}};
  return {{}, operand_of(values.contiguous())};
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

// The layers against torch's own operators; built where torch is.
#include "infer/layers.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>

using namespace spinekit;
using namespace spinekit::infer;

namespace {

constexpr auto kLast = at::MemoryFormat::ChannelsLast;

Placement placed(Kernels kernels, Precision precision = Precision::kFloat32) {
  return placement_of({.precision = precision, .threads = 1, .device = "cpu", .kernels = kernels});
}

void check_near(const at::Tensor& got, const at::Tensor& expected, double tolerance) {
  REQUIRE(got.sizes() == expected.sizes());
  const at::Tensor wide = expected.to(at::kDouble);
  const double error = at::sub(got.to(at::kDouble), wide).abs().max().item<double>();
  CHECK(error <= tolerance * wide.abs().max().item<double>());
}

at::Tensor maps_of(at::IntArrayRef size) { return at::randn(size).contiguous(kLast); }

}  // namespace

TEST_CASE("convolutions are torch's, on all kernels and at all borders") {
  const c10::InferenceMode inference;
  at::manual_seed(0);
  for (const Kernels kernels : {Kernels::kBest, Kernels::kOneDnn, Kernels::kTorch}) {
    for (const std::int64_t kernel : {1, 3}) {
      // Sides around those that tiles are cut at; one map, and several.
      for (const auto& [count, rows, columns] : {std::array<std::int64_t, 3>{1, 1, 1},
                                                 {2, 14, 14},
                                                 {1, 3, 207},
                                                 {1, 2, 209},
                                                 {3, 5, 430},
                                                 {1, 55, 55}}) {
        CAPTURE(static_cast<int>(kernels));
        CAPTURE(kernel);
        CAPTURE(columns);
        const at::Tensor maps = maps_of({count, 64, rows, columns});
        const at::Tensor weight = at::randn({128, 64, kernel, kernel}), bias = at::randn({128});
        const Convolution plain(placed(kernels), weight, bias, 1, kernel / 2, Activation::kNone,
                                rows, columns);
        const Convolution rectified(placed(kernels), weight, {}, 1, kernel / 2, Activation::kRelu,
                                    rows, columns);
        const at::Tensor expected = at::conv2d(maps.to(at::kDouble), weight.to(at::kDouble),
                                               bias.to(at::kDouble), 1, kernel / 2);
        check_near(plain(maps), expected, 2e-5);
        check_near(
            rectified(maps),
            at::relu(at::conv2d(maps.to(at::kDouble), weight.to(at::kDouble), {}, 1, kernel / 2)),
            2e-5);
      }
    }
  }
}

TEST_CASE("linear layers are torch's") {
  const c10::InferenceMode inference;
  at::manual_seed(1);
  for (const Kernels kernels : {Kernels::kBest, Kernels::kOneDnn, Kernels::kTorch}) {
    for (const std::int64_t rows : {1, 17, 208, 209, 417}) {
      CAPTURE(static_cast<int>(kernels));
      CAPTURE(rows);
      Placement placement = placed(kernels);
      placement.matrix_units = placement.on_matrix_units(96, 192);
      const bool units = placement.matrix_units;
      const at::Tensor weight = at::randn({192, 96}), bias = at::randn({192});
      const at::Tensor values = at::randn({rows, 96}), other = at::randn({rows, 192});
      const Linear linear(placement, weight, bias, rows);
      const at::Tensor exact =
          at::linear(values.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
      check_near(linear(tokens_of(values, units)), exact, 2e-5);
      check_near(linear.plus(tokens_of(values, units), other), at::add(exact, other), 2e-5);
      const Tokens through = linear.gelu(tokens_of(values, units));
      check_near(units ? at::add(through.operand.high.to(at::kFloat), through.operand.low)
                       : through.values,
                 at::gelu(exact), 3e-5);
    }
  }
}

TEST_CASE("tokens are normalised as torch does") {
  const c10::InferenceMode inference;
  at::manual_seed(2);
  const at::Tensor weight = at::randn({100}), bias = at::randn({100});
  // A mean far from zero: nothing may cancel.
  const at::Tensor tokens = at::add(at::randn({23, 100}), 50.0);
  Placement placement = placed(Kernels::kBest);
  const LayerNorm norm(placement, weight, bias, 1e-6);
  const at::Tensor expected = at::layer_norm(tokens.to(at::kDouble), {100}, weight.to(at::kDouble),
                                             bias.to(at::kDouble), 1e-6);
  check_near(norm(tokens), expected, 1e-4);
  const Tokens through = norm.tokens(tokens, true);
  check_near(at::add(through.operand.high.to(at::kFloat), through.operand.low), expected, 1e-4);
}

TEST_CASE("groups are normalised as torch does, whatever their mean") {
  const c10::InferenceMode inference;
  at::manual_seed(3);
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{1, 2}, {7, 5}, {33, 31}}) {
    for (const double mean : {0.0, 100.0}) {
      CAPTURE(rows);
      CAPTURE(mean);
      const at::Tensor weight = at::randn({64}), bias = at::randn({64});
      const Placement placement = placed(Kernels::kBest);
      const GroupNorm norm(placement, 8, weight, bias, 1e-6),
          single(placement, 64, weight, bias, 1e-5);
      const at::Tensor maps = at::add(maps_of({2, 64, rows, columns}), mean).contiguous(kLast);
      const at::Tensor other = maps_of({2, 64, rows, columns});
      const auto exact = [&](const at::Tensor& of, std::int64_t groups, double eps) {
        return at::group_norm(of.to(at::kDouble), groups, weight.to(at::kDouble),
                              bias.to(at::kDouble), eps);
      };
      const double tolerance = mean > 0 ? 2e-4 : 1e-5;
      check_near(norm.relu(maps.clone()), at::relu(exact(maps, 8, 1e-6)), tolerance);
      check_near(norm.relu_plus(maps.clone(), other),
                 at::relu(at::add(exact(maps, 8, 1e-6), other)), tolerance);
      check_near(norm.relu_plus(maps.clone(), other, &single),
                 at::relu(at::add(exact(maps, 8, 1e-6), exact(other, 64, 1e-5))), tolerance);
    }
  }
}

TEST_CASE("maps double beside a skip that is short") {
  const c10::InferenceMode inference;
  at::manual_seed(4);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor maps = maps_of({2, 16, 5, 3}).to(type);
    const at::Tensor skip = maps_of({2, 8, 9, 5}).to(type);
    const at::Tensor doubled =
        at::upsample_bilinear2d(maps.to(at::kDouble), {10, 6}, /*align_corners=*/true);
    const double tolerance = type == at::kFloat ? 1e-6 : 4e-3;
    check_near(doubled_beside(maps, {}), doubled, tolerance);
    const at::Tensor filled = at::constant_pad_nd(skip.to(at::kDouble), {0, 1, 0, 1});
    check_near(doubled_beside(maps, skip), at::cat({doubled, filled}, 1), tolerance);
  }
}

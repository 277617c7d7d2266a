#include "infer/map_kernels.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace spinekit::infer;

namespace {

float float_of(float value) { return value; }
float float_of(Bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

// Nearest, ties to even, by comparing the two neighbours in float64.
Bfloat16 nearest(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  const auto low = static_cast<std::uint16_t>(bits >> 16);
  const auto high = static_cast<std::uint16_t>(low + 1);
  const double below = std::abs(value - float_of(Bfloat16{low}));
  const double above = std::abs(value - float_of(Bfloat16{high}));
  if (below != above) return {below < above ? low : high};
  return {low % 2 == 0 ? low : high};
}

template <typename Value>
Value value_of(double value) {
  if constexpr (sizeof(Value) == sizeof(float)) {
    return static_cast<float>(value);
  } else {
    return nearest(value);
  }
}

// What one rounding to Value may change.
template <typename Value>
double tolerance(double value) {
  return std::abs(value) * (sizeof(Value) == sizeof(float) ? 1e-5 : 1.0 / 250) + 1e-5;
}

template <typename Value>
std::vector<Value> noise(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(0.5, 2.0);
  std::vector<Value> values(count);
  for (Value& value : values) value = value_of<Value>(normal(generator));
  return values;
}

std::vector<float> floats(std::size_t count, unsigned seed) { return noise<float>(count, seed); }

}  // namespace

TEST_CASE_TEMPLATE("sums about an origin are those of the values", Value, float, Bfloat16) {
  for (const auto& [name, kernels] : all_map_kernels<Value>()) {
    CAPTURE(name);
    for (const std::int64_t channels : {1, 7, 16, 37, 64}) {
      const std::int64_t pixels = 29;
      const auto maps = noise<Value>(static_cast<std::size_t>(pixels * channels), 1);
      const auto origin = floats(static_cast<std::size_t>(channels), 2);
      std::vector<float> sum(static_cast<std::size_t>(channels), 3.0F), squares(sum.size(), 5.0F);
      kernels.sums(maps.data(), pixels, channels, origin.data(), sum.data(), squares.data());
      for (std::int64_t c = 0; c < channels; ++c) {
        double expected = 3, expected_squares = 5;
        for (std::int64_t p = 0; p < pixels; ++p) {
          const double difference = double{float_of(maps[p * channels + c])} - origin[c];
          expected += difference;
          expected_squares += difference * difference;
        }
        CHECK(sum[c] == doctest::Approx(expected).epsilon(1e-5));
        CHECK(squares[c] == doctest::Approx(expected_squares).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE_TEMPLATE("scaling, adding and rectifying follow their formula", Value, float, Bfloat16) {
  for (const auto& [name, kernels] : all_map_kernels<Value>()) {
    CAPTURE(name);
    for (const std::int64_t channels : {1, 7, 16, 37, 64}) {
      const std::int64_t pixels = 11;
      const auto count = static_cast<std::size_t>(pixels * channels);
      const auto maps = noise<Value>(count, 1), other = noise<Value>(count, 2);
      const auto scale = floats(count, 3), shift = floats(count, 4);
      const auto scale2 = floats(count, 5), shift2 = floats(count, 6);
      const Affine own{scale.data(), shift.data()}, others{scale2.data(), shift2.data()};
      auto alone = maps, summed = maps, both = maps;
      kernels.relu(alone.data(), pixels, channels, own);
      kernels.relu_sum(summed.data(), other.data(), pixels, channels, own, {});
      kernels.relu_sum(both.data(), other.data(), pixels, channels, own, others);
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t c = k % static_cast<std::size_t>(channels);
        const double value = double{float_of(maps[k])} * scale[c] + shift[c];
        const double added = float_of(other[k]);
        const auto check = [&](Value got, double expected) {
          expected = std::max(expected, 0.0);
          CHECK(std::abs(float_of(got) - expected) <= tolerance<Value>(expected));
        };
        check(alone[k], value);
        check(summed[k], value + added);
        check(both[k], value + added * scale2[c] + shift2[c]);
      }
    }
  }
}

TEST_CASE("results are rounded to the nearest bfloat16, ties to even") {
  for (const auto& [name, kernels] : all_map_kernels<Bfloat16>()) {
    CAPTURE(name);
    // Values between neighbours: 1 + k / 1024 in steps of an eighth of a bfloat16's.
    std::vector<Bfloat16> maps(512, nearest(1.0));
    std::vector<float> scale(512), shift(512, 0.0F);
    for (std::size_t k = 0; k < scale.size(); ++k) scale[k] = 1.0F + static_cast<float>(k) / 1024;
    kernels.relu(maps.data(), 1, 512, {scale.data(), shift.data()});
    for (std::size_t k = 0; k < scale.size(); ++k) CHECK(maps[k].bits == nearest(scale[k]).bits);
  }
}

TEST_CASE_TEMPLATE("what is not a number stays one", Value, float, Bfloat16) {
  for (const auto& [name, kernels] : all_map_kernels<Value>()) {
    CAPTURE(name);
    std::vector<Value> maps(33, value_of<Value>(1.0));
    const std::vector<float> scale(33, std::numeric_limits<float>::quiet_NaN()), shift(33, 0.0F);
    kernels.relu(maps.data(), 1, 33, {scale.data(), shift.data()});
    for (const Value& value : maps) CHECK(std::isnan(float_of(value)));
  }
}

TEST_CASE_TEMPLATE("a doubled row lies between its corners", Value, float, Bfloat16) {
  for (const auto& [name, kernels] : all_map_kernels<Value>()) {
    CAPTURE(name);
    for (const std::int64_t columns : {1, 2, 5, 14}) {
      for (const std::int64_t channels : {1, 16, 37}) {
        const std::int64_t stride = channels + 3;
        const auto above = noise<Value>(static_cast<std::size_t>(columns * channels), 1);
        const auto below = noise<Value>(static_cast<std::size_t>(columns * channels), 2);
        std::vector<Value> out(static_cast<std::size_t>(2 * columns * stride),
                               value_of<Value>(9.0));
        kernels.doubled_row(above.data(), below.data(), 0.25F, columns, channels, out.data(),
                            stride);
        for (std::int64_t x = 0; x < 2 * columns; ++x) {
          const double place = static_cast<double>(x) * static_cast<double>(columns - 1) /
                               static_cast<double>(2 * columns - 1);
          const auto left = static_cast<std::int64_t>(place);
          const std::int64_t right = std::min(left + 1, columns - 1);
          const double across = place - static_cast<double>(left);
          for (std::int64_t c = 0; c < channels; ++c) {
            const auto between = [&](const std::vector<Value>& row) {
              return (1 - across) * float_of(row[left * channels + c]) +
                     across * float_of(row[right * channels + c]);
            };
            const double expected = 0.75 * between(above) + 0.25 * between(below);
            CHECK(std::abs(float_of(out[x * stride + c]) - expected) <=
                  tolerance<Value>(std::abs(expected) + 2));
          }
          for (std::int64_t c = channels; c < stride; ++c) {
            CHECK(float_of(out[x * stride + c]) == 9.0F);
          }
        }
      }
    }
  }
}

TEST_CASE("a float and its two halves differ by 2^-16 at most") {
  for (const auto& [name, kernels] : all_token_kernels()) {
    CAPTURE(name);
    const auto values = floats(1000, 1);
    std::vector<Bfloat16> high(values.size()), low(values.size());
    kernels.split(values.data(), 1000, high.data(), low.data());
    for (std::size_t k = 0; k < values.size(); ++k) {
      CHECK(high[k].bits == nearest(values[k]).bits);
      CHECK(std::abs(double{values[k]} - float_of(high[k]) - float_of(low[k])) <=
            std::abs(values[k]) * std::ldexp(1.0, -16));
    }
  }
}

TEST_CASE("GELU is exact to a few roundings") {
  for (const auto& [name, kernels] : all_token_kernels()) {
    CAPTURE(name);
    std::vector<float> values, bias;
    for (int k = -40000; k <= 40000; ++k) values.push_back(static_cast<float>(k) / 2000);
    for (const float extreme : {-1e30F, -50.0F, 50.0F, 1e30F}) values.push_back(extreme);
    bias.assign(values.size(), 0.25F);
    auto got = values;
    kernels.add_gelu(got.data(), bias.data(), static_cast<std::int64_t>(got.size()));
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double x = double{values[k]} + 0.25;
      const double expected = 0.5 * x * std::erfc(-x / std::sqrt(2.0));
      CHECK(std::abs(got[k] - expected) <= 2e-6 + 2e-6 * std::abs(expected));
    }
  }
}

TEST_CASE("sums and rectified sums follow their formula") {
  for (const auto& [name, kernels] : all_token_kernels()) {
    CAPTURE(name);
    const auto values = floats(37, 1), bias = floats(37, 2), other = floats(37, 3);
    std::vector<float> alone(37), both(37), rectified(37), kept(37);
    kernels.add(values.data(), bias.data(), nullptr, 37, alone.data());
    kernels.add(values.data(), bias.data(), other.data(), 37, both.data());
    kernels.finish_pixel(values.data(), bias.data(), true, 37, rectified.data());
    kernels.finish_pixel(values.data(), bias.data(), false, 37, kept.data());
    for (std::size_t k = 0; k < 37; ++k) {
      CHECK(alone[k] == doctest::Approx(values[k] + bias[k]));
      CHECK(both[k] == doctest::Approx(values[k] + bias[k] + other[k]).epsilon(1e-5));
      CHECK(rectified[k] == doctest::Approx(std::max(values[k] + bias[k], 0.0F)));
      CHECK(kept[k] == alone[k]);
    }
  }
}

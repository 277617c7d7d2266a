// GroupNorm and doubling: on a CPU in one pass each over channels-last memory, elsewhere by torch.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/MemoryFormat.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "layers.h"
#include "map_kernels.h"

namespace spinekit::infer {

// Scales and shifts for each map and channel.
struct GroupNorm::Affines {
  std::vector<float> scale, shift;

  [[nodiscard]] Affine of(std::int64_t map, std::int64_t channels) const {
    return {scale.data() + map * channels, shift.data() + map * channels};
  }
};

namespace {

// Pixels that one sum in float32 covers, fixed so that results do not depend on the number of threads.
constexpr std::int64_t kBlock = 256;

// Blocks of work that a thread takes at least.
constexpr std::int64_t kGrain = 1;

bool by_torch(const at::Tensor& maps) { return !maps.is_cpu(); }

template <typename Body>
void with_value_type(const at::Tensor& maps, const Body& body) {
  if (maps.scalar_type() == at::kBFloat16) {
    body(Bfloat16{});
  } else {
    body(float{});
  }
}

// Passes below count on pixels that lie one after the other, channel beside channel.
template <typename Value>
Value* data_of(const at::Tensor& maps) {
  TORCH_CHECK(maps.is_contiguous(at::MemoryFormat::ChannelsLast), "maps are not channels-last");
  return static_cast<Value*>(maps.data_ptr());
}

float float_of(float value) { return value; }

float float_of(Bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

struct Extent {
  std::int64_t count, channels, pixels;
};

Extent extent_of(const at::Tensor& maps) {
  return {maps.size(0), maps.size(1), maps.size(2) * maps.size(3)};
}

// Calls body(map, first pixel, pixels) for blocks of all maps.
template <typename Body>
void for_blocks(const Extent& extent, const Body& body) {
  const std::int64_t blocks = (extent.pixels + kBlock - 1) / kBlock;
  at::parallel_for(0, extent.count * blocks, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t first = item % blocks * kBlock;
      body(item / blocks, first, std::min(kBlock, extent.pixels - first));
    }
  });
}

}  // namespace

GroupNorm::GroupNorm(const Placement& placement, std::int64_t groups, const at::Tensor& weight,
                     const at::Tensor& bias, double eps)
    : groups_(groups), eps_(eps) {
  // On a CPU they are used in float32 whatever the maps are.
  const bool cpu = placement.device.is_cpu();
  weight_ = cpu ? weight.clone() : placement.place(weight);
  bias_ = cpu ? bias.clone() : placement.place(bias);
}

at::Tensor GroupNorm::plain(const at::Tensor& maps) const {
  return at::group_norm(maps, groups_, weight_, bias_, eps_);
}

template <typename Value>
GroupNorm::Affines GroupNorm::affines(const at::Tensor& maps) const {
  const auto* data = data_of<Value>(maps);
  const float* weight = weight_.const_data_ptr<float>();
  const float* bias = bias_.const_data_ptr<float>();
  const Extent extent = extent_of(maps);
  const auto [count, channels, pixels] = extent;
  const std::int64_t blocks = (pixels + kBlock - 1) / kBlock;
  // Sums are taken about a value of each channel: then nothing cancels where the mean is large.
  std::vector<float> origin(count * channels);
  for (std::int64_t map = 0; map < count; ++map) {
    for (std::int64_t c = 0; c < channels; ++c) {
      origin[map * channels + c] = float_of(data[map * pixels * channels + c]);
    }
  }
  std::vector<float> sums(count * blocks * 2 * channels);
  const MapKernels<Value>& kernels = map_kernels<Value>();
  for_blocks(extent, [&](std::int64_t map, std::int64_t first, std::int64_t length) {
    float* sum = sums.data() + (map * blocks + first / kBlock) * 2 * channels;
    kernels.sums(data + (map * pixels + first) * channels, length, channels,
                 origin.data() + map * channels, sum, sum + channels);
  });

  Affines affines{std::vector<float>(count * channels), std::vector<float>(count * channels)};
  const std::int64_t in_group = channels / groups_;
  const auto number = static_cast<double>(pixels);
  std::vector<double> means(channels), squares(channels);
  for (std::int64_t map = 0; map < count; ++map) {
    std::fill(means.begin(), means.end(), 0.0);
    std::fill(squares.begin(), squares.end(), 0.0);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const float* sum = sums.data() + (map * blocks + block) * 2 * channels;
      for (std::int64_t c = 0; c < channels; ++c) means[c] += sum[c];
      for (std::int64_t c = 0; c < channels; ++c) squares[c] += sum[channels + c];
    }
    for (std::int64_t group = 0; group < groups_; ++group) {
      const std::int64_t begin = group * in_group, end = begin + in_group;
      double mean = 0;
      for (std::int64_t c = begin; c < end; ++c) {
        const double about = means[c] / number;
        squares[c] -= about * means[c];
        means[c] = about + origin[map * channels + c];
        mean += means[c];
      }
      mean /= static_cast<double>(in_group);
      double variance = 0;
      for (std::int64_t c = begin; c < end; ++c) {
        const double aside = means[c] - mean;
        variance += squares[c] / number + aside * aside;
      }
      variance = std::max(variance / static_cast<double>(in_group), 0.0);
      const double inverse = 1.0 / std::sqrt(variance + eps_);
      for (std::int64_t c = begin; c < end; ++c) {
        const double scale = weight[c] * inverse;
        affines.scale[map * channels + c] = static_cast<float>(scale);
        affines.shift[map * channels + c] = static_cast<float>(bias[c] - mean * scale);
      }
    }
  }
  return affines;
}

at::Tensor GroupNorm::relu(const at::Tensor& maps) const {
  if (by_torch(maps)) return at::relu(plain(maps));
  const Extent extent = extent_of(maps);
  with_value_type(maps, [&](auto value) {
    using Value = decltype(value);
    const Affines own = affines<Value>(maps);
    auto* data = data_of<Value>(maps);
    for_blocks(extent, [&](std::int64_t map, std::int64_t first, std::int64_t length) {
      map_kernels<Value>().relu(data + (map * extent.pixels + first) * extent.channels, length,
                                extent.channels, own.of(map, extent.channels));
    });
  });
  return maps;
}

at::Tensor GroupNorm::relu_plus(const at::Tensor& maps, const at::Tensor& other,
                                const GroupNorm* norm) const {
  if (by_torch(maps)) {
    return at::relu(at::add(plain(maps), norm != nullptr ? norm->plain(other) : other));
  }
  const Extent extent = extent_of(maps);
  with_value_type(maps, [&](auto value) {
    using Value = decltype(value);
    const Affines own = affines<Value>(maps);
    const Affines others = norm != nullptr ? norm->affines<Value>(other) : Affines{};
    auto* data = data_of<Value>(maps);
    const auto* added = data_of<Value>(other);
    for_blocks(extent, [&](std::int64_t map, std::int64_t first, std::int64_t length) {
      const std::int64_t offset = (map * extent.pixels + first) * extent.channels;
      map_kernels<Value>().relu_sum(data + offset, added + offset, length, extent.channels,
                                    own.of(map, extent.channels),
                                    norm != nullptr ? others.of(map, extent.channels) : Affine{});
    });
  });
  return maps;
}

at::Tensor doubled_beside(const at::Tensor& maps, const at::Tensor& skip) {
  const std::int64_t rows = 2 * maps.size(2), columns = 2 * maps.size(3);
  const std::int64_t channels = maps.size(1);
  const std::int64_t beside = skip.defined() ? skip.size(1) : 0;
  if (by_torch(maps)) {
    at::Tensor doubled = at::upsample_bilinear2d(maps, {rows, columns}, /*align_corners=*/true);
    if (beside == 0) return doubled;
    const at::Tensor filled =
        at::constant_pad_nd(skip, {0, columns - skip.size(3), 0, rows - skip.size(2)});
    return at::cat({doubled, filled}, 1);
  }
  const std::int64_t count = maps.size(0), pixel = channels + beside;
  at::Tensor result = at::empty({count, pixel, rows, columns},
                                maps.options().memory_format(at::MemoryFormat::ChannelsLast));
  with_value_type(maps, [&](auto value) {
    using Value = decltype(value);
    const auto* data = data_of<Value>(maps);
    const auto* other = beside > 0 ? data_of<Value>(skip) : nullptr;
    auto* out = data_of<Value>(result);
    const std::int64_t short_rows = beside > 0 ? skip.size(2) : 0;
    const std::int64_t short_columns = beside > 0 ? skip.size(3) : 0;
    const std::int64_t row_length = maps.size(3) * channels;
    const float step =
        rows > 2 ? static_cast<float>(maps.size(2) - 1) / static_cast<float>(rows - 1) : 0.0F;
    at::parallel_for(0, count * rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end; ++item) {
        const std::int64_t map = item / rows, y = item % rows;
        const float place = step * static_cast<float>(y);
        const std::int64_t above = std::min(static_cast<std::int64_t>(place), maps.size(2) - 1);
        const std::int64_t below = std::min(above + 1, maps.size(2) - 1);
        const Value* first = data + map * maps.size(2) * row_length;
        Value* row = out + item * columns * pixel;
        map_kernels<Value>().doubled_row(first + above * row_length, first + below * row_length,
                                         place - static_cast<float>(above), maps.size(3), channels,
                                         row, pixel);
        if (beside == 0) continue;
        const std::int64_t copied = y < short_rows ? short_columns : 0;
        const Value* from = other + (map * short_rows + y) * short_columns * beside;
        for (std::int64_t x = 0; x < columns; ++x) {
          Value* to = row + x * pixel + channels;
          if (x < copied) {
            std::memcpy(to, from + x * beside, beside * sizeof(Value));
          } else {
            std::memset(to, 0, beside * sizeof(Value));
          }
        }
      }
    });
  });
  return result;
}

}  // namespace spinekit::infer

#include "rescale.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace spinekit {
namespace {

template <typename Work>
decltype(auto) with_type(VoxelType type, const Work& work) {
  switch (type) {
    case VoxelType::kUint8:
      return work(std::uint8_t{});
    case VoxelType::kInt8:
      return work(std::int8_t{});
    case VoxelType::kUint16:
      return work(std::uint16_t{});
    case VoxelType::kInt16:
      return work(std::int16_t{});
    case VoxelType::kUint32:
      return work(std::uint32_t{});
    case VoxelType::kInt32:
      return work(std::int32_t{});
    case VoxelType::kFloat32:
      return work(float{});
    case VoxelType::kFloat64:
      break;
  }
  return work(double{});
}

bool whole(double value) {
  constexpr double kExactInt32 = 1 << 30;
  return value == std::floor(value) && std::abs(value) <= kExactInt32;
}

// 32-bit arithmetic, which vectorises: exact as long as the extremes fit.
template <typename Stored, typename Voxel>
bool rescale_whole(const Stored* in, std::int64_t count, std::int32_t slope, std::int32_t intercept,
                   Voxel* out) {
  std::int32_t least = std::numeric_limits<std::int32_t>::max();
  std::int32_t largest = std::numeric_limits<std::int32_t>::min();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t value = static_cast<std::int32_t>(in[i]) * slope + intercept;
    least = std::min(least, value);
    largest = std::max(largest, value);
    out[i] = static_cast<Voxel>(value);
  }
  return count == 0 || (least >= std::numeric_limits<Voxel>::min() &&
                        largest <= std::numeric_limits<Voxel>::max());
}

template <typename Stored, typename Voxel>
bool rescale_any(const Stored* in, std::int64_t count, double slope, double intercept, Voxel* out) {
  bool fits = true;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(in[i]) * slope + intercept;
    if constexpr (std::is_floating_point_v<Voxel>) {
      out[i] = static_cast<Voxel>(value);
    } else {
      const bool holds = value == std::floor(value) &&
                         value >= static_cast<double>(std::numeric_limits<Voxel>::min()) &&
                         value <= static_cast<double>(std::numeric_limits<Voxel>::max());
      fits = fits && holds;
      if (holds) out[i] = static_cast<Voxel>(value);
    }
  }
  return fits;
}

template <typename Stored, typename Voxel>
bool rescale_as(const StoredFrame& frame, MutableBytes out) {
  const auto* in = reinterpret_cast<const Stored*>(frame.bytes.data());
  auto* to = reinterpret_cast<Voxel*>(out.data());
  const auto count = static_cast<std::int64_t>(out.size() / sizeof(Voxel));
  if constexpr (sizeof(Stored) <= 2 && std::is_integral_v<Voxel> && sizeof(Voxel) <= 2) {
    constexpr double kMost = std::numeric_limits<std::int32_t>::max();
    if (whole(frame.slope) && whole(frame.intercept) &&
        std::abs(frame.slope) * 65535.0 + std::abs(frame.intercept) <= kMost) {
      return rescale_whole(in, count, static_cast<std::int32_t>(frame.slope),
                           static_cast<std::int32_t>(frame.intercept), to);
    }
  }
  return rescale_any(in, count, frame.slope, frame.intercept, to);
}

// Where a full-size row or column lies between the samples of a reduced one.
struct Between {
  std::int64_t before;
  std::int64_t behind;
  float weight;  // of `behind`
};

std::vector<Between> positions(std::int64_t full, std::int64_t reduced, int reduction) {
  std::vector<Between> out(static_cast<std::size_t>(full));
  const std::int64_t step = std::int64_t{1} << reduction;
  for (std::int64_t i = 0; i < full; ++i) {
    const std::int64_t before = std::min(i / step, reduced - 1);
    out[static_cast<std::size_t>(i)] = {before, std::min(before + 1, reduced - 1),
                                        static_cast<float>(i % step) / static_cast<float>(step)};
  }
  return out;
}

template <typename Voxel>
Voxel rounded(float value) {
  if constexpr (std::is_floating_point_v<Voxel>) {
    return static_cast<Voxel>(value);
  } else {
    // The largest 32-bit integers are no floats; the conversion must stay defined.
    constexpr auto kLeast = static_cast<double>(std::numeric_limits<Voxel>::min());
    constexpr auto kMost = static_cast<double>(std::numeric_limits<Voxel>::max());
    // In this order, for what is no number (a slope beyond float's range) to become the least.
    return static_cast<Voxel>(
        std::min(std::max(kLeast, std::nearbyint(static_cast<double>(value))), kMost));
  }
}

template <typename Stored, typename Voxel>
void interpolate(const StoredFrame& frame, int reduction, const VolumeLayout& layout,
                 MutableBytes out) {
  const auto* in = reinterpret_cast<const Stored*>(frame.bytes.data());
  auto* to = reinterpret_cast<Voxel*>(out.data());
  const std::int64_t samples = frame.samples;
  const std::vector<Between> rows = positions(layout.rows, frame.rows, reduction);
  const std::vector<Between> columns = positions(layout.columns, frame.columns, reduction);
  const auto slope = static_cast<float>(frame.slope);
  const auto intercept = static_cast<float>(frame.intercept);
  std::vector<float> line(static_cast<std::size_t>(frame.columns * samples));
  for (const Between& row : rows) {
    const Stored* above = in + row.before * frame.columns * samples;
    const Stored* below = in + row.behind * frame.columns * samples;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto a = static_cast<float>(above[i]);
      line[i] = (a + row.weight * (static_cast<float>(below[i]) - a)) * slope + intercept;
    }
    for (const Between& column : columns) {
      const float* left = line.data() + column.before * samples;
      const float* right = line.data() + column.behind * samples;
      for (std::int64_t s = 0; s < samples; ++s) {
        *to++ = rounded<Voxel>(left[s] + column.weight * (right[s] - left[s]));
      }
    }
  }
}

}  // namespace

bool rescale(const StoredFrame& frame, VoxelType type, MutableBytes out) {
  if (frame.type == type && frame.slope == 1 && frame.intercept == 0) {
    std::memcpy(out.data(), frame.bytes.data(), out.size());
    return true;
  }
  return with_type(frame.type, [&](auto stored) {
    return with_type(type, [&](auto voxel) {
      return rescale_as<decltype(stored), decltype(voxel)>(frame, out);
    });
  });
}

void rescale_coarse(const StoredFrame& frame, int reduction, const VolumeLayout& layout,
                    MutableBytes out) {
  with_type(frame.type, [&](auto stored) {
    with_type(layout.type, [&](auto voxel) {
      interpolate<decltype(stored), decltype(voxel)>(frame, reduction, layout, out);
    });
  });
}

}  // namespace spinekit

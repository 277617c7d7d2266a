#include "volume/rescale.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "dicom_bytes.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;
using enum VoxelType;

// Calls work(T{}, type) for every type that codecs leave, or that voxels have.
template <typename Work>
void with_stored_types(const Work& work) {
  work(std::uint8_t{}, kUint8);
  work(std::int8_t{}, kInt8);
  work(std::uint16_t{}, kUint16);
  work(std::int16_t{}, kInt16);
}

template <typename Work>
void with_voxel_types(const Work& work) {
  with_stored_types(work);
  work(std::uint32_t{}, kUint32);
  work(std::int32_t{}, kInt32);
  work(float{}, kFloat32);
  work(double{}, kFloat64);
}

template <typename T>
Buffer bytes_of_values(const std::vector<T>& values) {
  Buffer out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

template <typename T>
std::vector<T> values_of(Bytes bytes) {
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

template <typename T>
StoredFrame frame_of(const std::vector<T>& values, VoxelType type, double slope = 1,
                     double intercept = 0) {
  StoredFrame frame;
  frame.bytes = bytes_of_values(values);
  frame.type = type;
  frame.rows = 1;
  frame.columns = static_cast<std::int64_t>(values.size());
  frame.slope = slope;
  frame.intercept = intercept;
  return frame;
}

void check_does_not_fit(const StoredFrame& frame, VoxelType type) {
  check_refuses(ErrorCode::kUnsupported, "float32", [&] { (void)voxels_from(frame, type); });
}

// What a frame of values n * step, rounded up to n samples, is when its sides are doubled so often.
StoredFrame ramp(std::int64_t rows, std::int64_t columns, int reduction, int samples = 1) {
  const int step = 1 << reduction;
  StoredFrame frame;
  frame.type = kInt16;
  frame.rows = (rows + step - 1) / step;
  frame.columns = (columns + step - 1) / step;
  frame.samples = samples;
  std::vector<std::int16_t> values;
  for (std::int64_t r = 0; r < frame.rows; ++r) {
    for (std::int64_t c = 0; c < frame.columns; ++c) {
      for (int s = 0; s < samples; ++s) {
        values.push_back(
            static_cast<std::int16_t>(step * (3 * r - 2 * c) + std::int64_t{1000} * s));
      }
    }
  }
  frame.bytes = bytes_of_values(values);
  return frame;
}

}  // namespace

TEST_CASE("every stored type goes into every voxel type, as far as its extremes fit") {
  with_stored_types([](auto stored, VoxelType from) {
    using Stored = decltype(stored);
    with_voxel_types([&](auto voxel, VoxelType to) {
      using Voxel = decltype(voxel);
      CAPTURE(static_cast<int>(from));
      CAPTURE(static_cast<int>(to));
      for (const Stored value : {std::numeric_limits<Stored>::min(), Stored{0}, Stored{1},
                                 Stored{100}, std::numeric_limits<Stored>::max()}) {
        const StoredFrame frame = frame_of(std::vector<Stored>{value, value, value}, from);
        const auto number = static_cast<double>(value);
        const bool fits = std::is_floating_point_v<Voxel> ||
                          (number >= static_cast<double>(std::numeric_limits<Voxel>::lowest()) &&
                           number <= static_cast<double>(std::numeric_limits<Voxel>::max()));
        if (fits) {
          CHECK(values_of<Voxel>(voxels_from(frame, to)) ==
                std::vector<Voxel>(3, static_cast<Voxel>(value)));
        } else {
          check_does_not_fit(frame, to);
        }
      }
    });
  });
}

TEST_CASE("HU are stored * slope + intercept (PS3.3 C.11.1.1.2), to the ends of 16 bits") {
  const std::vector<std::uint16_t> stored{0, 24, 1024, 4095};
  using Hu = std::vector<std::int16_t>;
  CHECK(values_of<std::int16_t>(voxels_from(frame_of(stored, kUint16, 1, -1024), kInt16)) ==
        Hu{-1024, -1000, 0, 3071});
  CHECK(values_of<std::int16_t>(voxels_from(frame_of(stored, kUint16, -2, 5), kInt16)) ==
        Hu{5, -43, -2043, -8185});
  const std::vector<std::uint16_t> full{0, 65535};
  CHECK(values_of<std::int16_t>(voxels_from(frame_of(full, kUint16, 1, -32768), kInt16)) ==
        Hu{-32768, 32767});
  check_does_not_fit(frame_of(full, kUint16, 1, -32767), kInt16);
  check_does_not_fit(frame_of(full, kUint16, 1, -32769), kInt16);
  check_does_not_fit(frame_of(std::vector<std::int16_t>{-32768}, kInt16, 1, -1024), kInt16);
  check_does_not_fit(frame_of(std::vector<std::int16_t>{-1}, kInt16), kUint16);
}

TEST_CASE("slopes and intercepts of any size: nothing overflows on the way") {
  // 65535 * 32767 + 32767 is 2^31 - 1: the last that 32-bit arithmetic holds.
  for (const double slope : {32766.0, 32767.0, 32768.0, 65536.0, 1e9, 4e9, 1e18, 1e300}) {
    for (const double intercept : {0.0, 32767.0, 1e10, -1e300}) {
      CAPTURE(slope);
      CAPTURE(intercept);
      for (const double sign : {1.0, -1.0}) {
        const StoredFrame frame =
            frame_of(std::vector<std::uint16_t>{65535}, kUint16, sign * slope, sign * intercept);
        check_does_not_fit(frame, kInt16);
        const double exact = 65535 * sign * slope + sign * intercept;
        CHECK(values_of<double>(voxels_from(frame, kFloat64)).front() == exact);
      }
    }
  }
  // Back within: 65535 * 65537 - 4294967295 = 0.
  CHECK(values_of<std::int16_t>(voxels_from(
            frame_of(std::vector<std::uint16_t>{65535}, kUint16, 65537, -4294967295.0), kInt16)) ==
        std::vector<std::int16_t>{0});
}

TEST_CASE("fractions go into floats; into integers only where every value is whole") {
  const std::vector<std::uint16_t> even{0, 2, 1000};
  const std::vector<std::uint16_t> odd{0, 3};
  CHECK(values_of<std::int16_t>(voxels_from(frame_of(even, kUint16, 0.5, -10), kInt16)) ==
        std::vector<std::int16_t>{-10, -9, 490});
  check_does_not_fit(frame_of(odd, kUint16, 0.5), kInt16);
  check_does_not_fit(frame_of(even, kUint16, 1, 0.25), kInt32);
  CHECK(values_of<float>(voxels_from(frame_of(odd, kUint16, 0.5, -1.25), kFloat32)) ==
        std::vector<float>{-1.25F, 0.25F});
  // Rounded once, from the double: 1/3 * 3 + 0.1.
  CHECK(values_of<float>(voxels_from(frame_of(odd, kUint16, 1.0 / 3, 0.1), kFloat32)).back() ==
        static_cast<float>(1.0 / 3 * 3 + 0.1));
}

TEST_CASE("a frame of nothing gives nothing") {
  CHECK(voxels_from(StoredFrame(), kInt16).empty());
  CHECK(voxels_from(StoredFrame(), kUint16).empty());
}

TEST_CASE("a value that does not fit leaves the slice filled, and a full one is not kept") {
  Volume volume({.slices = 2, .rows = 1, .columns = 3, .type = kInt16, .fill = -1000});
  const std::vector<std::int16_t> filled(3, -1000);
  const StoredFrame good = frame_of(std::vector<std::uint16_t>{1, 2, 3}, kUint16);
  const StoredFrame bad = frame_of(std::vector<std::uint16_t>{1, 40000, 3}, kUint16);
  check_refuses(ErrorCode::kUnsupported, "float32", [&] { volume.place(0, bad); });
  CHECK(values_of<std::int16_t>(volume.slice(0)) == filled);
  CHECK(volume.loaded()[0] == 0);
  volume.place(1, good);
  check_refuses(ErrorCode::kUnsupported, "float32", [&] { volume.place(1, bad); });
  CHECK(values_of<std::int16_t>(volume.slice(1)) == filled);
  CHECK(volume.loaded()[1] == 0);
  volume.place(1, good);
  CHECK(values_of<std::int16_t>(volume.slice(1)) == std::vector<std::int16_t>{1, 2, 3});
  CHECK(volume.loaded()[1] == 1);
}

TEST_CASE("interpolation reproduces a linear ramp wherever it lies between samples") {
  for (const int reduction : {1, 2, 3}) {
    for (const auto& sides :
         std::vector<std::pair<std::int64_t, std::int64_t>>{{16, 24}, {17, 23}, {9, 1}, {1, 9}}) {
      const std::int64_t rows = sides.first;
      const std::int64_t columns = sides.second;
      for (const int samples : {1, 3}) {
        CAPTURE(reduction);
        CAPTURE(rows);
        CAPTURE(columns);
        const VolumeLayout layout{
            .slices = 1, .rows = rows, .columns = columns, .samples = samples, .type = kInt16};
        const StoredFrame frame = ramp(rows, columns, reduction, samples);
        Buffer out(static_cast<std::size_t>(layout.slice_bytes()));
        rescale_coarse(frame, reduction, layout, out);
        const auto got = values_of<std::int16_t>(out);
        const std::int64_t step = std::int64_t{1} << reduction;
        // Behind the last sample its value goes on.
        const std::int64_t last_row = (frame.rows - 1) * step;
        const std::int64_t last_column = (frame.columns - 1) * step;
        std::size_t at = 0;
        int wrong = 0;
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t c = 0; c < columns; ++c) {
            for (int s = 0; s < samples; ++s) {
              const std::int64_t expected =
                  3 * std::min(r, last_row) - 2 * std::min(c, last_column) + std::int64_t{1000} * s;
              wrong += got[at++] == expected ? 0 : 1;
            }
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("interpolated values are rescaled, rounded, and held within their type") {
  const auto coarse = [](double slope, double intercept, VoxelType type) {
    StoredFrame frame = frame_of(std::vector<std::int16_t>{0, 100}, kInt16, slope, intercept);
    const VolumeLayout layout{.slices = 1, .rows = 1, .columns = 4, .type = type};
    Buffer out(static_cast<std::size_t>(layout.slice_bytes()));
    rescale_coarse(frame, 1, layout, out);
    return out;
  };
  using Floats = std::vector<float>;
  CHECK(values_of<float>(coarse(0.5, -1, kFloat32)) == Floats{-1, 24, 49, 49});
  CHECK(values_of<std::uint8_t>(coarse(-1, 50, kUint8)) == std::vector<std::uint8_t>{50, 0, 0, 0});
  CHECK(values_of<std::int8_t>(coarse(100, 0, kInt8)) ==
        std::vector<std::int8_t>{0, 127, 127, 127});
  CHECK(values_of<std::int32_t>(coarse(1e9, 0, kInt32)).back() == 2147483647);
  CHECK(values_of<std::uint32_t>(coarse(1e9, 0, kUint32)).back() == 4294967295U);
  CHECK(values_of<std::int16_t>(coarse(0.013, 0, kInt16)) == std::vector<std::int16_t>{0, 1, 1, 1});
  // A slope beyond float: no number is made of it, and no undefined conversion.
  CHECK(values_of<std::int16_t>(coarse(1e39, 0, kInt16)).size() == 4);
}

#include "spinekit/volume.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <thread>

#include "dicom_bytes.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPINEKIT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPINEKIT_SANITIZED 1
#endif
#endif

namespace {

using namespace spinekit;
using namespace spinekit::testing;
using namespace std::chrono_literals;
using enum VoxelType;

VolumeLayout layout_of(std::int64_t slices, std::int64_t rows, std::int64_t columns,
                       VoxelType type = kInt16, double fill = -1000) {
  return {.slices = slices, .rows = rows, .columns = columns, .type = type, .fill = fill};
}

StoredFrame constant_frame(const VolumeLayout& layout, std::int16_t value, int reduction = 0) {
  const std::int64_t step = std::int64_t{1} << reduction;
  StoredFrame frame;
  frame.type = kInt16;
  frame.rows = (layout.rows + step - 1) / step;
  frame.columns = (layout.columns + step - 1) / step;
  frame.samples = layout.samples;
  for (std::int64_t i = 0; i < frame.rows * frame.columns * frame.samples; ++i) {
    frame.bytes.push_back(static_cast<std::uint8_t>(value & 0xFF));
    frame.bytes.push_back(static_cast<std::uint8_t>(value >> 8 & 0xFF));
  }
  return frame;
}

bool holds_everywhere(Bytes bytes, std::int16_t value) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::int16_t voxel = 0;
    std::memcpy(&voxel, bytes.data() + i, 2);
    if (voxel != value) return false;
  }
  return true;
}

template <typename T>
void check_filled(VoxelType type, T fill, std::int64_t columns) {
  Volume volume(layout_of(3, 7, columns, type, static_cast<double>(fill)));
  const auto count = static_cast<std::size_t>(volume.layout().byte_count()) / sizeof(T);
  CHECK(volume.layout().byte_count() == columns * 3 * 7 * static_cast<std::int64_t>(sizeof(T)));
  std::array<std::uint8_t, sizeof(T)> expected{};
  std::memcpy(expected.data(), &fill, sizeof(T));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    wrong += std::equal(expected.begin(), expected.end(), volume.data() + i * sizeof(T)) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

#ifndef SPINEKIT_SANITIZED
std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  file >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}
#endif

SliceState state_of(const Volume& volume, std::int64_t index) {
  return static_cast<SliceState>(volume.states()[index]);
}

}  // namespace

TEST_CASE("a new volume holds its fill value everywhere, of any type and size") {
  // More than 2 MiB, the unit that is shown again and again, and an odd number of voxels.
  for (const std::int64_t columns : {1, 3, 100003, 300007}) {
    CAPTURE(columns);
    check_filled<std::int16_t>(kInt16, -1000, columns);
    check_filled<float>(kFloat32, -1000.5F, columns);
    check_filled<std::uint8_t>(kUint8, 7, columns);
    check_filled<std::uint16_t>(kUint16, 0, columns);
  }
  check_filled<std::int8_t>(kInt8, -128, 300007);
  check_filled<std::uint16_t>(kUint16, 65535, 300007);
  check_filled<std::uint32_t>(kUint32, 4294967295U, 300007);
  check_filled<std::int32_t>(kInt32, -2147483647 - 1, 300007);
  check_filled<double>(kFloat64, 0.1, 300007);
  check_filled<float>(kFloat32, std::numeric_limits<float>::quiet_NaN(), 1001);
  check_filled<float>(kFloat32, -std::numeric_limits<float>::infinity(), 1001);
}

TEST_CASE("a fill value that voxels cannot hold is refused") {
  const auto refused = [](VoxelType type, double fill) {
    CAPTURE(fill);
    check_refuses(ErrorCode::kArgument, "fill value",
                  [&] { (void)Volume(layout_of(1, 1, 1, type, fill)); });
  };
  refused(kUint8, -1000);
  refused(kInt8, 128);
  refused(kUint16, 65536);
  refused(kInt16, 0.5);
  refused(kInt16, std::numeric_limits<double>::quiet_NaN());
  refused(kUint32, -1);
  refused(kInt32, std::numeric_limits<double>::infinity());
  refused(kFloat32, 1e39);
}

TEST_CASE("a volume of impossible size is refused before memory is taken") {
  using enum ErrorCode;
  const auto refused = [](ErrorCode code, const VolumeLayout& layout) {
    check_refuses(code, "volume", [&] { (void)Volume(layout); });
  };
  refused(kMalformed, layout_of(0, 1, 1));
  refused(kMalformed, layout_of(1, 0, 1));
  refused(kMalformed, layout_of(1, 1, -1));
  VolumeLayout none = layout_of(1, 1, 1);
  none.samples = 0;
  refused(kMalformed, none);
  refused(kMalformed, layout_of(std::int64_t{1} << 40, 65535, 65535));
  refused(kResource, layout_of(1 << 20, 1 << 20, 1 << 20));
  check_refuses(kResource, "slices",
                [&] { (void)Volume(layout_of(std::int64_t{1} << 60, 1, 1, kUint8, 0)); });
}

#ifndef SPINEKIT_SANITIZED
TEST_CASE("no physical memory is taken before slices arrive, and only theirs then") {
  constexpr std::int64_t kMib = std::int64_t{1} << 20;
  for (const double fill : {-1000.0, 0.0}) {
    const std::int64_t before = resident_bytes();
    Volume volume(layout_of(1024, 1024, 1024, kInt16, fill));  // 2 GiB
    CHECK(volume.layout().byte_count() == 2048 * kMib);
    CHECK(resident_bytes() - before < 8 * kMib);
    const StoredFrame frame = constant_frame(volume.layout(), 5);
    for (const std::int64_t index : {0, 500, 1023}) volume.place(index, frame);
    CHECK(resident_bytes() - before < 24 * kMib);
    CHECK(holds_everywhere(volume.slice(1), static_cast<std::int16_t>(fill)));
    CHECK(holds_everywhere(volume.slice(500), 5));
    CHECK(holds_everywhere(volume.slice(1022), static_cast<std::int16_t>(fill)));
  }
}
#endif

TEST_CASE("a slice that is placed touches no other") {
  // Slices that end amid a page, and amid the 2 MiB unit.
  Volume volume(layout_of(9, 611, 523));
  for (const std::int64_t index : {4, 0, 8}) {
    volume.place(index, constant_frame(volume.layout(), static_cast<std::int16_t>(index + 1)));
  }
  for (std::int64_t k = 0; k < 9; ++k) {
    CAPTURE(k);
    const bool placed = k % 4 == 0;
    CHECK(holds_everywhere(volume.slice(k), static_cast<std::int16_t>(placed ? k + 1 : -1000)));
    CHECK(volume.loaded()[k] == (placed ? 1 : 0));
  }
}

TEST_CASE("coarse, then full: what is full stays, and only that is loaded") {
  Volume volume(layout_of(2, 9, 8));
  const VolumeLayout& layout = volume.layout();
  volume.place(0, constant_frame(layout, 3, 2), 2);
  CHECK(holds_everywhere(volume.slice(0), 3));
  CHECK(state_of(volume, 0) == SliceState::kCoarse);
  CHECK(volume.loaded()[0] == 0);
  volume.place(0, constant_frame(layout, 4));
  CHECK(state_of(volume, 0) == SliceState::kFull);
  CHECK(volume.loaded()[0] == 1);
  volume.place(0, constant_frame(layout, 5, 2), 2);
  CHECK(holds_everywhere(volume.slice(0), 4));
  const std::vector<Arrival> arrivals = volume.arrivals(0, 0ns);
  REQUIRE(arrivals.size() == 2);
  CHECK(arrivals[0].state == SliceState::kCoarse);
  CHECK(arrivals[1].state == SliceState::kFull);
  CHECK(arrivals[0].seconds >= 0);
  CHECK(arrivals[1].seconds >= arrivals[0].seconds);
}

TEST_CASE("a slice that fails holds the fill value, and a coarse picture that comes late too") {
  Volume volume(layout_of(2, 8, 8));
  volume.place(0, constant_frame(volume.layout(), 3, 1), 1);
  volume.fail(0, Error(ErrorCode::kMalformed, "broken"));
  CHECK(holds_everywhere(volume.slice(0), -1000));
  CHECK(state_of(volume, 0) == SliceState::kEmpty);
  volume.place(0, constant_frame(volume.layout(), 3, 1), 1);
  CHECK(holds_everywhere(volume.slice(0), -1000));
  CHECK(state_of(volume, 0) == SliceState::kEmpty);
  CHECK(volume.arrivals(0, 0ns).size() == 2);
  REQUIRE(volume.failures().size() == 1);
  CHECK(volume.failures().front().first == 0);
  CHECK(volume.failures().front().second.message() == "broken");
}

TEST_CASE("frames of another size, short ones, and slices that are not there are refused") {
  Volume volume(layout_of(2, 5, 4));
  StoredFrame frame = constant_frame(layout_of(1, 5, 4), 1);
  const auto refused = [&](ErrorCode code, const char* part, std::int64_t index, int reduction) {
    check_refuses(code, part, [&] { volume.place(index, frame, reduction); });
  };
  using enum ErrorCode;
  refused(kArgument, "slice 2 of 2", 2, 0);
  refused(kArgument, "slice -1 of 2", -1, 0);
  refused(kArgument, "reduction -1", 0, -1);
  refused(kArgument, "reduction 64", 0, 64);
  refused(kMalformed, "slice 0 is 5 x 4, the volume's are 3 x 2", 0, 1);
  frame.bytes.pop_back();
  refused(kArgument, "39 bytes, expected 40", 0, 0);
  frame.rows = 4;
  refused(kMalformed, "slice 0 is 4 x 4, the volume's are 5 x 4", 0, 0);
  frame = constant_frame(layout_of(1, 5, 4), 1);
  frame.samples = 3;
  refused(kMalformed, "5 x 4 x 3", 0, 0);
  CHECK(holds_everywhere({volume.data(), 80}, -1000));
  check_refuses(kArgument, "slice 2 of 2", [&] { volume.fail(2, Error(kMalformed, "")); });
  check_refuses(kArgument, "slice -1 of 2", [&] { volume.warn(-1, ""); });
  check_refuses(kArgument, "slice 7 of 2", [&] { (void)volume.slice(7); });
  check_refuses(kArgument, "40 bytes, got 39", [&] { volume.place_voxels(0, Buffer(39)); });
  volume.place_voxels(1, Buffer(40, 0));
  CHECK(holds_everywhere(volume.slice(1), 0));
  CHECK(volume.loaded()[1] == 1);
}

TEST_CASE("arrivals are waited for, from any number on, until the volume is closed") {
  Volume volume(layout_of(4, 2, 2));
  CHECK(volume.arrivals(0, 1ms).empty());
  std::thread writer([&] {
    for (std::int64_t k = 0; k < 4; ++k) {
      std::this_thread::sleep_for(5ms);
      if (k == 2) {
        volume.fail(k, Error(ErrorCode::kMalformed, "broken"));
      } else {
        volume.place(k, constant_frame(volume.layout(), 1));
      }
    }
    volume.close();
  });
  std::vector<Arrival> seen;
  while (true) {
    const std::vector<Arrival> more =
        volume.arrivals(static_cast<std::int64_t>(seen.size()), std::chrono::nanoseconds::max());
    if (more.empty()) break;
    seen.insert(seen.end(), more.begin(), more.end());
  }
  writer.join();
  REQUIRE(seen.size() == 4);
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(seen[k].index == static_cast<std::int64_t>(k));
    CHECK(seen[k].state == (k == 2 ? SliceState::kEmpty : SliceState::kFull));
  }
  CHECK(volume.closed());
  CHECK_FALSE(volume.closing_error());
  CHECK(volume.arrivals(4, std::chrono::nanoseconds::max()).empty());
  CHECK(volume.arrivals(-5, 0ns).size() == 4);
  CHECK(volume.arrivals(3, 0ns).size() == 1);
}

TEST_CASE("a volume is closed once, and keeps the first reason") {
  Volume volume(layout_of(1, 1, 1));
  CHECK_FALSE(volume.closed());
  volume.close(Error(ErrorCode::kCancelled, "cancelled"));
  volume.close();
  REQUIRE(volume.closing_error());
  CHECK(volume.closing_error()->code() == ErrorCode::kCancelled);
  volume.warn(0, "odd");
  CHECK(volume.warnings().front().second == "odd");
}

TEST_CASE("a forked child destroys a volume that its parent's threads wait for") {
  auto volume = std::make_unique<Volume>(layout_of(1, 1, 1));
  std::thread waiter([&] { (void)volume->arrivals(0, 10s); });
  std::this_thread::sleep_for(50ms);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(10);
    volume.reset();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  volume->close();
  waiter.join();
}

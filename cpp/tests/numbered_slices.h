// Slices without any DICOM behind them, for the tests of loaders.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <numeric>
#include <set>
#include <thread>

#include "spinekit/loader.h"

namespace spinekit::testing {

constexpr std::int64_t kSide = 16;

inline std::shared_ptr<Volume> volume_of(std::int64_t slices) {
  return std::make_shared<Volume>(VolumeLayout{
      .slices = slices, .rows = kSide, .columns = kSide, .type = VoxelType::kInt16, .fill = -1000});
}

inline std::shared_ptr<Executor> workers(int count) { return std::make_shared<Executor>(count); }

inline std::vector<std::int64_t> counted(std::int64_t count) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

// Slices whose voxels are all of the slice's number, without any DICOM. Keeps a record.
class NumberedSlices : public FrameSource {
 public:
  using Before = std::function<void(std::int64_t slice, int reduction, StoredFrame& frame)>;

  explicit NumberedSlices(int most = 0, Before before = {})
      : most_(most), before_(std::move(before)) {}

  int most_reduction(std::int64_t) override { return most_; }

  void read(std::int64_t slice, int reduction, StoredFrame& frame) override {
    {
      const std::lock_guard lock(mutex_);
      read_.emplace_back(slice, reduction);
      inside_.insert(slice);
      most_inside_ = std::max(most_inside_, inside_.size());
    }
    const std::int64_t side = kSide >> reduction;
    frame.type = VoxelType::kInt16;
    frame.rows = frame.columns = side;
    frame.bytes.resize(static_cast<std::size_t>(side * side * 2));
    for (std::size_t i = 0; i < frame.bytes.size(); i += 2) {
      frame.bytes[i] = static_cast<std::uint8_t>(slice & 0xFF);
      frame.bytes[i + 1] = static_cast<std::uint8_t>(slice >> 8 & 0xFF);
    }
    const auto leave = [&] {
      const std::lock_guard lock(mutex_);
      inside_.erase(slice);
    };
    try {
      if (before_) before_(slice, reduction, frame);
    } catch (...) {
      leave();
      throw;
    }
    leave();
  }

  [[nodiscard]] std::vector<std::pair<std::int64_t, int>> reads() {
    const std::lock_guard lock(mutex_);
    return read_;
  }
  [[nodiscard]] std::size_t most_inside() {
    const std::lock_guard lock(mutex_);
    return most_inside_;
  }

 private:
  int most_;
  Before before_;
  std::mutex mutex_;
  std::vector<std::pair<std::int64_t, int>> read_;
  std::set<std::int64_t> inside_;
  std::size_t most_inside_ = 0;
};

// As another thread may see it while the slice comes.
inline bool is_loaded(const Volume& volume, std::int64_t index) {
  const auto* loaded = reinterpret_cast<const std::atomic<std::uint8_t>*>(volume.loaded());
  return loaded[index].load(std::memory_order_acquire) == 1;
}

inline bool slice_holds(Volume& volume, std::int64_t index, std::int64_t value) {
  const MutableBytes bytes = volume.slice(index);
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    if (static_cast<std::int16_t>(bytes[i] | bytes[i + 1] << 8U) != value) return false;
  }
  return true;
}

inline void check_complete(Volume& volume) {
  CHECK(volume.closed());
  CHECK_FALSE(volume.closing_error());
  CHECK(volume.failures().empty());
  for (std::int64_t k = 0; k < volume.layout().slices; ++k) {
    CHECK(volume.loaded()[k] == 1);
    CHECK(slice_holds(volume, k, k));
  }
}

inline void wait_until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Holds work up until it is opened.
class Gate {
 public:
  void open() { open_ = true; }
  void pass() const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!open_ && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  std::atomic<bool> open_{false};
};

inline std::vector<std::int64_t> indices(const std::vector<std::pair<std::int64_t, int>>& reads) {
  std::vector<std::int64_t> out;
  out.reserve(reads.size());
  for (const auto& [index, reduction] : reads) out.push_back(index);
  return out;
}

}  // namespace spinekit::testing

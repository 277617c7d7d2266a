// A volume that fills itself: memory that is readable from the start, and the record of what came.
//
// A Volume owns its voxels, C order (slices, rows, columns[, samples]). They hold the fill value
// until a slice arrives, and no physical memory is taken for them before. One thread at a time may
// write a given slice; anyone may read at any time. loaded()[k] becomes 1 after the last voxel of
// slice k was written (release order). All other members are thread-safe; in a child made by fork(),
// a Volume can be read and destroyed.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "spinekit/bytes.h"
#include "spinekit/error.h"

namespace spinekit {

enum class VoxelType { kUint8, kInt8, kUint16, kInt16, kUint32, kInt32, kFloat32, kFloat64 };

[[nodiscard]] std::int64_t bytes_of(VoxelType type);

struct VolumeLayout {
  std::int64_t slices = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int samples = 1;
  VoxelType type = VoxelType::kInt16;
  double fill = 0;

  [[nodiscard]] std::int64_t slice_samples() const;
  [[nodiscard]] std::int64_t slice_bytes() const;
  [[nodiscard]] std::int64_t byte_count() const;
};

// kCoarse: the whole slice is there at reduced resolution, brought to full size.
enum class SliceState : std::uint8_t { kEmpty, kCoarse, kFull };

struct Arrival {
  std::int64_t index = 0;
  SliceState state = SliceState::kEmpty;  // kEmpty: the slice failed and stays filled
  double seconds = 0;                     // since the volume was made
};

// A frame as its codec left it, and what its values mean.
struct StoredFrame {
  Buffer bytes;
  VoxelType type = VoxelType::kUint16;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int samples = 1;
  double slope = 1;
  double intercept = 0;
  std::vector<std::string> warnings;
};

// A frame's rescaled values. Error(kUnsupported) where they do not fit the type.
Buffer voxels_from(const StoredFrame& frame, VoxelType type);

class Volume {
 public:
  // Error(kMalformed) for sizes below 1 or beyond 2^62 bytes, Error(kResource) without memory,
  // Error(kArgument) for a fill value that the voxels cannot hold.
  explicit Volume(const VolumeLayout& layout);
  ~Volume();
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  [[nodiscard]] const VolumeLayout& layout() const { return layout_; }
  [[nodiscard]] std::uint8_t* data() { return data_; }
  [[nodiscard]] MutableBytes slice(std::int64_t index);
  // Each a byte a slice, for as long as the volume lives: 0 or 1; a SliceState.
  [[nodiscard]] const std::uint8_t* loaded() const;
  [[nodiscard]] const std::uint8_t* states() const;

  // Writes rescaled values (stored * slope + intercept) into slice `index`. A frame of another size
  // is an Error and leaves the slice as it was; values that the voxels cannot hold are an Error and
  // leave the fill value. With `reduction` 1 to 32 the frame is of reduced size (its sides halved so
  // often) and is interpolated; a slice that is full, or failed, stays so.
  void place(std::int64_t index, const StoredFrame& frame, int reduction = 0);
  // Copies bytes that are voxels already.
  void place_voxels(std::int64_t index, Bytes voxels);
  // The slice holds the fill value (again); it is no use to place it once more.
  void fail(std::int64_t index, const Error& error);
  void warn(std::int64_t index, const std::string& warning);

  // Nothing will arrive any more; `error` says why not all did.
  void close(const std::optional<Error>& error = std::nullopt);
  [[nodiscard]] bool closed() const;
  [[nodiscard]] std::optional<Error> closing_error() const;

  // Arrivals in their order, from number `first` on. Waits until there are some, the volume is
  // closed, or the time is over.
  [[nodiscard]] std::vector<Arrival> arrivals(std::int64_t first,
                                              std::chrono::nanoseconds wait) const;
  [[nodiscard]] std::vector<std::pair<std::int64_t, Error>> failures() const;
  [[nodiscard]] std::vector<std::pair<std::int64_t, std::string>> warnings() const;

 private:
  void check_index(std::int64_t index) const;
  void arrived(std::int64_t index, SliceState state);
  void clear(std::int64_t index);
  void check_frame(std::int64_t index, const StoredFrame& frame, int reduction) const;

  VolumeLayout layout_;
  std::uint8_t* data_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::vector<std::atomic<std::uint8_t>> loaded_;
  std::vector<std::atomic<std::uint8_t>> states_;
  std::chrono::steady_clock::time_point made_;

  // Slice k is written under number k % 16: its coarse picture may come beside its full one.
  std::array<std::mutex, 16> writing_;
  std::vector<std::uint8_t> failed_;  // 0 or 1, each guarded as its slice is
  const int owner_;                   // process
  struct Record;
  // Apart, for a child made by fork() must not destroy what its parent's threads wait for or change.
  std::unique_ptr<Record> record_;
};

}  // namespace spinekit

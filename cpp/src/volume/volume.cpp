#include "spinekit/volume.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <limits>
#include <system_error>

#include "rescale.h"

namespace spinekit {
namespace {

// The file whose pages every part of a volume shows until it is written to.
constexpr std::size_t kFillBytes = std::size_t{2} << 20U;

[[noreturn]] void no_memory(std::size_t bytes) {
  throw_resource("no memory for a volume of " + std::to_string(bytes) +
                 " bytes: " + std::generic_category().message(errno));
}

// Whether the value can be converted to the type, and stays what it is.
bool holds(VoxelType type, double value) {
  const auto within = [value](double least, double largest) {
    return value >= least && value <= largest && value == std::floor(value);
  };
  switch (type) {
    case VoxelType::kUint8:
      return within(0, 255);
    case VoxelType::kInt8:
      return within(-128, 127);
    case VoxelType::kUint16:
      return within(0, 65535);
    case VoxelType::kInt16:
      return within(-32768, 32767);
    case VoxelType::kUint32:
      return within(0, 4294967295.0);
    case VoxelType::kInt32:
      return within(-2147483648.0, 2147483647.0);
    case VoxelType::kFloat32:
      return !std::isfinite(value) || std::abs(value) <= std::numeric_limits<float>::max();
    case VoxelType::kFloat64:
      break;
  }
  return true;
}

std::vector<std::uint8_t> pattern_of(VoxelType type, double fill) {
  const auto bytes = [](auto value) {
    std::vector<std::uint8_t> out(sizeof value);
    std::memcpy(out.data(), &value, sizeof value);
    return out;
  };
  switch (type) {
    case VoxelType::kUint8:
      return bytes(static_cast<std::uint8_t>(fill));
    case VoxelType::kInt8:
      return bytes(static_cast<std::int8_t>(fill));
    case VoxelType::kUint16:
      return bytes(static_cast<std::uint16_t>(fill));
    case VoxelType::kInt16:
      return bytes(static_cast<std::int16_t>(fill));
    case VoxelType::kUint32:
      return bytes(static_cast<std::uint32_t>(fill));
    case VoxelType::kInt32:
      return bytes(static_cast<std::int32_t>(fill));
    case VoxelType::kFloat32:
      return bytes(static_cast<float>(fill));
    case VoxelType::kFloat64:
      break;
  }
  return bytes(fill);
}

void repeat(const std::vector<std::uint8_t>& pattern, std::uint8_t* out, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += pattern.size()) {
    std::memcpy(out + at, pattern.data(), pattern.size());
  }
}

// Shows the pattern everywhere in [data, data + bytes), by pages that are copied when written to.
// False where the system has no such files, or not so many mappings; then parts may be unmapped.
bool map_pattern(const std::vector<std::uint8_t>& pattern, std::uint8_t* data, std::size_t bytes) {
  const int file = ::memfd_create("spinekit-volume", MFD_CLOEXEC);
  if (file < 0) return false;
  bool done = ::ftruncate(file, kFillBytes) == 0;
  if (done) {
    void* page = ::mmap(nullptr, kFillBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    done = page != MAP_FAILED;
    if (done) {
      repeat(pattern, static_cast<std::uint8_t*>(page), kFillBytes);
      ::munmap(page, kFillBytes);
    }
  }
  for (std::size_t at = 0; done && at < bytes; at += kFillBytes) {
    done = ::mmap(data + at, std::min(kFillBytes, bytes - at), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, 0) != MAP_FAILED;
  }
  ::close(file);
  return done;
}

}  // namespace

std::int64_t bytes_of(VoxelType type) {
  return static_cast<std::int64_t>(pattern_of(type, 0).size());
}

std::int64_t VolumeLayout::slice_samples() const {
  return checked_product(checked_product(rows, columns, "rows x columns"), samples,
                         "rows x columns x samples");
}

std::int64_t VolumeLayout::slice_bytes() const {
  return checked_product(slice_samples(), bytes_of(type), "bytes of a slice");
}

std::int64_t VolumeLayout::byte_count() const {
  return checked_product(slices, slice_bytes(), "bytes of the volume");
}

namespace {

[[noreturn]] void does_not_fit(const StoredFrame& frame) {
  throw_unsupported("rescaled by " + std::to_string(frame.slope) + " and " +
                    std::to_string(frame.intercept) +
                    ", values do not fit the volume's integers; open it with dtype float32");
}

}  // namespace

Buffer voxels_from(const StoredFrame& frame, VoxelType type) {
  const auto samples = static_cast<std::int64_t>(frame.bytes.size()) / bytes_of(frame.type);
  if (samples == 0) return {};
  Buffer out(static_cast<std::size_t>(samples * bytes_of(type)));
  if (!rescale(frame, type, out)) does_not_fit(frame);
  return out;
}

struct Volume::Record {
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::vector<Arrival> arrivals;
  std::vector<std::pair<std::int64_t, Error>> failures;
  std::vector<std::pair<std::int64_t, std::string>> warnings;
  bool closed = false;
  std::optional<Error> closing_error;
};

Volume::Volume(const VolumeLayout& layout)
    : layout_(layout),
      made_(std::chrono::steady_clock::now()),
      owner_(::getpid()),
      record_(std::make_unique<Record>()) {
  if (layout.slices < 1 || layout.rows < 1 || layout.columns < 1 || layout.samples < 1) {
    throw_malformed("a volume of " + std::to_string(layout.slices) + " slices of " +
                    std::to_string(layout.rows) + " x " + std::to_string(layout.columns) + " x " +
                    std::to_string(layout.samples) + ", expected at least 1 of each");
  }
  const auto bytes = static_cast<std::size_t>(layout.byte_count());
  if (!holds(layout.type, layout.fill)) {
    throw_argument("the fill value " + std::to_string(layout.fill) +
                   " does not fit the volume's voxels");
  }
  constexpr std::int64_t kMostSlices = std::int64_t{1} << 32;
  if (layout.slices > kMostSlices) {
    throw_resource("no memory for a volume of " + std::to_string(layout.slices) + " slices");
  }
  const auto slices = static_cast<std::size_t>(layout.slices);
  try {
    loaded_ = std::vector<std::atomic<std::uint8_t>>(slices);
    states_ = std::vector<std::atomic<std::uint8_t>>(slices);
    failed_ = std::vector<std::uint8_t>(slices);
  } catch (const std::bad_alloc&) {
    no_memory(bytes);
  }
  constexpr std::size_t kPage = 65536;  // a multiple of every page size in use
  mapped_bytes_ = (bytes + kPage - 1) / kPage * kPage;
  void* memory = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) no_memory(bytes);
  data_ = static_cast<std::uint8_t*>(memory);
  const std::vector<std::uint8_t> pattern = pattern_of(layout.type, layout.fill);
  if (std::all_of(pattern.begin(), pattern.end(), [](std::uint8_t b) { return b == 0; })) {
    (void)::madvise(memory, mapped_bytes_, MADV_HUGEPAGE);
  } else if (!map_pattern(pattern, data_, mapped_bytes_)) {
    if (::mmap(data_, mapped_bytes_, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
      const int failure = errno;
      ::munmap(data_, mapped_bytes_);
      errno = failure;
      no_memory(bytes);
    }
    repeat(pattern, data_, mapped_bytes_);
  }
}

Volume::~Volume() {
  ::munmap(data_, mapped_bytes_);
  if (owner_ != ::getpid()) (void)record_.release();
}

void Volume::check_index(std::int64_t index) const {
  if (index < 0 || index >= layout_.slices) {
    throw_argument("slice " + std::to_string(index) + " of " + std::to_string(layout_.slices));
  }
}

MutableBytes Volume::slice(std::int64_t index) {
  check_index(index);
  const auto bytes = static_cast<std::size_t>(layout_.slice_bytes());
  return {data_ + static_cast<std::size_t>(index) * bytes, bytes};
}

const std::uint8_t* Volume::loaded() const {
  static_assert(sizeof(std::atomic<std::uint8_t>) == 1);
  return reinterpret_cast<const std::uint8_t*>(loaded_.data());
}

const std::uint8_t* Volume::states() const {
  return reinterpret_cast<const std::uint8_t*>(states_.data());
}

void Volume::check_frame(std::int64_t index, const StoredFrame& frame, int reduction) const {
  if (reduction < 0 || reduction > 32) {
    throw_argument("reduction " + std::to_string(reduction) + ", expected 0 to 32");
  }
  const auto halved = [reduction](std::int64_t side) {
    return (side + (std::int64_t{1} << reduction) - 1) >> reduction;
  };
  if (frame.rows != halved(layout_.rows) || frame.columns != halved(layout_.columns) ||
      frame.samples != layout_.samples) {
    const auto size = [](std::int64_t rows, std::int64_t columns, int samples) {
      return std::to_string(rows) + " x " + std::to_string(columns) +
             (samples == 1 ? "" : " x " + std::to_string(samples));
    };
    throw_malformed("slice " + std::to_string(index) + " is " +
                    size(frame.rows, frame.columns, frame.samples) + ", the volume's are " +
                    size(halved(layout_.rows), halved(layout_.columns), layout_.samples));
  }
  const std::int64_t needed =
      checked_product(checked_product(checked_product(frame.rows, frame.columns, "rows x columns"),
                                      frame.samples, "samples of a frame"),
                      bytes_of(frame.type), "bytes of a frame");
  if (static_cast<std::int64_t>(frame.bytes.size()) < needed) {
    throw_argument("a frame of " + std::to_string(frame.bytes.size()) + " bytes, expected " +
                   std::to_string(needed));
  }
}

void Volume::place(std::int64_t index, const StoredFrame& frame, int reduction) {
  const MutableBytes voxels = slice(index);
  check_frame(index, frame, reduction);
  const std::lock_guard lock(writing_[static_cast<std::size_t>(index) % writing_.size()]);
  if (reduction > 0) {
    const auto at = static_cast<std::size_t>(index);
    const bool full =
        states_[at].load(std::memory_order_acquire) == static_cast<std::uint8_t>(SliceState::kFull);
    if (full || failed_[at] != 0) return;
    rescale_coarse(frame, reduction, layout_, voxels);
    return arrived(index, SliceState::kCoarse);
  }
  if (!rescale(frame, layout_.type, voxels)) {
    clear(index);
    does_not_fit(frame);
  }
  arrived(index, SliceState::kFull);
}

void Volume::place_voxels(std::int64_t index, Bytes voxels) {
  const MutableBytes out = slice(index);
  if (voxels.size() != out.size()) {
    throw_argument("a slice has " + std::to_string(out.size()) + " bytes, got " +
                   std::to_string(voxels.size()));
  }
  const std::lock_guard lock(writing_[static_cast<std::size_t>(index) % writing_.size()]);
  std::memcpy(out.data(), voxels.data(), out.size());
  arrived(index, SliceState::kFull);
}

void Volume::clear(std::int64_t index) {
  const MutableBytes voxels = slice(index);
  const auto at = static_cast<std::size_t>(index);
  loaded_[at].store(0, std::memory_order_release);
  states_[at].store(static_cast<std::uint8_t>(SliceState::kEmpty), std::memory_order_release);
  repeat(pattern_of(layout_.type, layout_.fill), voxels.data(), voxels.size());
}

void Volume::arrived(std::int64_t index, SliceState state) {
  const auto at = static_cast<std::size_t>(index);
  states_[at].store(static_cast<std::uint8_t>(state), std::memory_order_release);
  if (state == SliceState::kFull) loaded_[at].store(1, std::memory_order_release);
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - made_;
  {
    const std::lock_guard lock(record_->mutex);
    record_->arrivals.push_back({index, state, since.count()});
    record_->changed.notify_all();
  }
}

void Volume::fail(std::int64_t index, const Error& error) {
  check_index(index);
  {
    const std::lock_guard lock(writing_[static_cast<std::size_t>(index) % writing_.size()]);
    failed_[static_cast<std::size_t>(index)] = 1;
    if (states()[index] == static_cast<std::uint8_t>(SliceState::kCoarse)) clear(index);
  }
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - made_;
  const std::lock_guard lock(record_->mutex);
  record_->failures.emplace_back(index, error);
  record_->arrivals.push_back({index, SliceState::kEmpty, since.count()});
  record_->changed.notify_all();
}

void Volume::warn(std::int64_t index, const std::string& warning) {
  check_index(index);
  const std::lock_guard lock(record_->mutex);
  record_->warnings.emplace_back(index, warning);
}

void Volume::close(const std::optional<Error>& error) {
  const std::lock_guard lock(record_->mutex);
  if (record_->closed) return;
  record_->closed = true;
  record_->closing_error = error;
  record_->changed.notify_all();
}

bool Volume::closed() const {
  const std::lock_guard lock(record_->mutex);
  return record_->closed;
}

std::optional<Error> Volume::closing_error() const {
  const std::lock_guard lock(record_->mutex);
  return record_->closing_error;
}

std::vector<Arrival> Volume::arrivals(std::int64_t first, std::chrono::nanoseconds wait) const {
  std::unique_lock lock(record_->mutex);
  const auto from = static_cast<std::size_t>(std::max<std::int64_t>(first, 0));
  // So that "for ever" is no time before now.
  constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365);
  record_->changed.wait_for(lock, std::min(wait, kLongest),
                            [&] { return record_->closed || record_->arrivals.size() > from; });
  if (from >= record_->arrivals.size()) return {};
  return {record_->arrivals.begin() + static_cast<std::ptrdiff_t>(from), record_->arrivals.end()};
}

std::vector<std::pair<std::int64_t, Error>> Volume::failures() const {
  const std::lock_guard lock(record_->mutex);
  return record_->failures;
}

std::vector<std::pair<std::int64_t, std::string>> Volume::warnings() const {
  const std::lock_guard lock(record_->mutex);
  return record_->warnings;
}

}  // namespace spinekit

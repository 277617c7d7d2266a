#include <zlib.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "spinekit/error.h"
#include "spinekit/series.h"
#include "spinekit/zip_stream.h"
#include "volume/entry_checks.h"

namespace spinekit {
namespace {

std::int64_t data_offset(const ByteSource& archive, const FileLocation& location) {
  // A directory can hold anything; these are its 64-bit sizes beyond 2^63.
  if (location.size < 0 || location.packed_bytes < 0) throw_malformed("a ZIP entry of no size");
  std::array<std::uint8_t, 30> header{};
  archive.read(location.offset, header);
  return location.offset + local_header_bytes(header);
}

// A deflated entry, unpacked from its beginning as far as it was looked at.
class DeflatedEntry : public ByteSource {
 public:
  DeflatedEntry(std::shared_ptr<const ByteSource> archive, FileLocation location)
      : archive_(std::move(archive)),
        location_(std::move(location)),
        start_(data_offset(*archive_, location_)) {}

  [[nodiscard]] std::int64_t size() const override { return location_.size; }
  // Whatever is looked at has to be unpacked.
  [[nodiscard]] bool slow() const override { return true; }

  void read(std::int64_t offset, MutableBytes out) const override {
    check_inside(offset, static_cast<std::int64_t>(out.size()));
    const std::lock_guard lock(mutex_);
    const std::int64_t end = offset + static_cast<std::int64_t>(out.size());
    if (end > static_cast<std::int64_t>(unpacked_.size())) unpack(end);
    std::copy_n(unpacked_.begin() + offset, out.size(), out.begin());
  }

 private:
  void unpack(std::int64_t end) const {
    // Beyond so much, the entry is wanted as a whole.
    constexpr std::int64_t kHead = std::int64_t{1} << 20;
    Buffer scratch;
    if (end > kHead || end == location_.size) {
      unpacked_ = unpack_entry(archive_->view(start_, location_.packed_bytes, scratch),
                               location_.method, location_.size, location_.crc);
      return;
    }
    // Deflate's worst case is a little more than a byte for a byte.
    const std::int64_t packed = std::min(location_.packed_bytes, end + end / 16 + 256);
    unpacked_ = unpack_prefix(archive_->view(start_, packed, scratch), location_.method, end);
    // An entry may hold more of deflate's own words than of bytes; or it is damaged, which shows then.
    if (static_cast<std::int64_t>(unpacked_.size()) < end) unpack(location_.size);
  }

  std::shared_ptr<const ByteSource> archive_;
  FileLocation location_;
  std::int64_t start_;
  mutable std::mutex mutex_;  // guards unpacked_
  mutable Buffer unpacked_;
};

std::shared_ptr<const ByteSource> opened(const FileLocation& location,
                                         std::shared_ptr<const ByteSource> archive) {
  if (location.method != 0) {
    // Before anyone takes memory for a part of what is only claimed.
    const std::int64_t most = most_unpacked_bytes(location.packed_bytes, {});
    if (location.size > most) {
      throw_malformed("claims " + std::to_string(location.size) + " bytes, at most " +
                      std::to_string(most) + " are allowed for " +
                      std::to_string(location.packed_bytes) + " packed bytes");
    }
    return std::make_shared<DeflatedEntry>(std::move(archive), location);
  }
  if (location.packed_bytes != location.size) {
    throw_malformed("a stored ZIP entry of " + std::to_string(location.packed_bytes) +
                    " bytes claims " + std::to_string(location.size));
  }
  const std::int64_t start = data_offset(*archive, location);
  return std::make_shared<WindowSource>(std::move(archive), start, location.size);
}

}  // namespace

std::shared_ptr<const ByteSource> open_location(const FileLocation& location) {
  auto file = std::make_shared<FileSource>(location.path);
  if (!location.archived) return file;
  return opened(location, std::move(file));
}

Buffer whole(const FileLocation& location) {
  const FileSource file(location.path);
  Buffer bytes;
  if (!location.archived) {
    (void)file.view(0, file.size(), bytes);
    return bytes;
  }
  (void)file.view(data_offset(file, location), location.packed_bytes, bytes);
  if (location.method != 0) {
    return unpack_entry(bytes, location.method, location.size, location.crc);
  }
  const auto crc = static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
  if (crc != location.crc || location.packed_bytes != location.size) {
    throw_malformed("the ZIP entry's CRC does not match: it is damaged");
  }
  return bytes;
}

}  // namespace spinekit

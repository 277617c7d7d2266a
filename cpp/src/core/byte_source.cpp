#include "spinekit/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "spinekit/error.h"

namespace spinekit {
namespace {

std::string reason() { return std::generic_category().message(errno); }

}  // namespace

void ByteSource::check_inside(std::int64_t offset, std::int64_t length) const {
  if (offset < 0 || length < 0 || offset > size() || length > size() - offset) {
    throw_malformed("cut off: " + std::to_string(length) + " bytes at byte " +
                    std::to_string(offset) + " of " + std::to_string(size()));
  }
}

Bytes ByteSource::view(std::int64_t offset, std::int64_t length, Buffer& scratch) const {
  // Before memory is taken for what is not there.
  check_inside(offset, length);
  scratch.resize(static_cast<std::size_t>(length));
  read(offset, scratch);
  return scratch;
}

// ---- MemorySource

std::int64_t MemorySource::size() const { return static_cast<std::int64_t>(bytes_.size()); }

void MemorySource::read(std::int64_t offset, MutableBytes out) const {
  check_inside(offset, static_cast<std::int64_t>(out.size()));
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
}

Bytes MemorySource::view(std::int64_t offset, std::int64_t length, Buffer&) const {
  check_inside(offset, length);
  return bytes_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

// ---- FileSource

FileSource::FileSource(const std::string& path) {
  // O_NONBLOCK: a FIFO of that name must not keep us waiting for its writer.
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file_ < 0) throw_resource("cannot be read: " + reason());
  struct stat status {};
  if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file_);
    throw_resource("cannot be read: not a regular file");
  }
  size_ = status.st_size;
  // Frames and headers are read here and there: reading ahead of them would be for nothing.
  (void)::posix_fadvise(file_, 0, 0, POSIX_FADV_RANDOM);
}

FileSource::~FileSource() { ::close(file_); }

void FileSource::read(std::int64_t offset, MutableBytes out) const {
  check_inside(offset, static_cast<std::int64_t>(out.size()));
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(file_, out.data() + done, out.size() - done,
                                static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_resource("cannot be read: " + reason());
    if (got == 0) throw_resource("became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
}

bool FileSource::will_read(std::int64_t offset, std::int64_t length) const {
  // A length of 0 would mean the whole file.
  return length == 0 || ::posix_fadvise(file_, offset, length, POSIX_FADV_WILLNEED) == 0;
}

// ---- WindowSource

WindowSource::WindowSource(std::shared_ptr<const ByteSource> whole, std::int64_t offset,
                           std::int64_t length)
    : whole_(std::move(whole)), offset_(offset), length_(length) {
  if (offset < 0 || length < 0 || offset > whole_->size() || length > whole_->size() - offset) {
    throw_malformed("cut off: a part of " + std::to_string(length) + " bytes at byte " +
                    std::to_string(offset) + " of " + std::to_string(whole_->size()));
  }
}

void WindowSource::read(std::int64_t offset, MutableBytes out) const {
  check_inside(offset, static_cast<std::int64_t>(out.size()));
  whole_->read(offset_ + offset, out);
}

Bytes WindowSource::view(std::int64_t offset, std::int64_t length, Buffer& scratch) const {
  check_inside(offset, length);
  return whole_->view(offset_ + offset, length, scratch);
}

}  // namespace spinekit

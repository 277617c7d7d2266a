#include "atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "spinekit/error.h"

namespace spinekit {
namespace {

std::string remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space or choose another folder";
    case EFBIG:
      return "; the file would exceed the allowed file size (ulimit -f)";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; choose a folder that you may write to";
    case EEXIST:
      return "; choose another folder, or overwrite";
    default:
      return "";
  }
}

}  // namespace

AtomicFile::AtomicFile(std::string target) : target_(std::move(target)) {
  static std::atomic<unsigned> counter{0};
  part_ = target_ + "." + std::to_string(::getpid()) + "-" + std::to_string(counter++) +
          ".spinekit-part";
  descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot be created");
  created_ = true;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (created_ && !committed_) ::unlink(part_.c_str());
}

void AtomicFile::fail(const char* action) const {
  const int error = errno;
  throw_resource("'" + target_ + "' " + action + ": " + std::strerror(error) + remedy(error));
}

void AtomicFile::write(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("cannot be written");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::flush() {
  if (::fdatasync(descriptor_) != 0) fail("cannot be brought to the disk");
}

Buffer AtomicFile::read_back() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail("cannot be read back");
  Buffer bytes(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot be read back");
    if (count == 0) throw_resource("'" + target_ + "' is shorter than what was written");
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

void AtomicFile::commit(bool overwrite) {
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("cannot be brought to the disk");
  if (overwrite) {
    if (::rename(part_.c_str(), target_.c_str()) != 0) fail("cannot be put in place");
  } else if (::renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) !=
             0) {
    // Some network file systems know no RENAME_NOREPLACE; a hard link refuses to replace as well.
    if (errno != EINVAL && errno != ENOSYS) fail("cannot be put in place");
    if (::link(part_.c_str(), target_.c_str()) != 0) fail("cannot be put in place");
    ::unlink(part_.c_str());
  }
  committed_ = true;
}

}  // namespace spinekit

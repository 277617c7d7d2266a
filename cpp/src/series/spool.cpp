#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "spinekit/error.h"
#include "spinekit/series.h"

namespace spinekit {
namespace {

[[noreturn]] void failed(const char* what) {
  throw_resource(std::string("the temporary file of frames that wait for their place ") + what +
                 ": " + std::generic_category().message(errno) +
                 "; free some space, or set TMPDIR to another folder");
}

}  // namespace

FrameSpool::FrameSpool(const std::string& folder) {
  std::string name = folder + "/spinekit-XXXXXX";
  file_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0) failed("cannot be made");
  // Without a name it goes away with the process, however that ends.
  ::unlink(name.c_str());
}

FrameSpool::~FrameSpool() { ::close(file_); }

FrameSpool::Record FrameSpool::write(const StoredFrame& frame) {
  Record record;
  record.bytes = static_cast<std::int64_t>(frame.bytes.size());
  {
    const std::lock_guard lock(mutex_);
    record.offset = end_;
    end_ += record.bytes;
  }
  std::size_t done = 0;
  while (done < frame.bytes.size()) {
    const ssize_t put = ::pwrite(file_, frame.bytes.data() + done, frame.bytes.size() - done,
                                 static_cast<off_t>(record.offset) + static_cast<off_t>(done));
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) errno = ENOSPC;
    if (put <= 0) failed("cannot be written");
    done += static_cast<std::size_t>(put);
  }
  record.frame.type = frame.type;
  record.frame.rows = frame.rows;
  record.frame.columns = frame.columns;
  record.frame.samples = frame.samples;
  record.frame.slope = frame.slope;
  record.frame.intercept = frame.intercept;
  record.frame.warnings = frame.warnings;
  return record;
}

std::int64_t FrameSpool::add(Bytes bytes, const std::string& label, const ImageHeader& header) {
  return with_name(label, [&] {
    const DicomFile file(std::make_shared<MemorySource>(bytes));
    std::vector<Record> records;
    StoredFrame frame;
    for (std::size_t index = 0; index < header.frames.size(); ++index) {
      frame.warnings.clear();
      decode_frame(file, static_cast<std::int64_t>(index), 0, header.frames[index], frame);
      records.push_back(write(frame));
    }
    const std::lock_guard lock(mutex_);
    const auto first = static_cast<std::int64_t>(records_.size());
    records_.insert(records_.end(), std::make_move_iterator(records.begin()),
                    std::make_move_iterator(records.end()));
    return first;
  });
}

void FrameSpool::read(std::int64_t number, StoredFrame& frame) const {
  Record record;
  {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::int64_t>(records_.size());
    if (number < 0 || number >= count) {
      throw_argument("frame " + std::to_string(number) + " of " + std::to_string(count));
    }
    record = records_[static_cast<std::size_t>(number)];
  }
  Buffer buffer = std::move(frame.bytes);
  frame = record.frame;
  frame.bytes = std::move(buffer);
  frame.bytes.resize(static_cast<std::size_t>(record.bytes));
  std::size_t done = 0;
  while (done < frame.bytes.size()) {
    const ssize_t got = ::pread(file_, frame.bytes.data() + done, frame.bytes.size() - done,
                                static_cast<off_t>(record.offset) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO;
    if (got <= 0) failed("cannot be read");
    done += static_cast<std::size_t>(got);
  }
}

void SpooledFrames::read(std::int64_t slice, int, StoredFrame& frame) {
  spool_->read(numbers_.at(static_cast<std::size_t>(slice)), frame);
}

}  // namespace spinekit

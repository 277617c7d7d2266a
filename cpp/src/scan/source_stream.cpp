#include "scan/source_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace spinekit {
namespace {

constexpr std::int64_t kPiece = std::int64_t{64} << 10;
constexpr std::int64_t kAhead = std::int64_t{4} << 20;

}  // namespace

void SourceStream::start(std::int64_t offset, std::int64_t length) {
  position_ = offset;
  end_ = offset + length;
  announced_ = offset;
  piece_ = {};
}

// A FileSource has the kernel's own reading ahead turned off.
void SourceStream::fetch_ahead() {
  while (announced_ < end_ && announced_ < position_ + kAhead) {
    const std::int64_t length = std::min(kAhead, end_ - announced_);
    // Of a short part the first read fetches all there is.
    if (length > kPiece) (void)source_.will_read(announced_, length);
    announced_ += length;
  }
}

Bytes SourceStream::next() {
  if (!piece_.empty()) return std::exchange(piece_, {});
  const std::int64_t length = std::min(kPiece, end_ - position_);
  if (length <= 0) return {};
  fetch_ahead();
  const Bytes piece = source_.view(position_, length, buffer_);
  position_ += length;
  return piece;
}

std::size_t SourceStream::read(MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    if (piece_.empty()) piece_ = next();
    if (piece_.empty()) break;
    const std::size_t count = std::min(piece_.size(), out.size() - done);
    std::memcpy(out.data() + done, piece_.data(), count);
    piece_ = piece_.subspan(count);
    done += count;
  }
  return done;
}

}  // namespace spinekit

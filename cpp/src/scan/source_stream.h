// A part of a ByteSource read once, front to back, in pieces that are fetched ahead of their use.
#pragma once

#include "spinekit/byte_source.h"

namespace spinekit {

class SourceStream {
 public:
  explicit SourceStream(const ByteSource& source) : source_(source) {}
  void start(std::int64_t offset, std::int64_t length);
  // The next piece, valid until the next call; empty at the end.
  Bytes next();
  // Fills `out` as far as bytes are left; how many that were.
  std::size_t read(MutableBytes out);

 private:
  void fetch_ahead();

  const ByteSource& source_;
  Buffer buffer_;
  Bytes piece_;  // what read() has left of the last piece
  std::int64_t position_ = 0;
  std::int64_t end_ = 0;
  std::int64_t announced_ = 0;
};

}  // namespace spinekit

// The bytes of a TIFF's strip or tile, unpacked front to back in bounded memory.
#pragma once

#include <memory>

#include "spinekit/byte_source.h"

namespace spinekit {

class PackedStream {
 public:
  virtual ~PackedStream() = default;
  // A strip or tile of `length` bytes at `offset`.
  virtual void start(std::int64_t offset, std::int64_t length) = 0;
  // Fills `out` with what comes next; Error(kMalformed) where the data are damaged or end before.
  virtual void read(MutableBytes out) = 0;
  // After the last read: what can be checked behind the samples.
  virtual void finish() {}
  // All of one: start, read and finish, where a codec has a quicker way.
  virtual void read_whole(std::int64_t offset, std::int64_t length, MutableBytes out) {
    start(offset, length);
    read(out);
    finish();
  }
};

// TIFF's code of a compression: whether make_packed_stream() knows it.
bool unpacks_itself(int compression);
// `most_packed`: of how many bytes of the file may be held at once.
std::unique_ptr<PackedStream> make_packed_stream(int compression, const ByteSource& source,
                                                 std::int64_t most_packed);
std::unique_ptr<PackedStream> make_lzw_stream(const ByteSource& source);
std::unique_ptr<PackedStream> make_deflate_stream(const ByteSource& source,
                                                  std::int64_t most_packed);
// More bytes than this from one are damage; 0: unknown.
std::int64_t most_expansion(int compression);

}  // namespace spinekit

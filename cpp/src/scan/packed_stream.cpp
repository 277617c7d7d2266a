#include "scan/packed_stream.h"

#include <tiff.h>

#include <algorithm>
#include <cstring>

#include "scan/source_stream.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

class StoredStream : public PackedStream {
 public:
  explicit StoredStream(const ByteSource& source) : source_(source) {}

  void start(std::int64_t offset, std::int64_t length) override {
    position_ = offset;
    end_ = offset + length;
  }

  void read(MutableBytes out) override {
    const auto length = static_cast<std::int64_t>(out.size());
    if (length > end_ - position_) throw_malformed("its data end early");
    source_.read(position_, out);
    position_ += length;
    (void)source_.will_read(position_, std::min(end_ - position_, 2 * length));
  }

 private:
  const ByteSource& source_;
  std::int64_t position_ = 0;
  std::int64_t end_ = 0;
};

// TIFF 6.0, section 9
class PackBitsStream : public PackedStream {
 public:
  explicit PackBitsStream(const ByteSource& source) : stream_(source) {}

  void start(std::int64_t offset, std::int64_t length) override {
    stream_.start(offset, length);
    literals_ = repeats_ = 0;
    piece_ = {};
  }

  void read(MutableBytes out) override {
    while (!out.empty()) {
      if (repeats_ > 0) {
        const std::size_t count = std::min(repeats_, out.size());
        std::memset(out.data(), value_, count);
        repeats_ -= count;
        out = out.subspan(count);
      } else if (literals_ > 0) {
        if (piece_.empty()) refill();
        const std::size_t count = std::min({literals_, out.size(), piece_.size()});
        std::memcpy(out.data(), piece_.data(), count);
        piece_ = piece_.subspan(count);
        literals_ -= count;
        out = out.subspan(count);
      } else {
        take_header();
      }
    }
  }

 private:
  void refill() {
    piece_ = stream_.next();
    if (piece_.empty()) throw_malformed("its data end early");
  }

  std::uint8_t take() {
    if (piece_.empty()) refill();
    const std::uint8_t value = piece_.front();
    piece_ = piece_.subspan(1);
    return value;
  }

  void take_header() {
    const unsigned header = take();
    if (header < 128) {
      literals_ = header + 1;
    } else if (header > 128) {
      repeats_ = 257 - header;
      value_ = take();
    }
  }

  SourceStream stream_;
  Bytes piece_;
  std::size_t literals_ = 0;
  std::size_t repeats_ = 0;
  std::uint8_t value_ = 0;
};

}  // namespace

bool unpacks_itself(int compression) {
  switch (compression) {
    case COMPRESSION_NONE:
    case COMPRESSION_LZW:
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
    case COMPRESSION_PACKBITS:
      return true;
    default:
      return false;
  }
}

std::int64_t most_expansion(int compression) {
  switch (compression) {
    case COMPRESSION_NONE:
      return 1;
    case COMPRESSION_LZW:
      return 4096;  // the longest string that one code of more than a byte can stand for
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
      return 1032;  // 258 bytes from two bits
    case COMPRESSION_PACKBITS:
      return 64;  // 128 bytes from two
    default:
      return 0;
  }
}

std::unique_ptr<PackedStream> make_packed_stream(int compression, const ByteSource& source,
                                                 std::int64_t most_packed) {
  switch (compression) {
    case COMPRESSION_NONE:
      return std::make_unique<StoredStream>(source);
    case COMPRESSION_LZW:
      return make_lzw_stream(source);
    case COMPRESSION_PACKBITS:
      return std::make_unique<PackBitsStream>(source);
    default:
      return make_deflate_stream(source, most_packed);
  }
}

}  // namespace spinekit

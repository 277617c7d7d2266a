#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>

#include "scan/packed_stream.h"
#include "scan/source_stream.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* decompressor) const {
    libdeflate_free_decompressor(decompressor);
  }
};

// zlib takes the data as they come; libdeflate is two to three times quicker on data that are all there.
class DeflateStream : public PackedStream {
 public:
  DeflateStream(const ByteSource& source, std::int64_t most_packed)
      : source_(source), most_packed_(most_packed), stream_(source) {
    if (inflateInit(&zlib_) != Z_OK) throw std::bad_alloc();
  }
  ~DeflateStream() override { (void)inflateEnd(&zlib_); }
  DeflateStream(const DeflateStream&) = delete;
  DeflateStream& operator=(const DeflateStream&) = delete;

  void start(std::int64_t offset, std::int64_t length) override {
    stream_.start(offset, length);
    (void)inflateReset(&zlib_);
    zlib_.avail_in = 0;
    ended_ = false;
  }

  void read(MutableBytes out) override {
    constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;
    while (!out.empty()) {
      if (ended_) throw_malformed("its data end early");
      const std::size_t wanted = std::min(out.size(), kMostAtOnce);
      zlib_.next_out = out.data();
      zlib_.avail_out = static_cast<uInt>(wanted);
      if (!step()) throw_malformed("its data end early");
      out = out.subspan(wanted - zlib_.avail_out);
    }
  }

  // Writers may pad the last strip to full height: only the checksum right behind the samples is for us.
  void finish() override {
    std::uint8_t beyond = 0;
    while (!ended_) {
      zlib_.next_out = &beyond;
      zlib_.avail_out = 1;
      if (!step() || zlib_.avail_out == 0) return;
    }
  }

  void read_whole(std::int64_t offset, std::int64_t length, MutableBytes out) override {
    if (length <= most_packed_) {
      if (!quick_) quick_.reset(libdeflate_alloc_decompressor());
      if (!quick_) throw std::bad_alloc();
      const Bytes packed = source_.view(offset, length, packed_);
      std::size_t written = 0;
      const libdeflate_result result = libdeflate_zlib_decompress(
          quick_.get(), packed.data(), packed.size(), out.data(), out.size(), &written);
      if (result == LIBDEFLATE_SUCCESS && written == out.size()) return;
    }
    // What is odd or damaged is judged in one way only.
    PackedStream::read_whole(offset, length, out);
  }

 private:
  // False: the packed bytes are used up.
  bool step() {
    if (zlib_.avail_in == 0) {
      const Bytes piece = stream_.next();
      zlib_.next_in = const_cast<Bytef*>(piece.data());
      zlib_.avail_in = static_cast<uInt>(piece.size());
    }
    const int status = inflate(&zlib_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      ended_ = true;
      return true;
    }
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_BUF_ERROR) return false;
    if (status != Z_OK) {
      throw_malformed(std::string("its deflate data are damaged (") +
                      (zlib_.msg != nullptr ? zlib_.msg : "not zlib's format") + ")");
    }
    return true;
  }

  const ByteSource& source_;
  std::int64_t most_packed_;
  SourceStream stream_;
  z_stream zlib_{};
  bool ended_ = false;
  std::unique_ptr<libdeflate_decompressor, FreeDecompressor> quick_;
  Buffer packed_;
};

}  // namespace

std::unique_ptr<PackedStream> make_deflate_stream(const ByteSource& source,
                                                  std::int64_t most_packed) {
  return std::make_unique<DeflateStream>(source, most_packed);
}

}  // namespace spinekit

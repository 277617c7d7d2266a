#include <cstring>

#include "spinekit/error.h"
#include "spinekit/jpeg.h"

namespace spinekit {
namespace {

// ISO/IEC 10918-1 table B.1
constexpr std::uint8_t kSof0 = 0xC0;
constexpr std::uint8_t kSof3 = 0xC3;
constexpr std::uint8_t kDht = 0xC4;
constexpr std::uint8_t kRst0 = 0xD0;
constexpr std::uint8_t kRst7 = 0xD7;
constexpr std::uint8_t kSoi = 0xD8;
constexpr std::uint8_t kEoi = 0xD9;
constexpr std::uint8_t kSos = 0xDA;
constexpr std::uint8_t kDqt = 0xDB;
constexpr std::uint8_t kDri = 0xDD;
constexpr std::uint8_t kApp0 = 0xE0;
constexpr std::uint8_t kApp15 = 0xEF;
constexpr std::uint8_t kCom = 0xFE;

// Walks the whole stream and copies what decoding needs. GDCM aborts on, or loops over, segments
// that run past the end, unknown markers and bytes between segments; none of them get this far.
// Without APP segments the library guesses no colour space from them either.
class Rebuilder {
 public:
  Rebuilder(Bytes in, const FrameFormat& format) : in_(in), format_(format) {}

  JpegStream run() {
    if (in_.size() < 4 || in_[0] != 0xFF || in_[1] != kSoi) {
      throw_malformed("no JPEG codestream: it does not begin with SOI");
    }
    out_.bytes.assign({0xFF, kSoi});
    position_ = 2;
    while (true) {
      const std::uint8_t marker = next_marker();
      if (marker == kEoi) break;
      const Bytes segment = take_segment();
      switch (marker) {
        case kSof0:
        case kSof0 + 1:
        case kSof0 + 2:
        case kSof3:
          frame_header(marker, segment);
          break;
        case kDht:
        case kDqt:
        case kDri:
          break;
        case kSos:
          if (out_.precision == 0)
            throw_malformed("JPEG codestream: a scan before its frame header");
          break;
        default:
          if ((marker >= kApp0 && marker <= kApp15) || marker == kCom) continue;
          throw_unsupported("JPEG codestream with marker " + std::to_string(marker) +
                            ", of a process that is not decoded");
      }
      append(marker, segment);
      if (marker == kSos) copy_entropy_coded_data();
    }
    if (scans_ == 0) throw_malformed("JPEG codestream without a scan");
    out_.bytes.insert(out_.bytes.end(), {0xFF, kEoi});
    return std::move(out_);
  }

 private:
  std::uint8_t next_marker() {
    if (position_ + 2 > in_.size()) throw_malformed("JPEG codestream is cut off: no EOI");
    if (in_[position_] != 0xFF) throw_malformed("JPEG codestream: bytes between two segments");
    while (position_ < in_.size() && in_[position_] == 0xFF) ++position_;
    if (position_ >= in_.size()) throw_malformed("JPEG codestream is cut off: no EOI");
    return in_[position_++];
  }

  Bytes take_segment() {
    const std::size_t left = in_.size() - position_;
    const std::size_t length =
        left < 2 ? 0 : static_cast<std::size_t>(in_[position_] << 8U | in_[position_ + 1]);
    if (length < 2 || length > left) throw_malformed("JPEG codestream: a segment is cut off");
    const Bytes segment = in_.subspan(position_, length);
    position_ += length;
    return segment;
  }

  void append(std::uint8_t marker, Bytes segment) {
    out_.bytes.push_back(0xFF);
    out_.bytes.push_back(marker);
    out_.bytes.insert(out_.bytes.end(), segment.begin(), segment.end());
  }

  void frame_header(std::uint8_t marker, Bytes segment) {
    if (out_.precision != 0) throw_malformed("JPEG codestream with two frame headers");
    if (segment.size() < 8 || segment.size() != 8U + 3U * segment[7]) {
      throw_malformed("JPEG codestream: damaged frame header");
    }
    const int precision = segment[2];
    const std::int64_t rows = segment[3] << 8U | segment[4];
    const std::int64_t columns = segment[5] << 8U | segment[6];
    const int components = segment[7];
    out_.lossless = marker == kSof3;
    const bool known =
        out_.lossless ? precision >= 2 && precision <= 16 : precision == 8 || precision == 12;
    if (!known) {
      throw_unsupported("JPEG codestream of " + std::to_string(precision) + " bits a sample");
    }
    check_same_picture("JPEG", rows, columns, components, precision, format_);
    out_.precision = precision;
  }

  void copy_entropy_coded_data() {
    // A progressive scan of a few bytes costs a walk over all coefficients. Encoders write about ten.
    constexpr int kMostScans = 128;
    if (++scans_ > kMostScans) throw_malformed("JPEG codestream of more than 128 scans");
    const std::size_t start = position_;
    while (true) {
      const void* found = position_ < in_.size()
                              ? std::memchr(in_.data() + position_, 0xFF, in_.size() - position_)
                              : nullptr;
      if (found == nullptr) throw_malformed("JPEG codestream is cut off within a scan");
      position_ = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - in_.data());
      if (position_ + 1 >= in_.size()) throw_malformed("JPEG codestream is cut off within a scan");
      const std::uint8_t next = in_[position_ + 1];
      if (next == 0xFF) {
        ++position_;
      } else if (next == 0 || (next >= kRst0 && next <= kRst7)) {
        position_ += 2;
      } else {
        break;
      }
    }
    out_.bytes.insert(out_.bytes.end(), in_.begin() + static_cast<std::ptrdiff_t>(start),
                      in_.begin() + static_cast<std::ptrdiff_t>(position_));
  }

  Bytes in_;
  const FrameFormat& format_;
  std::size_t position_ = 0;
  int scans_ = 0;
  JpegStream out_;
};

}  // namespace

JpegStream checked_jpeg_stream(Bytes codestream, const FrameFormat& format) {
  return Rebuilder(codestream, format).run();
}

}  // namespace spinekit

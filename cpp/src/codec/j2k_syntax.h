// Marker codes and a bounded reader of big-endian fields, for whoever walks a J2K codestream.
#pragma once

#include "spinekit/codec.h"
#include "spinekit/error.h"

namespace spinekit::j2k {

// ISO/IEC 15444-1 table A.2; CAP: 15444-15.
constexpr std::uint16_t kSoc = 0xFF4F;
constexpr std::uint16_t kCap = 0xFF50;
constexpr std::uint16_t kSiz = 0xFF51;
constexpr std::uint16_t kCod = 0xFF52;
constexpr std::uint16_t kCoc = 0xFF53;
constexpr std::uint16_t kTlm = 0xFF55;
constexpr std::uint16_t kPlm = 0xFF57;
constexpr std::uint16_t kPlt = 0xFF58;
constexpr std::uint16_t kQcd = 0xFF5C;
constexpr std::uint16_t kQcc = 0xFF5D;
constexpr std::uint16_t kRgn = 0xFF5E;
constexpr std::uint16_t kCrg = 0xFF63;
constexpr std::uint16_t kCom = 0xFF64;
constexpr std::uint16_t kSot = 0xFF90;
constexpr std::uint16_t kSop = 0xFF91;
constexpr std::uint16_t kEph = 0xFF92;
constexpr std::uint16_t kSod = 0xFF93;
constexpr std::uint16_t kEoc = 0xFFD9;

constexpr std::size_t kSotBytes = 12;

// Code-block styles (table A.19; 15444-15 table A.3).
constexpr unsigned kBypass = 0x01;
constexpr unsigned kTerminateAll = 0x04;
constexpr unsigned kVerticallyCausal = 0x08;
constexpr unsigned kHighThroughputBlocks = 0x40;

class Cursor {
 public:
  explicit Cursor(Bytes bytes, std::size_t position = 0) : bytes_(bytes) { move_to(position); }
  std::uint32_t take(int size) {
    if (static_cast<std::size_t>(size) > bytes_.size() - position_) {
      throw_malformed("J2K codestream: the header is cut off");
    }
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i) value = (value << 8U) | bytes_[position_++];
    return value;
  }
  [[nodiscard]] std::size_t position() const { return position_; }
  void move_to(std::size_t position) {
    if (position > bytes_.size()) throw_malformed("J2K codestream: the header is cut off");
    position_ = position;
  }

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
};

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace spinekit::j2k

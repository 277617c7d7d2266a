// Walks encoded elements without building anything: the one place that interprets element headers.
#pragma once

#include "spinekit/dicom.h"

namespace spinekit {

constexpr Tag kItem{0xFFFE, 0xE000};
constexpr Tag kItemDelimiter{0xFFFE, 0xE00D};
constexpr Tag kSequenceDelimiter{0xFFFE, 0xE0DD};
constexpr Tag kPixelData{0x7FE0, 0x0010};
constexpr Tag kTrailingPadding{0xFFFC, 0xFFFC};
constexpr std::uint32_t kUndefinedLength = 0xFFFFFFFFU;
constexpr int kDeepestNesting = 64;

struct Encoding {
  bool explicit_vr = true;
  bool big_endian = false;
};

class ElementScanner {
 public:
  // `bytes` may end before `end` does: reading on from there throws HeadTooShort.
  ElementScanner(Bytes bytes, Encoding encoding, std::int64_t position, std::int64_t end)
      : bytes_(bytes), encoding_(encoding), position_(position), end_(end) {}

  [[nodiscard]] bool at_end() const { return position_ >= end_; }
  [[nodiscard]] std::int64_t position() const { return position_; }
  void move_to(std::int64_t position) { position_ = position; }

  // Reads a header and steps over its value. Implicit VR gives VR "UN" here, "SQ" for undefined
  // lengths; the dictionary is not this class's business.
  Element next();
  // The same, but stays before the value; an undefined length is given as what is left, and so is,
  // where it `may_be_cut`, one that claims more.
  Element next_header(bool may_be_cut = false);
  // For items and delimiters: tag and 32-bit length.
  Tag next_item(std::uint32_t& length);
  [[nodiscard]] Tag peek_tag() const;

 private:
  [[nodiscard]] std::uint16_t u16(std::int64_t at) const;
  [[nodiscard]] std::uint32_t u32(std::int64_t at) const;
  void need(std::int64_t count, const char* what) const;
  // Both return the offset of the delimiter's header and leave position_ behind the delimiter.
  std::int64_t skip_items(Encoding inner, int depth);
  void skip_undefined_item(int depth);
  Element next_at_depth(int depth);

  Bytes bytes_;
  Encoding encoding_;
  std::int64_t position_;
  std::int64_t end_;
};

}  // namespace spinekit

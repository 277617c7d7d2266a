// The items of encapsulated pixel data (PS3.5 A.4), found by their headers alone.
#pragma once

#include <optional>
#include <vector>

#include "spinekit/byte_source.h"
#include "spinekit/dicom.h"

namespace spinekit {

constexpr std::int64_t kMostFragments = std::int64_t{1} << 20;
constexpr std::int64_t kItemHeader = 8;

struct Fragment {
  std::int64_t header = 0;  // offset of the item's header in the source
  std::int64_t length = 0;  // of the item's value
  bool starts_codestream = false;

  [[nodiscard]] std::int64_t end() const { return header + kItemHeader + length; }
};

// Reads item headers one after the other, up to the sequence delimiter or, where that is missing, the
// end.
class ItemWalk {
 public:
  // With `cut` an item that reaches beyond `end` is taken as far as it goes.
  ItemWalk(const ByteSource& source, std::int64_t position, std::int64_t end, PixelCoding coding,
           bool cut = false)
      : source_(source), position_(position), end_(end), coding_(coding), cut_(cut) {}

  std::optional<Fragment> next();
  // Has the source fetch what next() will look at.
  void announce() const;

  [[nodiscard]] std::int64_t position() const { return position_; }
  void move_to(std::int64_t position) { position_ = position; }
  // Whether the delimiter was reached.
  [[nodiscard]] bool delimited() const { return delimited_; }

 private:
  [[noreturn]] void cut_off() const;

  const ByteSource& source_;
  std::int64_t position_;
  std::int64_t end_;
  PixelCoding coding_;
  bool cut_;
  bool delimited_ = false;
  Buffer scratch_;
};

struct Items {
  std::vector<Fragment> fragments;
  bool delimited = false;  // whether the sequence delimiter was reached
};

// All items from `first` on. Each tells where the next begins, so that a disk is waited for at every
// one; with `stretches` > 1 the walk is begun at so many places at once, at what looks like an item
// there, and a stretch counts only where the walk before it ends exactly at its beginning: what is
// found is the same.
Items walk_items(const ByteSource& source, std::int64_t first, std::int64_t end, PixelCoding coding,
                 int stretches = 1);

}  // namespace spinekit

#include "item_walk.h"

#include <algorithm>
#include <array>
#include <map>

#include "element_scanner.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

// An item's header, and the beginning of its value: both are looked at in one read.
constexpr std::int64_t kLook = 12;

struct Stretch {
  ItemWalk walk;
  std::int64_t enough;  // its walk ends at the first item from here on
  std::vector<Fragment> fragments;
  bool going = true;

  void step() {
    try {
      if (const auto fragment = walk.next()) {
        fragments.push_back(*fragment);
        going = walk.position() < enough;
      } else {
        going = false;
      }
    } catch (const Error&) {
      // Who walks here in turn meets it again.
      going = false;
    }
  }
};

// The first place from `from` on that looks like an item's header which another one follows.
std::optional<std::int64_t> find_item(const ByteSource& source, std::int64_t from,
                                      std::int64_t until, std::int64_t end, PixelCoding coding) {
  constexpr std::array<std::uint8_t, 4> kTag{0xFE, 0xFF, 0x00, 0xE0};
  constexpr std::int64_t kChunk = 64 << 10;
  Buffer scratch;
  for (std::int64_t at = from; at < until; at += kChunk) {
    const std::int64_t length = std::min<std::int64_t>(kChunk + 3, end - at);
    const Bytes chunk = source.view(at, length, scratch);
    auto found = chunk.begin();
    while ((found = std::search(found, chunk.end(), kTag.begin(), kTag.end())) != chunk.end()) {
      const std::int64_t place = at + (found - chunk.begin());
      ++found;
      try {
        ItemWalk walk(source, place, end, coding);
        if (walk.next()) {
          (void)walk.next();
          return place;
        }
      } catch (const Error&) {
        continue;
      }
    }
  }
  return std::nullopt;
}

std::map<std::int64_t, Stretch> walk_stretches(const ByteSource& source, std::int64_t first,
                                               std::int64_t end, PixelCoding coding, int count) {
  constexpr std::int64_t kFarthestLook = 1 << 20;
  const std::int64_t length = (end - first) / count;
  const std::int64_t look = std::min(length, kFarthestLook);
  for (int s = 1; s < count; ++s) source.will_read(first + s * length, look);
  std::map<std::int64_t, Stretch> stretches;
  const auto begin_at = [&](std::int64_t place, std::int64_t enough) {
    stretches.try_emplace(place, Stretch{{source, place, end, coding}, enough, {}});
  };
  begin_at(first, first + length);
  for (int s = 1; s < count; ++s) {
    const std::int64_t from = first + s * length;
    const std::int64_t enough = s + 1 == count ? end : from + length;
    if (const auto place = find_item(source, from, from + look, end, coding)) {
      begin_at(*place, enough);
    }
  }
  std::int64_t fragments = 0;
  for (bool going = true; going && fragments < kMostFragments;) {
    going = false;
    for (const auto& [place, stretch] : stretches) {
      if (stretch.going) stretch.walk.announce();
    }
    for (auto& [place, stretch] : stretches) {
      if (!stretch.going) continue;
      stretch.step();
      ++fragments;
      going = going || stretch.going;
    }
  }
  return stretches;
}

}  // namespace

std::optional<Fragment> ItemWalk::next() {
  if (position_ == end_ || (cut_ && end_ - position_ < kItemHeader)) return std::nullopt;
  const std::int64_t count = std::min(kLook, end_ - position_);
  if (count < kItemHeader) cut_off();
  const Bytes bytes = source_.view(position_, count, scratch_);
  const Tag tag{u16_at(bytes, 0), u16_at(bytes, 2)};
  if (tag == kSequenceDelimiter) {
    delimited_ = true;
    end_ = position_;
    return std::nullopt;
  }
  std::int64_t length = u32_at(bytes, 4);
  if (tag != kItem) {
    throw_malformed("expected an item of the pixel data, got " + tag.text() + " at byte " +
                    std::to_string(position_));
  }
  if (length == kUndefinedLength) throw_malformed("a fragment of undefined length");
  const std::int64_t left = end_ - position_ - kItemHeader;
  if (length > left && !cut_) cut_off();
  length = std::min(length, left);
  Fragment fragment{position_, length, false};
  if (length >= 4 && count == kLook && bytes[8] == 0xFF) {
    fragment.starts_codestream =
        coding_ == PixelCoding::kJ2k ? bytes[9] == 0x4F && bytes[10] == 0xFF : bytes[9] == 0xD8;
  }
  position_ = fragment.end();
  return fragment;
}

void ItemWalk::announce() const { source_.will_read(position_, std::min(kLook, end_ - position_)); }

void ItemWalk::cut_off() const {
  throw_malformed("cut off, or a wrong length: the pixel data's item at byte " +
                  std::to_string(position_) + " reaches beyond the end of the file");
}

Items walk_items(const ByteSource& source, std::int64_t first, std::int64_t end, PixelCoding coding,
                 int stretches) {
  std::map<std::int64_t, Stretch> walked;
  if (stretches > 1) walked = walk_stretches(source, first, end, coding, stretches);
  Items items;
  ItemWalk walk(source, first, end, coding);
  while (true) {
    const auto here = walked.find(walk.position());
    if (here != walked.end() && !here->second.fragments.empty()) {
      const std::vector<Fragment>& found = here->second.fragments;
      items.fragments.insert(items.fragments.end(), found.begin(), found.end());
      walk.move_to(found.back().end());
    } else if (const auto fragment = walk.next()) {
      items.fragments.push_back(*fragment);
    } else {
      items.delimited = walk.delimited();
      return items;
    }
    if (static_cast<std::int64_t>(items.fragments.size()) > kMostFragments) {
      throw_malformed("more than 1,048,576 fragments");
    }
  }
}

}  // namespace spinekit

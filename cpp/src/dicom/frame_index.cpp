#include "frame_index.h"

#include <algorithm>
#include <array>
#include <optional>

#include "element_scanner.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

constexpr std::int64_t kMostFragments = std::int64_t{1} << 20;
constexpr std::int64_t kItemHeader = 8;

std::uint32_t u32(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) | static_cast<std::uint32_t>(bytes[at + 1]) << 8U |
         static_cast<std::uint32_t>(bytes[at + 2]) << 16U |
         static_cast<std::uint32_t>(bytes[at + 3]) << 24U;
}

std::uint64_t u64(Bytes bytes, std::size_t at) {
  return static_cast<std::uint64_t>(u32(bytes, at)) | static_cast<std::uint64_t>(u32(bytes, at + 4))
                                                          << 32U;
}

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

  std::optional<Fragment> next() {
    if (position_ == end_ || (cut_ && end_ - position_ < kItemHeader)) return std::nullopt;
    // With the header the beginning of the value is looked at, in one read.
    const std::int64_t count = std::min<std::int64_t>(12, end_ - position_);
    if (count < kItemHeader) cut_off();
    const Bytes bytes = source_.view(position_, count, scratch_);
    const Tag tag{static_cast<std::uint16_t>(u32(bytes, 0) & 0xFFFFU),
                  static_cast<std::uint16_t>(u32(bytes, 0) >> 16U)};
    if (tag == kSequenceDelimiter) {
      delimited_ = true;
      end_ = position_;
      return std::nullopt;
    }
    std::int64_t length = u32(bytes, 4);
    if (tag != kItem) {
      throw_malformed("expected an item of the pixel data, got " + tag.text() + " at byte " +
                      std::to_string(position_));
    }
    if (length == kUndefinedLength) throw_malformed("a fragment of undefined length");
    const std::int64_t left = end_ - position_ - kItemHeader;
    if (length > left && !cut_) cut_off();
    length = std::min(length, left);
    Fragment fragment{position_, length, false};
    if (length >= 4 && count == 12 && bytes[8] == 0xFF) {
      fragment.starts_codestream =
          coding_ == PixelCoding::kJ2k ? bytes[9] == 0x4F && bytes[10] == 0xFF : bytes[9] == 0xD8;
    }
    position_ = fragment.end();
    return fragment;
  }

  // Whether the delimiter was reached.
  [[nodiscard]] bool delimited() const { return delimited_; }

 private:
  [[noreturn]] void cut_off() const {
    throw_malformed("cut off, or a wrong length: the pixel data's item at byte " +
                    std::to_string(position_) + " reaches beyond the end of the file");
  }

  const ByteSource& source_;
  std::int64_t position_;
  std::int64_t end_;
  PixelCoding coding_;
  bool cut_;
  bool delimited_ = false;
  Buffer scratch_;
};

// Byte offsets of the frames behind the Basic Offset Table's item; empty without a table that fits.
std::vector<std::int64_t> table_of(Bytes basic, Bytes extended, std::int64_t frames) {
  const auto wanted = static_cast<std::size_t>(frames);
  std::vector<std::int64_t> starts;
  if (basic.size() / 4 == wanted) {
    for (std::size_t f = 0; f < wanted; ++f) starts.push_back(u32(basic, 4 * f));
  } else if (extended.size() / 8 == wanted) {
    for (std::size_t f = 0; f < wanted; ++f) {
      starts.push_back(static_cast<std::int64_t>(u64(extended, 8 * f)));
    }
  }
  return starts;
}

Extent joined(const Fragment& first, const Fragment& last) {
  return {first.header, last.end() - first.header};
}

std::vector<Extent> split_at(const std::vector<Fragment>& fragments,
                             const std::vector<std::int64_t>& starts) {
  std::vector<Extent> frames;
  const std::int64_t base = fragments.front().header;
  std::size_t item = 0;
  for (std::size_t f = 0; f < starts.size(); ++f) {
    if (item >= fragments.size() || fragments[item].header - base != starts[f]) {
      throw_malformed("the offset table does not point at fragments");
    }
    const std::size_t first = item;
    while (item < fragments.size() &&
           (f + 1 == starts.size() || fragments[item].header - base < starts[f + 1])) {
      ++item;
    }
    if (item == first) throw_malformed("the offset table does not point at fragments");
    frames.push_back(joined(fragments[first], fragments[item - 1]));
  }
  return frames;
}

std::vector<Extent> scan(ItemWalk walk, const EncapsulatedFrames& pixel_data, Bytes basic) {
  std::vector<Fragment> fragments;
  while (const auto fragment = walk.next()) {
    if (static_cast<std::int64_t>(fragments.size()) >= kMostFragments) {
      throw_malformed("more than 1,048,576 fragments");
    }
    fragments.push_back(*fragment);
  }
  if (fragments.empty()) throw_malformed("encapsulated pixel data without fragments");
  const auto count = static_cast<std::int64_t>(fragments.size());
  const std::int64_t frames = pixel_data.frames;
  if (count < frames) {
    throw_malformed("NumberOfFrames is " + std::to_string(frames) + ", the pixel data holds " +
                    std::to_string(count) + " fragments");
  }
  if (frames == 1) return {joined(fragments.front(), fragments.back())};
  std::vector<std::int64_t> starts = table_of(basic, pixel_data.extended_offsets, frames);
  if (count == frames) {
    // Then a table that says otherwise is wrong, unless the file was cut off between two fragments.
    const std::int64_t end = fragments.back().end() - fragments.front().header;
    if (!walk.delimited() && !starts.empty() && starts.back() >= end) {
      throw_malformed("cut off: the offset table points behind the end of the file");
    }
    std::vector<Extent> out;
    out.reserve(fragments.size());
    for (const Fragment& fragment : fragments) out.push_back(joined(fragment, fragment));
    return out;
  }
  if (!starts.empty()) return split_at(fragments, starts);
  for (const Fragment& fragment : fragments) {
    if (fragment.starts_codestream) starts.push_back(fragment.header - fragments.front().header);
  }
  if (static_cast<std::int64_t>(starts.size()) != frames || starts.front() != 0) {
    throw_malformed(std::to_string(count) +
                    " fragments without an offset table do not show where " +
                    std::to_string(frames) + " frames begin");
  }
  return split_at(fragments, starts);
}

// The extents that an offset table promises; nothing where it is not to be believed.
std::optional<std::vector<Extent>> believed(const ByteSource& source,
                                            const EncapsulatedFrames& pixel_data, std::int64_t base,
                                            Bytes basic) {
  const std::vector<std::int64_t> starts =
      table_of(basic, pixel_data.extended_offsets, pixel_data.frames);
  if (starts.empty() || starts.front() != 0) return std::nullopt;
  std::vector<Extent> frames;
  frames.reserve(starts.size());
  for (std::size_t f = 1; f < starts.size(); ++f) {
    if (starts[f] < starts[f - 1] + kItemHeader || starts[f] > pixel_data.end - base) {
      return std::nullopt;
    }
    frames.push_back({base + starts[f - 1], starts[f] - starts[f - 1]});
  }
  try {
    ItemWalk last(source, base + starts.back(), pixel_data.end, pixel_data.coding);
    std::int64_t end = 0;
    while (const auto fragment = last.next()) end = fragment->end();
    if (end == 0) return std::nullopt;
    frames.push_back({base + starts.back(), end - base - starts.back()});
    // A table whose 32-bit offsets ran over, or of another file, shows at the entries looked at.
    const std::size_t samples = source.slow() ? 1 : 256;
    const std::size_t step = std::max<std::size_t>(frames.size() / samples, 1);
    for (std::size_t f = 0; f < frames.size(); f += step) {
      const std::int64_t frame_end = frames[f].offset + frames[f].length;
      ItemWalk walk(source, frames[f].offset, frame_end, pixel_data.coding);
      std::int64_t reached = 0;
      while (const auto fragment = walk.next()) reached = fragment->end();
      if (reached != frame_end) return std::nullopt;
    }
  } catch (const Error&) {
    return std::nullopt;
  }
  return frames;
}

}  // namespace

std::vector<Extent> index_frames(const ByteSource& source, const EncapsulatedFrames& pixel_data,
                                 bool believe_tables) {
  ItemWalk walk(source, pixel_data.first_item, pixel_data.end, pixel_data.coding);
  const auto table = walk.next();
  if (!table) throw_malformed("encapsulated pixel data without a Basic Offset Table item");
  Buffer scratch;
  Bytes basic;
  if (table->length <= 4 * kMostFragments) {
    basic = source.view(table->header + kItemHeader, table->length, scratch);
  }
  if (believe_tables && pixel_data.frames > 1) {
    if (auto frames = believed(source, pixel_data, table->end(), basic)) return *std::move(frames);
  }
  return scan(std::move(walk), pixel_data, basic);
}

std::vector<Bytes> fragments_in(Bytes extent, bool cut) {
  std::vector<Bytes> fragments;
  const MemorySource memory(extent);
  // Only the last item can be cut off, within its header or within its value.
  ItemWalk walk(memory, 0, memory.size(), PixelCoding::kUnknown, cut);
  while (const auto fragment = walk.next()) {
    fragments.push_back(extent.subspan(static_cast<std::size_t>(fragment->header + kItemHeader),
                                       static_cast<std::size_t>(fragment->length)));
  }
  if (fragments.empty()) throw_malformed("the offset table does not point at fragments");
  return fragments;
}

}  // namespace spinekit

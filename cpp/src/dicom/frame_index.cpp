#include "frame_index.h"

#include <algorithm>
#include <optional>

#include "item_walk.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

// Byte offsets of the frames behind the Basic Offset Table's item; empty without a table that fits.
std::vector<std::int64_t> table_of(Bytes basic, Bytes extended, std::int64_t frames) {
  const auto wanted = static_cast<std::size_t>(frames);
  std::vector<std::int64_t> starts;
  if (basic.size() / 4 == wanted) {
    for (std::int64_t f = 0; f < frames; ++f) starts.push_back(u32_at(basic, 4 * f));
  } else if (extended.size() / 8 == wanted) {
    for (std::int64_t f = 0; f < frames; ++f) {
      starts.push_back(static_cast<std::int64_t>(u64_at(extended, 8 * f)));
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

// Stretches that a file's items are sought in at once: more than one where each has many.
int stretches_for(const ByteSource& source, std::int64_t bytes, std::int64_t frames) {
  constexpr std::int64_t kMostStretches = 16;
  constexpr std::int64_t kLeastFrames = 32;  // in a stretch
  if (!source.will_read(0, 0)) return 1;
  return static_cast<int>(
      std::clamp<std::int64_t>(std::min(frames, bytes >> 16U) / kLeastFrames, 1, kMostStretches));
}

std::vector<Extent> scan(const ByteSource& source, const EncapsulatedFrames& pixel_data,
                         std::int64_t first, Bytes basic) {
  const int stretches = stretches_for(source, pixel_data.end - first, pixel_data.frames);
  const auto [fragments, delimited] =
      walk_items(source, first, pixel_data.end, pixel_data.coding, stretches);
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
    if (!delimited && !starts.empty() && starts.back() >= end) {
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
      source.will_read(frames[f].offset, kItemHeader);
    }
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
  return scan(source, pixel_data, table->end(), basic);
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

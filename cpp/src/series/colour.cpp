#include "colour.h"

#include <algorithm>
#include <cmath>

#include "spinekit/error.h"

namespace spinekit {
namespace {

std::uint8_t clamped(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
}

std::vector<std::uint16_t> words_of(const DataSet& data_set, Tag tag) {
  const Element* element = data_set.find(tag);
  if (element == nullptr) return {};
  const Bytes value = data_set.value(*element);
  const bool big = data_set.syntax().big_endian;
  std::vector<std::uint16_t> out;
  for (std::size_t i = 0; i + 1 < value.size(); i += 2) {
    const unsigned low = value[i + (big ? 1 : 0)];
    const unsigned high = value[i + (big ? 0 : 1)];
    out.push_back(static_cast<std::uint16_t>(low | high << 8U));
  }
  return out;
}

}  // namespace

void ybr_full_to_rgb(MutableBytes samples) {
  for (std::size_t i = 0; i + 2 < samples.size(); i += 3) {
    const double y = samples[i];
    const double cb = samples[i + 1] - 128.0;
    const double cr = samples[i + 2] - 128.0;
    samples[i] = clamped(y + 1.402 * cr);
    samples[i + 1] = clamped(y - 0.344136 * cb - 0.714136 * cr);
    samples[i + 2] = clamped(y + 1.772 * cb);
  }
}

Palette::Palette(const DataSet& data_set) {
  for (std::uint16_t c = 0; c < 3; ++c) {
    const Tag descriptor_tag{0x0028, static_cast<std::uint16_t>(0x1101 + c)};
    const std::vector<std::uint16_t> descriptor = words_of(data_set, descriptor_tag);
    const std::vector<std::uint16_t> words =
        words_of(data_set, {0x0028, static_cast<std::uint16_t>(0x1201 + c)});
    if (words.empty() && data_set.find({0x0028, static_cast<std::uint16_t>(0x1221 + c)})) {
      throw_unsupported("a segmented palette (0028,1221): only plain lookup tables are applied");
    }
    if (descriptor.size() != 3 || words.empty()) {
      throw_malformed("PALETTE COLOR without its lookup tables " + descriptor_tag.text());
    }
    const std::size_t entries = descriptor[0] == 0 ? 65536 : descriptor[0];
    const int bits = descriptor[2];
    if (bits != 8 && bits != 16) {
      throw_malformed("palette entries of " + std::to_string(bits) + " bits, expected 8 or 16");
    }
    // 8-bit entries stand two in a word, the first in its low byte; some writers give each a word.
    const bool packed = bits == 8 && words.size() < entries;
    if (words.size() * (packed ? 2 : 1) < entries) {
      throw_malformed("a palette of " + std::to_string(words.size() * (packed ? 2 : 1)) +
                      " entries, its descriptor says " + std::to_string(entries));
    }
    tables_[c].first = descriptor[1];
    tables_[c].entries.resize(entries);
    for (std::size_t i = 0; i < entries; ++i) {
      const unsigned word = packed ? words[i / 2] : words[i];
      const bool high = bits == 16 || (packed && i % 2 != 0);
      tables_[c].entries[i] = static_cast<std::uint8_t>(high ? word >> 8U : word & 0xFFU);
    }
  }
}

Buffer Palette::apply(Bytes stored, const FrameFormat& format) const {
  const auto pixels = static_cast<std::size_t>(format.rows * format.columns);
  const auto number = [&](std::uint16_t word) {
    return format.is_signed ? static_cast<std::int16_t>(word) : std::int32_t{word};
  };
  Buffer out(pixels * 3);
  for (std::size_t i = 0; i < pixels; ++i) {
    std::int32_t value = 0;
    if (format.bits_allocated == 16) {
      value = number(static_cast<std::uint16_t>(stored[2 * i] | stored[2 * i + 1] << 8U));
    } else {
      value = format.is_signed ? static_cast<std::int8_t>(stored[i]) : stored[i];
    }
    // Values outside of the table take its first or last entry (PS3.3 C.7.6.3.1.5).
    for (std::size_t c = 0; c < 3; ++c) {
      const Table& table = tables_[c];
      const auto last = static_cast<std::int32_t>(table.entries.size()) - 1;
      const std::int32_t at = std::clamp(value - number(table.first), 0, last);
      out[3 * i + c] = table.entries[static_cast<std::size_t>(at)];
    }
  }
  return out;
}

}  // namespace spinekit

#include "encapsulation.h"

#include "element_scanner.h"

namespace spinekit {
namespace {

constexpr std::int64_t kItemHeaderBytes = 8;
constexpr std::int64_t kPixelDataHeaderBytes = 12;

std::int64_t even(std::int64_t bytes) { return bytes + bytes % 2; }

bool needs_extended_table(std::int64_t frames, std::int64_t payload) {
  return frames > 1 && payload + frames * kItemHeaderBytes >= std::int64_t{kUndefinedLength};
}

}  // namespace

Encapsulation::Encapsulation(const std::vector<std::int64_t>& codestream_bytes) {
  const auto frames = static_cast<std::int64_t>(codestream_bytes.size());
  std::int64_t payload = 0;
  for (const std::int64_t bytes : codestream_bytes) payload += even(bytes);
  const bool extended = needs_extended_table(frames, payload);
  if (extended) {
    NewElement offsets{Vr("OV"), {}};
    NewElement lengths{Vr("OV"), {}};
    std::int64_t offset = 0;
    for (const std::int64_t bytes : codestream_bytes) {
      append_integer(static_cast<std::uint64_t>(offset), 8, offsets.value);
      append_integer(static_cast<std::uint64_t>(bytes), 8, lengths.value);
      offset += kItemHeaderBytes + even(bytes);
    }
    append_element({0x7FE0, 0x0001}, offsets, head_);
    append_element({0x7FE0, 0x0002}, lengths, head_);
  }
  append_header(kPixelData, Vr("OB"), kUndefinedLength, head_);
  const bool basic = frames > 1 && !extended;
  append_item_header(kItem, basic ? static_cast<std::uint32_t>(4 * frames) : 0, head_);
  if (basic) {
    std::int64_t offset = 0;
    for (const std::int64_t bytes : codestream_bytes) {
      append_integer(static_cast<std::uint64_t>(offset), 4, head_);
      offset += kItemHeaderBytes + even(bytes);
    }
  }
  total_ = total_bytes(frames, payload);
}

std::int64_t Encapsulation::total_bytes(std::int64_t frames, std::int64_t payload) {
  std::int64_t total = kPixelDataHeaderBytes + kItemHeaderBytes;  // with the Basic Offset Table
  if (needs_extended_table(frames, payload)) {
    total += 2 * (kPixelDataHeaderBytes + 8 * frames);
  } else if (frames > 1) {
    total += 4 * frames;
  }
  return total + frames * kItemHeaderBytes + payload + kItemHeaderBytes;
}

Buffer Encapsulation::fragment_header(std::int64_t codestream_bytes) {
  Buffer out;
  append_item_header(kItem, static_cast<std::uint32_t>(even(codestream_bytes)), out);
  return out;
}

Buffer Encapsulation::sequence_end() {
  Buffer out;
  append_item_header(kSequenceDelimiter, 0, out);
  return out;
}

}  // namespace spinekit

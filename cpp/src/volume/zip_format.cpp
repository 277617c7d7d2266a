#include "zip_format.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "entry_checks.h"
#include "spinekit/error.h"
#include "spinekit/zip_stream.h"

namespace spinekit {
namespace {

constexpr std::uint32_t kEndSignature = 0x06054B50;    // end of central directory
constexpr std::uint32_t kEnd64Signature = 0x06064B50;  // its ZIP64 form
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;            // the size is in the ZIP64 extra field
constexpr std::int64_t kMostSize = std::int64_t{1} << 62;

std::uint32_t low(std::int64_t value) { return static_cast<std::uint32_t>(value); }
std::uint32_t high(std::int64_t value) { return static_cast<std::uint32_t>(value >> 32); }

std::int64_t clamped(std::uint64_t size) {
  return static_cast<std::int64_t>(std::min(size, static_cast<std::uint64_t>(kMostSize)));
}

// The value of an extra field; areas that are padded or damaged end where they stop making sense.
Bytes extra_field(Bytes extra, std::uint16_t wanted) {
  while (extra.size() >= 4) {
    const std::uint16_t id = u16_at(extra, 0);
    const std::size_t length = u16_at(extra, 2);
    extra = extra.subspan(4);
    if (length > extra.size()) break;
    if (id == wanted) return extra.first(length);
    extra = extra.subspan(length);
  }
  return {};
}

bool says(Bytes behind, DescriptorLayout layout, const EntrySizes& known) {
  const EntrySizes said = read_descriptor(behind, layout);
  if (said.crc != known.crc) return false;
  // Writers that do not know ZIP64 keep the low 32 bits of larger sizes.
  return layout.size_bytes == 8
             ? said.packed == known.packed && said.unpacked == known.unpacked
             : low(said.packed) == low(known.packed) && low(said.unpacked) == low(known.unpacked);
}

}  // namespace

std::int64_t local_header_bytes(Bytes first30) {
  if (first30.size() < kLocalHeaderBytes) {
    throw_malformed("local header cut off: " + std::to_string(first30.size()) +
                    " bytes, expected at least " + std::to_string(kLocalHeaderBytes));
  }
  if (u32_at(first30, 0) != kLocalSignature) {
    throw_malformed("expected a local header (PK\\x03\\x04), got " +
                    quoted_bytes(first30.first(4)));
  }
  return kLocalHeaderBytes + u16_at(first30, 26) + u16_at(first30, 28);
}

bool ends_entries(std::uint32_t signature) {
  constexpr std::array<std::uint32_t, 5> kSignatures{
      0x02014B50,  // central directory header
      0x08064B50,  // archive extra data, in front of an encrypted directory
      0x07064B50,  // ZIP64 end of central directory locator
      kEnd64Signature, kEndSignature};
  return std::find(kSignatures.begin(), kSignatures.end(), signature) != kSignatures.end();
}

Start begins_archive(Bytes bytes, bool at_byte_0) {
  constexpr int kLatestVersion = 63;
  constexpr int kLastMethod = 99;
  if (bytes.size() < 4) {
    const bool may_be = bytes[0] == 'P' && (bytes.size() < 2 || bytes[1] == 'K');
    return may_be ? Start::kMoreBytes : Start::kNo;
  }
  const std::uint32_t signature = u32_at(bytes, 0);
  if (at_byte_0 && (signature == kLocalSignature || signature == kEndSignature ||
                    signature == kEnd64Signature)) {
    return Start::kYes;
  }
  if (signature != kLocalSignature) return Start::kNo;
  if (bytes.size() < kLocalHeaderBytes) return Start::kMoreBytes;
  const bool plausible = (u16_at(bytes, 4) & 0xFFU) <= kLatestVersion &&
                         u16_at(bytes, 8) <= kLastMethod && u16_at(bytes, 26) > 0;
  return plausible ? Start::kYes : Start::kNo;
}

LocalHeader parse_local_header(Bytes header, std::int64_t offset) {
  constexpr unsigned kEncrypted = 1U << 0U | 1U << 6U | 1U << 13U;
  const unsigned flags = u16_at(header, 6);
  const std::size_t name_bytes = u16_at(header, 26);
  LocalHeader out;
  out.name.assign(reinterpret_cast<const char*>(header.data()) + kLocalHeaderBytes, name_bytes);
  out.encrypted = (flags & kEncrypted) != 0;
  out.has_descriptor = (flags & 1U << 3U) != 0;
  out.patch = (flags & 1U << 5U) != 0;
  out.method = u16_at(header, 8);
  out.crc = u32_at(header, 14);
  std::uint64_t packed = u32_at(header, 18);
  std::uint64_t size = u32_at(header, 22);
  if (packed == kIn64 || size == kIn64) {
    // 4.5.3: a local header holds both sizes. Some writers leave out the one that fitted.
    Bytes field = extra_field(header.subspan(kLocalHeaderBytes + name_bytes), 0x0001);
    const bool both = field.size() >= 16;
    if (field.size() >= 8 && (both || size == kIn64)) {
      if (size == kIn64) size = u64_at(field, 0);
      field = field.subspan(8);
    }
    if (packed == kIn64 && field.size() >= 8) {
      packed = u64_at(field, 0);
    } else if (packed == kIn64) {
      if (!out.has_descriptor) {
        throw_malformed(entry_title(out.name, offset) +
                        ": its sizes should be in a ZIP64 extra field, which is missing");
      }
      packed = 0;
    }
  }
  if (packed > static_cast<std::uint64_t>(kMostSize)) {
    throw_malformed(entry_title(out.name, offset) + " claims " + std::to_string(packed) +
                    " packed bytes, no archive can be so large");
  }
  // With a descriptor 0 stands for "not known", and Info-ZIP's size is a guess.
  if (!out.has_descriptor || packed != 0) out.packed_size = static_cast<std::int64_t>(packed);
  if (!out.has_descriptor) out.size = clamped(size);
  return out;
}

DescriptorSearch find_descriptor(Bytes behind, const EntrySizes& known, bool signature_required) {
  // Shortest first, so that the answer does not depend on how many bytes there are.
  constexpr std::array<DescriptorLayout, 4> kLayouts{
      {{false, 4}, {true, 4}, {false, 8}, {true, 8}}};
  // Both widths can say the same up to here; then the next word tells, for it is a signature
  // behind the narrow sizes and repeats the unpacked size's low half in the wide ones.
  const bool ambiguous = low(known.unpacked) == high(known.packed);
  if (behind.size() < 4) return {.needed = 4, .found = {}};
  if (signature_required && u32_at(behind, 0) != kDescriptorSignature) return {};
  for (const DescriptorLayout layout : kLayouts) {
    if (signature_required && !layout.has_signature) continue;
    const bool look_ahead = ambiguous && layout.size_bytes == 4;
    const int needed = layout.bytes() + (look_ahead ? 4 : 0);
    if (behind.size() < static_cast<std::size_t>(needed)) return {.needed = needed, .found = {}};
    if (layout.has_signature && u32_at(behind, 0) != kDescriptorSignature) continue;
    if (!says(behind, layout, known)) continue;
    if (look_ahead && u32_at(behind, layout.bytes()) == low(known.unpacked)) continue;
    return {.needed = 0, .found = layout};
  }
  return {};
}

std::optional<DescriptorLayout> guess_descriptor(Bytes behind) {
  const bool has_signature = u32_at(behind, 0) == kDescriptorSignature;
  for (const int size_bytes : {4, 8}) {
    const DescriptorLayout layout{has_signature, size_bytes};
    const std::uint32_t next = u32_at(behind, layout.bytes());
    if (next == kLocalSignature || ends_entries(next)) return layout;
  }
  return std::nullopt;
}

EntrySizes read_descriptor(Bytes behind, DescriptorLayout layout) {
  const int start = layout.has_signature ? 4 : 0;
  const auto size_at = [&](int at) {
    return layout.size_bytes == 8 ? clamped(u64_at(behind, at))
                                  : static_cast<std::int64_t>(u32_at(behind, at));
  };
  return {.crc = u32_at(behind, start),
          .packed = size_at(start + 4),
          .unpacked = size_at(start + 4 + layout.size_bytes)};
}

std::size_t find_descriptor_signature(Bytes bytes) {
  constexpr std::array<std::uint8_t, 4> kSignature{'P', 'K', 7, 8};
  const auto stands_at = [&](std::size_t at) {
    const std::size_t there = std::min(kSignature.size(), bytes.size() - at);
    return std::memcmp(bytes.data() + at, kSignature.data(), there) == 0;
  };
  // Horspool: pixels that are all 'P', which stop memchr at every byte, let this skip the most.
  std::size_t at = 0;
  while (at + kSignature.size() <= bytes.size()) {
    const std::uint8_t last = bytes[at + 3];
    if (last == kSignature[3] && stands_at(at)) return at;
    at += last == kSignature[0] ? 3 : last == kSignature[1] ? 2 : last == kSignature[2] ? 1 : 4;
  }
  while (at < bytes.size() && !stands_at(at)) ++at;
  return at;
}

}  // namespace spinekit

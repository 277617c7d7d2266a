// The records of a ZIP archive (PKWARE APPNOTE.TXT 6.3.10) that a forward reader meets.
// Functions are pure and thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "spinekit/bytes.h"

namespace spinekit {

constexpr std::uint32_t kLocalSignature = 0x04034B50;
constexpr std::uint32_t kDescriptorSignature = 0x08074B50;
constexpr std::int64_t kLocalHeaderBytes = 30;
constexpr int kStoredMethod = 0;
constexpr int kDeflatedMethod = 8;

struct LocalHeader {
  std::string name;
  int method = 0;
  bool encrypted = false;
  bool patch = false;           // the entry is a difference to another file
  bool has_descriptor = false;  // CRC and sizes follow the data; crc and size are not known before
  std::uint32_t crc = 0;
  std::optional<std::int64_t> packed_size;
  std::optional<std::int64_t> size;
};

// The record that says that no entry follows: the central directory, or what stands in its place.
bool ends_entries(std::uint32_t signature);
enum class Start { kNo, kYes, kMoreBytes };
// Whether an archive begins here. At byte 0 a signature is enough; behind junk it may stand there
// by chance, so the header must make sense, too.
Start begins_archive(Bytes bytes, bool at_byte_0);
// `header` is whole, local_header_bytes() long; it stands at byte `offset` of the archive.
LocalHeader parse_local_header(Bytes header, std::int64_t offset);

// What is known of an entry when its data ends, or what its descriptor says.
struct EntrySizes {
  std::uint32_t crc = 0;
  std::int64_t packed = 0;
  std::int64_t unpacked = 0;
};

// Of a descriptor neither the signature nor the width of its sizes can be relied on.
struct DescriptorLayout {
  bool has_signature = false;
  int size_bytes = 4;

  [[nodiscard]] int bytes() const { return (has_signature ? 8 : 4) + 2 * size_bytes; }
};

struct DescriptorSearch {
  int needed = 0;  // > 0: this many bytes decide, or decide more
  std::optional<DescriptorLayout> found;
};

// Looks at the first bytes behind an entry's data for a descriptor that says what `known` says.
DescriptorSearch find_descriptor(Bytes behind, const EntrySizes& known, bool signature_required);
// Enough bytes for guess_descriptor().
constexpr std::int64_t kDescriptorGuessBytes = 28;
// For a descriptor that contradicts: the layout behind which another record begins.
std::optional<DescriptorLayout> guess_descriptor(Bytes behind);
EntrySizes read_descriptor(Bytes behind, DescriptorLayout layout);

// Index of the first place where the descriptor's signature stands, or may stand once more bytes
// follow; bytes.size() when there is none.
std::size_t find_descriptor_signature(Bytes bytes);

}  // namespace spinekit

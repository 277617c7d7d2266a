// ZIP archives (PKWARE APPNOTE.TXT 6.3.10) read forward only, from chunks that the caller hands in
// as they arrive, and single entries out of archives that can be sought in.
//
// ZipStream does no input of its own and keeps nothing of a chunk but what it unpacked. It reads
// stored and deflated entries. An entry that cannot be had says so in ZipEntry::problem and the
// stream goes on; Error(kMalformed) is for a stream whose next entry can no longer be found. Results
// do not depend on where the chunks are cut. No object is thread-safe; the free functions are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "spinekit/bytes.h"

namespace spinekit {

struct ZipEntry {
  std::string name;        // as stored: UTF-8 or CP437, not checked for being either
  bool directory = false;  // the name ends in '/'
  Buffer bytes;            // unpacked, CRC checked
  std::string problem;     // not empty: why the entry could not be had; bytes is empty then
};

struct ZipLimits {
  std::int64_t most_entry_bytes = std::int64_t{1} << 30;  // unpacked
  // An entry may unpack to always_allowed bytes, and beyond that to most_expansion times its
  // packed size; where a stream does not tell that, times what came of it, in steps of 16 KiB.
  std::int64_t always_allowed = std::int64_t{64} << 20;
  std::int64_t most_expansion = 100;
  std::int64_t most_entries = std::int64_t{1} << 20;
};

class ZipStream {
 public:
  explicit ZipStream(const ZipLimits& limits = {});
  ~ZipStream();
  ZipStream(ZipStream&& other) noexcept;
  ZipStream& operator=(ZipStream&& other) noexcept;
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;

  // Takes the next bytes of the archive, any number of them. Memory grows with what they unpack to
  // and is held until next() hands it out, so large archives are fed in chunks. After an Error,
  // which feed() and finish() then repeat, entries completed before are still handed out.
  void feed(Bytes chunk);
  // The next entry that is complete, in the order of the stream.
  std::optional<ZipEntry> next();
  // To be called at the end of the input: throws Error(kMalformed) when the central directory did
  // not begin, thus when anything of an entry may be missing.
  void finish() const;

  // No entry follows: the rest of the archive is ignored and need not be fed.
  [[nodiscard]] bool directory_reached() const;
  // Bytes of the archive that were taken.
  [[nodiscard]] std::int64_t consumed() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

// Bytes of a local header with its name and extra fields, from its first 30 bytes: so far behind the
// header's offset the packed bytes begin.
std::int64_t local_header_bytes(Bytes first30);

// Unpacks one entry. `raw` are all its packed bytes; `method` (0 stored, 8 deflated), `size` and
// `crc` are those of the central directory and are checked.
Buffer unpack_entry(Bytes raw, int method, std::int64_t size, std::uint32_t crc,
                    const ZipLimits& limits = {});

// The first `want` unpacked bytes of an entry, or as many as the beginning of its packed bytes gives.
// The CRC is not checked.
Buffer unpack_prefix(Bytes raw_prefix, int method, std::int64_t want);

}  // namespace spinekit

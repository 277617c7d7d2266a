// Hand-made ZIP archives in which every field can be wrong, and their reading in chunks of all sizes.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "dicom_bytes.h"
#include "spinekit/zip_stream.h"

namespace spinekit::testing {

constexpr unsigned kDescriptorFlag = 8;

inline Buffer le(std::uint64_t value, int bytes) { return Encoder{}.number(value, bytes); }

inline std::uint32_t crc_of(const Buffer& data) {
  return static_cast<std::uint32_t>(crc32_z(0, data.data(), data.size()));
}

inline Buffer deflate(const Buffer& data) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  Buffer out(deflateBound(&stream, data.size()));
  stream.next_in = const_cast<Bytef*>(data.data());
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A local header, packed bytes and what follows them; the fields are those of a sound entry until
// they are set otherwise.
struct Member {
  std::string name;
  Buffer data;
  int method = 0;
  unsigned flags = 0;
  Buffer packed = {};
  std::uint32_t crc = 0;
  std::uint64_t packed_field = 0;
  std::uint64_t size_field = 0;
  Buffer extra = {};
  Buffer behind = {};

  [[nodiscard]] Buffer bytes() const {
    return chars("PK\x03\x04") + le(20, 2) + le(flags, 2) + le(method, 2) + le(0x5A214D31, 4) +
           le(crc, 4) + le(packed_field, 4) + le(size_field, 4) + le(name.size(), 2) +
           le(extra.size(), 2) + chars(name) + extra + packed + behind;
  }
};

inline Member stored(const std::string& name, const Buffer& data) {
  Member m{name, data};
  m.packed = data;
  m.crc = crc_of(data);
  m.packed_field = m.size_field = data.size();
  return m;
}

inline Member deflated(const std::string& name, const Buffer& data) {
  Member m = stored(name, data);
  m.method = 8;
  m.packed = deflate(data);
  m.packed_field = m.packed.size();
  return m;
}

inline Buffer descriptor(std::uint32_t crc, std::uint64_t packed, std::uint64_t size,
                         int size_bytes = 4, bool with_signature = true) {
  return (with_signature ? chars("PK\x07\x08") : Buffer()) + le(crc, 4) + le(packed, size_bytes) +
         le(size, size_bytes);
}

inline Member streamed(Member m, int size_bytes = 4, bool with_signature = true) {
  m.flags |= kDescriptorFlag;
  m.behind = descriptor(m.crc, m.packed.size(), m.data.size(), size_bytes, with_signature);
  m.crc = 0;
  m.packed_field = m.size_field = 0;
  return m;
}

inline Buffer zip64_field(std::initializer_list<std::uint64_t> sizes) {
  Buffer out = le(1, 2) + le(8 * sizes.size(), 2);
  for (const std::uint64_t size : sizes) out = out + le(size, 8);
  return out;
}

inline Buffer end_record() { return chars("PK\x05\x06") + Buffer(18, 0); }

inline Buffer central_directory() { return chars("PK\x01\x02") + Buffer(42, 0) + end_record(); }

inline Buffer entries_of(const std::vector<Member>& members) {
  Buffer out;
  for (const Member& member : members) out = out + member.bytes();
  return out;
}

inline Buffer archive(const std::vector<Member>& members) {
  return entries_of(members) + central_directory();
}

struct Reading {
  std::vector<ZipEntry> entries;
  std::string error;
  bool directory = false;
};

inline bool same(const Reading& a, const Reading& b) {
  return a.error == b.error && a.directory == b.directory &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const ZipEntry& x, const ZipEntry& y) {
                      return x.name == y.name && x.directory == y.directory && x.bytes == y.bytes &&
                             x.problem == y.problem;
                    });
}

template <typename ChunkSize>
Reading read_in_chunks(Bytes zip, const ZipLimits& limits, const ChunkSize& chunk_size) {
  Reading out;
  ZipStream stream(limits);
  try {
    for (std::size_t at = 0; at < zip.size();) {
      const std::size_t size = std::min<std::size_t>(chunk_size(), zip.size() - at);
      stream.feed(zip.subspan(at, size));
      at += size;
    }
    CHECK(stream.consumed() == static_cast<std::int64_t>(zip.size()));
    stream.finish();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kMalformed);
    out.error = error.message();
  }
  while (auto entry = stream.next()) out.entries.push_back(std::move(*entry));
  out.directory = stream.directory_reached();
  return out;
}

// Reads the archive whole, byte by byte and in random chunks, all of which must be the same.
inline Reading read_zip(const Buffer& zip, const ZipLimits& limits = {}) {
  Reading whole = read_in_chunks(zip, limits, [&] { return zip.size(); });
  CHECK(same(whole, read_in_chunks(zip, limits, [] { return 1; })));
  std::mt19937 random(3);
  for (const unsigned most : {3U, 20U, 70U, 5000U}) {
    CHECK(same(whole, read_in_chunks(zip, limits, [&] { return random() % (most + 1); })));
  }
  return whole;
}

inline bool contains(const std::string& text, std::string_view part) {
  const bool found = text.find(part) != std::string::npos;
  CHECK_MESSAGE(found, "'" << text << "' does not contain '" << part << "'");
  return found;
}

// Something that deflates, but not to nothing, and holds every byte value.
inline Buffer slice(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(i % 5 == 0 ? random() & 0xFFU : i / 7);
  }
  return out;
}

// The first member has this problem, and what follows it is still read.
inline void check_problem(const Member& member, std::string_view problem,
                          const ZipLimits& limits = {}) {
  const Member next = stored("next", chars("sound"));
  const Reading reading = read_zip(archive({member, next}), limits);
  CHECK_MESSAGE(reading.error.empty(), reading.error);
  REQUIRE(reading.entries.size() == 2);
  CHECK(contains(reading.entries[0].problem, problem));
  CHECK(contains(reading.entries[0].problem, "at byte 0 "));
  CHECK(reading.entries[0].name == member.name);
  CHECK(reading.entries[0].bytes.empty());
  CHECK(reading.entries[1].problem.empty());
  CHECK(reading.entries[1].bytes == next.data);
}

inline void check_error(const Buffer& zip, std::string_view part) {
  const Reading reading = read_zip(zip);
  CHECK(contains(reading.error, part));
  CHECK(!reading.directory);
}

}  // namespace spinekit::testing

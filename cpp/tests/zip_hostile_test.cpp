#include "spinekit/zip_stream.h"
#include "zip_bytes.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr std::uint64_t kTenGigabytes = 10'000'000'000;

ZipLimits small_limits() {
  ZipLimits limits;
  limits.most_entry_bytes = 1'000'000;
  limits.always_allowed = 10'000;
  limits.most_expansion = 100;
  return limits;
}

}  // namespace

TEST_CASE("zip: an entry that claims 10 GB is skipped, and takes no memory") {
  Member m = deflated("a", slice(500));
  m.size_field = ~0U;
  m.extra = zip64_field({kTenGigabytes});
  check_problem(m, "claims 10000000000 bytes, at most 67108864 are allowed");

  // Of what is announced as 10 GB hardly anything comes.
  m = stored("a", slice(500));
  m.packed_field = m.size_field = ~0U;
  m.extra = zip64_field({kTenGigabytes, kTenGigabytes});
  check_error(archive({m}), "within entry 'a' at byte 0: 568 of 10000000000 packed bytes came");
  m.packed_field = m.size_field = 1'000'000'000;
  check_error(archive({m}), "568 of 1000000000 packed bytes came");
  m.packed_field = m.size_field = ~0U;
  m.extra = zip64_field({~0ULL, ~0ULL});
  check_error(archive({m}), "no archive can be so large");
}

TEST_CASE("zip: deflate bombs stop at the limit, and the stream goes on") {
  const Buffer zeros(5'000'000, 0);
  check_problem(deflated("a", zeros), "claims 5000000 bytes", small_limits());
  check_problem(streamed(deflated("a", zeros)), "unpacks to more than the 1000000 bytes",
                small_limits());
  ZipLimits limits = small_limits();
  limits.most_entry_bytes = 100'000'000;
  check_problem(streamed(deflated("a", zeros)), "unpacks to more than the 1638400 bytes", limits);
  Member lying = deflated("a", zeros);
  lying.size_field = 9000;
  check_problem(lying, "unpacks to more than the 9000 bytes that its header says", limits);
  // Several blocks of input, each of which raises what is allowed.
  check_problem(streamed(deflated("a", slice(150'000) + Buffer(40'000'000, 0))),
                "bytes that are allowed for so many packed bytes", limits);
}

TEST_CASE("zip: up to the limit nothing is refused") {
  const ZipLimits limits = small_limits();
  const Buffer zeros(10'000, 0);
  const Buffer large = slice(1'000'000);
  const Reading reading =
      read_zip(archive({deflated("a", zeros), stored("b", large), deflated("c", large),
                        streamed(deflated("d", large)), streamed(stored("e", large))}),
               limits);
  REQUIRE(reading.entries.size() == 5);
  for (const ZipEntry& entry : reading.entries) CHECK_MESSAGE(entry.problem.empty(), entry.problem);
  const Buffer larger = slice(1'000'001);
  check_problem(stored("a", larger), "at most 1000000 are allowed", limits);
  check_problem(streamed(stored("a", larger)), "more than the 1000000 bytes", limits);
  check_problem(streamed(deflated("a", larger)), "more than the 1000000 bytes", limits);
}

TEST_CASE("zip: limits that make no sense are refused") {
  check_refuses(ErrorCode::kArgument, "ZIP limits", [] { ZipStream({.most_expansion = 0}); });
  check_refuses(ErrorCode::kArgument, "ZIP limits", [] { ZipStream({.most_entry_bytes = -1}); });
}

TEST_CASE("zip: more entries than allowed end the stream") {
  ZipLimits limits;
  limits.most_entries = 2;
  const std::vector<Member> members{stored("a", {}), stored("b", {}), stored("c", {})};
  const Reading reading = read_zip(archive(members), limits);
  CHECK(reading.error == "more than 2 entries");
  CHECK(reading.entries.size() == 2);
}

TEST_CASE("zip: names that climb out of the folder are refused") {
  for (const char* name : {"../x", "..", "a/../../x", "a/..", "/etc/passwd", "\\x", "a\\..\\x",
                           "C:/x", "c:x", "//server/x", ""}) {
    CAPTURE(name);
    check_problem(stored(name, slice(50)), "name");
    check_problem(streamed(stored(name, slice(50))), "name");
    check_problem(deflated(name, slice(50)), "name");
    check_problem(streamed(deflated(name, slice(50))), "name");
  }
  check_problem(stored(std::string("a\0b", 3), {}), "'a\\x00b' at byte 0 has a zero byte");
}

TEST_CASE("zip: names that only look like it are kept as they are") {
  std::vector<Member> members;
  for (const char* name :
       {"..a", "a..", "a/...", ".", "./a", "ab:c", "1:2", "M\x81ller", "Müller"}) {
    members.push_back(stored(name, slice(20)));
  }
  const Reading reading = read_zip(archive(members));
  for (std::size_t i = 0; i < members.size(); ++i) {
    CHECK(reading.entries.at(i).name == members[i].name);
    CHECK(reading.entries.at(i).problem.empty());
  }
}

TEST_CASE("zip: a name that comes again is refused") {
  const Reading reading =
      read_zip(archive({stored("a", chars("1")), stored("b", {}), stored("a", chars("2"))}));
  REQUIRE(reading.entries.size() == 3);
  CHECK(reading.entries[0].bytes == chars("1"));
  CHECK(reading.entries[2].problem == "entry 'a' at byte 63 has the name of an earlier entry");
}

TEST_CASE("zip: what stands in front of the first entry is passed over") {
  const std::vector<Member> members{stored("a", slice(50)), streamed(deflated("b", slice(50)))};
  const Buffer zip = archive(members);
  const Buffer chance = chars("PK\x03\x04") + Buffer(26, 0xFF);
  const Buffer stub = chars("MZ PK PPK\x03\x03PPPK\x03") + chance + Buffer(70'000, 'P');
  for (const Buffer& front : {chars("PK00"), chars("PK\x07\x08"), stub, Buffer(1U << 20U, 7)}) {
    const Reading reading = read_zip(front + zip);
    CHECK_MESSAGE(reading.error.empty(), reading.error);
    REQUIRE(reading.entries.size() == 2);
    CHECK(reading.entries[0].bytes == members[0].data);
    CHECK(reading.entries[1].bytes == members[1].data);
  }
}

TEST_CASE("zip: what is no ZIP is told so, after 1 MiB at the latest") {
  check_error({}, "no ZIP: the stream is empty");
  check_error(chars("<!DOCTYPE html>"), "in 15 bytes, which begin with '<!DOCTYP'");
  check_error(chars("PK\x03"), "no ZIP");
  check_error(central_directory(), "no ZIP");
  ZipStream stream;
  stream.feed(Buffer(1U << 20U, 0));
  check_refuses(ErrorCode::kMalformed,
                "no ZIP: no local header (PK\\x03\\x04) in the first 1048576",
                [&] { stream.feed(Buffer(40, 0)); });
}

TEST_CASE("zip: an archive without entries is one") {
  for (const Buffer& zip : {end_record(), chars("PK\x06\x06") + Buffer(72, 0) + end_record()}) {
    const Reading reading = read_zip(zip);
    CHECK(reading.error.empty());
    CHECK(reading.directory);
    CHECK(reading.entries.empty());
  }
}

TEST_CASE("zip: everything behind the entries is ignored") {
  for (const char* signature :
       {"PK\x01\x02", "PK\x06\x08", "PK\x06\x06", "PK\x06\x07", "PK\x05\x06"}) {
    const Buffer zip = entries_of({stored("a", slice(50)), streamed(deflated("b", slice(50)))}) +
                       chars(signature) + stored("late", slice(9)).bytes();
    const Reading reading = read_zip(zip);
    CHECK(reading.error.empty());
    CHECK(reading.directory);
    CHECK(reading.entries.size() == 2);
  }
}

TEST_CASE("zip: a stream that is cut off gives whole entries and an error, never anything else") {
  const Buffer data = slice(60);
  Member zip64 = streamed(deflated("zip64", data), 8);
  zip64.packed_field = zip64.size_field = ~0U;
  zip64.extra = zip64_field({0, 0});
  const std::vector<Member> members{stored("stored", data),
                                    deflated("deflated", data),
                                    streamed(stored("searched", data)),
                                    streamed(deflated("streamed", data)),
                                    streamed(deflated("bare", data), 4, false),
                                    zip64,
                                    streamed(deflated("empty", {}), 4, false)};
  const Buffer zip = archive(members);
  const std::size_t whole = entries_of(members).size() + 4;
  for (std::size_t size = 0; size < zip.size(); ++size) {
    const Reading reading = read_zip(Buffer(zip.begin(), zip.begin() + size));
    CHECK(reading.error.empty() == (size >= whole));
    if (size >= whole) CHECK(reading.entries.size() == members.size());
    std::size_t end = 0;
    for (std::size_t i = 0; i < reading.entries.size(); ++i) {
      end += members[i].bytes().size();
      CHECK(end <= size);
      CHECK(reading.entries[i].problem.empty());
      CHECK(reading.entries[i].bytes == members[i].data);
    }
  }
}

TEST_CASE("zip: bytes that might begin a descriptor count as having come") {
  Member m = streamed(stored("a", chars("dataPxy")));
  m.behind = {};
  check_error(m.bytes(), "within entry 'a' at byte 0: 7 packed bytes came");
}

TEST_CASE("zip: entries come out as soon as their last byte is in") {
  const std::vector<Member> members{
      stored("a", slice(50)), deflated("b", slice(50)), streamed(stored("c", slice(50))),
      streamed(deflated("d", slice(50))), streamed(deflated("e", slice(50)), 8, false)};
  ZipStream stream;
  for (const Member& member : members) {
    const Buffer bytes = member.bytes();
    stream.feed(Bytes(bytes).first(bytes.size() - 1));
    CHECK(!stream.next());
    stream.feed(Bytes(bytes).last(1));
    CHECK(stream.next().has_value());
  }
}

TEST_CASE("zip: an error is repeated, and entries from before it are still there") {
  ZipStream stream;
  const auto feed = [&] { stream.feed(stored("a", slice(50)).bytes() + Buffer(4, 0)); };
  check_refuses(ErrorCode::kMalformed, "expected an entry", feed);
  check_refuses(ErrorCode::kMalformed, "expected an entry", feed);
  check_refuses(ErrorCode::kMalformed, "expected an entry", [&] { stream.finish(); });
  CHECK(stream.next().has_value());
  CHECK(!stream.next());
}

TEST_CASE("zip: one entry of an archive that can be sought in") {
  for (const Member& m :
       {stored("a", slice(5000)), deflated("a", slice(5000)), stored("a", {}), deflated("a", {})}) {
    const Buffer zip = m.bytes();
    const std::int64_t start = local_header_bytes(Bytes(zip).first(30));
    const Bytes raw = Bytes(zip).subspan(static_cast<std::size_t>(start));
    const auto size = static_cast<std::int64_t>(m.data.size());
    CHECK(unpack_entry(raw, m.method, size, m.crc) == m.data);
    for (const std::int64_t want : {0, 1, 132, 4999, 5000, 9000}) {
      const auto got = static_cast<std::size_t>(std::min(want, size));
      CHECK(unpack_prefix(raw, m.method, want) == Buffer(m.data.begin(), m.data.begin() + got));
    }
    const auto unpack = [&](std::int64_t claimed, std::uint32_t crc) {
      return [=, &m] { (void)unpack_entry(raw, m.method, claimed, crc); };
    };
    check_refuses(ErrorCode::kMalformed, "CRC", unpack(size, m.crc + 1));
    check_refuses(ErrorCode::kMalformed, "expected", unpack(size + 1, m.crc));
    check_refuses(ErrorCode::kArgument, "size", unpack(-1, m.crc));
    if (size > 0) check_refuses(ErrorCode::kMalformed, "expected", unpack(size - 1, m.crc));
    check_refuses(ErrorCode::kMalformed, "claims 10000000000 bytes",
                  unpack(static_cast<std::int64_t>(kTenGigabytes), m.crc));
  }
}

TEST_CASE("zip: packed bytes that are cut off give a beginning, and damaged ones an error") {
  const Member m = deflated("a", slice(5000));
  const Bytes half = Bytes(m.packed).first(m.packed.size() / 2);
  const Buffer beginning = unpack_prefix(half, 8, 5000);
  CHECK(beginning.size() > 1000);
  CHECK(std::equal(beginning.begin(), beginning.end(), m.data.begin()));
  check_refuses(ErrorCode::kMalformed, "do not end", [&] { (void)unpack_entry(half, 8, 5000, 0); });
  const Buffer damaged{0x07};
  check_refuses(ErrorCode::kMalformed, "damaged", [&] { (void)unpack_prefix(damaged, 8, 1); });
  check_refuses(ErrorCode::kUnsupported, "method 14", [&] { (void)unpack_prefix(half, 14, 1); });
  check_refuses(ErrorCode::kUnsupported, "method 14", [&] { (void)unpack_entry(half, 14, 1, 0); });
  check_refuses(ErrorCode::kArgument, "-1", [&] { (void)unpack_prefix(half, 8, -1); });
  const Buffer zip = m.bytes();
  check_refuses(ErrorCode::kMalformed, "cut off",
                [&] { (void)local_header_bytes(Bytes(zip).first(29)); });
  check_refuses(ErrorCode::kMalformed, "expected a local header",
                [&] { (void)local_header_bytes(central_directory()); });
}

#include "spinekit/zip_stream.h"

#include <utility>

#include "zip_bytes.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

void check_sound(const Reading& reading, const std::vector<Member>& members) {
  CHECK(reading.error.empty());
  CHECK(reading.directory);
  REQUIRE(reading.entries.size() == members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const ZipEntry& entry = reading.entries[i];
    CHECK(entry.name == members[i].name);
    CHECK_MESSAGE(entry.problem.empty(), entry.problem);
    CHECK(entry.bytes == members[i].data);
  }
}

}  // namespace

TEST_CASE("zip: stored and deflated entries are read, folders are flagged") {
  const std::vector<Member> members{stored("CT/", {}), stored("CT/1.dcm", slice(3000)),
                                    deflated("CT/2.dcm", slice(70000)), stored("empty", {}),
                                    deflated("CT/3.dcm", {})};
  const Reading reading = read_zip(archive(members));
  check_sound(reading, members);
  CHECK(reading.entries[0].directory);
  CHECK(!reading.entries[1].directory);
}

TEST_CASE("zip: descriptors of both widths, with and without a signature, end deflated entries") {
  for (const int size_bytes : {4, 8}) {
    for (const bool with_signature : {false, true}) {
      const std::vector<Member> members{
          streamed(deflated("folder/", {}), size_bytes, with_signature),
          streamed(deflated("a", slice(5000)), size_bytes, with_signature),
          streamed(deflated("b", {}), size_bytes, with_signature),
          streamed(deflated("c", slice(100000)), size_bytes, with_signature)};
      check_sound(read_zip(archive(members)), members);
    }
  }
}

TEST_CASE("zip: stored entries of unknown size end at the descriptor that fits") {
  const Buffer data = slice(3000);
  // What looks like a descriptor is data when its size or its CRC is another one.
  const Buffer wrong_size = data + descriptor(crc_of(data), 2999, 2999) + data;
  const Buffer wrong_crc = data + descriptor(crc_of(data) + 1, 3000, 3000) + data;
  const Buffer cut = data + chars("PK\x07PKPK\x07\x08PK\x07\x08");
  const Buffer run = Buffer(300, 'P') + chars("KPKPKPK\x07") + Buffer(300, 'P');
  const Buffer inner = archive({streamed(stored("x", data)), streamed(deflated("y", data))});
  for (const int size_bytes : {4, 8}) {
    const std::vector<Member> members{
        streamed(stored("a", data), size_bytes),       streamed(stored("b", {}), size_bytes),
        streamed(stored("c", wrong_size), size_bytes), streamed(stored("d", wrong_crc), size_bytes),
        streamed(stored("e", cut), size_bytes),        streamed(stored("f", inner), size_bytes),
        streamed(stored("g", run), size_bytes)};
    check_sound(read_zip(archive(members)), members);
  }
}

TEST_CASE("zip: what Info-ZIP 3.0 and CPython 3.11 write to pipes is read") {
  // Up to the first central directory signature, of "hello hello hello" as a.txt or -, and of an
  // empty e.txt. zip -X -fd FILE a.txt e.txt; zip -X -0 - a.txt e.txt | cat; zip -X -fd - - | cat;
  // zipfile on an unseekable file with force_zip64.
  const char* archives[] = {
      "504b03040400080008000000215000000000000000001100000005000000612e747874cb48cdc9c957c840900050"
      "4b"
      "07088088f9e50a00000011000000504b03040a0008000000000021500000000000000000000000000500000065"
      "2e747874504b0708000000000000000000000000504b0102",
      "504b03040a00080000000000215000000000110000001100000005000000612e74787468656c6c6f2068656c6c6f"
      "20"
      "68656c6c6f504b07088088f9e51100000011000000504b03040a00080000000000215000000000000000000000"
      "000005000000652e747874504b0708000000000000000000000000504b0102",
      "504b03042d0008000800fbb2745d00000000ffffffffffffffff010014002d010010000000000000000000000000"
      "00"
      "00000000cb48cdc9c957c8409000504b07088088f9e50a000000000000001100000000000000504b0102",
      "504b03042d00080008000000210000000000ffffffffffffffff05001400612e7478740100100000000000000000"
      "00"
      "0000000000000000cb48cdc9c957c8409000504b07088088f9e50a000000000000001100000000000000504b01"
      "02"};
  for (const char* digits : archives) {
    const Reading reading = read_zip(hex(digits));
    CHECK(reading.error.empty());
    CHECK(reading.directory);
    REQUIRE(!reading.entries.empty());
    CHECK(reading.entries[0].bytes == chars("hello hello hello"));
    for (const ZipEntry& entry : reading.entries) CHECK(entry.problem.empty());
    if (reading.entries.size() > 1) CHECK(reading.entries[1].bytes.empty());
  }
}

TEST_CASE("zip: an entry that Info-ZIP 3.0 encrypted is named, not read") {
  const Reading reading =
      read_zip(hex("504b0304140009000800000021508088f9e5160000001100000005000000612e74787418d76a0f"
                   "dd969841752d9c3a4555f717a2bcee635318504b07088088f9e51600000011000000504b0102") +
               Buffer(42, 0));
  CHECK(reading.error.empty());
  REQUIRE(reading.entries.size() == 1);
  CHECK(reading.entries[0].problem == "entry 'a.txt' at byte 0 is encrypted");
}

TEST_CASE("zip: sizes are found in ZIP64 extra fields") {
  const Buffer other = le(0x5455, 2) + le(5, 2) + Buffer(5, 1);
  std::vector<Member> members{deflated("both", slice(900)), deflated("packed only", slice(900)),
                              deflated("size only", slice(900)), stored("padded", slice(900)),
                              deflated("not needed", slice(900))};
  for (int i = 0; i < 4; ++i) {
    Member& m = members[i];
    const std::uint64_t packed = std::exchange(m.packed_field, i == 2 ? m.packed_field : ~0U);
    const std::uint64_t size = std::exchange(m.size_field, i == 1 ? m.size_field : ~0U);
    m.extra = other + zip64_field({size, packed});
    if (i == 1) m.extra = zip64_field({packed}) + other;
    if (i == 2) m.extra = zip64_field({size});
    // Android's zipalign pads with zeros that are no field; a field may claim more than there is.
    if (i == 3) m.extra = m.extra + Buffer(3, 0);
  }
  members[4].extra = le(0x9999, 2) + le(500, 2) + Buffer(7, 0xFF);
  check_sound(read_zip(archive(members)), members);
}

TEST_CASE("zip: without a ZIP64 extra field its sizes are missing") {
  Member m = stored("a", slice(90));
  m.packed_field = m.size_field = ~0U;
  check_error(archive({m}), "entry 'a' at byte 0: its sizes should be in a ZIP64 extra field");
}

TEST_CASE("zip: a descriptor may repeat sizes that the header gave") {
  std::vector<Member> members{stored("a", slice(90)), deflated("b", slice(90))};
  for (Member& m : members) {
    m.flags = kDescriptorFlag;
    m.behind = descriptor(m.crc, m.packed.size(), m.data.size());
  }
  check_sound(read_zip(archive(members)), members);
}

TEST_CASE("zip: what cannot be read is skipped when its size is known") {
  Member m = stored("a", slice(500));
  m.flags = 1;
  check_problem(m, "is encrypted");
  m.flags = 1 | kDescriptorFlag;
  for (const int size_bytes : {4, 8}) {
    for (const bool with_signature : {false, true}) {
      m.behind = descriptor(m.crc, 500, 500, size_bytes, with_signature);
      check_problem(m, "is encrypted");
    }
  }
  m = stored("a", slice(500));
  m.method = 93;
  check_problem(m, "method 93, only 0 (stored) and 8 (deflated)");
  m.method = 0;
  m.flags = 32;
  check_problem(m, "patch");
}

TEST_CASE("zip: behind unreadable data of unknown size nothing can be found") {
  Member m = streamed(stored("a", slice(500)));
  m.method = 93;
  check_error(archive({m}), "entry 'a' at byte 0 is packed by method 93");
  m.method = 8;
  m.flags |= 1U;
  check_error(archive({m}), "its packed size is not given");
  Member damaged = streamed(deflated("b", slice(500)));
  damaged.packed[0] = 0x07;  // RFC 1951 3.2.3: block type 3 is reserved
  const Reading reading = read_zip(archive({stored("first", slice(9)), damaged}));
  CHECK(contains(reading.error, "entry 'b' at byte 44 is damaged"));
  REQUIRE(reading.entries.size() == 1);
  CHECK(reading.entries[0].bytes == slice(9));
}

TEST_CASE("zip: a CRC that does not match is a problem of its entry") {
  for (Member m : {stored("a", slice(500)), deflated("a", slice(500))}) {
    m.crc ^= 1U;
    check_problem(m, "CRC");
  }
  for (const int size_bytes : {4, 8}) {
    for (const bool with_signature : {false, true}) {
      Member m = streamed(deflated("a", slice(500)), size_bytes, with_signature);
      m.behind = descriptor(1, m.packed.size(), 500, size_bytes, with_signature);
      check_problem(m, "its data descriptor says 0x00000001");
      m.behind = descriptor(crc_of(m.data), m.packed.size(), 501, size_bytes, with_signature);
      check_problem(
          m, "its data descriptor says from " + std::to_string(m.packed.size()) + " bytes to 501");
    }
  }
}

TEST_CASE("zip: sizes that contradict the data are a problem of their entry") {
  Member m = deflated("a", slice(500));
  m.size_field = 499;
  check_problem(m, "unpacks to more than the 499 bytes that its header says");
  m.size_field = 501;
  check_problem(m, "to 500, its header says");
  m = stored("a", slice(500));
  m.size_field = 400;
  check_problem(m, "claims 400 bytes, but 500 are stored");
  m = deflated("a", slice(500));
  m.packed.resize(m.packed.size() - 5);
  m.packed_field = m.packed.size();
  check_problem(m, "deflated data do not end within");
  m = deflated("a", slice(500));
  m.packed = m.packed + Buffer(5, 0);
  m.packed_field = m.packed.size();
  check_problem(m, "is damaged: deflated data of");
  m.packed[0] = 0x07;
  check_problem(m, "is damaged: not deflated data");
}

TEST_CASE("zip: a packed size that misses the next header ends the stream") {
  Member m = stored("a", slice(500));
  m.packed_field = m.size_field = 499;
  check_error(archive({m}), "expected an entry or the central directory at byte 530, got");
  m = streamed(deflated("a", slice(500)));
  m.behind = Buffer(40, 0x55);
  check_error(archive({m}), "no data descriptor at byte");
}

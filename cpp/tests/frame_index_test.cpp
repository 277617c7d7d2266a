#include "dicom/frame_index.h"

#include <optional>

#include "dicom/item_walk.h"
#include "dicom_bytes.h"
#include "sources.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

const Buffer kStart = hex("FF4FFF51");  // SOC and SIZ: a J2K codestream begins
const Encoder kLittle;

// What stands behind the header of encapsulated pixel data (PS3.5 A.4).
Buffer items(const Buffer& basic, const std::vector<Buffer>& fragments, bool delimited = true) {
  Buffer out = kLittle.item(basic);
  for (const Buffer& fragment : fragments) out = out + kLittle.item(fragment);
  return delimited ? out + hex("FEFFDDE0 00000000") : out;
}

Buffer offsets(const std::vector<std::uint64_t>& values, int bytes = 4) {
  Buffer out;
  for (const std::uint64_t value : values) out = out + kLittle.number(value, bytes);
  return out;
}

using Extents = std::vector<std::pair<std::int64_t, std::int64_t>>;

Extents extents(const ByteSource& source, std::int64_t frames, bool believe,
                const Buffer& extended = {}) {
  Extents out;
  for (const Extent& e : index_frames(source,
                                      {.first_item = 0,
                                      .end = source.size(),
                                      .coding = PixelCoding::kJ2k,
                                      .frames = frames,
                                      .extended_offsets = extended},
                                      believe)) {
    out.emplace_back(e.offset, e.length);
  }
  return out;
}

// The same from memory, from a file, from a slow source; with and without belief in tables.
Extents extents_everywhere(const Buffer& bytes, std::int64_t frames, const Buffer& extended = {}) {
  const Folder folder;
  std::ofstream(folder.file("f"), std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  Extents expected = extents(MemorySource(bytes), frames, false, extended);
  for (const bool believe : {false, true}) {
    CAPTURE(believe);
    CHECK(extents(MemorySource(bytes), frames, believe, extended) == expected);
    CHECK(extents(FileSource(folder.file("f")), frames, believe, extended) == expected);
    CHECK(extents(CopyingSource(bytes, true), frames, believe, extended) == expected);
  }
  return expected;
}

void check_refused(const Buffer& bytes, std::int64_t frames, const char* part,
                   const Buffer& extended = {}) {
  for (const bool believe : {false, true}) {
    CAPTURE(believe);
    check_refuses(ErrorCode::kMalformed, part,
                  [&] { (void)extents(MemorySource(bytes), frames, believe, extended); });
  }
}

// Three frames of 1, 2 and 1 fragments, of 6; 4 and 8; 4 bytes.
const std::vector<Buffer> kFragments{kStart + hex("0000"), kStart, hex("0102030405060708"), kStart};
// Items have 8 more: frames begin 0, 14 and 14 + 12 + 16 behind the first item.
const std::vector<std::uint64_t> kOffsets{0, 14, 42};

Extents at(std::int64_t base) { return {{base, 14}, {base + 14, 28}, {base + 42, 12}}; }

}  // namespace

TEST_CASE("frames are found by the basic table, the extended one, or where codestreams begin") {
  CHECK(extents_everywhere(items(offsets(kOffsets), kFragments), 3) == at(8 + 12));
  CHECK(extents_everywhere(items({}, kFragments), 3, offsets(kOffsets, 8)) == at(8));
  CHECK(extents_everywhere(items({}, kFragments), 3) == at(8));
  // A basic table of another count gives way to the extended one.
  CHECK(extents_everywhere(items(offsets({0}), kFragments), 3, offsets(kOffsets, 8)) == at(8 + 4));
}

TEST_CASE("one frame has all fragments, whatever the table says") {
  for (const Buffer& basic : {Buffer(), offsets({0}), offsets({99}), offsets({0, 14, 42})}) {
    const auto base = static_cast<std::int64_t>(8 + basic.size());
    CHECK(extents_everywhere(items(basic, kFragments), 1) == Extents{{base, 54}});
  }
}

TEST_CASE("without the delimiter the last fragment ends with the file") {
  CHECK(extents_everywhere(items(offsets(kOffsets), kFragments, false), 3) == at(20));
  CHECK(extents_everywhere(items({}, kFragments, false), 1) == Extents{{8, 54}});
}

TEST_CASE("what follows the delimiter is nobody's") {
  const Buffer behind = items(offsets(kOffsets), kFragments) + kLittle.item(kStart) + hex("0102");
  CHECK(extents_everywhere(behind, 3) == at(20));
}

TEST_CASE("a fragment of no bytes is one") {
  CHECK(extents_everywhere(items(offsets({0, 8}), {{}, {}}), 2) == Extents{{16, 8}, {24, 8}});
}

TEST_CASE("tables that lie are found out: as many fragments as frames need none") {
  // Three frames of one fragment: the truth is 0, 14, 26.
  const std::vector<Buffer> fragments{kStart + hex("0000"), kStart, kStart};
  const Extents truth{{20, 14}, {34, 12}, {46, 12}};
  CHECK(extents_everywhere(items(offsets({0, 14, 26}), fragments), 3) == truth);
  const std::vector<std::vector<std::uint64_t>> lies{
      {0, 15, 26},           // odd
      {0, 13, 26},           // before the item
      {0, 26, 14},           // not ascending
      {0, 14, 14},           // twice
      {0, 14, 13},           // within the header of the one before
      {14, 26, 38},          // the first frame left out
      {8, 22, 34},           // counted from the table
      {0, 14, 38},           // at the delimiter
      {0, 14, 46},           // at the end of the file
      {0, 14, 47},           // behind it
      {0, 14, 0xFFFFFFFF},   // far behind it
      {0, 0xFFFFFFF0, 0x10}  // ran over 32 bits
  };
  for (const auto& lie : lies) {
    CAPTURE(lie[1]);
    CAPTURE(lie[2]);
    CHECK(extents_everywhere(items(offsets(lie), fragments), 3) == truth);
    Extents from_8 = truth;
    for (auto& [offset, length] : from_8) offset -= 12;
    CHECK(extents_everywhere(items({}, fragments), 3, offsets(lie, 8)) == from_8);
  }
  for (const std::vector<std::uint64_t>& negative : {std::vector<std::uint64_t>{0, 14, ~0ULL - 100},
                                                     {0, ~0ULL, 26},
                                                     {~0ULL - 7, 14, 26},
                                                     {0, 14, 0x7FFFFFFFFFFFFFFF}}) {
    CHECK(extents_everywhere(items({}, fragments), 3, offsets(negative, 8)).front().first == 8);
  }
}

TEST_CASE("where frames have several fragments, a table that lies is refused") {
  const auto refused = [](const std::vector<std::uint64_t>& lie) {
    CAPTURE(lie[1]);
    check_refused(items(offsets(lie), kFragments), 3, "does not point at fragments");
    check_refused(items({}, kFragments), 3, "does not point at fragments", offsets(lie, 8));
  };
  refused({0, 15, 42});
  refused({0, 42, 14});
  refused({0, 14, 14});
  refused({14, 26, 42});
  refused({0, 14, 54});
  refused({0, 14, 1000});
  // Without one, and without beginnings that show, nothing tells the frames apart.
  check_refused(items({}, {kStart, hex("0000"), hex("0000"), kStart}), 3, "do not show where");
  check_refused(items({}, {hex("0000"), kStart, kStart, kStart}), 3, "do not show where");
}

TEST_CASE("a table entry amid a fragment that looks like an item is found out") {
  // The second fragment holds bytes that read as an item reaching to the end of the first frame.
  const Buffer decoy = hex("00000000 FEFF00E0 04000000 00000000");
  const std::vector<Buffer> fragments{decoy, kStart};
  CHECK(extents_everywhere(items(offsets({0, 12}), fragments), 2) == Extents{{16, 24}, {40, 12}});
}

TEST_CASE("pixel data that are cut anywhere give an error or frames that are inside") {
  const Buffer whole = items(offsets(kOffsets), kFragments);
  const std::size_t end = whole.size() - 8;  // of the last fragment
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const Bytes cut = Bytes(whole).first(size);
    for (const bool believe : {false, true}) {
      if (size == end) {
        CHECK(extents(MemorySource(cut), 3, believe) == at(20));
      } else {
        CHECK_THROWS_AS(extents(MemorySource(cut), 3, believe), Error);
      }
    }
  }
}

TEST_CASE("items that are none are refused") {
  check_refused(hex("FEFFDDE0 00000000"), 1, "without a Basic Offset Table");
  check_refused({}, 1, "without a Basic Offset Table");
  check_refused(hex("FEFF00E0 00000000 FEFF00E0 FFFFFFFF"), 1, "undefined length");
  check_refused(hex("FEFF00E0 00000000 FEFF00E0 FEFFFFFF 0000"), 1, "cut off");
  check_refused(hex("FEFF00E0 00000000 08001800 00000000"), 1, "got (0008,0018) at byte 8");
  check_refused(items({}, {}), 1, "without fragments");
  check_refused(items({}, {kStart}), 2, "holds 1 fragments");
  check_refused(items({}, {kStart}), std::int64_t{1} << 31, "holds 1 fragments");
}

TEST_CASE("opening many frames by their table costs few reads") {
  constexpr std::int64_t kFrames = 3000;
  std::vector<std::uint64_t> table;
  Buffer fragments;
  for (std::uint64_t f = 0; f < kFrames; ++f) {
    table.push_back(12 * f);
    fragments = std::move(fragments) + kLittle.item(kStart);
  }
  const Buffer bytes = kLittle.item(offsets(table)) + fragments + hex("FEFFDDE0 00000000");
  const CopyingSource slow(bytes, true);
  const Extents truth = extents(MemorySource(bytes), kFrames, false);
  CHECK(extents(slow, kFrames, true) == truth);
  CHECK(slow.reads() <= 6);
  const CopyingSource file(bytes);
  CHECK(extents(file, kFrames, true) == truth);
  CHECK(file.reads() <= 600);
  const CopyingSource scanned(bytes);
  CHECK(extents(scanned, kFrames, false) == truth);
  CHECK(scanned.reads() >= kFrames);
}

TEST_CASE("fragments of an extent; of one that is cut off, as much as there is") {
  const Buffer two = kLittle.item(hex("01020304")) + kLittle.item(hex("05060708"));
  const auto parts = [](Bytes bytes, bool cut) {
    std::vector<Buffer> out;
    for (const Bytes part : fragments_in(bytes, cut)) out.push_back(copy_of(part));
    return out;
  };
  using Parts = std::vector<Buffer>;
  CHECK(parts(two, false) == Parts{hex("01020304"), hex("05060708")});
  CHECK(parts(two, true) == Parts{hex("01020304"), hex("05060708")});
  CHECK(parts(Bytes(two).first(22), true) == Parts{hex("01020304"), hex("0506")});
  CHECK(parts(Bytes(two).first(15), true) == Parts{hex("01020304")});
  CHECK(parts(Bytes(two).first(10), true) == Parts{hex("0102")});
  check_refuses(ErrorCode::kMalformed, "cut off",
                [&] { (void)parts(Bytes(two).first(22), false); });
  check_refuses(ErrorCode::kMalformed, "does not point", [&] { (void)parts(Bytes(), true); });
  check_refuses(ErrorCode::kMalformed, "does not point",
                [&] { (void)parts(Bytes(two).first(7), true); });
  // What was fetched must be items, cut off or not.
  check_refuses(ErrorCode::kMalformed, "expected an item",
                [&] { (void)parts(hex("01020304 FFFFFF00 0102"), true); });
}

TEST_CASE("a walk begun at several places finds what the plain one finds") {
  // Values that hold what looks like items, the second with another "item" at its end.
  const Buffer decoy = hex("FEFF00E0 04000000 FF4FFF51 FEFF00E0 00000000");
  std::vector<Buffer> fragments;
  for (std::size_t f = 0; f < 60; ++f) {
    fragments.push_back(f % 3 == 0 ? decoy : Buffer(f % 7 * 2, 0x55));
  }
  const Buffer whole = items({}, fragments);
  const auto found = [](const ByteSource& source, int stretches) {
    const Items walked = walk_items(source, 8, source.size(), PixelCoding::kJ2k, stretches);
    Extents out;
    for (const Fragment& f : walked.fragments) out.emplace_back(f.header, f.length);
    out.emplace_back(walked.delimited, 0);
    return out;
  };
  const Buffer undelimited = items({}, fragments, false);
  for (const Buffer& bytes : {whole, undelimited, whole + hex("FEFF00E0 00000000")}) {
    const CopyingSource source(bytes);
    const Extents expected = found(source, 1);
    CHECK(expected.size() == 61);
    for (int stretches = 2; stretches < 40; ++stretches) {
      CAPTURE(stretches);
      CHECK(found(source, stretches) == expected);
    }
  }
  // What is wrong is told as the plain walk tells it, wherever it is.
  for (std::size_t cut = whole.size() - 9; cut > whole.size() - 60; --cut) {
    const CopyingSource source(
        Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
    std::string plain;
    for (const int stretches : {1, 2, 5, 16}) {
      std::string message;
      try {
        (void)found(source, stretches);
      } catch (const Error& error) {
        message = error.what();
      }
      if (stretches == 1) plain = message;
      CHECK(message == plain);
    }
  }
}

TEST_CASE("a large file without an offset table is walked at several places at once") {
  const Folder folder;
  const Buffer header = kLittle.item({});
  constexpr std::int64_t kFrames = 640;
  constexpr std::int64_t kLength = 70'000;
  Buffer bytes = header;
  for (std::int64_t f = 0; f < kFrames; ++f) {
    bytes = std::move(bytes) + kLittle.item(Buffer(static_cast<std::size_t>(kLength), 0x11));
  }
  std::ofstream(folder.file("f"), std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  const FileSource file(folder.file("f"));
  CHECK(file.will_read(0, 0));
  CHECK_FALSE(MemorySource(bytes).will_read(0, 0));
  const Extents found = extents(file, kFrames, true);
  CHECK(found == extents(MemorySource(bytes), kFrames, true));
  CHECK(found.back() == std::pair{8 + (kFrames - 1) * (kLength + 8), kLength + 8});
}

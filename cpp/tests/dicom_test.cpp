#include "spinekit/dicom.h"

#include <doctest/doctest.h>

#include "deflated.h"
#include "rewriting.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

}  // namespace

TEST_CASE("explicit VR little endian: PS3.5 7.1.2's two header forms") {
  const Buffer body =
      hex("08001600 5549 0400 312E3200"  // UI, 16-bit length
          "08001800 5549 0200 3100"
          "09001000 554E 0000 04000000 DEADBEEF"  // UN, 32-bit length
          "28001000 5553 0200 0002");
  const Buffer file = part10(kExplicit, body, 0x4A);
  const DataSet data_set(file);
  CHECK(data_set.syntax().uid == kExplicit);
  CHECK(copy_of(data_set.preamble()) == Buffer(128, 0x4A));
  REQUIRE(data_set.elements().size() == 4);
  CHECK(data_set.text({0x0008, 0x0016}) == "1.2");
  CHECK(data_set.text({0x0008, 0x0018}) == "1");
  CHECK(data_set.integer({0x0028, 0x0010}) == 512);
  const Element* unknown = data_set.find({0x0009, 0x0010});
  REQUIRE(unknown != nullptr);
  CHECK(unknown->vr == Vr("UN"));
  CHECK(copy_of(data_set.value(*unknown)) == hex("DEADBEEF"));
  CHECK(data_set.find({0x0028, 0x0011}) == nullptr);
  CHECK_FALSE(data_set.integer({0x0028, 0x0011}).has_value());
  CHECK(data_set.text({0x0028, 0x0011}).empty());
}

TEST_CASE("implicit VR little endian: tag, 32-bit length, value") {
  const Buffer file = part10(kImplicit, hex("08001600 04000000 312E3200 28001000 02000000 0002"));
  const DataSet data_set(file);
  CHECK(data_set.text({0x0008, 0x0016}) == "1.2");
  CHECK(data_set.integer({0x0028, 0x0010}) == 512);
}

TEST_CASE("explicit VR big endian: the meta header stays little endian") {
  const Buffer file =
      part10(kBigEndian, hex("00080016 5549 0004 312E3200 00280010 5553 0002 0200"));
  const DataSet data_set(file);
  CHECK(data_set.text({0x0002, 0x0010}) == kBigEndian);
  CHECK(data_set.text({0x0008, 0x0016}) == "1.2");
  CHECK(data_set.integer({0x0028, 0x0010}) == 512);
}

TEST_CASE("a deflated data set is inflated, with or without the even byte behind it") {
  const Buffer body =
      kExplicitLittle.text({0x0010, 0x0010}, "PN", "A^B") + kExplicitLittle.us({0x0028, 0x0010}, 3);
  Buffer packed = deflated(body);
  for (int i = 0; i < 2; ++i) {
    const Buffer file = part10(kDeflated, packed);
    const DataSet data_set(file);
    CHECK(copy_of(data_set.body()) == body);
    CHECK(data_set.text({0x0010, 0x0010}) == "A^B");
    packed.push_back(0);
  }
  const Buffer whole = deflated(body);
  check_malformed(part10(kDeflated, copy_of(Bytes(whole).first(whole.size() - 3))), "cut off");
  check_malformed(part10(kDeflated, hex("FFFFFFFF")), "damaged");
  // Found by fuzzing: an empty stream (RFC 1951's fixed block with nothing but its end).
  const Buffer nothing = part10(kDeflated, hex("0300 0000"));
  CHECK(DataSet(nothing).elements().empty());
}

TEST_CASE("a deflated data set that expands beyond reason is refused") {
  Buffer bomb = deflated(Buffer(std::size_t{80} << 20, 0));
  REQUIRE(bomb.size() < 100000);
  check_malformed(part10(kDeflated, bomb), "expands");
}

TEST_CASE("a file without preamble is read as the bare data set that it may be") {
  const Buffer implicit = hex("08001600 04000000 312E3200");
  const Buffer explicit_vr = hex("08001600 5549 0400 312E3200");
  CHECK(DataSet(implicit).text({0x0008, 0x0016}) == "1.2");
  CHECK(DataSet(explicit_vr).text({0x0008, 0x0016}) == "1.2");
  const Buffer with_meta = kExplicitLittle.text({0x0002, 0x0010}, "UI", kImplicit) + implicit;
  const DataSet data_set(with_meta);
  CHECK(data_set.syntax().uid == kImplicit);
  CHECK(data_set.text({0x0008, 0x0016}) == "1.2");
  CHECK(data_set.preamble().empty());
  check_malformed({}, "empty");
  check_malformed(chars("This is a text file, not an image."), "DICM");
}

TEST_CASE("elements out of order are sorted; an element that stands twice is refused") {
  const Buffer rows = kExplicitLittle.us({0x0028, 0x0010}, 5);
  const Buffer name = kExplicitLittle.text({0x0010, 0x0010}, "PN", "A");
  const Buffer file = part10(kExplicit, rows + name);
  const DataSet data_set(file);
  REQUIRE(data_set.elements().size() == 2);
  CHECK(data_set.elements().front().tag == Tag{0x0010, 0x0010});
  CHECK(rewritten(data_set) == name + rows);
  check_malformed(part10(kExplicit, rows + name + rows), "(0028,0010) stands twice");
}

TEST_CASE("what needs a meta header says so") {
  check_malformed(Buffer(128, 0) + chars("DICM") + kExplicitLittle.us({0x0028, 0x0010}, 5),
                  "TransferSyntaxUID");
  // Found in review: with a deflated body, the offset would have been applied to the file.
  check_malformed(part10(kExplicit, kExplicitLittle.us({0x0028, 0x0010}, 5) +
                                        kExplicitLittle.text({0x0002, 0x0003}, "UI", "1.2")),
                  "behind the meta header");
}

TEST_CASE("lengths that lie are refused, wherever the file is cut") {
  const Encoder& e = kExplicitLittle;
  const Buffer nested = e.undefined({0x0008, 0x1140}, "SQ",
                                    e.undefined_item(e.text({0x0008, 0x1150}, "UI", "1.2")) +
                                        e.item(e.text({0x0008, 0x1155}, "UI", "1.3")));
  const Buffer last = e.us({0x0028, 0x0010}, 5);
  const Buffer whole = part10(kExplicit, nested + last);
  CHECK(DataSet(whole).elements().size() == 2);
  const std::size_t start = part10(kExplicit, {}).size();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    if (size == start || size == start + nested.size()) continue;
    CAPTURE(size);
    CHECK_THROWS_AS(DataSet(Bytes(whole).first(size)), Error);
  }
  check_malformed(part10(kExplicit, hex("28001000 5553 FEFF 0002")), "claims 65534 bytes");
  check_malformed(part10(kImplicit, hex("28001000 FEFFFFFF 0002")), "claims 4294967294 bytes");
  check_malformed(part10(kExplicit, hex("28001000 5554 0000 FFFFFFFF")), "undefined length");
  check_malformed(part10(kExplicit, hex("28001000 0000 0200 0002")), "no value representation");
  check_malformed(part10(kExplicit, hex("FEFF0DE0 00000000")), "outside of a sequence");
  check_malformed(part10(kExplicit, e.undefined({0x0008, 0x1140}, "SQ", last)), "expected an item");
}

TEST_CASE("sequences may nest 64 deep, and no stack is spent on more") {
  const auto nested = [](int depth, const Encoder& e) {
    Buffer head;
    Buffer tail;
    for (int i = 0; i < depth; ++i) {
      head = head + e.header({0x0008, 0x1140}, "SQ", kUndefined) + e.tag({0xFFFE, 0xE000}) +
             e.number(kUndefined, 4);
      tail = tail + e.tag({0xFFFE, 0xE00D}) + e.number(0, 4) + e.tag({0xFFFE, 0xE0DD}) +
             e.number(0, 4);
    }
    return head + tail;
  };
  const Buffer deep = nested(64, kExplicitLittle);
  CHECK(rewritten(kExplicit, deep) == deep);
  check_implicit_becomes(nested(60, kImplicitLittle), nested(60, kExplicitLittle));
  check_malformed(part10(kExplicit, nested(65, kExplicitLittle)), "nested");
  check_malformed(part10(kImplicit, nested(1000, kImplicitLittle)), "nested");
}

TEST_CASE("defined lengths nested too deep are carried over as they are") {
  Buffer value = kExplicitLittle.text({0x0008, 0x0100}, "SH", "X");
  for (int i = 0; i < 100; ++i) {
    value = kExplicitLittle.element({0x0008, 0x1140}, "SQ", kExplicitLittle.item(value));
  }
  CHECK(rewritten(kExplicit, value) == value);
}

TEST_CASE("text drops its padding, integers are read from US and IS") {
  const Encoder& e = kExplicitLittle;
  const Buffer file = part10(kExplicit, e.element({0x0008, 0x0060}, "CS", chars("CT  ")) +
                                            e.element({0x0020, 0x0013}, "IS", chars(" +12 ")) +
                                            e.element({0x0028, 0x0008}, "IS", chars("3x")) +
                                            e.element({0x0028, 0x0010}, "US", hex("FFFF 0100")) +
                                            e.element({0x0028, 0x0011}, "US", {}));
  const DataSet data_set(file);
  CHECK(data_set.text({0x0008, 0x0060}) == "CT");
  CHECK(data_set.integer({0x0020, 0x0013}) == 12);
  CHECK(data_set.integer({0x0028, 0x0010}) == 65535);
  CHECK_FALSE(data_set.integer({0x0028, 0x0011}).has_value());
  check_refuses(ErrorCode::kMalformed, "no integer", [&] {
    (void)data_set.integer({0x0028, 0x0008});
  });
}

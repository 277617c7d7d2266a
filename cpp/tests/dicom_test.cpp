#include "spinekit/dicom.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>

#include "dicom/data_set_writer.h"
#include "dicom/derivation.h"
#include "dicom/dictionary.h"
#include "dicom/encapsulation.h"
#include "dicom_bytes.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr Encoder kExplicitLittle{true, false};
constexpr Encoder kImplicitLittle{false, false};
constexpr Encoder kExplicitBig{true, true};

Buffer rewritten(const DataSet& data_set) {
  Buffer out;
  append_elements(data_set, {}, {0, 0}, {0xFFFF, 0xFFFF}, out);
  return out;
}

Buffer rewritten(const std::string& syntax, const Buffer& body) {
  const Buffer file = part10(syntax, body);
  return rewritten(DataSet(file));
}

// Explicit VR little endian that `body`, in implicit VR, becomes.
void check_implicit_becomes(const Buffer& body, const Buffer& expected) {
  CHECK(rewritten(kImplicit, body) == expected);
}

Buffer deflated(const Buffer& body) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Buffer out(deflateBound(&stream, body.size()));
  Buffer in = body;
  stream.next_in = in.data();
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void check_malformed(const Buffer& file, std::string_view part) {
  check_refuses(ErrorCode::kMalformed, part, [&] { const DataSet data_set(file); });
}

Buffer frame_of(const Buffer& file, std::int64_t index = 0) {
  const DataSet data_set(file);
  const ImageDescription image = describe_image(data_set);
  const FrameReader reader(data_set, image);
  Buffer out(static_cast<std::size_t>(reader.format().byte_count()));
  std::vector<std::string> warnings;
  reader.read(index, out, warnings);
  return out;
}

}  // namespace

// ---- reading

TEST_CASE("explicit VR little endian: PS3.5 7.1.2's two header forms") {
  const Buffer body = hex("08001600 5549 0400 312E3200"        // UI, 16-bit length
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
  const Buffer file = part10(kBigEndian, hex("00080016 5549 0004 312E3200 00280010 5553 0002 0200"));
  const DataSet data_set(file);
  CHECK(data_set.text({0x0002, 0x0010}) == kBigEndian);
  CHECK(data_set.text({0x0008, 0x0016}) == "1.2");
  CHECK(data_set.integer({0x0028, 0x0010}) == 512);
}

TEST_CASE("a deflated data set is inflated, with or without the even byte behind it") {
  const Buffer body = kExplicitLittle.text({0x0010, 0x0010}, "PN", "A^B") +
                      kExplicitLittle.us({0x0028, 0x0010}, 3);
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
  const Buffer nested =
      e.undefined({0x0008, 0x1140}, "SQ",
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
      tail = tail + e.tag({0xFFFE, 0xE00D}) + e.number(0, 4) + e.tag({0xFFFE, 0xE0DD}) + e.number(0, 4);
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
  const Buffer file =
      part10(kExplicit, e.element({0x0008, 0x0060}, "CS", chars("CT  ")) +
                            e.element({0x0020, 0x0013}, "IS", chars(" +12 ")) +
                            e.element({0x0028, 0x0008}, "IS", chars("3x")) +
                            e.element({0x0028, 0x0010}, "US", hex("FFFF 0100")) +
                            e.element({0x0028, 0x0011}, "US", {}));
  const DataSet data_set(file);
  CHECK(data_set.text({0x0008, 0x0060}) == "CT");
  CHECK(data_set.integer({0x0020, 0x0013}) == 12);
  CHECK(data_set.integer({0x0028, 0x0010}) == 65535);
  CHECK_FALSE(data_set.integer({0x0028, 0x0011}).has_value());
  check_refuses(ErrorCode::kMalformed, "no integer", [&] { (void)data_set.integer({0x0028, 0x0008}); });
}

// ---- rewriting

TEST_CASE("explicit VR is rewritten byte for byte") {
  const Encoder& e = kExplicitLittle;
  const Buffer item = e.text({0x0008, 0x1150}, "UI", "1.2.3") + e.element({0x0009, 0x1001}, "OB", hex("01"));
  const Buffer body = e.element({0x0008, 0x0005}, "CS", chars("ISO_IR 192")) +
                      e.element({0x0008, 0x1140}, "SQ", e.item(item) + e.undefined_item(item)) +
                      e.undefined({0x0008, 0x1199}, "SQ", e.item({}) + e.item(item)) +
                      e.element({0x0009, 0x0010}, "LO", chars("ODD")) +
                      e.element({0x0010, 0x0010}, "PN", hex("C3A45E42")) +
                      e.undefined({0x0011, 0x1001}, "UN", kImplicitLittle.item(hex("0800500102000000 3100"))) +
                      e.element({0x0021, 0x1001}, "ZZ", {});
  // An unknown VR has the long form (PS3.5 6.2).
  const Buffer tail = hex("21000210 5A5A 0000 02000000 4142");
  Buffer fixed = body;
  fixed.resize(fixed.size() - 8);  // the Encoder does not know ZZ
  CHECK(rewritten(kExplicit, fixed + tail) == fixed + tail);
}

TEST_CASE("an icon's encapsulated pixels stay fragments") {
  const Encoder& e = kExplicitLittle;
  const Buffer icon = e.us({0x0028, 0x0010}, 1) +
                      e.undefined({0x7FE0, 0x0010}, "OB", e.item({}) + e.item(hex("FFD8FFD9")));
  const Buffer body = e.undefined({0x0088, 0x0200}, "SQ", e.undefined_item(icon));
  CHECK(rewritten(kExplicit, body) == body);
}

TEST_CASE("group lengths are left out at every depth, and outer lengths follow") {
  const Encoder& e = kExplicitLittle;
  const Buffer length = e.element({0x0008, 0x0000}, "UL", hex("10000000"));
  const Buffer kept = e.text({0x0008, 0x1150}, "UI", "1.2.3");
  const auto body = [&](const Buffer& with) {
    return with + e.element({0x0008, 0x1140}, "SQ",
                            e.item(with + e.element({0x0008, 0x1199}, "SQ", e.item(with + kept))));
  };
  CHECK(rewritten(kExplicit, body(length)) == body({}));
  CHECK(rewritten(kExplicit, e.element({0x0010, 0x0000}, "UL", hex("00000000"))).empty());
}

TEST_CASE("implicit elements get the VR of PS3.6") {
  const struct {
    Tag tag;
    const char* vr;
    const char* value;
  } known[] = {
      {{0x0008, 0x0018}, "UI", "312E3200"},         // SOPInstanceUID
      {{0x0008, 0x0020}, "DA", "3230323030313031"}, // StudyDate
      {{0x0010, 0x0010}, "PN", "415E4220"},         // PatientName
      {{0x0010, 0x1010}, "AS", "30343559"},         // PatientAge
      {{0x0018, 0x0050}, "DS", "312E3235"},         // SliceThickness
      {{0x0018, 0x9087}, "FD", "0000000000408F40"}, // DiffusionBValue
      {{0x0020, 0x0013}, "IS", "3120"},             // InstanceNumber
      {{0x0020, 0x4000}, "LT", "6869"},             // ImageComments
      {{0x0028, 0x0009}, "AT", "18006310"},         // FrameIncrementPointer
      {{0x0028, 0x0010}, "US", "0002"},             // Rows
      {{0x0040, 0xA160}, "UT", "6869"},             // TextValue
      {{0x5000, 0x3000}, "OW", "0100"},             // CurveData
      {{0x6002, 0x0010}, "US", "0002"},             // OverlayRows of the second overlay
      {{0x6002, 0x3000}, "OW", "0100"},             // OverlayData of the second overlay
      {{0x7777, 0x0010}, "LO", "4142"},             // a private creator
      {{0x7778, 0x0010}, "UN", "4142"},             // in no dictionary
  };
  for (const auto& entry : known) {
    CAPTURE(entry.tag.text());
    const Buffer value = hex(entry.value);
    check_implicit_becomes(kImplicitLittle.element(entry.tag, "", value),
                           kExplicitLittle.element(entry.tag, entry.vr, value));
  }
}

TEST_CASE("US or SS follows PixelRepresentation, also inside of sequences") {
  for (const bool is_signed : {false, true}) {
    const char* const vr = is_signed ? "SS" : "US";
    const auto body = [&](const Encoder& e) {
      return e.element({0x0028, 0x0103}, "US", is_signed ? hex("0100") : hex("0000")) +
             e.element({0x0028, 0x0106}, vr, hex("18FC")) +
             e.element({0x0028, 0x0120}, vr, hex("30F8")) +
             e.element({0x0040, 0x9096}, "SQ", e.item(e.element({0x0040, 0x9216}, vr, hex("0080"))));
    };
    check_implicit_becomes(body(kImplicitLittle), body(kExplicitLittle));
  }
}

TEST_CASE("a length that the dictionary's VR cannot have makes it UN") {
  check_implicit_becomes(kImplicitLittle.element({0x0028, 0x0010}, "", hex("000200")),
                         kExplicitLittle.element({0x0028, 0x0010}, "UN", hex("000200")));
  const Buffer lengthy(70000, 'a');
  check_implicit_becomes(kImplicitLittle.element({0x0020, 0x4000}, "", lengthy),
                         kExplicitLittle.element({0x0020, 0x4000}, "UN", lengthy));
  // Claims to be a sequence and is none
  check_implicit_becomes(kImplicitLittle.element({0x0008, 0x1140}, "", hex("01020304")),
                         kExplicitLittle.element({0x0008, 0x1140}, "UN", hex("01020304")));
}

TEST_CASE("private elements are UN unless their creator is known") {
  const auto creator = [](const Encoder& e, const char* name) {
    return e.text({0x0029, 0x0011}, "LO", name);
  };
  const Buffer value = chars("IMAGE NUM 4 ");
  const auto implicit = kImplicitLittle.element({0x0029, 0x1108}, "", value);
  // CSA Image Header Type: CS (Siemens' conformance statements; pydicom's private dictionary)
  check_implicit_becomes(creator(kImplicitLittle, "SIEMENS CSA HEADER") + implicit,
                         creator(kExplicitLittle, "SIEMENS CSA HEADER") +
                             kExplicitLittle.element({0x0029, 0x1108}, "CS", value));
  check_implicit_becomes(creator(kImplicitLittle, "NOBODY KNOWS") + implicit,
                         creator(kExplicitLittle, "NOBODY KNOWS") +
                             kExplicitLittle.element({0x0029, 0x1108}, "UN", value));
  check_implicit_becomes(implicit, kExplicitLittle.element({0x0029, 0x1108}, "UN", value));
  // A creator reserves one block (PS3.5 7.8.1), and an item does not see the one outside of it.
  check_implicit_becomes(creator(kImplicitLittle, "SIEMENS CSA HEADER") +
                             kImplicitLittle.element({0x0029, 0x1208}, "", value),
                         creator(kExplicitLittle, "SIEMENS CSA HEADER") +
                             kExplicitLittle.element({0x0029, 0x1208}, "UN", value));
}

TEST_CASE("implicit sequences keep the form of their lengths, with new headers inside") {
  const auto body = [](const Encoder& e) {
    const Buffer leaf = e.text({0x0008, 0x1150}, "UI", "1.2") + e.text({0x0008, 0x1155}, "UI", "1.3");
    const Buffer purpose = e.element({0x0040, 0xA170}, "SQ", e.item(e.text({0x0008, 0x0100}, "SH", "X")));
    return e.element({0x0008, 0x1140}, "SQ", e.item(leaf) + e.undefined_item(leaf + purpose)) +
           e.undefined({0x0008, 0x2112}, "SQ", e.item(leaf + purpose) + e.undefined_item({}));
  };
  check_implicit_becomes(body(kImplicitLittle), body(kExplicitLittle));
}

TEST_CASE("big endian values are turned by their VR, at every depth") {
  const auto body = [](const Encoder& e) {
    const Buffer numbers = e.element({0x0018, 0x9087}, "FD", e.number(0x408F400000000000ULL, 8)) +
                           e.element({0x0018, 0x9810}, "US", e.number(0x0102, 2) + e.number(0x0304, 2)) +
                           e.element({0x0028, 0x0009}, "AT", e.tag({0x0018, 0x1063})) +
                           e.element({0x0070, 0x0022}, "FL", e.number(0x3F800000, 4)) +
                           e.element({0x7053, 0x1001}, "UN", hex("01020304"));
    return e.element({0x0008, 0x1140}, "SQ", e.item(numbers)) +
           e.undefined({0x0008, 0x1199}, "SQ", e.undefined_item(numbers)) +
           e.text({0x0010, 0x0010}, "PN", "A^B");
  };
  CHECK(rewritten(kBigEndian, body(kExplicitBig)) == body(kExplicitLittle));
}

TEST_CASE("edits replace, add and remove; FrameType follows ImageType into every item") {
  const Encoder& e = kExplicitLittle;
  const auto groups = [&](const char* type) {
    return e.element({0x5200, 0x9230}, "SQ",
                     e.item(e.element({0x0018, 0x9226}, "SQ",
                                      e.item(e.text({0x0008, 0x9007}, "CS", type)))));
  };
  const Buffer file = part10(kExplicit, e.text({0x0008, 0x0018}, "UI", "1.2") +
                                            e.text({0x0010, 0x0010}, "PN", "A") +
                                            groups("ORIGINAL\\PRIMARY"));
  Edits edits;
  edits.elements[{0x0008, 0x0018}] = text_element(Vr("UI"), "9.9");
  edits.elements[{0x0010, 0x0010}] = std::nullopt;
  edits.elements[{0x0028, 0x0010}] = uint16_element(7);
  edits.derive_frame_types = true;
  Buffer out;
  append_elements(DataSet(file), edits, {0, 0}, {0xFFFF, 0xFFFF}, out);
  CHECK(out == e.text({0x0008, 0x0018}, "UI", "9.9") + e.us({0x0028, 0x0010}, 7) +
                   groups("DERIVED\\PRIMARY"));
}

TEST_CASE("an odd preamble is kept, and group 0002 is counted anew") {
  const Buffer file = part10(kExplicit, kExplicitLittle.text({0x0008, 0x0016}, "UI", "1.2"), 0xA5);
  const DataSet data_set(file);
  const Buffer head = file_head(data_set, "1.2.840.10008.1.2.4.90", "1.9");
  const Buffer again_file = head + copy_of(data_set.body());
  const DataSet again(again_file);
  CHECK(copy_of(again.preamble()) == Buffer(128, 0xA5));
  CHECK(again.text({0x0002, 0x0002}) == "1.2");
  CHECK(again.text({0x0002, 0x0003}) == "1.9");
  CHECK(again.text({0x0002, 0x0010}) == "1.2.840.10008.1.2.4.90");
  // (0002,0000) counts what follows it (PS3.10 7.1).
  const Bytes length = again.value(*again.find({0x0002, 0x0000}));
  CHECK((length[0] | length[1] << 8) == static_cast<int>(head.size() - 128 - 4 - 12));
}

TEST_CASE("UIDs are derived from a text alone, in the form of PS3.5 B.2") {
  const std::string uid = uid_from("a");
  CHECK(uid == uid_from("a"));
  CHECK(uid != uid_from("b"));
  CHECK(uid.starts_with("2.25."));
  CHECK(uid.size() <= 64);
  CHECK(uid[5] != '0');
  CHECK(std::all_of(uid.begin() + 5, uid.end(), [](char c) { return c >= '0' && c <= '9'; }));
  // SHA-256 of "a" begins ca978112ca1bbdcafac231b39a23dc4d; with version 8 and variant 10 set:
  // ca978112-ca1b-8dca-bac2-31b39a23dc4d, in decimal by another program.
  CHECK(uid == "2.25.269291332083386009109803246294195412045");
}

TEST_CASE("DS fits its 16 bytes") {
  CHECK(decimal_string(10.00012345) == "10.0001");
  for (const double value : {1.0, 999999.99994, 1e6, 1e12, 123456.78}) {
    CHECK(decimal_string(value).size() <= 16);
  }
}

// ---- encapsulation

TEST_CASE("one frame: an empty Basic Offset Table, the fragment, the delimiter (PS3.5 table A.4-1)") {
  const Encapsulation one({4});
  CHECK(one.head() == hex("E07F1000 4F42 0000 FFFFFFFF FEFF00E0 00000000"));
  CHECK(Encapsulation::fragment_header(4) == hex("FEFF00E0 04000000"));
  CHECK(Encapsulation::fragment_header(5) == hex("FEFF00E0 06000000"));
  CHECK(Encapsulation::sequence_end() == hex("FEFFDDE0 00000000"));
  CHECK(one.total_bytes() == 20 + 8 + 4 + 8);
}

TEST_CASE("frames: offsets from the first item's tag (PS3.5 A.4)") {
  const Encapsulation three({0x2C8, 0x24B, 2});
  CHECK(three.head() == hex("E07F1000 4F42 0000 FFFFFFFF FEFF00E0 0C000000"
                            "00000000 D0020000 24050000"));
  CHECK(three.total_bytes() == 20 + 12 + 3 * 8 + 0x2C8 + 0x24C + 2 + 8);
  CHECK(Encapsulation::total_bytes(3, 0x2C8 + 0x24C + 2) == three.total_bytes());
}

TEST_CASE("offsets beyond 32 bits go to the extended tables, the basic one stays empty") {
  const std::int64_t large = (std::int64_t{1} << 32) - 6;
  const Encapsulation two({large, 3});
  CHECK(two.head() == hex("E07F0100 4F56 0000 10000000 0000000000000000 0200000001000000"
                          "E07F0200 4F56 0000 10000000 FAFFFFFF00000000 0300000000000000"
                          "E07F1000 4F42 0000 FFFFFFFF FEFF00E0 00000000"));
  CHECK(two.total_bytes() == Encapsulation::total_bytes(2, large + 4));
  CHECK(two.total_bytes() == static_cast<std::int64_t>(two.head().size()) + 16 + large + 4 + 8);
}

namespace {

std::vector<std::size_t> fragment_counts(const std::string& syntax, int frames,
                                         const std::vector<Buffer>& items, const Buffer& extra = {}) {
  Picture picture;
  picture.frames = frames;
  const Encoder e;
  Buffer joined;
  for (const Buffer& item : items) joined = joined + e.item(item);
  const Buffer file = part10(syntax, picture_elements(picture, e) + extra +
                                         e.undefined({0x7FE0, 0x0010}, "OB", joined));
  std::vector<std::size_t> counts;
  for (const auto& frame : frame_fragments(DataSet(file), frames)) counts.push_back(frame.size());
  return counts;
}

constexpr const char* kJ2k = "1.2.840.10008.1.2.4.90";
constexpr const char* kRleSyntax = "1.2.840.10008.1.2.5";

}  // namespace

TEST_CASE("fragments are shared out by the Basic Offset Table, the extended one, or their beginnings") {
  const Buffer start = hex("FF4FFF51 0000");
  const Buffer more = hex("0000");
  using Counts = std::vector<std::size_t>;
  CHECK(fragment_counts(kJ2k, 1, {{}, start, more, more}) == Counts{3});
  CHECK(fragment_counts(kJ2k, 2, {{}, start, start}) == Counts{1, 1});
  // Two fragments of 6 and 2 bytes make the first frame: the second begins at 14 + 10 = 24.
  CHECK(fragment_counts(kJ2k, 2, {hex("00000000 18000000"), start, more, start}) == Counts{2, 1});
  CHECK(fragment_counts(kJ2k, 2, {{}, start, more, start, more}) == Counts{2, 2});
  const Buffer extended = kExplicitLittle.element({0x7FE0, 0x0001}, "OV",
                                                  hex("0000000000000000 0E00000000000000"));
  CHECK(fragment_counts(kRleSyntax, 2, {{}, start, more, more}, extended) == Counts{1, 2});

  const auto refused = [&](int frames, const std::vector<Buffer>& items, const char* part) {
    check_refuses(ErrorCode::kMalformed, part, [&] { (void)fragment_counts(kJ2k, frames, items); });
  };
  refused(3, {{}, start, start}, "3, the pixel data holds 2");
  refused(2, {hex("00000000 17000000"), start, more, start}, "does not point at fragments");
  refused(2, {{}, start, more, more}, "do not show where");
  refused(1, {}, "without a Basic Offset Table");
  refused(1, {{}}, "without fragments");
}

// ---- image description

TEST_CASE("an image is described as its header says") {
  Picture picture;
  picture.rows = 3;
  picture.columns = 5;
  picture.is_signed = true;
  picture.frames = 2;
  const Buffer file = picture_file(picture, Buffer(60, 0));
  const ImageDescription image = describe_image(DataSet(file));
  CHECK(image.format.rows == 3);
  CHECK(image.format.columns == 5);
  CHECK(image.format.samples == 1);
  CHECK(image.format.bits_allocated == 16);
  CHECK(image.format.bits_stored == 12);
  CHECK(image.format.is_signed);
  CHECK(image.frames == 2);
  CHECK(image.photometric == "MONOCHROME2");
  CHECK(image.sop_instance_uid == "1.2.826.0.1.1");
}

TEST_CASE("a header that contradicts itself is refused") {
  const auto refused = [](ErrorCode code, const char* part, const auto& change) {
    Picture picture;
    change(picture);
    check_refuses(code, part, [&] {
      const Buffer file = picture_file(picture, Buffer(32, 0));
      (void)describe_image(DataSet(file));
    });
  };
  using enum ErrorCode;
  refused(kMalformed, "Rows is 0", [](Picture& p) { p.rows = 0; });
  refused(kMalformed, "BitsStored is 17", [](Picture& p) { p.bits_stored = 17; });
  refused(kUnsupported, "BitsAllocated is 32", [](Picture& p) { p.bits_allocated = 32; });
  refused(kUnsupported, "SamplesPerPixel is 4", [](Picture& p) { p.samples = 4; });
  refused(kMalformed, "MONOCHROME2 with SamplesPerPixel 3", [](Picture& p) { p.samples = 3; });
  refused(kMalformed, "RGB with SamplesPerPixel 1", [](Picture& p) { p.photometric = "RGB"; });
  refused(kMalformed, "NumberOfFrames is 0", [](Picture& p) { p.frames = 0; });
  refused(kMalformed, "NumberOfFrames is -1", [](Picture& p) { p.frames = -1; });
  const Buffer no_pixels = part10(kExplicit, picture_elements({}, {}));
  check_refuses(kMalformed, "not an image", [&] { (void)describe_image(DataSet(no_pixels)); });
  const Buffer floats = part10(kExplicit, picture_elements({}, {}) +
                                              kExplicitLittle.element({0x7FE0, 0x0008}, "OF", Buffer(64, 0)));
  check_refuses(kUnsupported, "floating-point", [&] { (void)describe_image(DataSet(floats)); });
}

// ---- frames

TEST_CASE("native frames are handed out as they are") {
  Picture picture;
  picture.rows = 1;
  picture.columns = 2;
  picture.frames = 2;
  const Buffer file = picture_file(picture, hex("01020304 05060708"));
  CHECK(frame_of(file, 0) == hex("01020304"));
  CHECK(frame_of(file, 1) == hex("05060708"));
  check_refuses(ErrorCode::kArgument, "frame 2 of 2", [&] { (void)frame_of(file, 2); });
}

TEST_CASE("big endian pixels become little endian: 16 bit by sample, 8 bit in OW by word") {
  Picture picture;
  picture.rows = 1;
  picture.columns = 2;
  CHECK(frame_of(picture_file(picture, hex("0102 0304"), kBigEndian, kExplicitBig)) == hex("0201 0403"));

  // Three 8-bit frames of three pixels, 1 ... 9: words run across the frames' borders.
  Picture odd;
  odd.rows = 1;
  odd.columns = 3;
  odd.frames = 3;
  odd.bits_allocated = odd.bits_stored = 8;
  const Encoder& e = kExplicitBig;
  const Buffer words = part10(kBigEndian, picture_elements(odd, e) +
                                              e.element({0x7FE0, 0x0010}, "OW", hex("0201 0403 0605 0807 0009")));
  CHECK(frame_of(words, 0) == hex("010203"));
  CHECK(frame_of(words, 1) == hex("040506"));
  CHECK(frame_of(words, 2) == hex("070809"));
  const Buffer bytes = part10(kBigEndian, picture_elements(odd, e) +
                                              e.element({0x7FE0, 0x0010}, "OB", hex("01020304050607080900")));
  CHECK(frame_of(bytes, 1) == hex("040506"));
}

TEST_CASE("planes are interleaved, YBR_FULL_422 pairs are spread (PS3.3 C.7.6.3.1.2)") {
  Picture planar;
  planar.rows = 1;
  planar.columns = 2;
  planar.samples = 3;
  planar.bits_allocated = planar.bits_stored = 8;
  planar.photometric = "RGB";
  planar.planar = 1;
  CHECK(frame_of(picture_file(planar, hex("0102 1112 2122"))) == hex("011121 021222"));
  Picture subsampled = planar;
  subsampled.planar = 0;
  subsampled.photometric = "YBR_FULL_422";
  const Buffer file = picture_file(subsampled, hex("01 02 80 90"));  // Y1 Y2 Cb Cr
  CHECK(frame_of(file) == hex("018090 028090"));
  const DataSet data_set(file);
  CHECK(FrameReader(data_set, describe_image(data_set)).photometric() == "YBR_FULL");
}

TEST_CASE("pixel data of the wrong size or kind is refused, surplus is reported") {
  Picture picture;
  const auto reader_of = [](const Buffer& file) {
    const DataSet data_set(file);
    return FrameReader(data_set, describe_image(data_set)).warnings();
  };
  check_refuses(ErrorCode::kMalformed, "holds 30 bytes",
                [&] { (void)reader_of(picture_file(picture, Buffer(30, 0))); });
  CHECK(reader_of(picture_file(picture, Buffer(32, 0))).empty());
  CHECK(reader_of(picture_file(picture, Buffer(40, 0))).size() == 1);
  check_refuses(ErrorCode::kMalformed, "with native",
                [&] { (void)reader_of(picture_file(picture, Buffer(32, 0), kJ2k)); });
  check_refuses(ErrorCode::kMalformed, "with encapsulated",
                [&] { (void)reader_of(encapsulated_file(picture, kExplicit, {{}, hex("0000")})); });
  check_refuses(ErrorCode::kUnsupported, "1.2.840.10008.1.2.4.100", [&] {
    (void)reader_of(encapsulated_file(picture, "1.2.840.10008.1.2.4.100", {{}, hex("0000")}));
  });
  // A reader that knew only the header's word would take 8 GB here.
  picture.rows = picture.columns = 65535;
  check_refuses(ErrorCode::kMalformed, "claims",
                [&] { (void)reader_of(encapsulated_file(picture, kRleSyntax, {{}, hex("0000")})); });
}

TEST_CASE("an RLE file's frames are decoded, and its stored bytes counted") {
  Picture picture;
  picture.rows = 1;
  picture.columns = 2;
  picture.frames = 2;
  picture.bits_allocated = picture.bits_stored = 8;
  Buffer frame = hex("01000000 40000000");
  frame.resize(64);
  const Buffer file = encapsulated_file(picture, kRleSyntax, {{}, frame + hex("FF11"), frame + hex("0122 33 00")});
  CHECK(frame_of(file, 0) == hex("1111"));
  CHECK(frame_of(file, 1) == hex("2233"));
  const DataSet data_set(file);
  const FrameReader reader(data_set, describe_image(data_set));
  CHECK(reader.stored_bytes() == 66 + 68);
  CHECK(reader.lossy_method().empty());
}

#include "rewriting.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "dicom/derivation.h"

using namespace spinekit;
using namespace spinekit::testing;

TEST_CASE("explicit VR is rewritten byte for byte") {
  const Encoder& e = kExplicitLittle;
  const Buffer item =
      e.text({0x0008, 0x1150}, "UI", "1.2.3") + e.element({0x0009, 0x1001}, "OB", hex("01"));
  const Buffer body =
      e.element({0x0008, 0x0005}, "CS", chars("ISO_IR 192")) +
      e.element({0x0008, 0x1140}, "SQ", e.item(item) + e.undefined_item(item)) +
      e.undefined({0x0008, 0x1199}, "SQ", e.item({}) + e.item(item)) +
      e.element({0x0009, 0x0010}, "LO", chars("ODD")) +
      e.element({0x0010, 0x0010}, "PN", hex("C3A45E42")) +
      e.undefined({0x0011, 0x1001}, "UN", kImplicitLittle.item(hex("0800500102000000 3100"))) +
      hex("21000210 5A5A 0000 02000000 4142");  // unknown VRs have the long form
  CHECK(rewritten(kExplicit, body) == body);
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
      {{0x0008, 0x0018}, "UI", "312E3200"},          // SOPInstanceUID
      {{0x0008, 0x0020}, "DA", "3230323030313031"},  // StudyDate
      {{0x0010, 0x0010}, "PN", "415E4220"},          // PatientName
      {{0x0010, 0x1010}, "AS", "30343559"},          // PatientAge
      {{0x0018, 0x0050}, "DS", "312E3235"},          // SliceThickness
      {{0x0018, 0x9087}, "FD", "0000000000408F40"},  // DiffusionBValue
      {{0x0020, 0x0013}, "IS", "3120"},              // InstanceNumber
      {{0x0020, 0x4000}, "LT", "6869"},              // ImageComments
      {{0x0028, 0x0009}, "AT", "18006310"},          // FrameIncrementPointer
      {{0x0028, 0x0010}, "US", "0002"},              // Rows
      {{0x0040, 0xA160}, "UT", "6869"},              // TextValue
      {{0x5000, 0x3000}, "OW", "0100"},              // CurveData
      {{0x6002, 0x0010}, "US", "0002"},              // OverlayRows of the second overlay
      {{0x6002, 0x3000}, "OW", "0100"},              // OverlayData of the second overlay
      {{0x7777, 0x0010}, "LO", "4142"},              // a private creator
      {{0x7778, 0x0010}, "UN", "4142"},              // in no dictionary
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
             e.element({0x0040, 0x9096}, "SQ",
                       e.item(e.element({0x0040, 0x9216}, vr, hex("0080"))));
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
    const Buffer leaf =
        e.text({0x0008, 0x1150}, "UI", "1.2") + e.text({0x0008, 0x1155}, "UI", "1.3");
    const Buffer purpose =
        e.element({0x0040, 0xA170}, "SQ", e.item(e.text({0x0008, 0x0100}, "SH", "X")));
    return e.element({0x0008, 0x1140}, "SQ", e.item(leaf) + e.undefined_item(leaf + purpose)) +
           e.undefined({0x0008, 0x2112}, "SQ", e.item(leaf + purpose) + e.undefined_item({}));
  };
  check_implicit_becomes(body(kImplicitLittle), body(kExplicitLittle));
}

TEST_CASE("big endian values are turned by their VR, at every depth") {
  const auto body = [](const Encoder& e) {
    const Buffer numbers =
        e.element({0x0018, 0x9087}, "FD", e.number(0x408F400000000000ULL, 8)) +
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
    return e.element(
        {0x5200, 0x9230}, "SQ",
        e.item(e.element({0x0018, 0x9226}, "SQ", e.item(e.text({0x0008, 0x9007}, "CS", type)))));
  };
  const Buffer file =
      part10(kExplicit, e.text({0x0008, 0x0018}, "UI", "1.2") +
                            e.text({0x0010, 0x0010}, "PN", "A") + groups("ORIGINAL\\PRIMARY"));
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
  CHECK(uid == "2.25.269290709893686844195134956664967650381");
}

TEST_CASE("DS fits its 16 bytes") {
  CHECK(decimal_string(10.00012345) == "10.0001");
  for (const double value : {1.0, 999999.99994, 1e6, 1e12, 123456.78}) {
    CHECK(decimal_string(value).size() <= 16);
  }
}

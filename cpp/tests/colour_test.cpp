#include <array>
#include <cmath>

#include "deflated.h"
#include "dicom_bytes.h"
#include "spinekit/series.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr Encoder kLittle{true, false};
constexpr Encoder kBig{true, true};

StoredFrame decoded(const Buffer& file, std::int64_t index = 0) {
  const DicomFile dicom(std::make_shared<MemorySource>(file));
  const ImageHeader header = read_image_header(dicom.data_set());
  StoredFrame frame;
  decode_frame(dicom, index, 0, header.frames.at(static_cast<std::size_t>(index)), frame);
  return frame;
}

Picture row_of(int columns, int bits, bool is_signed = false) {
  Picture p;
  p.rows = 1;
  p.columns = columns;
  p.bits_allocated = p.bits_stored = bits;
  p.is_signed = is_signed;
  return p;
}

// A picture of one row with lookup tables for red, green, blue: PS3.3 C.7.9.
Buffer palette_file(Picture p, const Buffer& pixels, std::array<int, 3> descriptor,
                    const std::array<Buffer, 3>& tables, const Encoder& e = kLittle) {
  p.photometric = "PALETTE COLOR";
  Buffer body = picture_elements(p, e);
  for (std::uint16_t c = 0; c < 3; ++c) {
    Buffer value;
    for (const int word : descriptor) {
      value = value + e.number(static_cast<std::uint16_t>(word), 2);
    }
    body = body + e.element({0x0028, static_cast<std::uint16_t>(0x1101 + c)}, "US", value);
  }
  for (std::uint16_t c = 0; c < 3; ++c) {
    const Tag tag{0x0028, static_cast<std::uint16_t>(0x1201 + c)};
    if (!tables[c].empty()) body = body + e.element(tag, "OW", tables[c]);
  }
  const char* syntax = e.big_endian ? kBigEndian : kExplicit;
  return part10(syntax,
                body + e.element({0x7FE0, 0x0010}, p.bits_allocated > 8 ? "OW" : "OB", pixels));
}

void check_palette(const Buffer& file, const Buffer& rgb) {
  const StoredFrame frame = decoded(file);
  CHECK(frame.bytes == rgb);
  CHECK(frame.type == VoxelType::kUint8);
  CHECK(frame.samples == 3);
  CHECK(frame.slope == 1);
  CHECK(frame.intercept == 0);
}

}  // namespace

TEST_CASE("YBR_FULL becomes the RGB that PS3.3 C.7.6.3.1.2 makes it of") {
  Buffer ybr;
  Buffer rgb;
  for (int r = 0; r <= 255; r += 51) {
    for (int g = 0; g <= 255; g += 51) {
      for (int b = 0; b <= 255; b += 51) {
        const auto stored = [](double value) {
          return static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
        };
        ybr = ybr + Buffer{stored(.2990 * r + .5870 * g + .1140 * b),
                           stored(-.1687 * r - .3313 * g + .5000 * b + 128),
                           stored(.5000 * r - .4187 * g - .0813 * b + 128)};
        for (const int value : {r, g, b}) rgb.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  Picture p = row_of(216, 8);
  p.samples = 3;
  p.planar = 0;
  p.photometric = "YBR_FULL";
  const StoredFrame frame = decoded(picture_file(p, ybr));
  CHECK(frame.samples == 3);
  CHECK(frame.type == VoxelType::kUint8);
  REQUIRE(frame.bytes.size() == rgb.size());
  int most = 0;
  for (std::size_t i = 0; i < rgb.size(); ++i) {
    most = std::max(most, std::abs(int{frame.bytes[i]} - int{rgb[i]}));
  }
  CHECK(most <= 2);  // what rounding to bytes between them makes
  p.photometric = "RGB";
  CHECK(decoded(picture_file(p, ybr)).bytes == ybr);
}

TEST_CASE("YBR_FULL_422 is spread over its pixels, then made RGB") {
  Picture p = row_of(2, 8);
  p.samples = 3;
  p.planar = 0;
  p.photometric = "YBR_FULL_422";
  // Y 76 and 150 with the chroma of pure red.
  CHECK(decoded(picture_file(p, {76, 150, 85, 255})).bytes == Buffer{254, 0, 0, 255, 74, 74});
  CHECK(decoded(picture_file(p, {10, 200, 128, 128})).bytes == Buffer{10, 10, 10, 200, 200, 200});
}

TEST_CASE("a palette of 16-bit entries gives their high bytes, one of 8 bits two in a word") {
  const std::array<Buffer, 3> wide{hex("0001 FF7F 00FF"), hex("0010 0020 0030"),
                                   hex("FFFF 0000 0080")};
  const Buffer rgb = hex("01 10 FF  7F 20 00  FF 30 80");
  check_palette(palette_file(row_of(3, 8), hex("00010200"), {3, 0, 16}, wide), rgb);
  check_palette(palette_file(row_of(3, 16), hex("0000 0100 0200"), {3, 0, 16}, wide), rgb);
  const std::array<Buffer, 3> big{hex("0100 7FFF FF00"), hex("1000 2000 3000"),
                                  hex("FFFF 0000 8000")};
  check_palette(palette_file(row_of(3, 8), hex("00010200"), {3, 0, 16}, big, kBig), rgb);

  const std::array<Buffer, 3> packed{hex("017F FFEE"), hex("1020 30EE"), hex("FF00 80EE")};
  check_palette(palette_file(row_of(3, 8), hex("00010200"), {3, 0, 8}, packed), rgb);
  // In big endian words, too, the first entry is in the low byte.
  const std::array<Buffer, 3> swapped{hex("7F01 EEFF"), hex("2010 EE30"), hex("00FF EE80")};
  check_palette(palette_file(row_of(3, 8), hex("00010200"), {3, 0, 8}, swapped, kBig), rgb);
  // Some writers give each 8-bit entry a word.
  const std::array<Buffer, 3> words{hex("0100 7F00 FF00"), hex("1000 2000 3000"),
                                    hex("FF00 0000 8000")};
  check_palette(palette_file(row_of(3, 8), hex("00010200"), {3, 0, 8}, words), rgb);
}

TEST_CASE("values outside of the palette take its first or last entry (PS3.3 C.7.6.3.1.5)") {
  const std::array<Buffer, 3> tables{hex("0A0B 0CEE"), hex("1A1B 1CEE"), hex("2A2B 2CEE")};
  const Buffer rgb = hex("0A1A2A 0A1A2A 0B1B2B 0C1C2C 0C1C2C");
  // Unsigned: entries for 100, 101, 102. The fourth byte is no entry.
  check_palette(palette_file(row_of(5, 8), {0, 100, 101, 102, 255, 0}, {3, 100, 8}, tables), rgb);
  // Signed: for -1, 0, 1; the first value is signed as the pixels are.
  check_palette(palette_file(row_of(5, 8, true), {0x80, 0xFF, 0, 1, 127, 0}, {3, -1, 8}, tables),
                rgb);
  check_palette(
      palette_file(row_of(5, 16, true), hex("0080 FFFF 0000 0100 FF7F"), {3, -1, 8}, tables), rgb);
  // Of 16 bits without sign, beyond 32767.
  check_palette(palette_file(row_of(5, 16), hex("0000 60EA 61EA 62EA FFFF"), {3, 60000, 8}, tables),
                rgb);
  // No number of entries means 65536.
  Buffer table(std::size_t{65536} * 2);
  for (std::size_t i = 0; i < 65536; ++i) table[2 * i + 1] = static_cast<std::uint8_t>(i >> 8);
  check_palette(palette_file(row_of(2, 16), hex("0012 FFFF"), {0, 0, 16}, {table, table, table}),
                hex("121212 FFFFFF"));
}

TEST_CASE("palettes that are broken or segmented say so") {
  const Buffer table = hex("0102 0304");
  const auto refused = [](ErrorCode code, const char* part, const Buffer& file) {
    check_refuses(code, part, [&] { (void)decoded(file); });
  };
  using enum ErrorCode;
  const Picture p = row_of(2, 8);
  refused(kMalformed, "12 bits", palette_file(p, {0, 1}, {2, 0, 12}, {table, table, table}));
  refused(kMalformed, "a palette of 2 entries, its descriptor says 3",
          palette_file(p, {0, 1}, {3, 0, 16}, {table, table, table}));
  refused(kMalformed, "a palette of 4 entries, its descriptor says 65536",
          palette_file(p, {0, 1}, {0, 0, 8}, {table, table, table}));
  refused(kMalformed, "(0028,1103)", palette_file(p, {0, 1}, {4, 0, 8}, {table, table, {}}));
  Picture none = p;
  none.photometric = "PALETTE COLOR";
  refused(kMalformed, "(0028,1101)", picture_file(none, {0, 1}));
  const Buffer segmented = part10(kExplicit, picture_elements(none, kLittle) +
                                                 kLittle.element({0x0028, 0x1221}, "OW", table) +
                                                 kLittle.element({0x7FE0, 0x0010}, "OB", {0, 1}));
  refused(kUnsupported, "segmented", segmented);
}

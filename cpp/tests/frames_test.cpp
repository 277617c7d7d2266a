#include <doctest/doctest.h>

#include "dicom/encapsulation.h"
#include "dicom/frame_index.h"
#include "rewriting.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

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

TEST_CASE(
    "one frame: an empty Basic Offset Table, the fragment, the delimiter (PS3.5 table A.4-1)") {
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
                                         const std::vector<Buffer>& items,
                                         const Buffer& extra = {}) {
  Picture picture;
  picture.frames = frames;
  const Encoder e;
  Buffer joined;
  for (const Buffer& item : items) joined = joined + e.item(item);
  const Buffer file = part10(
      syntax, picture_elements(picture, e) + extra + e.undefined({0x7FE0, 0x0010}, "OB", joined));
  std::vector<std::size_t> counts;
  const DataSet data_set(file);
  const FrameReader reader(data_set, describe_image(data_set));
  for (int f = 0; f < frames; ++f) {
    const Extent extent = reader.extent(f);
    counts.push_back(fragments_in(data_set.body().subspan(static_cast<std::size_t>(extent.offset),
                                                          static_cast<std::size_t>(extent.length)))
                         .size());
  }
  return counts;
}

constexpr const char* kJ2k = "1.2.840.10008.1.2.4.90";
constexpr const char* kRleSyntax = "1.2.840.10008.1.2.5";

}  // namespace

TEST_CASE(
    "fragments are shared out by the Basic Offset Table, the extended one, or their beginnings") {
  const Buffer start = hex("FF4FFF51 0000");
  const Buffer more = hex("0000");
  using Counts = std::vector<std::size_t>;
  CHECK(fragment_counts(kJ2k, 1, {{}, start, more, more}) == Counts{3});
  CHECK(fragment_counts(kJ2k, 2, {{}, start, start}) == Counts{1, 1});
  // Two fragments of 6 and 2 bytes make the first frame: the second begins at 14 + 10 = 24.
  CHECK(fragment_counts(kJ2k, 2, {hex("00000000 18000000"), start, more, start}) == Counts{2, 1});
  CHECK(fragment_counts(kJ2k, 2, {{}, start, more, start, more}) == Counts{2, 2});
  const Buffer extended =
      kExplicitLittle.element({0x7FE0, 0x0001}, "OV", hex("0000000000000000 0E00000000000000"));
  CHECK(fragment_counts(kRleSyntax, 2, {{}, start, more, more}, extended) == Counts{1, 2});

  const auto refused = [&](int frames, const std::vector<Buffer>& items, const char* part) {
    check_refuses(ErrorCode::kMalformed, part, [&] { (void)fragment_counts(kJ2k, frames, items); });
  };
  refused(3, {{}, start, start}, "3, the pixel data holds 2");
  refused(2, {hex("00000000 17000000"), start, more, start}, "does not point at fragments");
  refused(2, {{}, start, more, more}, "do not show where");
  refused(1, {}, "is empty");
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
  const Buffer floats =
      part10(kExplicit, picture_elements({}, {}) +
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
  CHECK(frame_of(picture_file(picture, hex("0102 0304"), kBigEndian, kExplicitBig)) ==
        hex("0201 0403"));

  // Three 8-bit frames of three pixels, 1 ... 9: words run across the frames' borders.
  Picture odd;
  odd.rows = 1;
  odd.columns = 3;
  odd.frames = 3;
  odd.bits_allocated = odd.bits_stored = 8;
  const Encoder& e = kExplicitBig;
  const Buffer words =
      part10(kBigEndian, picture_elements(odd, e) +
                             e.element({0x7FE0, 0x0010}, "OW", hex("0201 0403 0605 0807 0009")));
  CHECK(frame_of(words, 0) == hex("010203"));
  CHECK(frame_of(words, 1) == hex("040506"));
  CHECK(frame_of(words, 2) == hex("070809"));
  const Buffer bytes =
      part10(kBigEndian, picture_elements(odd, e) +
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
  check_refuses(ErrorCode::kMalformed, "with encapsulated", [&] {
    (void)reader_of(encapsulated_file(picture, kExplicit, {{}, hex("0000")}));
  });
  check_refuses(ErrorCode::kUnsupported, "1.2.840.10008.1.2.4.100", [&] {
    (void)reader_of(encapsulated_file(picture, "1.2.840.10008.1.2.4.100", {{}, hex("0000")}));
  });
  // A reader that knew only the header's word would take 8 GB here.
  picture.rows = picture.columns = 65535;
  check_refuses(ErrorCode::kMalformed, "claims", [&] {
    (void)reader_of(encapsulated_file(picture, kRleSyntax, {{}, hex("0000")}));
  });
}

TEST_CASE("an RLE file's frames are decoded, and its stored bytes counted") {
  Picture picture;
  picture.rows = 1;
  picture.columns = 2;
  picture.frames = 2;
  picture.bits_allocated = picture.bits_stored = 8;
  Buffer frame = hex("01000000 40000000");
  frame.resize(64);
  const Buffer file =
      encapsulated_file(picture, kRleSyntax, {{}, frame + hex("FF11"), frame + hex("0122 33 00")});
  CHECK(frame_of(file, 0) == hex("1111"));
  CHECK(frame_of(file, 1) == hex("2233"));
  const DataSet data_set(file);
  const FrameReader reader(data_set, describe_image(data_set));
  CHECK(reader.stored_bytes() == 66 + 68);
  CHECK(reader.lossy_method().empty());
}

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>

#include "spinekit/sha256.h"
#include "transcoding.h"

using namespace spinekit;
using namespace spinekit::testing;

TEST_CASE("lossless J2K keeps every sample, the UID and every other element") {
  struct Case {
    int allocated;
    int stored;
    bool is_signed;
    int samples;
    const char* photometric;
    const char* written;
  };
  for (const Case& c :
       {Case{16, 12, false, 1, "MONOCHROME2", "MONOCHROME2"},
        Case{16, 12, true, 1, "MONOCHROME2", "MONOCHROME2"},
        Case{16, 16, true, 1, "MONOCHROME1", "MONOCHROME1"},
        Case{16, 16, false, 1, "MONOCHROME2", "MONOCHROME2"},
        Case{8, 8, false, 1, "PALETTE COLOR", "PALETTE COLOR"},
        Case{8, 8, false, 3, "RGB", "YBR_RCT"}, Case{8, 8, false, 3, "YBR_FULL", "YBR_FULL"}}) {
    CAPTURE(c.photometric);
    CAPTURE(c.stored);
    Picture picture = square(33);
    picture.bits_allocated = c.allocated;
    picture.bits_stored = c.stored;
    picture.is_signed = c.is_signed;
    picture.samples = c.samples;
    picture.photometric = c.photometric;
    if (c.samples == 3) picture.planar = 0;
    const Encoder e;
    picture.extra = e.text({0x0009, 0x0010}, "LO", "PRIVATE") +
                    e.element({0x0009, 0x1001}, "UN", hex("00FF")) +
                    e.text({0x0010, 0x0010}, "PN", "A^B");
    const Buffer pixels = scan(picture);
    const Buffer source = picture_file(picture, pixels);
    const Result result = run(source, {});
    CHECK(result.report.lossless);
    CHECK(result.report.verified);
    CHECK_FALSE(result.report.derived);
    CHECK(result.report.encodes == 1);
    CHECK(result.report.differences.largest == 0);
    CHECK(result.report.differences.count ==
          static_cast<std::int64_t>(pixels.size()) / (c.allocated / 8));
    CHECK(result.report.structural_similarity == 1.0);
    CHECK(result.report.target_bytes == static_cast<std::int64_t>(result.file.size()));
    CHECK(result.report.target_sha256 == sha256_hex(result.file));
    CHECK(result.report.source_sha256 == sha256_hex(source));
    CHECK(result.report.pixel_sha256 == sha256_hex(pixels));
    CHECK(pixels_of(result.file) == pixels);
    const DataSet before(source);
    const DataSet after(result.file);
    CHECK(after.syntax().uid == kLosslessUid);
    CHECK(after.text({0x0028, 0x0004}) == c.written);
    for (const Element& element : before.elements()) {
      if (element.tag == Tag{0x0028, 0x0004} || element.tag == Tag{0x7FE0, 0x0010}) continue;
      const Element* kept = after.find(element.tag);
      REQUIRE(kept != nullptr);
      CHECK(copy_of(after.value(*kept)) == copy_of(before.value(element)));
    }
    // And back again
    const Result native = run(result.file, to_native());
    CHECK(native.report.target_transfer_syntax == kExplicit);
    CHECK(pixels_of(native.file) == pixels);
    CHECK(DataSet(native.file).text({0x0028, 0x0004}) == c.photometric);
  }
}

TEST_CASE("SHA-256 of FIPS 180-4's example") {
  CHECK(sha256_hex(chars("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("frames stand where the Basic Offset Table says, each in one even fragment") {
  const Picture picture = square(20, 5);
  const Buffer pixels = scan(picture);
  const Result result = run(picture_file(picture, pixels), {});
  CHECK(pixels_of(result.file) == pixels);
  const DataSet data_set(result.file);
  const Bytes value = data_set.value(*data_set.find({0x7FE0, 0x0010}));
  const auto u32 = [&](std::size_t at) {
    return static_cast<std::size_t>(value[at]) | static_cast<std::size_t>(value[at + 1]) << 8 |
           static_cast<std::size_t>(value[at + 2]) << 16 |
           static_cast<std::size_t>(value[at + 3]) << 24;
  };
  REQUIRE(u32(4) == 20);
  const std::size_t first = 8 + 20;
  std::size_t at = first;
  for (std::size_t f = 0; f < 5; ++f) {
    CHECK(u32(8 + 4 * f) == at - first);
    CHECK(u32(at) == 0xE000FFFE);
    CHECK(u32(at + 4) % 2 == 0);
    CHECK(u32(at + 8) == 0x51FF4FFF);  // SOC, SIZ
    at += 8 + u32(at + 4);
  }
  CHECK(at == value.size());
}

TEST_CASE("native frames of odd size follow each other; only the end is padded") {
  Picture picture = square(3, 3);
  picture.bits_allocated = picture.bits_stored = 8;
  const Buffer pixels = scan(picture, 2);
  REQUIRE(pixels.size() == 27);
  const Result packed = run(picture_file(picture, pixels), {});
  const Result native = run(packed.file, to_native());
  const DataSet data_set(native.file);
  const Element* element = data_set.find({0x7FE0, 0x0010});
  REQUIRE(element != nullptr);
  CHECK(element->vr == Vr("OB"));
  CHECK(copy_of(data_set.value(*element)) == pixels + Buffer(1, 0));
}

TEST_CASE("the result is the same for any number of workers") {
  const Picture picture = square(48, 7);
  const Buffer source = picture_file(picture, scan(picture));
  for (const TranscodeOptions& options :
       {TranscodeOptions{}, to_ratio(6), to_native(), to_quality(60)}) {
    const Result one = run(source, options, 1);
    for (const int workers : {2, 8}) {
      const Result many = run(source, options, workers);
      CHECK(many.file == one.file);
      CHECK(many.report.pixel_sha256 == one.report.pixel_sha256);
      CHECK(many.report.differences.sum_squared == one.report.differences.sum_squared);
      CHECK(many.report.structural_similarity == one.report.structural_similarity);
    }
  }
}

// ---- what headers do not tell

TEST_CASE("missing sign extension is mended") {
  Picture picture = square(2);
  picture.is_signed = true;
  const Buffer source =
      picture_file(picture, hex("FF0F 0008 FF07 0000"));  // 4095 for -1, 2048 for -2048
  const Result result = run(source, {});
  CHECK(pixels_of(result.file) == hex("FFFF 00F8 FF07 0000"));
  CHECK(result.report.lossless);
  REQUIRE(result.report.warnings.size() == 1);
  CHECK(result.report.warnings.front().find("sign bit") != std::string::npos);
  CHECK(DataSet(result.file).integer({0x0028, 0x0101}) == 12);
}

TEST_CASE("BitsStored is widened to what the samples need") {
  Picture picture = square(2);
  const Result plain = run(picture_file(picture, hex("0000 0100 FF0F 0200")), {});
  CHECK(plain.report.bits_stored == 12);
  CHECK(plain.report.warnings.empty());
  const Result wider = run(picture_file(picture, hex("0000 0100 0010 0200")), {});  // 4096
  CHECK(wider.report.bits_stored == 13);
  CHECK(pixels_of(wider.file) == hex("0000 0100 0010 0200"));
  const DataSet data_set(wider.file);
  CHECK(data_set.integer({0x0028, 0x0101}) == 13);
  CHECK(data_set.integer({0x0028, 0x0102}) == 12);
  picture.is_signed = true;
  const Result padding = run(picture_file(picture, hex("00F0 0100 FF07 0200")), {});  // -4096
  CHECK(padding.report.bits_stored == 13);
  CHECK(pixels_of(padding.file) == hex("00F0 0100 FF07 0200"));
}

TEST_CASE("an overlay in the high bits is not taken for samples") {
  const Picture picture = square(2);
  const Encoder e;
  const Buffer source =
      part10(kExplicit, picture_elements(picture, e) + e.us({0x6000, 0x0100}, 16) +
                            e.us({0x6000, 0x0102}, 12) +
                            e.element({0x7FE0, 0x0010}, "OW", hex("0010 0000 0000 0000")));
  check_refused(ErrorCode::kUnsupported, "overlay", source, {});
}

TEST_CASE("implicit VR and big endian become explicit little endian with the same samples") {
  const Picture picture = square(24);
  const Buffer pixels = scan(picture);
  const Result from_implicit = run(picture_file(picture, pixels, kImplicit, {false, false}), {});
  CHECK(pixels_of(from_implicit.file) == pixels);
  Buffer turned = pixels;
  for (std::size_t i = 0; i < turned.size(); i += 2) std::swap(turned[i], turned[i + 1]);
  const Result from_big = run(picture_file(picture, turned, kBigEndian, {true, true}), {});
  CHECK(pixels_of(from_big.file) == pixels);
  CHECK(from_big.file == from_implicit.file);
}

// ---- failures

TEST_CASE("a ratio that the header alone exceeds is refused with a ratio that may work") {
  Picture picture = square(64);
  const Encoder e;
  picture.extra = e.element({0x0009, 0x1001}, "UN", Buffer(2000, 1));
  check_refused(ErrorCode::kArgument, "the header alone takes",
                picture_file(picture, scan(picture, 64)), to_ratio(20));
}

TEST_CASE("options out of range are refused") {
  const Buffer source = picture_file(square(8), scan(square(8)));
  for (const double ratio : {0.0, 1.0, -3.0, 1e9, std::nan("")}) {
    check_refused(ErrorCode::kArgument, "ratio", source, to_ratio(ratio));
  }
  for (const double quality : {0.0, 101.0, std::nan("")}) {
    check_refused(ErrorCode::kArgument, "quality", source, to_quality(quality));
  }
}

TEST_CASE("a damaged frame is named, and nothing is left") {
  Picture picture = square(4, 3);
  picture.bits_allocated = picture.bits_stored = 8;
  Buffer frame = hex("01000000 40000000");
  frame.resize(64);
  const Buffer good = frame + hex("F100");
  const Buffer source =
      encapsulated_file(picture, "1.2.840.10008.1.2.5", {{}, good, good, frame + hex("FF00")});
  check_refused(ErrorCode::kMalformed, "'source': frame 2: RLE", source, {});
}

TEST_CASE("a cancelled job leaves nothing") {
  const Folder folder;
  Executor executor(2);
  CancelToken cancel;
  cancel.cancel();
  const Picture picture = square(16, 4);
  check_refuses(ErrorCode::kCancelled, "cancelled", [&] {
    (void)transcode(picture_file(picture, scan(picture)), "source", folder.file("out.dcm"), {},
                    executor, cancel);
  });
  CHECK(folder.entries() == 0);
}

TEST_CASE("an existing target stays as it is") {
  const Folder folder;
  std::ofstream(folder.file("out.dcm")) << "old";
  Executor executor(1);
  const Buffer source = picture_file(square(8), scan(square(8)));
  const auto write = [&](bool overwrite) {
    TranscodeOptions options;
    options.overwrite = overwrite;
    (void)transcode(source, "source", folder.file("out.dcm"), options, executor, CancelToken());
  };
  check_refuses(ErrorCode::kResource, "overwrite", [&] { write(false); });
  CHECK(read_file(folder.file("out.dcm")) == chars("old"));
  write(true);
  const Buffer replaced = read_file(folder.file("out.dcm"));
  CHECK(DataSet(replaced).elements().size() > 5);
  CHECK(folder.entries() == 1);
}

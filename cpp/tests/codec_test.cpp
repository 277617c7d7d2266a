#include "spinekit/codec.h"

#include <charls/charls.h>
#include <doctest/doctest.h>

#include <cmath>

#include "codec/j2k_header.h"
#include "dicom_bytes.h"
#include "frames.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

Buffer encoded_jpegls(const Buffer& frame, const FrameFormat& format, int near,
                      charls::interleave_mode mode) {
  charls::jpegls_encoder encoder;
  encoder.frame_info({static_cast<std::uint32_t>(format.columns),
                      static_cast<std::uint32_t>(format.rows), format.bits_stored, format.samples});
  encoder.near_lossless(near);
  encoder.interleave_mode(mode);
  Buffer out(encoder.estimated_destination_size());
  encoder.destination(out);
  out.resize(encoder.encode(frame));
  return out;
}

// Annex H.3 of ISO/IEC 14495-1: a 4 x 4 picture and its codestream.
const char* const kJpegLsExample =
    "FFD8 FFF7 000B 08 0004 0004 01 01 11 00 FFDA 0008 01 01 00 00 00 00"
    "C000006C80208E01C0000057400000 6EE6000001BC18000005D8000091 60 FFD9";

}  // namespace

TEST_CASE("a frame's size is the product of its sides, and no product overflows") {
  CHECK(format_of(512, 512, 1, 16, 12, true).byte_count() == 524288);
  CHECK(format_of(3, 5, 3, 8, 8, false).byte_count() == 45);
  CHECK_THROWS_AS(
      (void)format_of(std::int64_t{1} << 40, std::int64_t{1} << 40, 1, 8, 8, false).byte_count(),
      Error);
  CHECK(checked_product(std::int64_t{1} << 31, std::int64_t{1} << 31, "x") == std::int64_t{1}
                                                                                  << 62);
  CHECK_THROWS_AS(checked_product(-1, 1, "x"), Error);
}

// ---- RLE

TEST_CASE("RLE decodes the PackBits example of Apple's technical note 1023") {
  const Buffer segment = hex("FEAA 0280002A FDAA 0380002A22 F7AA");
  const Buffer expected = hex("AAAAAA 80002A AAAAAAAA 80002A22 AAAAAAAAAAAAAAAAAAAA");
  Buffer frame = hex("01000000 40000000");
  frame.resize(64);
  Buffer out(24);
  decode_rle(frame + segment, format_of(2, 12, 1, 8, 8, false), out);
  CHECK(out == expected);
}

TEST_CASE("RLE planes hold the most significant byte first (PS3.5 G.2)") {
  Buffer frame = hex("02000000 40000000 42000000");
  frame.resize(64);
  // 0x0A01, 0x0A02, 0x0A03: the high bytes are a run, the low bytes literals; -128 does nothing.
  frame = frame + hex("FE0A 80 02010203");
  frame[8] = 0x42;
  Buffer out(6);
  decode_rle(frame, format_of(1, 3, 1, 16, 12, false), out);
  CHECK(out == hex("010A 020A 030A"));
}

TEST_CASE("RLE colour is three planes, delivered interleaved") {
  Buffer frame = hex("03000000 40000000 42000000 44000000");
  frame.resize(64);
  frame = frame + hex("FF11 FF22 FF33");
  Buffer out(6);
  decode_rle(frame, format_of(1, 2, 3, 8, 8, false), out);
  CHECK(out == hex("112233 112233"));
}

TEST_CASE("RLE keeps to its frame when the last run is longer, refuses what is short or outside") {
  const FrameFormat format = format_of(1, 3, 1, 8, 8, false);
  Buffer head = hex("01000000 40000000");
  head.resize(64);
  Buffer out(3);
  decode_rle(head + hex("8177"), format, out);
  CHECK(out == hex("777777"));
  for (const char* const bad : {"", "FF77", "0277", "80", "05"}) {
    check_refuses(ErrorCode::kMalformed, "RLE", [&] { decode_rle(head + hex(bad), format, out); });
  }
  check_refuses(ErrorCode::kMalformed, "64-byte header",
                [&] { decode_rle(hex("01000000"), format, out); });
  Buffer two_planes = head;
  two_planes[0] = 2;
  check_refuses(ErrorCode::kMalformed, "2 segments", [&] { decode_rle(two_planes, format, out); });
  Buffer outside = head;
  outside[4] = 0xFF;
  check_refuses(ErrorCode::kMalformed, "outside", [&] { decode_rle(outside, format, out); });
}

// ---- J2K

TEST_CASE("J2K without loss gives back every sample") {
  for (const FrameFormat& format : formats()) {
    for (const bool color : {false, true}) {
      for (const bool bypass : {false, true}) {
        CAPTURE(format.columns);
        CAPTURE(format.bits_stored);
        CAPTURE(format.is_signed);
        const Buffer frame = test_frame(format);
        const Buffer codestream =
            encode_j2k(frame, format, {.color_transform = color, .bypass = bypass});
        CHECK(decoded_j2k(codestream, format) == frame);
      }
    }
  }
}

TEST_CASE("a J2K codestream states BitsStored as its precision and the sign (15444-1 table A.11)") {
  for (const FrameFormat& format : formats()) {
    const Buffer codestream = encode_j2k(test_frame(format), format, {.color_transform = true});
    const J2kHeader header = read_j2k_header(codestream);
    CHECK(header.rows == format.rows);
    CHECK(header.columns == format.columns);
    CHECK(header.components == format.samples);
    CHECK(header.precision == format.bits_stored);
    CHECK(header.is_signed == format.is_signed);
    CHECK(header.reversible);
    CHECK(header.color_transform == (format.samples == 3));
    CHECK_FALSE(header.high_throughput);
    // SOC, SIZ; Ssiz of the first component stands at byte 42.
    CHECK(Bytes(codestream).first(4).back() == 0x51);
    CHECK(codestream[42] == (format.bits_stored - 1) + (format.is_signed ? 128 : 0));
  }
}

TEST_CASE("J2K's rate control ends near the target") {
  const FrameFormat format = format_of(256, 256, 1, 16, 12, true);
  const Buffer frame = test_frame(format);
  for (const std::int64_t target : {4000, 9000, 20000}) {
    const Buffer codestream =
        encode_j2k(frame, format, {.reversible = false, .target_bytes = target});
    const auto size = static_cast<std::int64_t>(codestream.size());
    CHECK(size <= target + 24);
    CHECK(size >= target - 1024);
    CHECK_FALSE(read_j2k_header(codestream).reversible);
  }
}

TEST_CASE("J2K's quality is a PSNR") {
  const FrameFormat format = format_of(128, 128, 1, 16, 12, false);
  const Buffer frame = test_frame(format);
  const Buffer codestream = encode_j2k(frame, format, {.reversible = false, .quality = 50});
  const Buffer back = decoded_j2k(codestream, format);
  double squares = 0;
  for (std::size_t i = 0; i < frame.size(); i += 2) {
    const double d = (frame[i] | frame[i + 1] << 8) - (back[i] | back[i + 1] << 8);
    squares += d * d;
  }
  const double psnr = 10 * std::log10(4095.0 * 4095.0 / (squares / (128.0 * 128.0)));
  CHECK(psnr >= 49.5);
}

TEST_CASE("a codestream whose sign contradicts the header keeps its bits") {
  const FrameFormat coded = format_of(2, 2, 1, 16, 12, false);
  const Buffer frame = hex("FF0F 0008 FF07 0000");  // 4095, 2048, 2047, 0
  const Buffer codestream = encode_j2k(frame, coded, {});
  FrameFormat read = coded;
  read.is_signed = true;
  CHECK(decoded_j2k(codestream, read) == hex("FFFF 00F8 FF07 0000"));  // -1, -2048, 2047, 0
}

TEST_CASE("J2K is found inside a JP2 file") {
  const FrameFormat format = format_of(8, 8, 1, 8, 8, false);
  const Buffer frame = test_frame(format);
  const Buffer jp2 =
      hex("0000000C6A5020200D0A870A 00000000 6A703263") + encode_j2k(frame, format, {});
  CHECK(decoded_j2k(jp2, format) == frame);
}

TEST_CASE("J2K refuses what it was not promised") {
  const FrameFormat format = format_of(16, 16, 1, 8, 8, false);
  const Buffer codestream = encode_j2k(test_frame(format), format, {});
  Buffer out(static_cast<std::size_t>(format.byte_count()));
  std::vector<std::string> warnings;
  const auto decode_as = [&](const Buffer& bytes, const FrameFormat& as) {
    out.resize(static_cast<std::size_t>(as.byte_count()));
    decode_j2k(bytes, as, out, warnings);
  };
  check_refuses(ErrorCode::kMalformed, "16 x 16 x 1, the header says 16 x 15",
                [&] { decode_as(codestream, format_of(16, 15, 1, 8, 8, false)); });
  check_refuses(ErrorCode::kMalformed, "SOC", [&] { decode_as({}, format); });
  check_refuses(ErrorCode::kMalformed, "cut off",
                [&] { decode_as(copy_of(Bytes(codestream).first(60)), format); });
  const FrameFormat wide = format_of(16, 16, 1, 16, 12, false);
  const Buffer deep = encode_j2k(test_frame(wide), wide, {});
  check_refuses(ErrorCode::kMalformed, "12 bits", [&] { decode_as(deep, format); });
}

TEST_CASE("J2K headers that promise more than they hold are refused before the decoder sees them") {
  const auto siz = [](std::uint32_t columns, std::uint32_t rows, std::uint32_t tile) {
    const Encoder big{true, true};
    return hex("FF4F FF51 0029 0000") + big.number(columns, 4) + big.number(rows, 4) +
           hex("00000000 00000000") + big.number(tile, 4) + big.number(tile, 4) +
           hex("00000000 00000000 0001 07 01 01");
  };
  const Buffer qcd = hex("FF5C 0004 40 40");
  const Buffer plain_cod = hex("FF52 000C 00 00 0001 00 00 04 04 00 01");
  const Buffer end = hex("FF90 000A 0000 00000000 00 01 FF93 00 FFD9");
  const auto check_structure = [](const Buffer& bytes) { check_plausible_structure(bytes); };

  CHECK_NOTHROW(check_structure(siz(64, 64, 64) + plain_cod + qcd + end));
  // 2^32 tiles
  check_refuses(ErrorCode::kMalformed, "tiles",
                [&] { check_structure(siz(65535, 65535, 1) + plain_cod + qcd + end); });
  // Sides whose product overflows
  check_refuses(ErrorCode::kUnsupported, "65535",
                [&] { check_structure(siz(0xFFFFFFFFU, 0xFFFFFFFFU, 1) + plain_cod + qcd + end); });
  // Precincts of 1 x 1
  check_refuses(ErrorCode::kMalformed, "packets", [&] {
    check_structure(siz(2048, 2048, 2048) + hex("FF52 000D 01 00 0001 00 00 04 04 00 01 00") + qcd +
                    end);
  });
  // 65535 layers
  check_refuses(ErrorCode::kMalformed, "packets", [&] {
    check_structure(siz(2048, 2048, 2048) + hex("FF52 000C 00 00 FFFF 00 05 04 04 00 01") + qcd +
                    end);
  });
  // Code-blocks of 4 x 4
  check_refuses(ErrorCode::kMalformed, "code-blocks", [&] {
    check_structure(siz(2048, 2048, 2048) + hex("FF52 000C 00 00 0001 00 00 00 00 00 01") + qcd +
                    end);
  });
  // The same, but only in the header of a tile-part
  check_refuses(ErrorCode::kMalformed, "code-blocks", [&] {
    check_structure(siz(2048, 2048, 2048) + plain_cod + qcd +
                    hex("FF90 000A 0000 00000000 00 01 FF52 000C 00 00 0001 00 00 00 00 00 01"
                        "FF93 00 FFD9"));
  });
  // A tile that ends in front of the picture (15444-1 B-4)
  Buffer shifted = siz(100, 100, 10);
  shifted[4 + 4 + 8 + 3] = 50;  // XOsiz
  check_refuses(ErrorCode::kMalformed, "impossible",
                [&] { check_structure(shifted + plain_cod + end); });
}

// ---- JPEG-LS

TEST_CASE("JPEG-LS decodes the example of ISO/IEC 14495-1 annex H") {
  Buffer out(16);
  decode_jpegls(hex(kJpegLsExample), format_of(4, 4, 1, 8, 8, false), out);
  CHECK(out == Buffer{0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145});
  CHECK(jpegls_near(hex(kJpegLsExample)) == 0);
}

TEST_CASE("JPEG-LS gives back every sample, in each interleave") {
  using charls::interleave_mode;
  for (const FrameFormat& format : formats()) {
    if (format.bits_stored < 2) continue;  // JPEG-LS begins at 2 bits
    if (format.is_signed && format.bits_stored != format.bits_allocated) continue;
    CAPTURE(format.columns);
    const Buffer frame = test_frame(format);
    const auto mode = format.samples == 1 ? interleave_mode::none : interleave_mode::sample;
    Buffer out(frame.size());
    decode_jpegls(encoded_jpegls(frame, format, 0, mode), format, out);
    CHECK(out == frame);
    if (format.samples == 3) {
      decode_jpegls(encoded_jpegls(frame, format, 0, interleave_mode::line), format, out);
      CHECK(out == frame);
    }
  }
}

TEST_CASE("JPEG-LS planes are delivered interleaved") {
  const FrameFormat format = format_of(1, 2, 3, 8, 8, false);
  Buffer out(6);
  decode_jpegls(encoded_jpegls(hex("0102 1112 2122"), format, 0, charls::interleave_mode::none),
                format, out);
  CHECK(out == hex("011121 021222"));
}

TEST_CASE("JPEG-LS samples of a signed image are sign-extended from the coded precision") {
  FrameFormat format = format_of(2, 2, 1, 16, 12, false);
  const Buffer coded =
      encoded_jpegls(hex("FF0F 0008 FF07 0000"), format, 0, charls::interleave_mode::none);
  format.is_signed = true;
  Buffer out(8);
  decode_jpegls(coded, format, out);
  CHECK(out == hex("FFFF 00F8 FF07 0000"));
}

TEST_CASE("near-lossless JPEG-LS stays within NEAR and says so") {
  const FrameFormat format = format_of(31, 30, 1, 16, 16, false);
  const Buffer frame = test_frame(format);
  const Buffer codestream = encoded_jpegls(frame, format, 3, charls::interleave_mode::none);
  CHECK(jpegls_near(codestream) == 3);
  Buffer out(frame.size());
  decode_jpegls(codestream, format, out);
  int largest = 0;
  for (std::size_t i = 0; i < frame.size(); i += 2) {
    largest =
        std::max(largest, std::abs((frame[i] | frame[i + 1] << 8) - (out[i] | out[i + 1] << 8)));
  }
  CHECK(largest > 0);
  CHECK(largest <= 3);
}

TEST_CASE("JPEG-LS refuses damage; data that end within a scan end at once") {
  const FrameFormat format = format_of(64, 64, 1, 8, 8, false);
  Buffer out(std::size_t{64} * 64);
  // Found by fuzzing: CharLS 2.4 counted through 2^32 bits here.
  check_refuses(ErrorCode::kMalformed, "JPEG-LS", [&] {
    decode_jpegls(hex("FFD8 FFF7 000B 08 0040 0040 01 01 11 00 FFDA 0008 01 01 00 02 00 00"
                      "57FDFF7F0000 0071FF002D1C00D928"),
                  format, out);
  });
  const Buffer whole = encoded_jpegls(test_frame(format), format, 0, charls::interleave_mode::none);
  for (std::size_t size = 0; size + 3 < whole.size(); size += 37) {
    check_refuses(ErrorCode::kMalformed, "JPEG-LS",
                  [&] { decode_jpegls(Bytes(whole).first(size), format, out); });
  }
  check_refuses(ErrorCode::kMalformed, "64 x 64 x 1, the header says", [&] {
    Buffer other(std::size_t{64} * 63);
    decode_jpegls(whole, format_of(63, 64, 1, 8, 8, false), other);
  });
  check_refuses(ErrorCode::kMalformed, "JPEG-LS", [&] { (void)jpegls_near({}); });
}

TEST_CASE("a short codestream cannot claim a huge picture") {
  CHECK_NOTHROW(check_plausible_size(std::int64_t{8} << 20, 1));
  CHECK_NOTHROW(check_plausible_size(std::int64_t{1} << 30, std::int64_t{1} << 20));
  check_refuses(ErrorCode::kMalformed, "claims",
                [] { check_plausible_size(std::int64_t{1} << 30, 1000); });
}

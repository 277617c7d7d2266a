#include <doctest/doctest.h>

#include "codec/j2k_packets.h"
#include "dicom_bytes.h"
#include "frames.h"
#include "openjpeg.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

std::vector<FrameFormat> shapes() {
  std::vector<FrameFormat> out = formats();
  for (const auto& [rows, columns] : {std::pair{1, 8},
                                      {8, 1},
                                      {2, 2},
                                      {2, 65},
                                      {33, 2},
                                      {3, 3},
                                      {64, 64},
                                      {65, 129},
                                      {16, 700}}) {
    out.push_back(format_of(rows, columns, 1, 16, 12, false));
    out.push_back(format_of(rows, columns, 3, 8, 8, false));
  }
  for (int bits = 2; bits <= 16; ++bits) {
    out.push_back(format_of(40, 41, 1, bits > 8 ? 16 : 8, bits, bits % 2 == 0));
    out.push_back(format_of(40, 41, 1, 16, bits, bits % 2 == 1));
  }
  return out;
}

}  // namespace

TEST_CASE("HTJ2K without loss gives back every sample, here and from OpenJPEG") {
  for (const FrameFormat& format : shapes()) {
    CAPTURE(format.rows);
    CAPTURE(format.columns);
    CAPTURE(format.bits_stored);
    CAPTURE(format.is_signed);
    const Buffer frame = test_frame(format);
    for (const bool color : {false, true}) {
      const Buffer codestream = encode_htj2k(frame, format, color);
      CHECK(decoded_j2k(codestream, format) == frame);
      CHECK(decoded_by_openjpeg(codestream) == planes_of(frame, format));
    }
  }
}

TEST_CASE("an HTJ2K codestream is what transfer syntax .202 says: reversible, RPCL, with TLM") {
  for (const FrameFormat& format :
       {format_of(512, 512, 1, 16, 12, true), format_of(300, 200, 3, 8, 8, false)}) {
    const Buffer codestream = encode_htj2k(test_frame(format), format, true);
    const J2kHeader header = read_j2k_header(codestream);
    CHECK(header.high_throughput);
    CHECK(header.reversible);
    CHECK(header.precision == format.bits_stored);
    CHECK(header.is_signed == format.is_signed);
    CHECK(header.color_transform == (format.samples == 3));
    CHECK(header.decompositions == 5);
    const auto packets = j2k::read_packets(codestream);
    REQUIRE(packets.has_value());
    CHECK(packets->style.progression == 2);  // RPCL, table A.16
    const auto tlm = std::find_if(packets->main_header.begin(), packets->main_header.end(),
                                  [](const j2k::Segment& s) { return s.marker == 0xFF55; });
    REQUIRE(tlm != packets->main_header.end());
    // Ltlm 8, Ztlm 0, Stlm: no tile numbers, 4-byte lengths; then the length of the only tile-part.
    const auto header_bytes =
        static_cast<std::size_t>(packets->tiles[0].parts[0].data() - 14 - codestream.data());
    const Encoder big{true, true};
    CHECK(copy_of(tlm->bytes) ==
          hex("FF55 0008 00 40") + big.number(codestream.size() - 2 - header_bytes, 4));
  }
}

TEST_CASE("the lowest resolution of HTJ2K has at most 64 samples a side") {
  for (const auto& [rows, columns, levels] :
       {std::tuple{512, 512, 5}, {64, 64, 5}, {3000, 60, 6}, {20, 20, 4}, {1, 1, 0}, {1, 100, 1}}) {
    const FrameFormat format = format_of(rows, columns, 1, 8, 8, false);
    const Buffer codestream = encode_htj2k(test_frame(format), format, false);
    CHECK(read_j2k_header(codestream).decompositions == levels);
  }
}

TEST_CASE("JPEG-LS without loss gives back every sample") {
  for (const FrameFormat& format : shapes()) {
    CAPTURE(format.rows);
    CAPTURE(format.columns);
    CAPTURE(format.bits_stored);
    CAPTURE(format.is_signed);
    const Buffer frame = test_frame(format);
    if (format.bits_stored < 2 && !format.is_signed) {
      check_refuses(ErrorCode::kUnsupported, "begins at 2 bits",
                    [&] { (void)encode_jpegls(frame, format); });
      continue;
    }
    const Buffer codestream = encode_jpegls(frame, format);
    CHECK(jpegls_near(codestream) == 0);
    // SOI, SOF55: length, precision (14495-1 C.2.2).
    CHECK(copy_of(Bytes(codestream).first(4)) == hex("FFD8 FFF7"));
    CHECK(codestream[6] == (format.is_signed ? format.bits_allocated : format.bits_stored));
    Buffer out(frame.size());
    decode_jpegls(codestream, format, out);
    CHECK(out == frame);
  }
}

TEST_CASE("the encoders refuse a frame of another size") {
  const FrameFormat format = format_of(8, 8, 1, 8, 8, false);
  check_refuses(ErrorCode::kArgument, "63 bytes, expected 64",
                [&] { (void)encode_htj2k(Buffer(63), format, false); });
  check_refuses(ErrorCode::kArgument, "63 bytes, expected 64",
                [&] { (void)encode_jpegls(Buffer(63), format); });
}

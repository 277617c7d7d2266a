#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

// This header needs what the ones above declare.
#include <jpeglib.h>

#include "dicom/dicom_jpeg.h"
#include "dicom_bytes.h"
#include "frames.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

// ISO/IEC 10918-1 lossless, predictor 1, one Huffman code: every difference is 0, so that every
// sample is 2^(precision - 1) (H.1.2.1).
Buffer flat_lossless_jpeg(int precision, int rows, int columns) {
  const Encoder big{true, true};
  const auto bytes = static_cast<std::size_t>((rows * columns + 7) / 8);
  return hex("FFD8 FFC3 000B") + big.number(static_cast<std::uint64_t>(precision), 1) +
         big.number(static_cast<std::uint64_t>(rows), 2) +
         big.number(static_cast<std::uint64_t>(columns), 2) +
         hex("01 01 11 00 FFC4 0014 00 01000000000000000000000000000000 00"
             "FFDA 0008 01 01 00 01 00 00") +
         Buffer(bytes, 0) + hex("FFD9");
}

struct Coding {
  int quality = 100;
  bool progressive = false;
  int luma_sampling = 1;
};

// An encoder that stores the components as they are.
Buffer encoded(const Buffer& frame, const FrameFormat& format, const Coding& coding) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(format.columns);
  info.image_height = static_cast<JDIMENSION>(format.rows);
  info.input_components = format.samples;
  info.in_color_space = format.samples == 3 ? JCS_YCbCr : JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, coding.quality, TRUE);
  if (coding.progressive) jpeg_simple_progression(&info);
  info.comp_info[0].h_samp_factor = coding.luma_sampling;
  info.comp_info[0].v_samp_factor = coding.luma_sampling;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<std::uint8_t*>(frame.data()) +
                std::int64_t{info.next_scanline} * format.columns * format.samples;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  Buffer out(bytes, bytes + size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return out;
}

Buffer smooth_frame(const FrameFormat& format) {
  Buffer out;
  for (std::int64_t y = 0; y < format.rows; ++y) {
    for (std::int64_t x = 0; x < format.columns; ++x) {
      for (int c = 0; c < format.samples; ++c) {
        const double wave =
            std::sin(static_cast<double>(x) * 0.05 + c) * std::cos(static_cast<double>(y) * 0.04);
        out.push_back(static_cast<std::uint8_t>(128 + 100 * wave));
      }
    }
  }
  return out;
}

int largest_difference(const Buffer& a, const Buffer& b) {
  REQUIRE(a.size() == b.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

std::size_t start_of_scan_data(const Buffer& codestream) {
  for (std::size_t i = 0; i + 3 < codestream.size(); ++i) {
    if (codestream[i] == 0xFF && codestream[i + 1] == 0xDA) return i + 2 + codestream[i + 3];
  }
  return 0;
}

}  // namespace

TEST_CASE("lossless JPEG of equal differences is flat at half the range (10918-1 H.1.2.1)") {
  for (const int precision : {8, 12, 16}) {
    const FrameFormat format = format_of(5, 7, 1, precision > 8 ? 16 : 8, precision, false);
    Buffer out(static_cast<std::size_t>(format.byte_count()), 0x55);
    std::vector<std::string> warnings;
    decode_jpeg(flat_lossless_jpeg(precision, 5, 7), format, out, warnings);
    const int expected = 1 << (precision - 1);
    Buffer flat;
    for (int i = 0; i < 35; ++i) {
      flat.push_back(static_cast<std::uint8_t>(expected & 0xFF));
      if (precision > 8) flat.push_back(static_cast<std::uint8_t>(expected >> 8));
    }
    CHECK(out == flat);
  }
}

TEST_CASE("JPEG comments and application segments are passed over, junk is refused") {
  const FrameFormat format = format_of(5, 7, 1, 8, 8, false);
  const Buffer plain = flat_lossless_jpeg(8, 5, 7);
  const Buffer noted = hex("FFD8 FFE0 0004 4A46 FFFE 0004 6869") + copy_of(Bytes(plain).subspan(2));
  Buffer out(35);
  std::vector<std::string> warnings;
  decode_jpeg(noted, format, out, warnings);
  CHECK(out == Buffer(35, 128));
  const auto refused = [&](const Buffer& bytes, const char* part) {
    check_refuses(ErrorCode::kMalformed, part, [&] { decode_jpeg(bytes, format, out, warnings); });
  };
  refused({}, "SOI");
  refused(hex("FFD8 FFD9"), "without a scan");
  refused(hex("FFD8 00 00 FFD9"), "between two segments");
  refused(hex("FFD8 FFC3 FFFF 08"), "cut off");
  refused(flat_lossless_jpeg(8, 5, 8), "5 x 8 x 1");
  refused(flat_lossless_jpeg(12, 5, 7), "12 bits");
  refused(copy_of(Bytes(plain).first(plain.size() - 2)), "cut off");
  check_refuses(ErrorCode::kUnsupported, "marker", [&] {
    decode_jpeg(hex("FFD8 FFCA 000B 08 0005 0007 01 01 11 00 FFD9"), format, out, warnings);
  });
}

TEST_CASE("8-bit JPEG gives the components that were coded, whatever they mean") {
  for (const FrameFormat& format :
       {format_of(61, 77, 1, 8, 8, false), format_of(61, 77, 3, 8, 8, false),
        format_of(1, 1, 1, 8, 8, false)}) {
    const Buffer frame = smooth_frame(format);
    for (const bool progressive : {false, true}) {
      Buffer out(frame.size());
      std::vector<std::string> warnings;
      decode_jpeg(encoded(frame, format, {.progressive = progressive}), format, out, warnings);
      CHECK(warnings.empty());
      CHECK(largest_difference(out, frame) <= 2);
    }
  }
  const FrameFormat format = format_of(61, 77, 3, 8, 8, false);
  const Buffer frame = smooth_frame(format);
  Buffer out(frame.size());
  std::vector<std::string> warnings;
  decode_jpeg(encoded(frame, format, {.luma_sampling = 2}), format, out, warnings);
  CHECK(largest_difference(out, frame) <= 6);  // the chroma waves at half their resolution
}

TEST_CASE("8-bit JPEG fills 16-bit samples") {
  const FrameFormat narrow = format_of(20, 30, 1, 8, 8, false);
  FrameFormat wide = narrow;
  wide.bits_allocated = 16;
  const Buffer codestream = encoded(smooth_frame(narrow), narrow, {});
  Buffer small(static_cast<std::size_t>(narrow.byte_count()));
  Buffer large(static_cast<std::size_t>(wide.byte_count()));
  std::vector<std::string> warnings;
  decode_jpeg(codestream, narrow, small, warnings);
  decode_jpeg(codestream, wide, large, warnings);
  CHECK(values_of(small, narrow) == values_of(large, wide));
}

TEST_CASE("damage within the coded data of an 8-bit JPEG is an error, stray bytes are a warning") {
  const FrameFormat format = format_of(64, 64, 1, 8, 8, false);
  const Buffer codestream = encoded(test_frame(format), format, {.quality = 90});
  const std::size_t start = start_of_scan_data(codestream);
  Buffer out(static_cast<std::size_t>(format.byte_count()));
  std::vector<std::string> warnings;
  const auto refused = [&](const Buffer& bytes) {
    check_refuses(ErrorCode::kMalformed, "JPEG codestream does not decode: ", [&] {
      decode_jpeg(bytes, format, out, warnings);
    });
  };
  const std::size_t half = start + (codestream.size() - start) / 2;
  refused(copy_of(Bytes(codestream).first(half)) + hex("FFD9"));
  Buffer overwritten = codestream;
  for (std::size_t i = 0; i < 256; ++i) overwritten[half + i] = 0x00;
  refused(overwritten);
  CHECK(warnings.empty());
  decode_jpeg(copy_of(Bytes(codestream).first(codestream.size() - 2)) + hex("1234567890 FFD9"),
              format, out, warnings);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("extraneous bytes") != std::string::npos);
}

TEST_CASE("JPEG of more scans than encoders write is refused") {
  const FrameFormat format = format_of(8, 8, 1, 8, 8, false);
  const Buffer codestream = encoded(test_frame(format), format, {.progressive = true});
  const std::size_t scan = start_of_scan_data(codestream) - 10;
  Buffer many = copy_of(Bytes(codestream).first(codestream.size() - 2));
  for (int i = 0; i < 200; ++i) many = many + copy_of(Bytes(codestream).subspan(scan, 11));
  Buffer out(64);
  std::vector<std::string> warnings;
  check_refuses(ErrorCode::kMalformed, "more than 128 scans",
                [&] { decode_jpeg(many + hex("FFD9"), format, out, warnings); });
}

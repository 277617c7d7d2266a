#include "codec/htj2k.h"

#include <doctest/doctest.h>
#include <openjph/ojph_arch.h>
// These headers need what the first one declares.
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

#include <cstdlib>

#include "dicom_bytes.h"
#include "frames.h"
#include "openjpeg.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

struct Style {
  bool reversible = true;
  const char* progression = "RPCL";
  ojph::ui32 levels = 5;
  ojph::ui32 block = 64;
  ojph::ui32 precinct = 0;
  ojph::ui32 tile = 0;
};

// An encoder whose every switch can be set: OpenJPH's own.
Buffer encoded(const Buffer& frame, const FrameFormat& format, const Style& style) {
  ojph::codestream codestream;
  const auto width = static_cast<ojph::ui32>(format.columns);
  const auto height = static_cast<ojph::ui32>(format.rows);
  ojph::param_siz siz = codestream.access_siz();
  siz.set_image_extent(ojph::point(width, height));
  if (style.tile > 0) siz.set_tile_size(ojph::size(style.tile, style.tile));
  siz.set_num_components(static_cast<ojph::ui32>(format.samples));
  for (int c = 0; c < format.samples; ++c) {
    siz.set_component(static_cast<ojph::ui32>(c), ojph::point(1, 1),
                      static_cast<ojph::ui32>(format.bits_stored), format.is_signed);
  }
  ojph::param_cod cod = codestream.access_cod();
  cod.set_num_decomposition(style.levels);
  cod.set_block_dims(style.block, style.block);
  cod.set_progression_order(style.progression);
  cod.set_color_transform(format.samples == 3);
  cod.set_reversible(style.reversible);
  if (style.precinct > 0) {
    std::array<ojph::size, 2> sizes{ojph::size(2 * style.precinct, style.precinct),
                                    ojph::size(style.precinct, style.precinct)};
    cod.set_precinct_size(2, sizes.data());
  }
  if (!style.reversible) codestream.access_qcd().set_irrev_quant(0.0005F);
  ojph::mem_outfile file;
  file.open();
  codestream.set_planar(format.samples == 1);
  codestream.write_headers(&file);
  const std::vector<int> values = values_of(frame, format);
  ojph::ui32 component = 0;
  ojph::line_buf* line = codestream.exchange(nullptr, component);
  for (std::int64_t row = 0; row < format.rows; ++row) {
    for (int c = 0; c < format.samples; ++c) {
      for (std::int64_t x = 0; x < format.columns; ++x) {
        line->i32[x] =
            values[static_cast<std::size_t>((row * format.columns + x) * format.samples + c)];
      }
      line = codestream.exchange(line, component);
    }
  }
  codestream.flush();
  Buffer out(file.get_data(), file.get_data() + file.tell());
  codestream.close();
  return out;
}

std::vector<Style> styles(bool reversible) {
  std::vector<Style> out;
  for (const char* const progression : {"LRCP", "RLCP", "RPCL", "PCRL", "CPRL"}) {
    out.push_back({.reversible = reversible, .progression = progression});
    out.push_back({.reversible = reversible,
                   .progression = progression,
                   .levels = 3,
                   .block = 32,
                   .precinct = 64});
  }
  out.push_back({.reversible = reversible, .levels = 2, .tile = 48});
  out.push_back({.reversible = reversible, .levels = 0, .block = 16});
  out.push_back({.reversible = reversible, .levels = 1, .block = 4});
  return out;
}

std::vector<FrameFormat> pictures() {
  return {format_of(130, 117, 1, 8, 8, false), format_of(70, 90, 3, 8, 8, false),
          format_of(64, 65, 1, 16, 12, true),  format_of(100, 33, 1, 16, 16, false),
          format_of(33, 100, 1, 16, 16, true), format_of(9, 200, 3, 16, 16, false),
          format_of(1, 1, 1, 8, 8, false),     format_of(3, 65, 1, 16, 10, false),
          format_of(257, 2, 1, 16, 12, false)};
}

int largest_difference(const std::vector<int>& a, const std::vector<int>& b) {
  REQUIRE(a.size() == b.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("HTJ2K through OpenJPH is what OpenJPEG makes of it, at every resolution") {
  for (const FrameFormat& format : pictures()) {
    const Buffer frame = test_frame(format);
    for (const bool reversible : {true, false}) {
      for (const Style& style : styles(reversible)) {
        CAPTURE(format.rows);
        CAPTURE(format.columns);
        CAPTURE(format.samples);
        CAPTURE(reversible);
        CAPTURE(style.progression);
        CAPTURE(style.levels);
        CAPTURE(style.block);
        CAPTURE(style.tile);
        const Buffer codestream = encoded(frame, format, style);
        if (reversible) CHECK(decoded_j2k(codestream, format) == frame);
        for (int reduction = 0; reduction <= static_cast<int>(style.levels); ++reduction) {
          CAPTURE(reduction);
          const FrameFormat picture = reduced(format, reduction);
          Buffer out(static_cast<std::size_t>(picture.byte_count()));
          std::vector<std::string> warnings;
          decode_j2k(codestream, format, out, warnings, reduction);
          const std::vector<int> ours = planes_of(out, picture);
          const std::vector<int> theirs = decoded_by_openjpeg(codestream, reduction);
          CHECK(largest_difference(ours, theirs) <= (reversible ? 0 : 1));
        }
      }
    }
  }
}

TEST_CASE("OpenJPH takes ordinary HTJ2K and is kept from what it gets wrong") {
  const auto taken = [](const FrameFormat& format, const Style& style) {
    const Buffer codestream = encoded(test_frame(format), format, style);
    const auto packets = j2k::read_packets(codestream);
    REQUIRE(packets.has_value());
    Buffer out(static_cast<std::size_t>(format.byte_count()));
    return decode_htj2k(*packets, read_j2k_header(codestream), format, out, 0);
  };
  CHECK(taken(format_of(64, 65, 1, 16, 12, true), {}));
  CHECK(taken(format_of(70, 90, 3, 8, 8, false), {}));
  CHECK(taken(format_of(70, 90, 1, 8, 8, false), {.reversible = false}));
  CHECK(taken(format_of(200, 200, 1, 8, 8, false), {.precinct = 64, .tile = 100}));
  // Resolutions without code-blocks: OpenJPH 0.9 loses the packets behind them.
  CHECK_FALSE(taken(format_of(15, 11, 1, 16, 12, false), {}));
}

TEST_CASE("a prefix of HTJ2K decodes at its reduction to the samples of the whole") {
  const FrameFormat format = format_of(130, 117, 1, 8, 8, false);
  const Buffer frame = test_frame(format);
  std::vector<std::string> warnings;
  for (const bool reversible : {true, false}) {
    for (const Style& style : styles(reversible)) {
      if (style.levels < 2) continue;
      CAPTURE(style.progression);
      CAPTURE(style.tile);
      const Buffer codestream = encoded(frame, format, style);
      const auto size = static_cast<std::int64_t>(codestream.size());
      Buffer whole(static_cast<std::size_t>(reduced(format, 2).byte_count()));
      decode_j2k(codestream, format, whole, warnings, 2);
      const std::int64_t needed = j2k_prefix_bytes(codestream, format, 2);
      if (style.tile == 0 && style.progression != std::string("PCRL")) CHECK(needed * 3 < size);
      Buffer part(whole.size());
      for (std::int64_t length = 300; length < size; length += 1 + size / 60) {
        decode_j2k(Bytes(codestream).first(static_cast<std::size_t>(length)), format, part,
                   warnings, 2);
        if (length >= needed) CHECK(part == whole);
      }
      decode_j2k(Bytes(codestream).first(static_cast<std::size_t>(needed)), format, part, warnings,
                 2);
      CHECK(part == whole);
    }
  }
}

TEST_CASE("damaged HTJ2K is refused in words, and nothing is printed") {
  const FrameFormat format = format_of(64, 65, 1, 16, 12, true);
  const Buffer codestream = encoded(test_frame(format), format, {});
  Buffer out(static_cast<std::size_t>(format.byte_count()));
  std::vector<std::string> warnings;
  check_refuses(ErrorCode::kMalformed, "J2K codestream does not decode", [&] {
    decode_j2k(Bytes(codestream).first(codestream.size() / 2), format, out, warnings);
  });
  // The last two bytes of a cleanup segment say how long its suffix is; here, longer than itself.
  const auto packets = j2k::read_packets(codestream);
  REQUIRE(packets.has_value());
  const Bytes segment = packets->blocks.back().first;
  Buffer damaged = codestream;
  const auto end = static_cast<std::size_t>(segment.data() + segment.size() - codestream.data());
  damaged[end - 1] = 0xFE;
  check_refuses(ErrorCode::kMalformed, "J2K codestream does not decode",
                [&] { decode_j2k(damaged, format, out, warnings); });
}

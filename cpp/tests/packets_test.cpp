#include <doctest/doctest.h>

#include "codec/j2k_packets.h"
#include "dicom_bytes.h"
#include "frames.h"
#include "openjpeg.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

struct Style {
  OPJ_PROG_ORDER progression = OPJ_LRCP;
  int layers = 1;
  int tile = 0;
  int precinct = 0;
  int block_style = 0;
  int markers = 0;  // 2: SOP, 4: EPH
  bool resolution_parts = false;
  int offset = 0;  // of the image on the grid
};

// An encoder whose every switch can be set: OpenJPEG's own.
Buffer encoded(const Buffer& frame, const FrameFormat& format, const Style& style) {
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.prog_order = style.progression;
  parameters.tcp_numlayers = style.layers;
  parameters.cp_disto_alloc = 1;
  for (int l = 0; l < style.layers; ++l) {
    parameters.tcp_rates[l] = static_cast<float>(style.layers - 1 - l) * 8.0F;
  }
  if (style.tile > 0) {
    parameters.tile_size_on = OPJ_TRUE;
    parameters.cp_tdx = parameters.cp_tdy = style.tile;
  }
  if (style.precinct > 0) {
    parameters.csty |= 1;
    parameters.res_spec = 2;
    parameters.prcw_init[0] = parameters.prch_init[0] = 2 * style.precinct;
    parameters.prcw_init[1] = style.precinct;
    parameters.prch_init[1] = 2 * style.precinct;
  }
  parameters.csty |= style.markers;
  parameters.mode = style.block_style;
  parameters.cblockw_init = 32;
  parameters.cblockh_init = 16;
  parameters.numresolution = 4;
  parameters.tcp_mct = format.samples == 3 ? 1 : 0;
  if (style.resolution_parts) {
    parameters.tp_on = 1;
    parameters.tp_flag = 'R';
  }
  std::vector<opj_image_cmptparm_t> components(static_cast<std::size_t>(format.samples));
  for (opj_image_cmptparm_t& component : components) {
    component = {};
    component.dx = component.dy = 1;
    component.w = static_cast<OPJ_UINT32>(format.columns);
    component.h = static_cast<OPJ_UINT32>(format.rows);
    component.x0 = component.y0 = static_cast<OPJ_UINT32>(style.offset);
    component.prec = static_cast<OPJ_UINT32>(format.bits_stored);
  }
  opj_image_t* image = opj_image_create(static_cast<OPJ_UINT32>(format.samples), components.data(),
                                        OPJ_CLRSPC_UNSPECIFIED);
  image->x0 = image->y0 = static_cast<OPJ_UINT32>(style.offset);
  image->x1 = static_cast<OPJ_UINT32>(format.columns + style.offset);
  image->y1 = static_cast<OPJ_UINT32>(format.rows + style.offset);
  for (int c = 0; c < format.samples; ++c) {
    for (std::int64_t i = 0; i < format.rows * format.columns; ++i) {
      image->comps[c].data[i] = frame[static_cast<std::size_t>(i * format.samples + c)];
    }
  }
  opj_codec_t* codec = opj_create_compress(OPJ_CODEC_J2K);
  REQUIRE(opj_setup_encoder(codec, &parameters, image) != OPJ_FALSE);
  MemoryStream stream(false);
  REQUIRE(opj_start_compress(codec, image, stream.get()) != OPJ_FALSE);
  REQUIRE(opj_encode(codec, stream.get()) != OPJ_FALSE);
  REQUIRE(opj_end_compress(codec, stream.get()) != OPJ_FALSE);
  opj_destroy_codec(codec);
  opj_image_destroy(image);
  return stream.bytes;
}

std::vector<Style> styles() {
  std::vector<Style> out;
  for (const OPJ_PROG_ORDER order : {OPJ_LRCP, OPJ_RLCP, OPJ_RPCL, OPJ_PCRL, OPJ_CPRL}) {
    out.push_back({.progression = order});
    out.push_back({.progression = order, .layers = 3, .precinct = 32});
    out.push_back({.progression = order, .tile = 50, .markers = 6});
    out.push_back({.progression = order, .layers = 2, .tile = 64, .precinct = 16, .markers = 4});
    out.push_back({.progression = order, .precinct = 32, .offset = 13});
    out.push_back({.progression = order, .resolution_parts = true});
  }
  for (const int block_style : {1, 2, 4, 5, 8, 16, 32, 63}) {
    out.push_back({.layers = 2, .block_style = block_style});
  }
  return out;
}

}  // namespace

TEST_CASE("the packets of every progression order are found and put in another one") {
  for (const FrameFormat& format :
       {format_of(130, 117, 1, 8, 8, false), format_of(70, 90, 3, 8, 8, false)}) {
    const Buffer frame = test_frame(format);
    for (const Style& style : styles()) {
      CAPTURE(format.samples);
      CAPTURE(static_cast<int>(style.progression));
      CAPTURE(style.layers);
      CAPTURE(style.tile);
      CAPTURE(style.precinct);
      CAPTURE(style.block_style);
      CAPTURE(style.offset);
      const Buffer codestream = encoded(frame, format, style);
      REQUIRE(decoded_j2k(codestream, format) == frame);
      const auto packets = j2k::read_packets(codestream);
      REQUIRE(packets.has_value());
      CHECK(packets->whole);
      CHECK_FALSE(packets->cut);
      CHECK(decoded_j2k(j2k::rebuild(*packets, 3), format) == frame);
    }
  }
}

TEST_CASE(
    "every prefix of a codestream decodes at a reduction, the needed ones as the whole does") {
  const FrameFormat format = format_of(130, 117, 1, 8, 8, false);
  const Buffer frame = test_frame(format);
  std::vector<std::string> warnings;
  for (const Style& style : styles()) {
    if (style.offset > 0) continue;
    const Buffer codestream = encoded(frame, format, style);
    const auto size = static_cast<std::int64_t>(codestream.size());
    Buffer whole(static_cast<std::size_t>(reduced(format, 2).byte_count()));
    decode_j2k(codestream, format, whole, warnings, 2);
    const std::int64_t needed = j2k_prefix_bytes(codestream, format, 2);
    Buffer part(whole.size());
    for (std::int64_t length = 300; length < size; length += 1 + size / 40) {
      decode_j2k(Bytes(codestream).first(static_cast<std::size_t>(length)), format, part, warnings,
                 2);
      if (length >= needed) CHECK(part == whole);
    }
    decode_j2k(Bytes(codestream).first(static_cast<std::size_t>(needed)), format, part, warnings,
               2);
    CHECK(part == whole);
    decode_j2k(Bytes(codestream).first(static_cast<std::size_t>(needed - 1)), format, part,
               warnings, 2);
    CHECK(part != whole);
  }
}

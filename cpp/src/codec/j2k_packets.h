// The packets of a J2K codestream (ISO/IEC 15444-1 annex B), found without decoding any data.
//
// Two things need them: a prefix becomes a whole codestream by empty packets in place of those that
// are missing, and an HTJ2K decoder that trusts its input gets one that was put together here.
#pragma once

#include <optional>

#include "spinekit/codec.h"

namespace spinekit::j2k {

struct CodingStyle {  // of COD
  bool sop = false;
  bool eph = false;
  int progression = 0;
  int layers = 1;
  bool color_transform = false;
  int levels = 0;
  int block_width = 6;  // exponents, as all that follow
  int block_height = 6;
  unsigned block_style = 0;
  bool reversible = false;
  std::vector<std::uint8_t> precincts;  // PPy << 4 | PPx of each resolution
};

// What one packet adds to one code-block.
struct CodedBlock {
  int band = 0;  // 0: LL, 1: HL, 2: LH, 3: HH
  int zero_planes = 0;
  int passes = 0;
  Bytes first;   // of HT: the cleanup segment
  Bytes second;  // of HT: the refinement segment
};

struct Packet {
  int layer = 0;
  int resolution = 0;
  int component = 0;
  std::int64_t precinct = 0;
  bool has_blocks = true;  // false: its precinct has none, because all of its bands are empty
  bool present = false;    // false: beyond the end of a prefix
  Bytes header;            // without SOP and EPH
  Bytes body;
  std::size_t first_block = 0;  // in Codestream::blocks; only of HT
  std::size_t end_block = 0;
};

struct Tile {
  std::vector<Bytes> parts;     // the data of its tile-parts
  std::vector<Packet> packets;  // in the order of the codestream
};

struct Segment {
  std::uint32_t marker = 0;
  Bytes bytes;  // with marker and length
};

struct Codestream {
  std::vector<Segment> main_header;  // behind SOC
  CodingStyle style;
  std::vector<Tile> tiles;
  std::vector<CodedBlock> blocks;
  bool cut = false;   // the bytes end before EOC
  bool whole = true;  // no packet is missing
};

// The codestream's headers must have passed check_plausible_structure(). Empty where it has what is
// not understood here: coding styles that differ between components or tiles, changes of
// progression, packet headers elsewhere, HT blocks in more than one layer, damage.
std::optional<Codestream> read_packets(Bytes codestream);

// A codestream of the same samples: one tile-part a tile, layers outermost, no SOP or EPH, and only
// the segments that decoding needs. Packets that are missing or of a resolution beyond `resolution`
// are empty.
Buffer rebuild(const Codestream& codestream, int resolution);

}  // namespace spinekit::j2k

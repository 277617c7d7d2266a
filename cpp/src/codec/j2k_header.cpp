#include "j2k_header.h"

#include <algorithm>
#include <array>

#include "j2k_syntax.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

using namespace j2k;

constexpr int kMostLevels = 32;

// What a decoder takes memory and time for before it has seen any data.
struct Structure {
  std::int64_t packets = 0;
  std::int64_t blocks = 0;  // code-blocks

  void add(const Structure& other, std::int64_t times) {
    packets += other.packets * times;
    blocks += other.blocks * times;
  }
};

struct MainHeader {
  J2kHeader image;
  std::int64_t x0 = 0;  // of the image on the reference grid
  std::int64_t y0 = 0;
  std::int64_t tiles = 1;
  std::int64_t tile_rows = 0;  // of the largest tile, within the image
  std::int64_t tile_columns = 0;
  std::int64_t layers = 1;
  Structure structure;        // of the image, as if it were one tile
  Structure worst_tile_part;  // of a tile whose own header says something else
  std::size_t first_tile_part = 0;
};

// One component, from the SPcod or SPcoc parameters at the cursor (ISO/IEC 15444-1 A.6.1).
Structure read_component_style(Cursor& cursor, bool own_precincts, std::int64_t rows,
                               std::int64_t columns, J2kHeader& image) {
  const std::uint32_t levels = cursor.take(1);
  if (levels > kMostLevels) throw_malformed("J2K codestream: more than 32 decomposition levels");
  image.decompositions = std::min(image.decompositions, static_cast<int>(levels));
  const std::uint32_t block_width = cursor.take(1) + 2;
  const std::uint32_t block_height = cursor.take(1) + 2;
  if (block_width > 10 || block_height > 10) {
    throw_malformed("J2K codestream: code-blocks beyond 1024 samples a side");
  }
  // OpenJPEG takes blocks for HT ones by their style alone, with or without CAP.
  if ((cursor.take(1) & kHighThroughputBlocks) != 0) image.high_throughput = true;
  image.reversible = cursor.take(1) == 1;
  Structure structure;
  for (std::uint32_t r = 0; r <= levels; ++r) {
    std::uint32_t size = 0xFF;
    if (own_precincts) size = cursor.take(1);
    const std::int64_t scale = std::int64_t{1} << (levels - r);
    const std::int64_t width = ceil_div(columns, scale);
    const std::int64_t height = ceil_div(rows, scale);
    const std::uint32_t precinct_width = size & 0xFU;
    const std::uint32_t precinct_height = size >> 4U;
    structure.packets += ceil_div(width, std::int64_t{1} << precinct_width) *
                         ceil_div(height, std::int64_t{1} << precinct_height);
    // Three bands of half the size, in which the precinct too is half as wide (B.7); the lowest
    // resolution is one band of its own size.
    const std::uint32_t half = r > 0 ? 1 : 0;
    if (half > precinct_width || half > precinct_height) {
      throw_malformed("J2K codestream: empty precincts");
    }
    const std::int64_t across = std::int64_t{1} << std::min(block_width, precinct_width - half);
    const std::int64_t down = std::int64_t{1} << std::min(block_height, precinct_height - half);
    structure.blocks +=
        (r > 0 ? 3 : 1) * ceil_div(width >> half, across) * ceil_div(height >> half, down);
  }
  return structure;
}

// COD or COC, whose length field has been read. COD stands for every component.
Structure read_coding_style(Cursor& cursor, std::uint32_t marker, const MainHeader& header,
                            bool of_tile, std::int64_t& layers, J2kHeader& image) {
  const std::int64_t rows = of_tile ? header.tile_rows : image.rows;
  const std::int64_t columns = of_tile ? header.tile_columns : image.columns;
  if (marker == kCoc) (void)cursor.take(1);  // component; one byte, as there are fewer than 257
  const bool own_precincts = (cursor.take(1) & 1U) != 0;
  if (marker == kCoc) {
    J2kHeader component = image;
    const Structure structure =
        read_component_style(cursor, own_precincts, rows, columns, component);
    image.decompositions = component.decompositions;
    image.high_throughput = component.high_throughput;
    return structure;
  }
  (void)cursor.take(1);  // progression order
  layers = cursor.take(2);
  if (layers < 1) throw_malformed("J2K codestream without layers");
  image.color_transform = cursor.take(1) != 0;
  Structure structure;
  structure.add(read_component_style(cursor, own_precincts, rows, columns, image),
                image.components);
  return structure;
}

MainHeader read_main_header(Bytes codestream) {
  Cursor cursor(codestream);
  if (codestream.size() < 4 || cursor.take(2) != kSoc || cursor.take(2) != kSiz) {
    throw_malformed("no J2K codestream: it does not begin with SOC and SIZ");
  }
  MainHeader header;
  J2kHeader& image = header.image;
  image.decompositions = kMostLevels;
  const std::size_t siz = cursor.position();
  const std::uint32_t siz_length = cursor.take(2);
  (void)cursor.take(2);  // Rsiz
  const std::int64_t x1 = cursor.take(4);
  const std::int64_t y1 = cursor.take(4);
  const std::int64_t x0 = cursor.take(4);
  const std::int64_t y0 = cursor.take(4);
  const std::int64_t tile_width = cursor.take(4);
  const std::int64_t tile_height = cursor.take(4);
  const std::int64_t tile_x0 = cursor.take(4);
  const std::int64_t tile_y0 = cursor.take(4);
  image.components = static_cast<int>(cursor.take(2));
  if (x1 <= x0 || y1 <= y0 || tile_width == 0 || tile_height == 0 || tile_x0 > x0 || tile_y0 > y0 ||
      tile_x0 + tile_width <= x0 || tile_y0 + tile_height <= y0 || image.components == 0) {
    throw_malformed("J2K codestream: impossible sizes in SIZ");
  }
  header.x0 = x0;
  header.y0 = y0;
  image.columns = x1 - x0;
  image.rows = y1 - y0;
  constexpr std::int64_t kLongestSide = 65535;  // Rows and Columns are US
  if (image.columns > kLongestSide || image.rows > kLongestSide) {
    throw_unsupported("J2K codestream of " + std::to_string(image.rows) + " x " +
                      std::to_string(image.columns) + ", at most 65535 x 65535 are read");
  }
  header.tile_columns = std::min(tile_width, image.columns);
  header.tile_rows = std::min(tile_height, image.rows);
  header.tiles = ceil_div(x1 - tile_x0, tile_width) * ceil_div(y1 - tile_y0, tile_height);
  if (image.components > 4) {
    throw_unsupported("J2K codestream of " + std::to_string(image.components) +
                      " components, at most 4 are read");
  }
  for (int c = 0; c < image.components; ++c) {
    const std::uint32_t depth = cursor.take(1);
    const std::uint32_t dx = cursor.take(1);
    const std::uint32_t dy = cursor.take(1);
    const int precision = static_cast<int>(depth & 0x7FU) + 1;
    const bool is_signed = (depth & 0x80U) != 0;
    if (c == 0) {
      image.precision = precision;
      image.is_signed = is_signed;
    }
    if (dx != 1 || dy != 1 || precision != image.precision || is_signed != image.is_signed) {
      throw_unsupported("J2K codestream whose components differ in size or depth");
    }
  }
  cursor.move_to(siz + siz_length);

  bool has_cod = false;
  Structure of_components;  // COCs, which may stand before or behind the COD
  while (true) {
    header.first_tile_part = cursor.position();
    const std::uint32_t marker = cursor.take(2);
    if (marker == kSot) break;
    if (marker < 0xFF00U) throw_malformed("J2K codestream: damaged main header");
    const std::size_t start = cursor.position();
    const std::uint32_t length = cursor.take(2);
    if (length < 2) throw_malformed("J2K codestream: damaged main header");
    if (marker == kCap) image.high_throughput = true;
    if (marker == kCod) {
      has_cod = true;
      header.structure = read_coding_style(cursor, marker, header, false, header.layers, image);
    } else if (marker == kCoc) {
      of_components.add(read_coding_style(cursor, marker, header, false, header.layers, image), 1);
    }
    cursor.move_to(start + length);
  }
  if (!has_cod) throw_malformed("J2K codestream without COD");
  header.structure.add(of_components, 1);
  return header;
}

// Whether the headers of the tile-part at `position` are all there.
bool reaches_data(Bytes codestream, std::size_t position) {
  std::size_t at = position + kSotBytes;
  while (at + 4 <= codestream.size()) {
    if (codestream[at] == 0xFF && codestream[at + 1] == (kSod & 0xFFU)) return true;
    at += 2 + static_cast<std::size_t>(codestream[at + 2] << 8U | codestream[at + 3]);
  }
  return false;
}

// The headers of tile-parts may change the coding style for their tile. Whatever is damaged or cut
// short behind one is left to the decoder.
void read_tile_part_headers(Bytes codestream, MainHeader& header) {
  std::size_t position = header.first_tile_part;
  while (codestream.size() - position > kSotBytes) {
    Cursor cursor(codestream);
    cursor.move_to(position);
    if (cursor.take(2) != kSot || !reaches_data(codestream, position)) return;
    (void)cursor.take(4);  // Lsot, Isot
    const std::size_t tile_part_bytes = cursor.take(4);
    cursor.move_to(position + kSotBytes);
    Structure tile;
    std::int64_t layers = header.layers;
    while (true) {
      const std::uint32_t marker = cursor.take(2);
      if (marker == kSod) break;
      const std::size_t start = cursor.position();
      const std::uint32_t length = cursor.take(2);
      if (marker < 0xFF00U || length < 2) throw_malformed("J2K codestream: damaged tile header");
      if (marker == kCod || marker == kCoc) {
        J2kHeader image = header.image;
        tile.add(read_coding_style(cursor, marker, header, true, layers, image), 1);
        header.image.decompositions = std::min(header.image.decompositions, image.decompositions);
        header.image.high_throughput = header.image.high_throughput || image.high_throughput;
      }
      cursor.move_to(start + length);
    }
    Structure& worst = header.worst_tile_part;
    worst.packets = std::max(worst.packets, tile.packets * layers);
    worst.blocks = std::max(worst.blocks, tile.blocks);
    if (tile_part_bytes < kSotBytes || tile_part_bytes > codestream.size() - position) return;
    position += tile_part_bytes;
  }
}

}  // namespace

Bytes j2k_codestream(Bytes bytes) {
  constexpr std::array<std::uint8_t, 4> kSocSiz{0xFF, 0x4F, 0xFF, 0x51};
  constexpr std::array<std::uint8_t, 8> kJp2{0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20};
  if (bytes.size() >= kJp2.size() && std::equal(kJp2.begin(), kJp2.end(), bytes.begin())) {
    const auto start = std::search(bytes.begin(), bytes.end(), kSocSiz.begin(), kSocSiz.end());
    return bytes.subspan(static_cast<std::size_t>(start - bytes.begin()));
  }
  return bytes;
}

J2kHeader check_reduction(Bytes codestream, int reduction) {
  MainHeader header = read_main_header(codestream);
  read_tile_part_headers(codestream, header);
  const J2kHeader& image = header.image;
  if (reduction < 0 || reduction > image.decompositions) {
    throw_argument("J2K reduction " + std::to_string(reduction) + ", this codestream has 0 to " +
                   std::to_string(image.decompositions));
  }
  // A resolution holds the multiples of 2^reduction on the reference grid (15444-1 B-14).
  const std::int64_t step = std::int64_t{1} << reduction;
  const auto covered = [step](std::int64_t start, std::int64_t size) {
    return ceil_div(start + size, step) - ceil_div(start, step);
  };
  if (covered(header.x0, image.columns) != ceil_div(image.columns, step) ||
      covered(header.y0, image.rows) != ceil_div(image.rows, step)) {
    throw_unsupported("J2K codestream whose image begins at (" + std::to_string(header.x0) + ", " +
                      std::to_string(header.y0) + ") of its grid: at reduction " +
                      std::to_string(reduction) + " it has another size; decode it whole");
  }
  return image;
}

J2kHeader read_j2k_header(Bytes codestream) {
  return read_main_header(j2k_codestream(codestream)).image;
}

namespace {

// A tile has a packet for each layer, component, and resolution that is not empty.
std::int64_t least_packets_of_tiles(const MainHeader& header) {
  const std::int64_t side = std::min(header.tile_rows, header.tile_columns);
  std::int64_t resolutions = 0;
  for (int r = 0; r <= header.image.decompositions; ++r) resolutions += side >> r > 0 ? 1 : 0;
  return header.tiles * header.image.components * resolutions * header.layers;
}

}  // namespace

void check_plausible_structure(Bytes codestream) {
  MainHeader header = read_main_header(codestream);
  read_tile_part_headers(codestream, header);
  const auto size = static_cast<std::int64_t>(codestream.size());
  const std::int64_t packets =
      std::max({header.structure.packets * header.layers, least_packets_of_tiles(header),
                header.worst_tile_part.packets});
  const std::int64_t blocks = std::max(header.structure.blocks, header.worst_tile_part.blocks);
  // What is let through even if the codestream is merely cut short. OpenJPEG 2.5.0 keeps about
  // 9 KB a tile and 0.5 KB a code-block.
  constexpr std::int64_t kTiles = 8192;
  constexpr std::int64_t kBytesPerTile = 1024;
  constexpr std::int64_t kPackets = 65536;
  constexpr std::int64_t kBlocks = 131072;
  if (header.tiles > std::max(size / kBytesPerTile, kTiles) || packets > std::max(size, kPackets) ||
      blocks > std::max(size, kBlocks)) {
    throw_malformed("J2K codestream of " + std::to_string(size) + " bytes claims " +
                    std::to_string(header.tiles) + " tiles, " + std::to_string(packets) +
                    " packets and " + std::to_string(blocks) +
                    " code-blocks, more than it can hold");
  }
}

}  // namespace spinekit

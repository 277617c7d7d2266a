#include "j2k_packets.h"

#include <algorithm>
#include <tuple>

#include "j2k_bits.h"
#include "j2k_tile.h"

namespace spinekit::j2k {
namespace {

CodingStyle read_style(Bytes segment) {
  Cursor cursor(segment, 4);
  CodingStyle style;
  const std::uint32_t flags = cursor.take(1);
  style.sop = (flags & 2U) != 0;
  style.eph = (flags & 4U) != 0;
  style.progression = static_cast<int>(cursor.take(1));
  style.layers = static_cast<int>(cursor.take(2));
  style.color_transform = cursor.take(1) == 1;
  style.levels = static_cast<int>(cursor.take(1));
  style.block_width = static_cast<int>(cursor.take(1)) + 2;
  style.block_height = static_cast<int>(cursor.take(1)) + 2;
  style.block_style = cursor.take(1);
  style.reversible = cursor.take(1) == 1;
  for (int r = 0; r <= style.levels; ++r) {
    style.precincts.push_back((flags & 1U) != 0 ? static_cast<std::uint8_t>(cursor.take(1))
                                                : std::uint8_t{0xFF});
  }
  return style;
}

// Reads the segments from `cursor` on, up to the marker `last`.
void read_segments(Bytes codestream, Cursor& cursor, std::uint32_t last,
                   std::vector<Segment>& segments) {
  while (true) {
    const std::size_t start = cursor.position();
    const std::uint32_t marker = cursor.take(2);
    if (marker == last) return;
    const std::uint32_t length = cursor.take(2);
    if (marker < 0xFF4FU || length < 2) throw NotUnderstood{};
    cursor.move_to(start + 2 + length);
    segments.push_back({marker, codestream.subspan(start, length + 2)});
  }
}

bool understood(std::uint32_t marker, bool in_tile) {
  switch (marker) {
    case kPlt:
      return in_tile;
    case kCom:
      return true;
    case kSiz:
    case kCap:
    case kCod:
    case kQcd:
    case kQcc:
    case kRgn:
    case kTlm:
    case kPlm:
    case kCrg:
      return !in_tile;
    default:
      return false;
  }
}

// Returns whether the codestream came to its end, EOC.
bool collect_tile_parts(Bytes codestream, std::size_t position, std::vector<Tile>& tiles) {
  while (codestream.size() - position >= 2) {
    Cursor cursor(codestream, position);
    const std::uint32_t marker = cursor.take(2);
    if (marker == kEoc) return true;
    if (marker != kSot) throw NotUnderstood{};
    if (codestream.size() - position < kSotBytes) return false;
    (void)cursor.take(2);  // Lsot
    const std::size_t index = cursor.take(2);
    const std::size_t declared = cursor.take(4);
    const std::size_t left = codestream.size() - position;
    if (index >= tiles.size() || (declared != 0 && declared < kSotBytes)) throw NotUnderstood{};
    std::size_t size = std::min(declared == 0 ? left : declared, left);
    // A tile-part without a length goes on to EOC (A.4.2).
    if (declared == 0 && codestream[codestream.size() - 2] == 0xFF &&
        codestream[codestream.size() - 1] == 0xD9) {
      size -= 2;
    }
    const Bytes part = codestream.subspan(position, size);
    cursor.move_to(position + kSotBytes);
    std::vector<Segment> segments;
    try {
      read_segments(codestream, cursor, kSod, segments);
    } catch (const Error&) {  // a prefix that ends within this header
      return false;
    }
    for (const Segment& segment : segments) {
      if (!understood(segment.marker, true)) throw NotUnderstood{};
    }
    const std::size_t header = cursor.position() - position;
    if (header > size) throw NotUnderstood{};
    tiles[index].parts.push_back(part.subspan(header));
    position += size;
  }
  return false;
}

Codestream read(Bytes codestream) {
  Codestream out;
  Cursor cursor(codestream, 2);
  read_segments(codestream, cursor, kSot, out.main_header);
  const std::size_t first_tile_part = cursor.position() - 2;
  bool has_style = false;
  for (const Segment& segment : out.main_header) {
    if (!understood(segment.marker, false)) throw NotUnderstood{};
    if (segment.marker == kCod) {
      if (has_style) throw NotUnderstood{};
      out.style = read_style(segment.bytes);
      has_style = true;
    }
  }
  if (!has_style || out.main_header.front().marker != kSiz) throw NotUnderstood{};
  if ((out.style.block_style & kHighThroughputBlocks) != 0 && out.style.layers != 1) {
    throw NotUnderstood{};
  }
  Cursor siz(out.main_header.front().bytes, 6);
  Box image;
  image.x1 = siz.take(4);
  image.y1 = siz.take(4);
  image.x0 = siz.take(4);
  image.y0 = siz.take(4);
  const std::int64_t width = siz.take(4);
  const std::int64_t height = siz.take(4);
  const std::int64_t origin_x = siz.take(4);
  const std::int64_t origin_y = siz.take(4);
  const int components = static_cast<int>(siz.take(2));
  const std::int64_t across = ceil_div(image.x1 - origin_x, width);
  const std::int64_t down = ceil_div(image.y1 - origin_y, height);
  out.tiles.resize(static_cast<std::size_t>(across * down));
  out.cut = !collect_tile_parts(codestream, first_tile_part, out.tiles);
  for (std::int64_t t = 0; t < across * down; ++t) {
    const std::int64_t x = origin_x + t % across * width;
    const std::int64_t y = origin_y + t / across * height;
    const Box tile{std::max(x, image.x0), std::max(y, image.y0), std::min(x + width, image.x1),
                   std::min(y + height, image.y1)};
    if (!read_tile(out.style, tile, components, out.tiles[static_cast<std::size_t>(t)],
                   out.blocks)) {
      out.whole = false;
    }
  }
  return out;
}

void append(Buffer& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void append_number(Buffer& out, std::size_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> 8U * i));
}

}  // namespace

std::optional<Codestream> read_packets(Bytes codestream) {
  try {
    return read(codestream);
  } catch (const NotUnderstood&) {
    return std::nullopt;
  }
}

Buffer rebuild(const Codestream& codestream, int resolution) {
  std::size_t size = 256 + 16 * codestream.tiles.size();
  for (const Segment& segment : codestream.main_header) size += segment.bytes.size();
  for (const Tile& tile : codestream.tiles) {
    for (const Packet& packet : tile.packets) {
      const bool kept = packet.present && packet.resolution <= resolution;
      size += kept ? packet.header.size() + packet.body.size() : 1;
    }
  }
  Buffer out;
  out.reserve(size);
  append_number(out, kSoc, 2);
  for (const Segment& segment : codestream.main_header) {
    switch (segment.marker) {
      case kSiz:
      case kCap:
      case kQcd:
      case kQcc:
      case kRgn:
        append(out, segment.bytes);
        break;
      case kCod: {
        const std::size_t start = out.size();
        append(out, segment.bytes);
        constexpr std::size_t kScod = 4;
        out[start + kScod] &= 1U;    // neither SOP nor EPH
        out[start + kScod + 1] = 0;  // layers, resolutions, components, precincts
        break;
      }
      default:
        break;
    }
  }
  for (std::size_t t = 0; t < codestream.tiles.size(); ++t) {
    const std::size_t start = out.size();
    append_number(out, kSot, 2);
    append_number(out, 10, 2);
    append_number(out, t, 2);
    append_number(out, 0, 4);
    append_number(out, 1, 2);  // the first tile-part of one
    append_number(out, kSod, 2);
    std::vector<const Packet*> packets;
    for (const Packet& packet : codestream.tiles[t].packets) packets.push_back(&packet);
    const auto place = [](const Packet* p) {
      return std::tuple(p->layer, p->resolution, p->component, p->precinct);
    };
    std::sort(packets.begin(), packets.end(),
              [&](const Packet* a, const Packet* b) { return place(a) < place(b); });
    for (const Packet* packet : packets) {
      if (packet->present && packet->resolution <= resolution) {
        append(out, packet->header);
        append(out, packet->body);
      } else {
        out.push_back(0);
      }
    }
    const std::size_t length = out.size() - start;
    constexpr std::size_t kPsot = 6;
    for (std::size_t i = 0; i < 4; ++i) {
      out[start + kPsot + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
    }
  }
  append_number(out, kEoc, 2);
  return out;
}

}  // namespace spinekit::j2k

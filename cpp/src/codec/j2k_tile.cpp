#include "j2k_tile.h"

#include <bit>
#include <tuple>

#include "j2k_bits.h"

namespace spinekit::j2k {
namespace {

// ---- precincts

struct Block {
  bool included = false;
  int zero_planes = 0;
  int length_bits = 3;
  int passes = 0;
};

struct BandPart {  // of one precinct
  int band = 0;
  std::int64_t width = 0;  // in code-blocks
  std::int64_t height = 0;
  // Made with the first packet: a codestream may promise many that it does not hold.
  std::optional<TagTree> inclusion;
  std::optional<TagTree> zero_planes;
  std::vector<Block> blocks;
};

struct Precinct {
  std::vector<BandPart> parts;
};

struct Resolution {
  std::int64_t first = 0;  // its first precinct in the list of its component
  std::int64_t across = 0;
  std::int64_t down = 0;
};

int passes_of(BitReader& bits) {  // table B.4
  if (bits.bit() == 0) return 1;
  if (bits.bit() == 0) return 2;
  unsigned more = bits.bits(2);
  if (more < 3) return static_cast<int>(3 + more);
  more = bits.bits(5);
  if (more < 31) return static_cast<int>(6 + more);
  return static_cast<int>(37 + bits.bits(7));
}

// How many of `left` further passes share the codeword segment that pass number `done` begins or
// goes on with (B.10.7.2; 15444-15 B.3).
int passes_in_segment(unsigned style, int done, int left) {
  if ((style & kHighThroughputBlocks) != 0) return done == 0 ? 1 : left;
  if ((style & kTerminateAll) != 0) return 1;
  if ((style & kBypass) == 0) return left;
  constexpr int kArithmetic = 10;  // then raw pairs and single cleanup passes in turn
  if (done < kArithmetic) return std::min(left, kArithmetic - done);
  const int at = (done - kArithmetic) % 3;
  return std::min(left, at < 2 ? 2 - at : 1);
}

// ---- a tile

class TileReader {
 public:
  TileReader(const CodingStyle& style, const Box& tile, int components, Tile& out,
             std::vector<CodedBlock>& blocks)
      : style_(style), tile_(tile), components_(components), out_(out), blocks_(blocks) {
    lay_out();
    const std::vector<Precinct> one = precincts_;
    per_component_ = one.size();
    for (int c = 1; c < components; ++c)
      precincts_.insert(precincts_.end(), one.begin(), one.end());
    list_packets();
  }

  // Returns whether every packet was there.
  bool read() {
    try {
      for (Packet& packet : out_.packets) {
        while (part_ < out_.parts.size() && position_ == out_.parts[part_].size()) {
          ++part_;
          position_ = 0;
        }
        if (part_ == out_.parts.size()) return false;
        read(packet);
      }
    } catch (const CutOff&) {
      return false;
    }
    return true;
  }

 private:
  void lay_out() {
    for (int r = 0; r <= style_.levels; ++r) {
      const int down = style_.levels - r;
      const Box area = scaled(tile_, down, 0, 0);
      const int width = style_.precincts[static_cast<std::size_t>(r)] & 0xF;
      const int height = style_.precincts[static_cast<std::size_t>(r)] >> 4;
      Resolution resolution;
      resolution.first = static_cast<std::int64_t>(precincts_.size());
      if (!area.empty()) {
        const std::int64_t px0 = area.x0 >> width;
        const std::int64_t py0 = area.y0 >> height;
        resolution.across = ceil_div(area.x1, std::int64_t{1} << width) - px0;
        resolution.down = ceil_div(area.y1, std::int64_t{1} << height) - py0;
        for (std::int64_t y = py0; y < py0 + resolution.down; ++y) {
          for (std::int64_t x = px0; x < px0 + resolution.across; ++x) {
            precincts_.push_back(
                make_precinct(r, {x << width, y << height, (x + 1) << width, (y + 1) << height}));
          }
        }
      }
      resolutions_.push_back(resolution);
    }
  }

  // B-15; the bands of a resolution lie at offsets of half its step.
  static Box scaled(const Box& box, int levels, int xob, int yob) {
    const std::int64_t step = std::int64_t{1} << levels;
    const std::int64_t dx = xob * (step / 2);
    const std::int64_t dy = yob * (step / 2);
    return {ceil_div(box.x0 - dx, step), ceil_div(box.y0 - dy, step), ceil_div(box.x1 - dx, step),
            ceil_div(box.y1 - dy, step)};
  }

  [[nodiscard]] Precinct make_precinct(int r, const Box& box) const {
    Precinct precinct;
    const int half = r > 0 ? 1 : 0;
    const std::uint8_t size = style_.precincts[static_cast<std::size_t>(r)];
    const int width = std::min(style_.block_width, (size & 0xF) - half);
    const int height = std::min(style_.block_height, (size >> 4) - half);
    for (int band = half; band <= 3 * half; ++band) {
      const Box area = scaled(tile_, style_.levels - r + half, band & 1, band >> 1);
      const Box part{std::max(area.x0, box.x0 >> half), std::max(area.y0, box.y0 >> half),
                     std::min(area.x1, box.x1 >> half), std::min(area.y1, box.y1 >> half)};
      if (part.empty()) continue;
      BandPart& added = precinct.parts.emplace_back();
      added.band = band;
      added.width = ceil_div(part.x1, std::int64_t{1} << width) - (part.x0 >> width);
      added.height = ceil_div(part.y1, std::int64_t{1} << height) - (part.y0 >> height);
    }
    return precinct;
  }

  // The orders of B.12.1, as sorting keys: a precinct's place is that of its corner on the grid.
  void list_packets() {
    using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
    std::vector<std::pair<Key, Packet>> keyed;
    for (int r = 0; r <= style_.levels; ++r) {
      const Resolution& resolution = resolutions_[static_cast<std::size_t>(r)];
      const int down = style_.levels - r;
      const Box area = scaled(tile_, down, 0, 0);
      const int width = style_.precincts[static_cast<std::size_t>(r)] & 0xF;
      const int height = style_.precincts[static_cast<std::size_t>(r)] >> 4;
      for (std::int64_t p = 0; p < resolution.across * resolution.down; ++p) {
        const std::int64_t px = (area.x0 >> width) + p % resolution.across;
        const std::int64_t py = (area.y0 >> height) + p / resolution.across;
        const std::int64_t x = std::max(tile_.x0, px << (width + down));
        const std::int64_t y = std::max(tile_.y0, py << (height + down));
        for (int c = 0; c < components_; ++c) {
          for (int l = 0; l < style_.layers; ++l) {
            Packet packet;
            packet.layer = l;
            packet.resolution = r;
            packet.component = c;
            packet.precinct = resolution.first + p;
            packet.has_blocks =
                !precincts_[static_cast<std::size_t>(packet.precinct)].parts.empty();
            keyed.emplace_back(key(l, r, c, p, x, y), packet);
          }
        }
      }
    }
    std::sort(keyed.begin(), keyed.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [place, packet] : keyed) out_.packets.push_back(packet);
  }

  [[nodiscard]] std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>
  key(std::int64_t l, std::int64_t r, std::int64_t c, std::int64_t p, std::int64_t x,
      std::int64_t y) const {
    switch (style_.progression) {
      case 0:
        return {l, r, c, p, 0};
      case 1:
        return {r, l, c, p, 0};
      case 2:
        return {r, y, x, c, l};
      case 3:
        return {y, x, c, r, l};
      case 4:
        return {c, y, x, r, l};
      default:
        throw NotUnderstood{};
    }
  }

  bool skip_marker(Bytes data, std::uint32_t marker, std::size_t bytes) {
    if (data.size() - position_ < 2) return false;
    if (data[position_] != marker >> 8U || data[position_ + 1] != (marker & 0xFFU)) return false;
    if (data.size() - position_ < bytes) throw CutOff{};
    position_ += bytes;
    return true;
  }

  void read(Packet& packet) {
    const Bytes data = out_.parts[part_];
    if (style_.sop) skip_marker(data, kSop, 6);
    const std::size_t start = position_;
    BitReader bits(data.subspan(start));
    lengths_.clear();
    packet.first_block = packet.end_block = blocks_.size();
    if (bits.bit() == 1) {
      Precinct& precinct = precincts_[static_cast<std::size_t>(packet.component) * per_component_ +
                                      static_cast<std::size_t>(packet.precinct)];
      for (BandPart& part : precinct.parts) read_part(part, packet.layer, bits);
    }
    position_ = start + bits.end();
    const Bytes header = data.subspan(start, position_ - start);
    if (style_.eph && !skip_marker(data, kEph, 2)) {
      if (data.size() - position_ < 2) throw CutOff{};
      throw NotUnderstood{};
    }
    std::size_t length = 0;
    for (const Length& each : lengths_) length += each.first + each.second;
    if (length > data.size() - position_) throw CutOff{};
    packet.header = header;
    packet.body = data.subspan(position_, length);
    packet.present = true;
    if ((style_.block_style & kHighThroughputBlocks) != 0) {
      for (const Length& each : lengths_) {
        blocks_.push_back({each.band, each.zero_planes, each.passes,
                           data.subspan(position_, each.first),
                           data.subspan(position_ + each.first, each.second)});
        position_ += each.first + each.second;
      }
      packet.end_block = blocks_.size();
    } else {
      position_ += length;
    }
  }

  void read_part(BandPart& part, int layer, BitReader& bits) {
    if (!part.inclusion) {
      part.inclusion.emplace(part.width, part.height);
      part.zero_planes.emplace(part.width, part.height);
      part.blocks.resize(static_cast<std::size_t>(part.width * part.height));
    }
    for (std::int64_t y = 0; y < part.height; ++y) {
      for (std::int64_t x = 0; x < part.width; ++x) {
        Block& block = part.blocks[static_cast<std::size_t>(y * part.width + x)];
        const bool here =
            block.included ? bits.bit() == 1 : part.inclusion->below(x, y, layer + 1, bits);
        if (!here) continue;
        if (!block.included) {
          block.included = true;
          constexpr int kMostPlanes = 38 + 37;  // table A.27's exponent, guard bits, ROI
          int planes = 0;
          while (!part.zero_planes->below(x, y, planes + 1, bits)) {
            if (++planes > kMostPlanes) throw NotUnderstood{};
          }
          block.zero_planes = planes;
        }
        read_lengths(block, part.band, bits);
      }
    }
  }

  void read_lengths(Block& block, int band, BitReader& bits) {
    int left = passes_of(bits);
    const bool high_throughput = (style_.block_style & kHighThroughputBlocks) != 0;
    if (high_throughput && left > 3) throw NotUnderstood{};
    while (bits.bit() == 1) ++block.length_bits;
    Length length{band, block.zero_planes, left, 0, 0};
    while (left > 0) {
      const int passes = passes_in_segment(style_.block_style, block.passes, left);
      const int width = block.length_bits + std::bit_width(static_cast<unsigned>(passes)) - 1;
      if (width > 31) throw NotUnderstood{};
      const std::size_t bytes = bits.bits(width);
      (high_throughput && block.passes > 0 ? length.second : length.first) += bytes;
      block.passes += passes;
      left -= passes;
    }
    lengths_.push_back(length);
  }

  struct Length {
    int band;
    int zero_planes;
    int passes;
    std::size_t first;
    std::size_t second;
  };

  const CodingStyle& style_;
  Box tile_;
  int components_;
  Tile& out_;
  std::vector<CodedBlock>& blocks_;
  std::vector<Precinct> precincts_;
  std::vector<Resolution> resolutions_;
  std::size_t per_component_ = 0;
  std::vector<Length> lengths_;
  std::size_t part_ = 0;
  std::size_t position_ = 0;
};

}  // namespace

bool read_tile(const CodingStyle& style, const Box& area, int components, Tile& tile,
               std::vector<CodedBlock>& blocks) {
  return TileReader(style, area, components, tile, blocks).read();
}

}  // namespace spinekit::j2k

// Finds the packets of one tile.
#pragma once

#include "j2k_packets.h"

namespace spinekit::j2k {

struct Box {
  std::int64_t x0 = 0;
  std::int64_t y0 = 0;
  std::int64_t x1 = 0;
  std::int64_t y1 = 0;
  [[nodiscard]] bool empty() const { return x0 >= x1 || y0 >= y1; }
};

// Lists the packets of `tile`, whose area on the reference grid is `area`, and finds those that its
// parts hold; the blocks of HT packets are appended to `blocks`. Returns whether all were there.
// Throws NotUnderstood of j2k_bits.h.
bool read_tile(const CodingStyle& style, const Box& area, int components, Tile& tile,
               std::vector<CodedBlock>& blocks);

}  // namespace spinekit::j2k

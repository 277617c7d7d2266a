// The bits and tag trees of packet headers (ISO/IEC 15444-1 B.10).
#pragma once

#include <algorithm>

#include "j2k_syntax.h"

namespace spinekit::j2k {

// Thrown where a header goes on beyond its bytes, and where it says what cannot be or is not handled.
struct CutOff {};
struct NotUnderstood {};

class BitReader {
 public:
  explicit BitReader(Bytes bytes) : bytes_(bytes) {}
  unsigned bit() {
    if (left_ == 0) {
      if (position_ >= bytes_.size()) throw CutOff{};
      left_ = stuffed_ ? 7 : 8;
      byte_ = bytes_[position_++];
      stuffed_ = byte_ == 0xFF;
    }
    return byte_ >> --left_ & 1U;
  }
  unsigned bits(int count) {
    unsigned value = 0;
    for (int i = 0; i < count; ++i) value = value << 1U | bit();
    return value;
  }
  // The header ends with its byte, and with the next one where bits were stuffed into that.
  std::size_t end() {
    if (stuffed_) {
      if (position_ >= bytes_.size()) throw CutOff{};
      ++position_;
    }
    return position_;
  }

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
  unsigned byte_ = 0;
  unsigned left_ = 0;
  bool stuffed_ = false;
};

// A tag tree (B.10.2): what is known of each node is that its value is at least `low`.
class TagTree {
 public:
  TagTree(std::int64_t width, std::int64_t height) {
    while (true) {
      levels_.push_back({width, nodes_.size()});
      nodes_.resize(nodes_.size() + static_cast<std::size_t>(width * height));
      if (width <= 1 && height <= 1) break;
      width = ceil_div(width, 2);
      height = ceil_div(height, 2);
    }
  }

  // Whether the leaf's value is below `threshold`.
  bool below(std::int64_t x, std::int64_t y, int threshold, BitReader& bits) {
    int low = 0;
    for (std::size_t level = levels_.size(); level-- > 0;) {
      Node& node =
          nodes_[levels_[level].start +
                 static_cast<std::size_t>((y >> level) * levels_[level].width + (x >> level))];
      node.low = std::max(node.low, low);
      while (!node.known && node.low < threshold) {
        if (bits.bit() == 1) {
          node.known = true;
        } else {
          ++node.low;
        }
      }
      low = node.low;
      if (level == 0) return node.known && node.low < threshold;
    }
    return false;
  }

 private:
  struct Level {
    std::int64_t width;
    std::size_t start;
  };
  struct Node {
    int low = 0;
    bool known = false;
  };
  std::vector<Level> levels_;
  std::vector<Node> nodes_;
};

}  // namespace spinekit::j2k

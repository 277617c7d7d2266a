// Rows of packed pixels as the stages of cleaning hand them on.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "spinekit/pieces.h"

namespace spinekit::classify {

using Word = std::uint64_t;
// Bytes become bits, and bits bytes, where they lie.
static_assert(std::endian::native == std::endian::little);
inline constexpr std::int64_t kWordBits = 64;
inline constexpr Word kAllOnes = ~Word{0};
// Inner loops of a fixed length become vector code.
inline constexpr std::int64_t kBlock = 8;

// Words of a row, whole blocks.
constexpr std::int64_t block_words(std::int64_t width) {
  return (mask_words(width) + kBlock - 1) / kBlock * kBlock;
}

// The pixels of the last word that are within the width.
constexpr Word tail_mask(std::int64_t width) {
  return width % kWordBits == 0 ? kAllOnes : (Word{1} << (width % kWordBits)) - 1;
}

// Erosion is dilation of what is not set: nothing comes in from beyond the image either way.
enum class Morphology { kDilate, kErode };

constexpr Word flip_of(Morphology kind) { return kind == Morphology::kErode ? kAllOnes : 0; }

// Of rows of block_words(width); bits beyond the width come out as 0.
inline void flip_row(const Word* row, Word flip, std::int64_t width, Word* out) {
  const std::int64_t words = block_words(width);
  for (std::int64_t k = 0; k < words; ++k) out[k] = row[k] ^ flip;
  const std::int64_t last = mask_words(width) - 1;
  out[last] &= tail_mask(width);
  std::fill(out + last + 1, out + words, Word{0});
}

// A row with one more word on either side, which belong to nobody's pixels.
class GuardedRow {
 public:
  explicit GuardedRow(std::int64_t words) : words_(static_cast<std::size_t>(words + 2)) {}
  Word* data() { return words_.data() + 1; }

 private:
  std::vector<Word> words_;
};

// Takes rows of block_words(width), without bits beyond the width.
class RowStage {
 public:
  RowStage() = default;
  virtual ~RowStage() = default;
  RowStage(const RowStage&) = delete;
  RowStage& operator=(const RowStage&) = delete;

  virtual void add(const Word* row) = 0;
  [[nodiscard]] virtual std::int64_t memory() const = 0;
};

class SinkStage : public RowStage {
 public:
  explicit SinkStage(std::function<void(const Word* row)> sink) : sink_(std::move(sink)) {}
  void add(const Word* row) override { sink_(row); }
  [[nodiscard]] std::int64_t memory() const override { return 0; }

 private:
  std::function<void(const Word* row)> sink_;
};

}  // namespace spinekit::classify

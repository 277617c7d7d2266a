// Dilation and erosion of packed rows by a square, in a time that its size hardly changes.
#pragma once

#include <cstdint>
#include <vector>

#include "bit_row.h"

namespace spinekit::classify {

// The pixel of a square that counts is the one at (size / 2, size / 2), for dilation and erosion alike, as
// cv2.morphologyEx has it for cv2.getStructuringElement(MORPH_RECT): even sizes reach farther left and up.
class RectangleStage : public RowStage {
 public:
  // size >= 1; `next` outlives this.
  RectangleStage(std::int64_t width, std::int64_t height, std::int64_t size, Morphology kind,
                 RowStage& next);
  void add(const Word* row) override;
  [[nodiscard]] std::int64_t memory() const override { return memory(width_, size_); }
  static std::int64_t memory(std::int64_t width, std::int64_t size);

 private:
  enum class Direction { kRight, kLeft };

  void widen(Direction direction, std::int64_t by);
  void feed(const Word* row);
  Word* block_row(std::int64_t place) { return block_.data() + place * words_; }

  std::int64_t width_;
  std::int64_t height_;
  std::int64_t size_;
  std::int64_t words_;
  Word flip_;
  RowStage& next_;
  GuardedRow wide_;
  GuardedRow wider_;
  // Rows come in blocks of `size`. Those of the block at hand replace the sums of the last rows of the
  // block before, from each row on, which are needed only until then; one more row is always empty.
  std::vector<Word> block_;
  std::vector<Word> sum_;  // of the block at hand
  std::vector<Word> out_;
  std::int64_t place_ = 0;  // in the block
  std::int64_t row_ = 0;
};

}  // namespace spinekit::classify

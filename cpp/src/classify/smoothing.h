// The 7 x 7 Gaussian of a mask as 0 and 255, and its threshold at 127, on packed rows.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bit_row.h"

namespace spinekit::classify {

// OpenCV's 8-bit kernel of this size is (2, 7, 14, 18, 14, 7, 2) / 64, exactly, and rounds once, at
// the end: 255 s / 4096 rounds to more than 127 from s = 2048 on. So a pixel is set where the weighted
// count of set pixels around it, of 4096, is at least half.
class SmoothingStage : public RowStage {
 public:
  // `next` outlives this.
  SmoothingStage(std::int64_t width, std::int64_t height, RowStage& next);
  void add(const Word* row) override;
  [[nodiscard]] std::int64_t memory() const override;

 private:
  static constexpr std::int64_t kRows = 7;
  static constexpr std::int64_t kPlanes = 7;  // bits of 0 ... 64
  enum class Content : std::uint8_t { kEmpty, kFull, kMixed };

  void mirror(const Word* row);
  void emit(std::int64_t target);

  std::int64_t width_;
  std::int64_t height_;
  std::int64_t words_;
  RowStage& next_;
  GuardedRow row_words_;
  // Of the last seven rows, by block: seven planes of eight words, the bits of the sums along the row.
  std::array<std::vector<Word>, kRows> sums_;
  std::array<std::vector<Content>, kRows> contents_;
  std::vector<Word> out_;
  std::int64_t row_ = 0;
};

}  // namespace spinekit::classify

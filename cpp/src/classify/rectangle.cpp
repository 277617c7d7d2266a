#include "rectangle.h"

#include <algorithm>
#include <utility>

namespace spinekit::classify {

RectangleStage::RectangleStage(std::int64_t width, std::int64_t height, std::int64_t size,
                               Morphology kind, RowStage& next)
    : width_(width),
      height_(height),
      size_(size),
      words_(block_words(width)),
      flip_(flip_of(kind)),
      next_(next),
      wide_(words_),
      wider_(words_),
      block_(static_cast<std::size_t>((size + 1) * words_)),
      sum_(static_cast<std::size_t>(words_)),
      out_(static_cast<std::size_t>(words_)) {}

std::int64_t RectangleStage::memory(std::int64_t width, std::int64_t size) {
  return ((size + 5) * block_words(width) + 4) * static_cast<std::int64_t>(sizeof(Word));
}

void RectangleStage::add(const Word* row) {
  flip_row(row, flip_, width_, wide_.data());
  const std::int64_t before = size_ / 2, after = size_ - 1 - before;
  widen(Direction::kRight, before);
  widen(Direction::kLeft, after);
  feed(wide_.data());
  if (row_ < height_) return;
  for (std::int64_t k = 0; k < after; ++k) feed(block_row(size_));
}

// What is pushed out beyond either end is within reach of a pixel at that end, and so needed nowhere else.
void RectangleStage::widen(Direction direction, std::int64_t by) {
  for (std::int64_t reach = 0; reach < by;) {
    const std::int64_t step = std::min({by - reach, reach + 1, kWordBits - 1});
    const auto near = static_cast<int>(step), far = static_cast<int>(kWordBits - step);
    const Word* from = wide_.data();
    Word* to = wider_.data();
    if (direction == Direction::kRight) {
      for (std::int64_t k = 0; k < words_; ++k)
        to[k] = from[k] | from[k] << near | from[k - 1] >> far;
    } else {
      for (std::int64_t k = 0; k < words_; ++k)
        to[k] = from[k] | from[k] >> near | from[k + 1] << far;
    }
    std::swap(wide_, wider_);
    reach += step;
  }
}

// Van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels",
// 1992: the last `size` rows are the end of one block and the beginning of the next.
void RectangleStage::feed(const Word* row) {
  Word* at = block_row(place_);
  const Word* rest = block_row(place_ + 1);
  Word* sum = sum_.data();
  Word* out = out_.data();
  const Word keep = place_ == 0 ? 0 : kAllOnes;
  for (std::int64_t k = 0; k < words_; ++k) {
    sum[k] = (sum[k] & keep) | row[k];
    at[k] = row[k];
    out[k] = sum[k] | rest[k];
  }
  if (++place_ == size_) {
    for (std::int64_t up = size_ - 2; up >= 0; --up) {
      Word* into = block_row(up);
      const Word* below = block_row(up + 1);
      for (std::int64_t k = 0; k < words_; ++k) into[k] |= below[k];
    }
    place_ = 0;
  }
  const std::int64_t after = size_ - 1 - size_ / 2;
  if (++row_ <= after) return;
  flip_row(out, flip_, width_, out);
  next_.add(out);
}

}  // namespace spinekit::classify

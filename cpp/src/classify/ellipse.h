// Dilation and erosion of packed rows by an ellipse.
#pragma once

#include <cstdint>
#include <vector>

#include "bit_row.h"

namespace spinekit::classify {

// Half widths of the rows of a size x size ellipse, from the middle row outwards, as
// cv2.getStructuringElement(MORPH_ELLIPSE) draws it; size is odd.
std::vector<std::int64_t> ellipse_half_widths(std::int64_t size);

class EllipseStage : public RowStage {
 public:
  // `next` outlives this.
  EllipseStage(std::int64_t width, std::int64_t height, std::int64_t size, Morphology kind,
               RowStage& next);
  void add(const Word* row) override;
  [[nodiscard]] std::int64_t memory() const override;

 private:
  // A widened row goes into the sums of the rows `away` above and below.
  struct Step {
    std::int64_t half_width;
    std::vector<std::int64_t> away;
  };

  void widen_to(std::int64_t half_width);
  void spread(std::int64_t target);
  void emit(std::int64_t target);
  Word* sum(std::int64_t row) {
    return sums_.data() + (row % static_cast<std::int64_t>(ring_)) * words_;
  }

  std::int64_t width_;
  std::int64_t height_;
  std::int64_t words_;
  std::int64_t radius_;
  std::int64_t ring_;
  Word flip_;
  RowStage& next_;
  std::vector<Step> steps_;
  std::vector<Word> sums_;
  GuardedRow wide_;
  GuardedRow wider_;
  std::int64_t wide_by_ = 0;
  bool empty_ = false;  // the row at hand
  std::vector<Word> out_;
  std::int64_t row_ = 0;
};

}  // namespace spinekit::classify

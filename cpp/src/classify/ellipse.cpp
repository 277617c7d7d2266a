#include "ellipse.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace spinekit::classify {

std::vector<std::int64_t> ellipse_half_widths(std::int64_t size) {
  const std::int64_t radius = size / 2;
  const auto r = static_cast<double>(radius);
  // The order of these operations is OpenCV's, so that halves round alike.
  const double inverse = radius > 0 ? 1 / (r * r) : 0;
  std::vector<std::int64_t> half_widths;
  for (std::int64_t away = 0; away <= radius; ++away) {
    const auto dy = static_cast<double>(away);
    half_widths.push_back(std::llrint(r * std::sqrt((r * r - dy * dy) * inverse)));
  }
  return half_widths;
}

EllipseStage::EllipseStage(std::int64_t width, std::int64_t height, std::int64_t size,
                           Morphology kind, RowStage& next)
    : width_(width),
      height_(height),
      words_(block_words(width)),
      radius_(size / 2),
      ring_(size),
      flip_(flip_of(kind)),
      next_(next),
      sums_(static_cast<std::size_t>(ring_ * words_)),
      wide_(words_),
      wider_(words_),
      out_(static_cast<std::size_t>(words_)) {
  const std::vector<std::int64_t> half_widths = ellipse_half_widths(size);
  for (std::int64_t away = radius_; away >= 0; --away) {
    const std::int64_t half_width = half_widths[static_cast<std::size_t>(away)];
    if (steps_.empty() || steps_.back().half_width != half_width)
      steps_.push_back({half_width, {}});
    steps_.back().away.push_back(away);
  }
}

void EllipseStage::add(const Word* row) {
  Word* wide = wide_.data();
  Word any = 0;
  flip_row(row, flip_, width_, wide);
  for (std::int64_t k = 0; k < words_; ++k) any |= wide[k];
  empty_ = any == 0;
  wide_by_ = 0;
  for (const Step& step : steps_) {
    if (!empty_) widen_to(step.half_width);
    for (const std::int64_t away : step.away) {
      if (row_ >= away) spread(row_ - away);
      if (away > 0 && row_ + away < height_) spread(row_ + away);
    }
  }
  if (row_ >= radius_) emit(row_ - radius_);
  ++row_;
  if (row_ < height_) return;
  for (std::int64_t target = std::max<std::int64_t>(0, height_ - radius_); target < height_;
       ++target) {
    emit(target);
  }
}

void EllipseStage::widen_to(std::int64_t half_width) {
  while (wide_by_ < half_width) {
    // A step longer than the present reach would lose what is pushed out and back in at the borders.
    const std::int64_t by =
        std::min({half_width - wide_by_, std::max<std::int64_t>(1, wide_by_), kWordBits - 1});
    const Word* from = wide_.data();
    Word* to = wider_.data();
    const auto up = static_cast<int>(by), down = static_cast<int>(kWordBits - by);
    for (std::int64_t k = 0; k < words_; ++k) {
      to[k] = from[k] | from[k] << up | from[k - 1] >> down | from[k] >> up | from[k + 1] << down;
    }
    std::swap(wide_, wider_);
    wide_by_ += by;
  }
}

void EllipseStage::spread(std::int64_t target) {
  Word* into = sum(target);
  const Word* from = wide_.data();
  // The first row that reaches a target finds another's sum in its place.
  const bool first = row_ == 0 || target == row_ + radius_;
  if (first) {
    std::copy(from, from + words_, into);
  } else if (!empty_) {
    for (std::int64_t k = 0; k < words_; ++k) into[k] |= from[k];
  }
}

void EllipseStage::emit(std::int64_t target) {
  flip_row(sum(target), flip_, width_, out_.data());
  next_.add(out_.data());
}

std::int64_t EllipseStage::memory() const { return (ring_ + 3) * words_ * 8; }

}  // namespace spinekit::classify

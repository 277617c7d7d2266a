// One look at every pixel: where a bone is, and whether the values can be probabilities.
#pragma once

#include <cstdint>

#include "spinekit/measurement.h"

namespace spinekit::radiograph {

// First and last row and column with a value of at least 0.5; empty when there is none.
struct PixelBox {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t bottom = -1;
  std::int64_t right = -1;
  [[nodiscard]] bool empty() const { return bottom < top; }
  [[nodiscard]] std::int64_t rows() const { return bottom - top + 1; }
  [[nodiscard]] std::int64_t columns() const { return right - left + 1; }
};

// Values of one plane of the stack, as probabilities.
class Plane {
 public:
  // `byte_scale`: what a byte is multiplied by.
  Plane(const MaskStack& masks, int bone, double byte_scale);

  [[nodiscard]] double operator()(std::int64_t row, std::int64_t column) const {
    const std::int64_t at = row * columns_ + column;
    return floats_ != nullptr ? static_cast<double>(floats_[at])
                              : static_cast<double>(bytes_[at]) * scale_;
  }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }

  // Throws Error(kArgument), naming the bone, on floats outside [-0.001, 1.001] and NaN.
  [[nodiscard]] PixelBox scan() const;

 private:
  [[nodiscard]] bool row_reaches_half(std::int64_t row) const;

  const float* floats_ = nullptr;
  const std::uint8_t* bytes_ = nullptr;
  double scale_ = 1;
  std::uint8_t byte_half_ = 1;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  int bone_ = 0;
};

std::uint8_t largest_byte(const std::uint8_t* bytes, std::int64_t count);

}  // namespace spinekit::radiograph

#include "mask_scan.h"

#include <algorithm>
#include <bit>
#include <string>

#include "spinekit/error.h"

namespace spinekit::radiograph {
namespace {

constexpr float kTolerance = 0.001F;

// Floats from 0 on are ordered as their bits are; negative ones and NaN stand out by sign or size.
struct RowExtremes {
  std::int32_t largest;
  std::int32_t any_sign;
};

RowExtremes extremes(const float* row, std::int64_t count) {
  std::int32_t largest = 0;
  std::int32_t signs = 0;
  for (std::int64_t c = 0; c < count; ++c) {
    const auto bits = std::bit_cast<std::int32_t>(row[c]);
    largest = bits > largest ? bits : largest;
    signs |= bits;
  }
  return {largest, signs};
}

}  // namespace

Plane::Plane(const MaskStack& masks, int bone, double byte_scale)
    : scale_(byte_scale), rows_(masks.rows), columns_(masks.columns), bone_(bone) {
  const std::int64_t offset = bone * masks.rows * masks.columns;
  if (masks.type == MaskType::kFloat32) {
    floats_ = static_cast<const float*>(masks.data) + offset;
  } else {
    bytes_ = static_cast<const std::uint8_t*>(masks.data) + offset;
    byte_half_ = byte_scale == 1 ? 1 : 128;
  }
}

bool Plane::row_reaches_half(std::int64_t row) const {
  if (bytes_ != nullptr) return largest_byte(bytes_ + row * columns_, columns_) >= byte_half_;
  const float* values = floats_ + row * columns_;
  const RowExtremes found = extremes(values, columns_);
  if (found.any_sign < 0 || found.largest > std::bit_cast<std::int32_t>(1.0F)) {
    for (std::int64_t c = 0; c < columns_; ++c) {
      if (values[c] >= -kTolerance && values[c] <= 1 + kTolerance) continue;
      throw_argument("masks: " + std::to_string(values[c]) + " in the mask of " +
                     kBoneNames[static_cast<std::size_t>(bone_)] + " at row " +
                     std::to_string(row) + ", column " + std::to_string(c) +
                     ", expected probabilities from 0 to 1; apply a sigmoid to logits first");
    }
  }
  return found.largest >= std::bit_cast<std::int32_t>(0.5F);
}

PixelBox Plane::scan() const {
  PixelBox box;
  for (std::int64_t r = 0; r < rows_; ++r) {
    if (!row_reaches_half(r)) continue;
    std::int64_t first = 0;
    while ((*this)(r, first) < 0.5) ++first;
    std::int64_t last = columns_ - 1;
    while ((*this)(r, last) < 0.5) --last;
    if (box.empty()) {
      box = {r, first, r, last};
      continue;
    }
    box.bottom = r;
    box.left = std::min(box.left, first);
    box.right = std::max(box.right, last);
  }
  return box;
}

std::uint8_t largest_byte(const std::uint8_t* bytes, std::int64_t count) {
  std::uint8_t largest = 0;
  for (std::int64_t k = 0; k < count; ++k) largest = bytes[k] > largest ? bytes[k] : largest;
  return largest;
}

}  // namespace spinekit::radiograph

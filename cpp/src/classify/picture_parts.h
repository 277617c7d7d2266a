// Pictures in parts of rows, side by side on an executor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "spinekit/colour.h"
#include "spinekit/error.h"

namespace spinekit::classify {

// Parts begin at whole words of a packed row.
inline constexpr std::int64_t kPartPixels = 16384;

// Calls work(pixels, count, row, column) for parts of up to kPartPixels; the last two say where.
template <typename Work>
void for_row_parts(const PictureView& picture, Executor& executor, const CancelToken& cancel,
                   const Work& work) {
  if (picture.rows < 1 || picture.columns < 1) {
    throw_argument("a picture of " + std::to_string(picture.rows) + " x " +
                   std::to_string(picture.columns) + " pixels, expected at least one");
  }
  const std::int64_t size = size_of(picture.format);
  const auto* const data = static_cast<const std::byte*>(picture.data);
  const std::int64_t parts = (picture.columns + kPartPixels - 1) / kPartPixels;
  // Parts of an item: starting one costs more than a short row.
  const std::int64_t together = 4 * std::max<std::int64_t>(1, kPartPixels / picture.columns);
  const std::int64_t all = picture.rows * parts;
  executor.parallel_for((all + together - 1) / together,
                        [&](std::int64_t item) {
                          const std::int64_t end = std::min(all, (item + 1) * together);
                          for (std::int64_t part = item * together; part < end; ++part) {
                            const std::int64_t row = part / parts;
                            const std::int64_t column = part % parts * kPartPixels;
                            work(data + row * picture.row_bytes + column * size,
                                 std::min(kPartPixels, picture.columns - column), row, column);
                          }
                        },
                        cancel);
}

// Calls work(pixels, count, where); `where` is the first pixel's place in C order.
template <typename Work>
void for_parts(const PictureView& picture, Executor& executor, const CancelToken& cancel,
               const Work& work) {
  PictureView rows = picture;
  // Rows that follow one another without a gap are one long row.
  if (picture.rows > 1 && picture.row_bytes == picture.columns * size_of(picture.format)) {
    rows.columns *= rows.rows;
    rows.rows = 1;
  }
  for_row_parts(rows, executor, cancel,
                [&](const std::byte* pixels, std::int64_t count, std::int64_t row,
                    std::int64_t column) { work(pixels, count, row * rows.columns + column); });
}

}  // namespace spinekit::classify

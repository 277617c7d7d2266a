#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "spinekit/error.h"
#include "spinekit/pieces.h"

namespace spinekit {
namespace {

// Of the specification; it does not grow with the scan.
constexpr std::int64_t kLine = 50;
constexpr double kReferencePixels = 39061392;

// Compared in order; whole numbers are exact.
std::array<double, 6> key_of(const Piece& piece, Numbering numbering, std::int64_t cell) {
  const auto x = static_cast<std::int64_t>(piece.x), y = static_cast<std::int64_t>(piece.y);
  const auto column = static_cast<double>(x / cell), row = static_cast<double>(y / cell);
  const double first_y = piece.first.y, first_x = piece.first.x;
  switch (numbering) {
    case Numbering::kGrid:
      return {row, column, static_cast<double>(y / kLine), piece.x, first_y, first_x};
    case Numbering::kRow:
      return {row, piece.x, first_y, first_x};
    case Numbering::kColumn:
      return {column, piece.y, first_y, first_x};
    case Numbering::kSimple:
      break;
  }
  return {piece.y, piece.x, first_y, first_x};
}

std::int64_t times(std::int64_t value, double scale) {
  return static_cast<std::int64_t>(static_cast<double>(value) * scale);
}

std::int64_t odd(std::int64_t size) { return size % 2 == 0 ? size + 1 : size; }

}  // namespace

void number_pieces(std::vector<Piece>& pieces, Numbering numbering, std::int64_t cell) {
  if (cell < 1) throw_argument("cell: " + std::to_string(cell) + ", expected at least 1");
  std::sort(pieces.begin(), pieces.end(), [&](const Piece& one, const Piece& other) {
    return key_of(one, numbering, cell) < key_of(other, numbering, cell);
  });
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    pieces[k].number = static_cast<std::int64_t>(k) + 1;
  }
}

PieceSizes scaled(const PieceSizes& sizes, std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1) {
    throw_argument("mask: " + std::to_string(width) + " x " + std::to_string(height) +
                   ", expected at least 1 x 1");
  }
  const double scale = static_cast<double>(width) * static_cast<double>(height) / kReferencePixels;
  const double length = std::sqrt(scale);
  return {
      .min_area = times(sizes.min_area, scale),
      .max_area = sizes.max_area == 0 ? 0 : std::max<std::int64_t>(1, times(sizes.max_area, scale)),
      .kernel = odd(std::max<std::int64_t>(3, times(sizes.kernel, length))),
      .join = odd(std::max<std::int64_t>(5, times(sizes.join, length))),
      .cell = std::max<std::int64_t>(1, times(sizes.cell, length)),
      .margin = times(sizes.margin, length)};
}

}  // namespace spinekit

#include "spinekit/pieces.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "bit_row.h"
#include "labelling.h"
#include "sides.h"
#include "simplifying.h"
#include "spinekit/error.h"
#include "tracing.h"

namespace spinekit {
namespace {

using classify::block_words;
using classify::check_sides;
using classify::kAllOnes;
using classify::kLargestSide;
using classify::kWordBits;
using classify::LeaveOut;
using classify::Run;
using classify::RunList;
using classify::Word;

void check(std::int64_t width, std::int64_t height, const PieceOptions& options) {
  check_sides("mask", width, height);
  if (options.min_area < 0 || options.max_area < 0) {
    throw_argument("min_area " + std::to_string(options.min_area) + ", max_area " +
                   std::to_string(options.max_area) + ": expected 0 or more");
  }
  if (options.max_area > 0 && options.max_area < options.min_area) {
    throw_argument("max_area: " + std::to_string(options.max_area) + " is below min_area, " +
                   std::to_string(options.min_area));
  }
  if (options.cell < 1) {
    throw_argument("cell: " + std::to_string(options.cell) + ", expected at least 1");
  }
  if (!(options.epsilon >= 0) || !std::isfinite(options.epsilon)) {
    throw_argument("epsilon: " + std::to_string(options.epsilon) + ", expected 0 or more");
  }
  if (options.boundary) {
    const PieceBox& box = *options.boundary;
    // Sums of these must not overflow; a box may well reach beyond the mask.
    const auto sane = [](std::int64_t value) {
      return value >= -kLargestSide && value <= 2 * kLargestSide;
    };
    if (!sane(box.x) || !sane(box.y) || !sane(box.width) || !sane(box.height) || box.width < 0 ||
        box.height < 0) {
      throw_argument("boundary: " + std::to_string(box.width) + " x " + std::to_string(box.height) +
                     " at (" + std::to_string(box.x) + ", " + std::to_string(box.y) +
                     "), expected a box on the mask");
    }
  }
}

// What of the mask the boundary covers.
PieceBox covered(std::int64_t width, std::int64_t height, const std::optional<PieceBox>& boundary) {
  if (!boundary) return {0, 0, width, height};
  const std::int64_t left = std::max<std::int64_t>(boundary->x, 0);
  const std::int64_t top = std::max<std::int64_t>(boundary->y, 0);
  const std::int64_t right = std::min(boundary->x + boundary->width, width);
  const std::int64_t bottom = std::min(boundary->y + boundary->height, height);
  return {left, top, std::max<std::int64_t>(right - left, 0),
          std::max<std::int64_t>(bottom - top, 0)};
}

LeaveOut left_out_by(const PieceOptions& options) {
  const bool keep = options.boundary && options.at_boundary == AtBoundary::kKeep;
  return keep ? LeaveOut::kAtAllSides : LeaveOut::kAtAnySide;
}

// Bits first ... end - 1 of a row, all others off.
std::vector<Word> columns_mask(std::int64_t width, std::int64_t first, std::int64_t end) {
  std::vector<Word> mask(static_cast<std::size_t>(block_words(width)));
  for (std::int64_t x = first; x < end;) {
    const std::int64_t start = x % kWordBits;
    const std::int64_t count = std::min(kWordBits - start, end - x);
    mask[static_cast<std::size_t>(x / kWordBits)] = kAllOnes >> (kWordBits - count) << start;
    x += count;
  }
  return mask;
}

// With the room that a growing list of pieces leaves, and what callers make of each.
std::int64_t bytes_of(const Piece& piece) {
  constexpr std::size_t kOfCallers = 400;
  return static_cast<std::int64_t>(2 * sizeof(Piece) + kOfCallers +
                                   (piece.contour.capacity() + piece.outline.capacity()) *
                                       sizeof(PixelPoint));
}

}  // namespace

struct PieceFinder::State {
  State(std::int64_t width_in, std::int64_t height_in, const PieceOptions& options_in)
      : width(width_in),
        height(height_in),
        options(options_in),
        box(covered(width, height, options.boundary)),
        store([this](std::int64_t bytes) { use(bytes); }),
        labeller(width, box, left_out_by(options), store,
                 {.trace = [this](const RunList& list, const PieceBox& extent,
                                  std::int64_t pixels) { return trace(list, extent, pixels); },
                  .keep = [this](Piece&& piece) { pieces.push_back(std::move(piece)); },
                  .drop = [this](const Piece& piece) { used -= bytes_of(piece); }}),
        cleaner(width, height, options.cleaning, [this](const Word* row) { add_cleaned(row); }),
        packed(static_cast<std::size_t>(mask_words(width))) {
    if (options.boundary) {
      columns = columns_mask(width, box.x, box.x + box.width);
      kept.resize(columns.size());
    }
    use(cleaner.memory() + static_cast<std::int64_t>((columns.size() + kept.size()) * 8));
  }

  void use(std::int64_t bytes) {
    used += bytes;
    peak = std::max(peak, used);
    if (used <= options.memory_limit) return;
    throw_resource("pieces: their runs and contours need more than the memory limit of " +
                   std::to_string(options.memory_limit) + " bytes at row " +
                   std::to_string(cleaned) + " of " + std::to_string(height) +
                   "; a larger kernel or min_area leaves less of a noisy mask, or raise the limit");
  }

  void add_cleaned(const Word* row) {
    if (options.boundary) {
      const bool inside = cleaned >= box.y && cleaned < box.y + box.height;
      for (std::size_t k = 0; k < kept.size(); ++k) kept[k] = inside ? row[k] & columns[k] : 0;
      row = kept.data();
    }
    labeller.add(row);
    ++cleaned;
    // What labels take goes up and down with the runs of one row.
    const std::int64_t labels =
        labeller.memory() + static_cast<std::int64_t>(runs.capacity() * sizeof(Run));
    use(labels - label_memory);
    label_memory = labels;
  }

  std::optional<Piece> trace(const RunList& list, const PieceBox& extent, std::int64_t pixels) {
    const std::int64_t most = (extent.width - 1) * (extent.height - 1);
    if (most < options.min_area) return std::nullopt;
    // What is only held while a region is made a piece counts too, the runs before there are two of them.
    const auto making = list.count * static_cast<std::int64_t>(sizeof(Run));
    use(making);
    store.sorted(list, runs);
    Piece piece;
    piece.pixels = pixels;
    piece.contour = classify::outer_border(runs);
    const auto border = static_cast<std::int64_t>(piece.contour.capacity() * sizeof(PixelPoint));
    use(border);
    use(-making - border);
    classify::measure(piece);
    const auto least = static_cast<double>(options.min_area);
    const auto greatest = static_cast<double>(options.max_area);
    if (piece.area < least || (options.max_area > 0 && piece.area > greatest)) return std::nullopt;
    piece.outline = classify::simplified(piece.contour, options.epsilon);
    if (!options.keep_contours) piece.contour.clear();
    piece.contour.shrink_to_fit();
    piece.outline.shrink_to_fit();
    use(bytes_of(piece));
    return piece;
  }

  std::int64_t width;
  std::int64_t height;
  PieceOptions options;
  PieceBox box;  // what may hold damage
  std::int64_t used = 0;
  std::int64_t peak = 0;
  std::int64_t label_memory = 0;
  classify::RunStore store;
  classify::Labeller labeller;
  MaskCleaner cleaner;
  std::vector<Word> packed;
  std::vector<Word> columns, kept;  // of the boundary
  std::int64_t taken = 0;
  std::int64_t cleaned = 0;
  bool finished = false;
  std::vector<Run> runs;
  std::vector<Piece> pieces;
};

PieceFinder::PieceFinder(std::int64_t width, std::int64_t height, const PieceOptions& options) {
  check(width, height, options);
  state_ = std::make_unique<State>(width, height, options);
}

PieceFinder::~PieceFinder() = default;

void PieceFinder::add_rows(const std::uint64_t* words, std::int64_t rows) {
  State& state = *state_;
  if (rows < 0 || rows > state.height - state.taken) {
    throw_argument("rows: " + std::to_string(rows) + " after " + std::to_string(state.taken) +
                   ", the mask has " + std::to_string(state.height));
  }
  for (std::int64_t k = 0; k < rows; ++k) {
    ++state.taken;
    state.cleaner.add_row(words + k * mask_words(state.width));
  }
}

void PieceFinder::add_byte_rows(const std::uint8_t* bytes, std::int64_t rows) {
  State& state = *state_;
  if (rows < 0 || rows > state.height - state.taken) {
    throw_argument("rows: " + std::to_string(rows) + " after " + std::to_string(state.taken) +
                   ", the mask has " + std::to_string(state.height));
  }
  for (std::int64_t k = 0; k < rows; ++k) {
    pack_mask_row(bytes + k * state.width, state.width, state.packed.data());
    add_rows(state.packed.data(), 1);
  }
}

std::vector<Piece> PieceFinder::finish() {
  State& state = *state_;
  if (state.finished) throw_argument("pieces: finished already");
  if (state.taken < state.height) {
    throw_argument("pieces: " + std::to_string(state.taken) + " rows so far, expected " +
                   std::to_string(state.height));
  }
  state.finished = true;
  state.labeller.finish();
  number_pieces(state.pieces, state.options.numbering, state.options.cell);
  return std::move(state.pieces);
}

std::int64_t PieceFinder::rows() const { return state_->taken; }

std::int64_t PieceFinder::peak_memory() const { return state_->peak; }

}  // namespace spinekit

#include "spinekit/artwork.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include "bit_row.h"
#include "colour_features.h"
#include "colour_kernels.h"
#include "lab_b.h"
#include "labelling.h"
#include "otsu.h"
#include "picture_parts.h"
#include "rectangle.h"
#include "sides.h"
#include "spinekit/error.h"
#include "tracing.h"

namespace spinekit {
namespace {

using namespace classify;

// Rows that are made bits of before they are cleaned, one after the other.
constexpr std::int64_t kStripPixels = std::int64_t{1} << 22;

std::int64_t side_of(std::int64_t least, double share, std::int64_t shorter) {
  return std::max(least, static_cast<std::int64_t>(static_cast<double>(shorter) * share));
}

}  // namespace

struct ArtworkFinder::State {
  State(std::int64_t width_in, std::int64_t height_in, std::int64_t limit_in)
      : width(width_in),
        height(height_in),
        limit(limit_in),
        // As the reference multiplies, from left to right.
        least_area(0.3 * static_cast<double>(width) * static_cast<double>(height)),
        strip_rows(std::clamp<std::int64_t>(kStripPixels / width, 1, height)),
        store([this](std::int64_t bytes) { use(bytes); }),
        labeller(width, {0, 0, width, height}, LeaveOut::kNone, store,
                 {.trace = [this](const RunList& list, const PieceBox& extent,
                                  std::int64_t) { return weigh(list, extent); },
                  .keep = [](Piece&&) {},
                  .drop = [](const Piece&) {}}) {
    const std::int64_t shorter = std::min(width, height);
    const std::int64_t closing = side_of(20, 0.005, shorter);
    const std::int64_t opening = side_of(5, 0.001, shorter);
    use(2 * (RectangleStage::memory(width, closing) + RectangleStage::memory(width, opening)) +
        strip_rows * block_words(width) * static_cast<std::int64_t>(sizeof(Word)));
    strip.resize(static_cast<std::size_t>(strip_rows * block_words(width)));
    stages.push_back(std::make_unique<SinkStage>([this](const Word* row) { label(row); }));
    const auto square = [&](std::int64_t size, Morphology kind) {
      stages.push_back(std::make_unique<RectangleStage>(width, height, size, kind, *stages.back()));
    };
    square(opening, Morphology::kDilate);
    square(opening, Morphology::kErode);
    square(closing, Morphology::kErode);
    square(closing, Morphology::kDilate);
  }

  void use(std::int64_t bytes) {
    used += bytes;
    peak = std::max(peak, used);
    if (used <= limit) return;
    throw_resource("artwork: colours, rows and runs of a scan of " + std::to_string(width) + " x " +
                   std::to_string(height) + " need more than the memory limit of " +
                   std::to_string(limit) + " bytes; raise the limit, or give the boundary");
  }

  void check_width(std::int64_t columns) const {
    if (columns == width) return;
    throw_argument("rows: " + std::to_string(columns) + " columns, expected " +
                   std::to_string(width));
  }

  void check_rows(std::int64_t rows, std::int64_t before) const {
    if (rows >= 0 && rows <= height - before) return;
    throw_argument("rows: " + std::to_string(rows) + " after " + std::to_string(before) +
                   ", the scan has " + std::to_string(height));
  }

  // To be called before rows of the second pass.
  void decide(std::int64_t rows) {
    if (counted < height) {
      throw_argument("rows: added after " + std::to_string(counted) +
                     " were counted, expected all " + std::to_string(height));
    }
    check_rows(rows, taken);
    if (!threshold) threshold = otsu_threshold(sums());
  }

  void forget_colours() {
    if (!colours) return;
    colours.reset();
    use(-LabB::kBytes);
  }

  // The rows of `strip` go on to be cleaned.
  void pass_on(std::int64_t rows) {
    for (std::int64_t row = 0; row < rows; ++row) {
      stages.back()->add(strip.data() + row * block_words(width));
      ++taken;
    }
  }

  [[nodiscard]] Histogram sums() const {
    Histogram values;
    std::copy(histogram.begin(), histogram.end(), values.begin());
    return values;
  }

  void label(const Word* row) {
    labeller.add(row);
    const std::int64_t labels =
        labeller.memory() + static_cast<std::int64_t>(runs.capacity() * sizeof(Run));
    use(labels - label_memory);
    label_memory = labels;
  }

  std::optional<Piece> weigh(const RunList& list, const PieceBox& extent) {
    const double most =
        static_cast<double>(extent.width - 1) * static_cast<double>(extent.height - 1);
    if (most < std::max(least_area, largest ? largest->area : 0)) return std::nullopt;
    store.sorted(list, runs);
    Piece piece;
    piece.contour = outer_border(runs);
    const auto bytes = static_cast<std::int64_t>(piece.contour.capacity() * sizeof(PixelPoint));
    use(bytes);
    measure(piece);
    piece.contour = {};
    use(-bytes);
    // cv2 has contours from the last first point to the first, of which max() takes the first largest.
    const auto rank = [](const Piece& of) { return std::tie(of.area, of.first.y, of.first.x); };
    if (piece.area >= least_area && (!largest || rank(piece) > rank(*largest))) largest = piece;
    return std::nullopt;
  }

  std::int64_t width;
  std::int64_t height;
  std::int64_t limit;
  double least_area;
  std::int64_t strip_rows;
  std::int64_t used = 0;
  std::int64_t peak = 0;
  std::int64_t label_memory = 0;
  std::optional<LabB> colours;
  std::array<std::atomic<std::int64_t>, 256> histogram{};
  std::optional<int> threshold;
  std::vector<std::uint32_t> paper;  // bits by colour
  RunStore store;
  Labeller labeller;
  // From the last to the first, each keeps a reference to the one before.
  std::vector<std::unique_ptr<RowStage>> stages;
  std::vector<Word> strip;
  std::vector<Run> runs;
  std::optional<Piece> largest;
  std::int64_t counted = 0;
  std::int64_t taken = 0;
  bool finished = false;
};

ArtworkFinder::ArtworkFinder(std::int64_t width, std::int64_t height, std::int64_t memory_limit) {
  check_sides("scan", width, height);
  state_ = std::make_unique<State>(width, height, memory_limit);
}

ArtworkFinder::~ArtworkFinder() = default;

void ArtworkFinder::count(const PictureView& rows, Executor& executor, const CancelToken& cancel,
                          std::uint8_t* levels) {
  State& state = *state_;
  state.check_width(rows.columns);
  state.check_rows(rows.rows, state.counted);
  if (!state.colours) {
    state.use(LabB::kBytes);
    state.colours.emplace(executor, cancel);
  }
  for_parts(rows, executor, cancel,
            [&](const std::byte* pixels, std::int64_t count, std::int64_t where) {
              Rgb8Part part;
              Histogram some{};
              state.colours->count(part.of(pixels, count, rows.format), count, some,
                                   levels == nullptr ? nullptr : levels + where);
              for (std::size_t level = 0; level < some.size(); ++level) {
                if (some[level] == 0) continue;
                state.histogram[level].fetch_add(some[level], std::memory_order_relaxed);
              }
            });
  state.counted += rows.rows;
}

void ArtworkFinder::add(const PictureView& rows, Executor& executor, const CancelToken& cancel) {
  State& state = *state_;
  state.check_width(rows.columns);
  state.decide(rows.rows);
  if (state.paper.empty()) {
    state.use(kColours / 8);
    if (!state.colours) throw_argument("rows: added after levels, expected more of these");
    state.paper = state.colours->above(*state.threshold, executor, cancel);
    state.forget_colours();
  }
  const std::int64_t words = block_words(state.width);
  for (std::int64_t start = 0; start < rows.rows; start += state.strip_rows) {
    PictureView strip = rows;
    strip.data = static_cast<const std::byte*>(rows.data) + start * rows.row_bytes;
    strip.rows = std::min(state.strip_rows, rows.rows - start);
    for_row_parts(
        strip, executor, cancel,
        [&](const std::byte* pixels, std::int64_t count, std::int64_t row, std::int64_t column) {
          Rgb8Part part;
          look_up_row(part.of(pixels, count, rows.format), count, state.paper.data(),
                      state.strip.data() + row * words + column / kWordBits);
        });
    state.pass_on(strip.rows);
  }
}

void ArtworkFinder::add_levels(const std::uint8_t* levels, std::int64_t rows, Executor& executor,
                               const CancelToken& cancel) {
  State& state = *state_;
  state.decide(rows);
  state.forget_colours();
  const int threshold = *state.threshold;
  for (std::int64_t start = 0; start < rows; start += state.strip_rows) {
    const std::int64_t some = std::min(state.strip_rows, rows - start);
    executor.parallel_for(
        some,
        [&](std::int64_t row) {
          std::vector<std::uint8_t> flags(static_cast<std::size_t>(state.width));
          const std::uint8_t* const from = levels + (start + row) * state.width;
          for (std::int64_t x = 0; x < state.width; ++x) flags[x] = from[x] > threshold ? 1 : 0;
          pack_mask_row(flags.data(), state.width,
                        state.strip.data() + row * block_words(state.width));
        },
        cancel);
    state.pass_on(some);
  }
}

std::optional<PieceBox> ArtworkFinder::finish() {
  State& state = *state_;
  if (state.finished) throw_argument("artwork: finished already");
  if (state.taken < state.height) {
    throw_argument("artwork: " + std::to_string(state.taken) + " rows so far, expected " +
                   std::to_string(state.height));
  }
  state.finished = true;
  state.labeller.finish();
  if (!state.largest) return std::nullopt;
  return state.largest->box;
}

std::optional<int> ArtworkFinder::threshold() const {
  if (state_->counted < state_->height) return std::nullopt;
  return otsu_threshold(state_->sums());
}

std::int64_t ArtworkFinder::peak_memory() const { return state_->peak; }

}  // namespace spinekit

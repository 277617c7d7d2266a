#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "bit_row.h"
#include "ellipse.h"
#include "smoothing.h"
#include "spinekit/error.h"
#include "spinekit/pieces.h"

namespace spinekit {
namespace {

using classify::block_words;
using classify::EllipseStage;
using classify::Morphology;
using classify::RowStage;
using classify::SinkStage;
using classify::SmoothingStage;
using classify::Word;

void check_kernel(std::int64_t size, const char* name) {
  if (size == 0 || (size > 0 && size <= kLargestKernel && size % 2 == 1)) return;
  throw_argument(std::string(name) + ": " + std::to_string(size) + ", expected an odd size up to " +
                 std::to_string(kLargestKernel) + ", or 0 for none");
}

}  // namespace

void pack_mask_row(const std::uint8_t* bytes, std::int64_t width, std::uint64_t* words) {
  constexpr Word kLow = 0x7F7F7F7F7F7F7F7F;
  std::int64_t x = 0;
  for (std::int64_t word = 0; word < mask_words(width); ++word) {
    Word bits = 0;
    for (int group = 0; group < 8 && x < width; ++group) {
      Word eight = 0;
      const std::int64_t count = std::min<std::int64_t>(8, width - x);
      std::memcpy(&eight, bytes + x, static_cast<std::size_t>(count));
      // The highest bit of each byte that is not 0; the product gathers them in the highest byte.
      const Word set = (((eight & kLow) + kLow) | eight) & ~kLow;
      bits |= ((set >> 7) * 0x0102040810204080) >> 56 << (8 * group);
      x += count;
    }
    words[word] = bits;
  }
}

struct MaskCleaner::State {
  std::int64_t width;
  std::int64_t height;
  std::int64_t rows = 0;
  // From the last to the first, each keeps a reference to the one before.
  std::vector<std::unique_ptr<RowStage>> stages;
  std::vector<Word> row;
};

MaskCleaner::MaskCleaner(std::int64_t width, std::int64_t height, const CleaningOptions& options,
                         RowSink sink)
    : state_(std::make_unique<State>()) {
  if (width < 1 || height < 1) {
    throw_argument("mask: " + std::to_string(width) + " x " + std::to_string(height) +
                   ", expected at least 1 x 1");
  }
  check_kernel(options.closing, "closing");
  check_kernel(options.opening, "opening");
  check_kernel(options.join, "join");
  state_->width = width;
  state_->height = height;
  state_->row.resize(static_cast<std::size_t>(block_words(width)));
  auto& stages = state_->stages;
  stages.push_back(std::make_unique<SinkStage>(std::move(sink)));
  const auto ellipse = [&](std::int64_t size, Morphology kind) {
    if (size <= 1) return;
    stages.push_back(std::make_unique<EllipseStage>(width, height, size, kind, *stages.back()));
  };
  ellipse(options.join, Morphology::kErode);
  ellipse(options.join, Morphology::kDilate);
  ellipse(options.opening, Morphology::kDilate);
  ellipse(options.opening, Morphology::kErode);
  if (options.smooth) {
    stages.push_back(std::make_unique<SmoothingStage>(width, height, *stages.back()));
  }
  ellipse(options.closing, Morphology::kErode);
  ellipse(options.closing, Morphology::kDilate);
}

MaskCleaner::~MaskCleaner() = default;

void MaskCleaner::add_row(const std::uint64_t* words) {
  if (state_->rows == state_->height) {
    throw_argument("mask: more rows than its height, " + std::to_string(state_->height));
  }
  const std::int64_t count = mask_words(state_->width);
  std::copy(words, words + count, state_->row.begin());
  state_->row[static_cast<std::size_t>(count - 1)] &= classify::tail_mask(state_->width);
  ++state_->rows;
  state_->stages.back()->add(state_->row.data());
}

std::int64_t MaskCleaner::memory() const {
  std::int64_t bytes = static_cast<std::int64_t>(state_->row.size()) * 8;
  for (const auto& stage : state_->stages) bytes += stage->memory();
  return bytes;
}

}  // namespace spinekit

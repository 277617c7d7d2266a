#include "lab_b.h"

#include <cstring>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "colour_features.h"
#include "colour_kernels.h"
#include "radiograph/opencv.h"
#include "spinekit/pieces.h"

namespace spinekit::classify {
namespace {

std::uint8_t narrowed(std::uint16_t value) {
  return static_cast<std::uint8_t>((value + 128) / 257);
}
std::uint8_t narrowed(std::uint8_t value) { return value; }

template <typename Sample>
void narrow(const std::byte* pixels, std::int64_t count, std::int64_t times, std::uint8_t* out) {
  const auto* const from = reinterpret_cast<const Sample*>(pixels);
  for (std::int64_t k = 0; k < count; ++k) {
    for (std::int64_t j = 0; j < times; ++j) out[times * k + j] = narrowed(from[k]);
  }
}

template <typename Level>
void add_to(Histogram& histogram, std::int64_t count, const Level& level_of) {
  // Neighbours are mostly alike: one counter would wait for itself.
  constexpr std::int64_t kApart = 4;
  std::array<std::array<std::uint32_t, 256>, kApart> counts{};
  std::int64_t k = 0;
  for (; k + kApart <= count; k += kApart) {
    for (std::int64_t j = 0; j < kApart; ++j) ++counts[j][level_of(k + j)];
  }
  for (; k < count; ++k) ++counts[0][level_of(k)];
  for (const auto& some : counts) {
    for (std::size_t level = 0; level < some.size(); ++level) histogram[level] += some[level];
  }
}

}  // namespace

const std::uint8_t* Rgb8Part::of(const std::byte* pixels, std::int64_t count, ColourFormat format) {
  switch (format) {
    case ColourFormat::kRgb8:
      return reinterpret_cast<const std::uint8_t*>(pixels);
    case ColourFormat::kRgb16:
      narrow<std::uint16_t>(pixels, 3 * count, 1, rgb_.data());
      break;
    case ColourFormat::kGrey8:
      narrow<std::uint8_t>(pixels, count, 3, rgb_.data());
      break;
    case ColourFormat::kGrey16:
      narrow<std::uint16_t>(pixels, count, 3, rgb_.data());
      break;
  }
  return rgb_.data();
}

LabB::LabB(Executor& executor, const CancelToken& cancel) : table_(kColours) {
  static_assert(kBytes == kColours);
  constexpr std::int64_t kTogether = 16384;
  prepare_opencv();
  executor.parallel_for(
      kColours / kTogether,
      [&](std::int64_t item) {
        std::vector<std::uint8_t> rgb(3 * kTogether), lab(3 * kTogether);
        colours_from(item * kTogether, kTogether, rgb.data());
        radiograph::with_opencv("Lab", [&] {
          const cv::Mat source(1, kTogether, CV_8UC3, rgb.data());
          cv::Mat to(1, kTogether, CV_8UC3, lab.data());
          cv::cvtColor(source, to, cv::COLOR_RGB2Lab);
        });
        std::uint8_t* const out = table_.data() + item * kTogether;
        for (std::int64_t k = 0; k < kTogether; ++k) {
          out[k] = lab[static_cast<std::size_t>(3 * k + 2)];
        }
      },
      cancel);
}

void LabB::count(const std::uint8_t* rgb, std::int64_t count, Histogram& histogram,
                 std::uint8_t* levels) const {
  if (levels != nullptr) {
    for (std::int64_t k = 0; k < count; ++k) levels[k] = table_[colour_index(rgb + 3 * k)];
    add_to(histogram, count, [&](std::int64_t k) { return levels[k]; });
    return;
  }
  const std::uint8_t* const table = table_.data();
  add_to(histogram, count, [&](std::int64_t k) { return table[colour_index(rgb + 3 * k)]; });
}

std::vector<std::uint32_t> LabB::above(int threshold, Executor& executor,
                                       const CancelToken& cancel) const {
  std::vector<std::uint32_t> bits(kColours / 32);
  executor.parallel_for(
      kColours / kSlab,
      [&](std::int64_t slab) {
        std::array<std::uint8_t, kSlab> flags;
        std::array<std::uint64_t, kSlab / 64> words;
        const std::uint8_t* const from = table_.data() + slab * kSlab;
        for (std::int64_t k = 0; k < kSlab; ++k) flags[k] = from[k] > threshold ? 1 : 0;
        pack_mask_row(flags.data(), kSlab, words.data());
        std::memcpy(bits.data() + slab * kSlab / 32, words.data(), sizeof words);
      },
      cancel);
  return bits;
}

}  // namespace spinekit::classify

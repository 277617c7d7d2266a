#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "colour_features.h"
#include "colour_kernels.h"
#include "spinekit/colour.h"
#include "spinekit/error.h"

namespace spinekit {
namespace classify {

ExactModel::ExactModel(const ColourModel& model) : reject(model.reject()) {
  for (const ColourModel::Component& from : model.components()) {
    ExactComponent& to = components.emplace_back();
    std::copy(from.gaussian.mean.begin(), from.gaussian.mean.end(), to.mean);
    for (std::size_t i = 0; i < kColourFeatures; ++i) {
      std::copy(from.inverse[i].begin(), from.inverse[i].end(), to.inverse[i]);
    }
    to.offset = from.offset;
    to.label = from.gaussian.label;
  }
}

// d2 is the squared length of whitening * d, and a length changes by no more than its vector: an error
// of `bound` in that vector changes d2 by at most 2 * bound * sqrt(d2) + bound^2.
FloatModel::FloatModel(const ColourModel& model)
    : reject(static_cast<float>(model.reject())), linear(linear_light().single.data()) {
  constexpr double kEpsilon = 1.0 / (1 << 24);
  for (const ColourModel::Component& from : model.components()) {
    FloatComponent& to = components.emplace_back();
    double bound = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < kColourFeatures; ++i) {
      to.mean[i] = static_cast<float>(from.gaussian.mean[i]);
      double error = 0;
      for (std::size_t j = 0; j <= i; ++j) {
        to.whitening[at++] = static_cast<float>(from.whitening[i][j]);
        error += std::abs(from.whitening[i][j]) *
                 (kFloatFeatureError[j] + 8 * kEpsilon * (std::abs(from.gaussian.mean[j]) + 512));
      }
      bound += error * error;
    }
    to.offset = static_cast<float>(from.offset);
    to.slack = static_cast<float>(bound + 1e-5 + 4 * kEpsilon * std::abs(from.offset));
    to.growth = static_cast<float>(2.02 * std::sqrt(bound));
    to.label = static_cast<float>(from.gaussian.label);
    // Bounds the whitening by 1e10, its product with 1e6 by 1e16, and d2 by 1e33.
    usable = usable && to.growth < 1e6F;
  }
}

namespace {

// Labels of all colours that share a blue.
class Slab {
 public:
  void fill(const ExactModel& model, int blue) {
    const auto& decide = colour_kernels().decide;
    for (std::int64_t start = 0; start < kSlab; start += FeatureBlocks::kMostPixels) {
      colours_from(blue * kSlab + start, FeatureBlocks::kMostPixels, rgb_.data());
      features_.convert(rgb_.data(), FeatureBlocks::kMostPixels);
      for (std::int64_t k = 0; k < FeatureBlocks::kMostPixels; k += kColourBlock) {
        features_.block(k, planes_);
        decide(planes_, model, labels_.data() + start + k);
      }
    }
  }
  [[nodiscard]] const std::uint8_t* labels() const { return labels_.data(); }

 private:
  FeatureBlocks features_;
  ColourPlanes planes_;
  std::array<std::uint8_t, 3 * FeatureBlocks::kMostPixels> rgb_;
  std::array<std::uint8_t, kSlab> labels_;
};

// Calls take(blue, labels) for each slab.
template <typename Take>
void for_all_colours(const ColourModel& model, Executor& executor, const CancelToken& cancel,
                     const Take& take) {
  const ExactModel exact(model);
  executor.parallel_for(
      256,
      [&](std::int64_t blue) {
        const auto slab = std::make_unique<Slab>();
        slab->fill(exact, static_cast<int>(blue));
        take(blue, slab->labels());
      },
      cancel);
}

// 0 or 1 of 8 bytes as 8 bits.
std::uint64_t packed(const std::uint8_t* bytes) {
  std::uint64_t eight;
  std::memcpy(&eight, bytes, sizeof eight);
  return (eight * 0x0102040810204080U) >> 56;
}

std::uint64_t packed_word(const std::uint8_t* bytes) {
  std::uint64_t word = 0;
  for (int k = 0; k < 8; ++k) word |= packed(bytes + 8 * k) << (8 * k);
  return word;
}

void unpack(const std::uint64_t* bits, std::int64_t count, std::uint8_t* bytes) {
  std::int64_t k = 0;
  for (; k + 8 <= count; k += 8) {
    const std::uint64_t eight = bits[k / 64] >> (k % 64) & 0xffU;
    const std::uint64_t apart = eight * 0x0101010101010101U & 0x8040201008040201U;
    const std::uint64_t each = (apart + 0x7f7f7f7f7f7f7f7fU) >> 7 & 0x0101010101010101U;
    std::memcpy(bytes + k, &each, sizeof each);
  }
  for (; k < count; ++k) bytes[k] = static_cast<std::uint8_t>(bits[k / 64] >> (k % 64) & 1U);
}

// Labels of 16-bit RGB: by float32, and by the definition where that does not settle it.
class WideLabels {
 public:
  explicit WideLabels(const ColourModel& model) : model_(model), single_(model) {}

  void label_block(const std::uint16_t* rgb, std::int64_t count, std::uint8_t* labels) const {
    std::array<std::uint8_t, kColourBlock> unsure;
    unsure.fill(1);
    if (single_.usable) colour_kernels().decide16(rgb, count, single_, labels, unsure.data());
    for (std::int64_t k = 0; k < count; ++k) {
      if (unsure[k] == 0) continue;
      const std::uint16_t* pixel = rgb + 3 * k;
      labels[k] = model_.label(features_of(pixel[0], pixel[1], pixel[2]));
    }
  }

 private:
  ColourModel model_;
  FloatModel single_;
};

std::vector<std::uint8_t> grey8_labels(const ColourModel& model) {
  std::array<std::uint8_t, 3 * 256> rgb;
  for (std::size_t k = 0; k < rgb.size(); ++k) rgb[k] = static_cast<std::uint8_t>(k / 3);
  const auto features = std::make_unique<FeatureBlocks>();
  const auto planes = std::make_unique<ColourPlanes>();
  features->convert(rgb.data(), 256);
  std::vector<std::uint8_t> labels(256);
  static_assert(kColourBlock == 256);
  features->block(0, *planes);
  colour_kernels().decide(*planes, ExactModel(model), labels.data());
  return labels;
}

std::vector<std::uint8_t> grey16_labels(const ColourModel& model) {
  std::vector<std::uint8_t> labels(65536);
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const auto value = static_cast<std::uint16_t>(k);
    labels[k] = model.label(features_of(value, value, value));
  }
  return labels;
}

}  // namespace
}  // namespace classify

using namespace classify;

std::int64_t size_of(ColourFormat format) {
  switch (format) {
    case ColourFormat::kGrey8:
      return 1;
    case ColourFormat::kGrey16:
      return 2;
    case ColourFormat::kRgb8:
      return 3;
    case ColourFormat::kRgb16:
      break;
  }
  return 6;
}

struct ColourLabels::State {
  ColourFormat format;
  std::vector<std::uint8_t> table;  // by value, or by colour; empty for kRgb16
  WideLabels wide;
};

ColourLabels::ColourLabels(const ColourModel& model, ColourFormat format, Executor& executor,
                           const CancelToken& cancel) {
  auto state = std::make_unique<State>(State{format, {}, WideLabels(model)});
  if (format == ColourFormat::kGrey8) state->table = grey8_labels(model);
  if (format == ColourFormat::kGrey16) state->table = grey16_labels(model);
  if (format == ColourFormat::kRgb8) {
    state->table.resize(static_cast<std::size_t>(kColours));
    for_all_colours(model, executor, cancel, [&](std::int64_t blue, const std::uint8_t* labels) {
      std::copy_n(labels, kSlab, state->table.data() + blue * kSlab);
    });
  }
  state_ = std::move(state);
}

ColourLabels::~ColourLabels() = default;
ColourLabels::ColourLabels(ColourLabels&&) noexcept = default;
ColourLabels& ColourLabels::operator=(ColourLabels&&) noexcept = default;

ColourFormat ColourLabels::format() const { return state_->format; }

void ColourLabels::label_row(const void* row, std::int64_t count, std::uint8_t* labels) const {
  const std::uint8_t* const table = state_->table.data();
  if (state_->format == ColourFormat::kRgb16) {
    const auto* const rgb = static_cast<const std::uint16_t*>(row);
    for (std::int64_t k = 0; k < count; k += kColourBlock) {
      state_->wide.label_block(rgb + 3 * k, std::min(kColourBlock, count - k), labels + k);
    }
  } else if (state_->format == ColourFormat::kRgb8) {
    const auto* const rgb = static_cast<const std::uint8_t*>(row);
    for (std::int64_t k = 0; k < count; ++k) labels[k] = table[colour_index(rgb + 3 * k)];
  } else if (state_->format == ColourFormat::kGrey8) {
    const auto* const grey = static_cast<const std::uint8_t*>(row);
    for (std::int64_t k = 0; k < count; ++k) labels[k] = table[grey[k]];
  } else {
    const auto* const grey = static_cast<const std::uint16_t*>(row);
    for (std::int64_t k = 0; k < count; ++k) labels[k] = table[grey[k]];
  }
}

struct DamageMask::State {
  ColourFormat format;
  std::array<std::uint8_t, 256> damage;  // by label
  std::vector<std::uint32_t> bits;       // by colour, for kRgb8
  std::vector<std::uint8_t> table;       // by value, for grey
  WideLabels wide;

  // Up to a block.
  void look_up(const void* row, std::int64_t count, std::uint8_t* out) const {
    if (format == ColourFormat::kRgb16) {
      wide.label_block(static_cast<const std::uint16_t*>(row), count, out);
      for (std::int64_t k = 0; k < count; ++k) out[k] = damage[out[k]];
    } else if (format == ColourFormat::kGrey8) {
      const auto* const grey = static_cast<const std::uint8_t*>(row);
      for (std::int64_t k = 0; k < count; ++k) out[k] = table[grey[k]];
    } else {
      const auto* const grey = static_cast<const std::uint16_t*>(row);
      for (std::int64_t k = 0; k < count; ++k) out[k] = table[grey[k]];
    }
  }
};

DamageMask::DamageMask(const ColourModel& model, const std::vector<bool>& damage,
                       ColourFormat format, Executor& executor, const CancelToken& cancel) {
  if (static_cast<int>(damage.size()) != model.classes()) {
    throw_argument("damage: " + std::to_string(damage.size()) +
                   " flags, expected one for each of " + std::to_string(model.classes()) +
                   " classes");
  }
  auto state = std::make_unique<State>(State{format, {}, {}, {}, WideLabels(model)});
  std::copy(damage.begin(), damage.end(), state->damage.begin());
  if (format == ColourFormat::kGrey8) state->table = grey8_labels(model);
  if (format == ColourFormat::kGrey16) state->table = grey16_labels(model);
  for (std::uint8_t& label : state->table) label = state->damage[label];
  if (format == ColourFormat::kRgb8) {
    state->bits.resize(static_cast<std::size_t>(kColours / 32));
    for_all_colours(model, executor, cancel, [&](std::int64_t blue, const std::uint8_t* labels) {
      std::uint32_t* const bits = state->bits.data() + blue * kSlab / 32;
      for (std::int64_t k = 0; k < kSlab; k += 64) {
        std::array<std::uint8_t, 64> flags;
        for (std::size_t i = 0; i < 64; ++i) flags[i] = state->damage[labels[k + i]];
        const std::uint64_t word = packed_word(flags.data());
        bits[k / 32] = static_cast<std::uint32_t>(word);
        bits[k / 32 + 1] = static_cast<std::uint32_t>(word >> 32);
      }
    });
  }
  state_ = std::move(state);
}

DamageMask::~DamageMask() = default;
DamageMask::DamageMask(DamageMask&&) noexcept = default;
DamageMask& DamageMask::operator=(DamageMask&&) noexcept = default;

ColourFormat DamageMask::format() const { return state_->format; }

void DamageMask::mask_row(const void* row, std::int64_t count, std::uint64_t* bits) const {
  if (count <= 0) return;
  if (state_->format == ColourFormat::kRgb8) {
    const auto* const rgb = static_cast<const std::uint8_t*>(row);
    return look_up_row(rgb, count, state_->bits.data(), bits);
  }
  const auto* const bytes = static_cast<const std::byte*>(row);
  for (std::int64_t k = 0; k < count; k += kColourBlock) {
    alignas(64) std::array<std::uint8_t, kColourBlock> flags{};
    const std::int64_t size = std::min(kColourBlock, count - k);
    state_->look_up(bytes + k * size_of(state_->format), size, flags.data());
    for (std::int64_t i = 0; i < size; i += 64) bits[(k + i) / 64] = packed_word(flags.data() + i);
  }
}

void DamageMask::mask_row(const void* row, std::int64_t count, std::uint8_t* out) const {
  const auto* const bytes = static_cast<const std::byte*>(row);
  const std::int64_t size = size_of(state_->format);
  if (state_->format != ColourFormat::kRgb8) {
    for (std::int64_t k = 0; k < count; k += kColourBlock) {
      state_->look_up(bytes + k * size, std::min(kColourBlock, count - k), out + k);
    }
    return;
  }
  constexpr std::int64_t kPart = 4096;
  for (std::int64_t k = 0; k < count; k += kPart) {
    std::array<std::uint64_t, kPart / 64> bits;
    const std::int64_t pixels = std::min(kPart, count - k);
    mask_row(bytes + k * size, pixels, bits.data());
    unpack(bits.data(), pixels, out + k);
  }
}

}  // namespace spinekit

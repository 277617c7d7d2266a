#include <algorithm>
#include <cmath>
#include <memory>

#include "colour_features.h"
#include "colour_kernels.h"
#include "picture_parts.h"
#include "spinekit/colour.h"
#include "spinekit/error.h"
#include "spinekit/pieces.h"

namespace spinekit {
namespace {

using classify::FeatureBlocks;
using classify::for_parts;
using classify::for_row_parts;
using classify::kColourBlock;
using classify::kPartPixels;

static_assert(kPartPixels <= FeatureBlocks::kMostPixels);

void check_format(ColourFormat picture, ColourFormat classifier) {
  if (picture != classifier) throw_argument("the classifier is for pixels of another format");
}

// Features of parts of rows, a pixel at a time.
class PixelFeatures {
 public:
  explicit PixelFeatures(ColourFormat format) : format_(format) {
    if (format == ColourFormat::kGrey8 || format == ColourFormat::kRgb8) {
      blocks_ = std::make_unique<FeatureBlocks>();
      planes_ = std::make_unique<classify::ColourPlanes>();
      if (format == ColourFormat::kGrey8) rgb_.resize(3 * kPartPixels);
    }
  }

  // Calls take(k, features) for each pixel.
  template <typename Take>
  void of(const std::byte* pixels, std::int64_t count, const Take& take) {
    if (!blocks_) return of_wide(reinterpret_cast<const std::uint16_t*>(pixels), count, take);
    const auto* rgb = reinterpret_cast<const std::uint8_t*>(pixels);
    if (format_ == ColourFormat::kGrey8) {
      for (std::int64_t k = 0; k < 3 * count; ++k) rgb_[k] = rgb[k / 3];
      rgb = rgb_.data();
    }
    blocks_->convert(rgb, count);
    for (std::int64_t first = 0; first < count; first += kColourBlock) {
      blocks_->block(first, *planes_);
      for (std::int64_t k = 0; k < std::min(kColourBlock, count - first); ++k) {
        const auto& values = planes_->values;
        take(first + k, ColourVector{values[0][k], values[1][k], values[2][k], values[3][k]});
      }
    }
  }

 private:
  template <typename Take>
  void of_wide(const std::uint16_t* values, std::int64_t count, const Take& take) {
    for (std::int64_t k = 0; k < count; ++k) {
      const std::uint16_t* pixel = values + (format_ == ColourFormat::kGrey16 ? k : 3 * k);
      const int step = format_ == ColourFormat::kGrey16 ? 0 : 1;
      take(k, classify::features_of(pixel[0], pixel[step], pixel[2 * step]));
    }
  }

  ColourFormat format_;
  std::unique_ptr<FeatureBlocks> blocks_;
  std::unique_ptr<classify::ColourPlanes> planes_;
  std::vector<std::uint8_t> rgb_;
};

template <typename Take>
void for_features(const PictureView& picture, Executor& executor, const CancelToken& cancel,
                  const Take& take) {
  for_parts(picture, executor, cancel,
            [&](const std::byte* pixels, std::int64_t count, std::int64_t where) {
              PixelFeatures(picture.format)
                  .of(pixels, count, [&](std::int64_t k, const ColourVector& features) {
                    take(where + k, features);
                  });
            });
}

float confidence(const ColourModel& model, const ColourVector& features) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double best = kInfinity;
  double second = kInfinity;
  double least = kInfinity;
  const auto& components = model.components();
  for (std::size_t k = 0; k < components.size();) {
    double of_class = kInfinity;
    const int label = components[k].gaussian.label;
    for (; k < components.size() && components[k].gaussian.label == label; ++k) {
      const double d2 = classify::squared_distance(components[k], features);
      of_class = std::min(of_class, d2 + components[k].offset);
      least = std::min(least, d2);
    }
    second = std::min(second, std::max(best, of_class));
    best = std::min(best, of_class);
  }
  if (least > model.reject() || second == best) return 0;
  if (second == kInfinity) return 1;
  if (model.rule() == ColourRule::kQda) return static_cast<float>(std::tanh((second - best) / 4));
  return static_cast<float>((second - best) / (second + best));
}

}  // namespace

void label_picture(const PictureView& picture, const ColourLabels& labels, std::uint8_t* out,
                   Executor& executor, const CancelToken& cancel) {
  check_format(picture.format, labels.format());
  for_parts(picture, executor, cancel,
            [&](const std::byte* pixels, std::int64_t count, std::int64_t where) {
              labels.label_row(pixels, count, out + where);
            });
}

void mask_picture(const PictureView& picture, const DamageMask& mask, std::uint8_t* out,
                  Executor& executor, const CancelToken& cancel) {
  check_format(picture.format, mask.format());
  for_parts(picture, executor, cancel,
            [&](const std::byte* pixels, std::int64_t count, std::int64_t where) {
              mask.mask_row(pixels, count, out + where);
            });
}

void mask_picture(const PictureView& picture, const DamageMask& mask, std::uint64_t* out,
                  Executor& executor, const CancelToken& cancel) {
  check_format(picture.format, mask.format());
  const std::int64_t words = mask_words(picture.columns);
  for_row_parts(
      picture, executor, cancel,
      [&](const std::byte* pixels, std::int64_t count, std::int64_t row, std::int64_t column) {
        mask.mask_row(pixels, count, out + row * words + column / 64);
      });
}

void colour_features(const PictureView& picture, double* out, Executor& executor,
                     const CancelToken& cancel) {
  for_features(picture, executor, cancel, [&](std::int64_t k, const ColourVector& features) {
    std::copy(features.begin(), features.end(), out + kColourFeatures * k);
  });
}

void colour_distances(const PictureView& picture, const ColourModel& model, double* out,
                      Executor& executor, const CancelToken& cancel) {
  const int classes = model.classes();
  for_features(picture, executor, cancel, [&](std::int64_t k, const ColourVector& features) {
    double* const found = out + k * classes;
    std::fill_n(found, classes, std::numeric_limits<double>::infinity());
    for (const ColourModel::Component& component : model.components()) {
      double& least = found[component.gaussian.label];
      least = std::min(least, classify::squared_distance(component, features));
    }
  });
}

void colour_confidence(const PictureView& picture, const ColourModel& model, float* out,
                       Executor& executor, const CancelToken& cancel) {
  for_features(picture, executor, cancel, [&](std::int64_t k, const ColourVector& features) {
    out[k] = confidence(model, features);
  });
}

}  // namespace spinekit

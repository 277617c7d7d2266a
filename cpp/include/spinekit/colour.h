// The colour decision: which class of colours a pixel is most like, and whether that is damage.
//
// Pixels are borrowed, never changed; all memory, results included, is the caller's. Objects do not
// change once they are made: all their members are thread-safe. Results are the same for any number
// of workers and on any processor.
//
// Features of a pixel are (L, a, b, S) in float64. Of 8 bits: what OpenCV's cvtColor gives in 8 bits
// for COLOR_RGB2Lab and the S of COLOR_RGB2HSV. Of 16 bits, with v = value / 65535 and sRGB's curve
// undone, OpenCV's formulas for float without the approximations of its float code:
//   (X, Y, Z) = M (r, g, b), X / 0.950456, Z / 1.088754; M as OpenCV's sRGB for D65
//   f(t) = cbrt(t) if t > 0.008856, else 7.787 t + 16 / 116
//   L = 2.55 (116 f(Y) - 16 if Y > 0.008856, else 903.3 Y)
//   a = 500 (f(X) - f(Y)) + 128,  b = 200 (f(Y) - f(Z)) + 128,  S = 255 (max - min) / max, 0 of black
// Grey is RGB of three equal samples.
//
// The decision, in float64 without fused operations, d = x - mean, sums from left to right:
//   d2    = sum over i of d[i] * (sum over j of d[j] * inverse[i][j])
//   score = d2 (kMahalanobis), or d2 + (log determinant - 2 log(weight / sum of weights)) (kQda)
// The label is that of the component of least score; of equal scores, the lowest label. A pixel
// whose least d2 is greater than `reject` is kRejectedColour instead.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "spinekit/executor.h"

namespace spinekit {

inline constexpr int kColourFeatures = 4;
using ColourVector = std::array<double, kColourFeatures>;
using ColourMatrix = std::array<ColourVector, kColourFeatures>;

// Colours of one box.
struct ColourGaussian {
  ColourVector mean{};
  ColourMatrix covariance{};
  double weight = 1;  // > 0, such as the number of pixels
  int label = 0;
};

enum class ColourRule { kMahalanobis, kQda };

inline constexpr int kMostColourClasses = 255;
inline constexpr int kMostColourComponents = 1024;
inline constexpr std::uint8_t kRejectedColour = 255;
inline constexpr double kNeverReject = std::numeric_limits<double>::infinity();

class ColourModel {
 public:
  struct Component {
    ColourGaussian gaussian;
    ColourMatrix inverse{};
    // Lower triangular; d2 is also the squared length of whitening * d.
    ColourMatrix whitening{};
    double log_determinant = 0;
    double offset = 0;  // of the score from d2
  };

  // Throws Error(kArgument) on values that are not finite or beyond 1e6, a covariance that is not
  // symmetric and positive definite, and labels that are not 0 to the greatest, each at least once.
  ColourModel(const std::vector<ColourGaussian>& gaussians, ColourRule rule, double reject);

  // By label, those of a label in the order given.
  [[nodiscard]] const std::vector<Component>& components() const { return components_; }
  [[nodiscard]] ColourRule rule() const { return rule_; }
  [[nodiscard]] double reject() const { return reject_; }
  [[nodiscard]] int classes() const { return components_.back().gaussian.label + 1; }

  [[nodiscard]] std::uint8_t label(const ColourVector& features) const;

 private:
  std::vector<Component> components_;
  ColourRule rule_;
  double reject_;
};

enum class ColourFormat { kGrey8, kRgb8, kGrey16, kRgb16 };

// Bytes of one pixel.
std::int64_t size_of(ColourFormat format);

// Labels of rows of pixels in one format. Holds 16 MiB for kRgb8, which its executor makes.
class ColourLabels {
 public:
  ColourLabels(const ColourModel& model, ColourFormat format, Executor& executor,
               const CancelToken& cancel);
  ~ColourLabels();
  ColourLabels(ColourLabels&&) noexcept;
  ColourLabels& operator=(ColourLabels&&) noexcept;

  [[nodiscard]] ColourFormat format() const;

  // `row` has `count` pixels, samples of 16 bits in the machine's order and aligned.
  void label_row(const void* row, std::int64_t count, std::uint8_t* labels) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

// Which pixels of a row are of the classes that are damage. Holds 2 MiB for kRgb8.
class DamageMask {
 public:
  // damage: by label; rejected pixels are none.
  DamageMask(const ColourModel& model, const std::vector<bool>& damage, ColourFormat format,
             Executor& executor, const CancelToken& cancel);
  ~DamageMask();
  DamageMask(DamageMask&&) noexcept;
  DamageMask& operator=(DamageMask&&) noexcept;

  [[nodiscard]] ColourFormat format() const;

  // Pixel k is bit k % 64 of word k / 64, 1 for damage; what is left of the last word is 0.
  void mask_row(const void* row, std::int64_t count, std::uint64_t* bits) const;

  // One byte a pixel, 0 or 1.
  void mask_row(const void* row, std::int64_t count, std::uint8_t* bytes) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

struct PictureView {
  const void* data = nullptr;
  ColourFormat format = ColourFormat::kRgb8;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_bytes = 0;  // from one row to the next
};

// Of whole pictures, in C order. Each throws Error(kArgument) if its classifier is of another format;
// the token stops it within about 65,000 pixels a worker.

void label_picture(const PictureView& picture, const ColourLabels& labels, std::uint8_t* out,
                   Executor& executor, const CancelToken& cancel);

void mask_picture(const PictureView& picture, const DamageMask& mask, std::uint8_t* out,
                  Executor& executor, const CancelToken& cancel);
// Packed rows, mask_words(columns) apart, as pieces.h has them.
void mask_picture(const PictureView& picture, const DamageMask& mask, std::uint64_t* out,
                  Executor& executor, const CancelToken& cancel);

// (rows, columns, 4)
void colour_features(const PictureView& picture, double* out, Executor& executor,
                     const CancelToken& cancel);

// Least d2 to each class, (rows, columns, classes).
void colour_distances(const PictureView& picture, const ColourModel& model, double* out,
                      Executor& executor, const CancelToken& cancel);

// How clear the decision is, 0 (a tie) to 1, from the least and the second least score of a class:
// (second - least) / (second + least) for kMahalanobis, tanh((second - least) / 4) for kQda, which is
// p - (1 - p) if p is the better class's share of the two likelihoods. 0 for rejected pixels, and
// for 0 / 0; 1 where there is one class only.
void colour_confidence(const PictureView& picture, const ColourModel& model, float* out,
                       Executor& executor, const CancelToken& cancel);

}  // namespace spinekit

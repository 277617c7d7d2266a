// Proof of what compression lost: sample differences and structural similarity of two images.
//
// Inputs are borrowed, never changed. All functions are pure and thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace spinekit {

enum class SampleType { kUint8, kInt8, kUint16, kInt16 };

// Images of `rows` x `columns` pixels, `samples` interleaved values a pixel, C order.
struct ImageShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t samples = 1;
};

// Sums that can be added up over frames and files.
struct Differences {
  std::int64_t count = 0;
  std::int64_t identical = 0;
  std::int64_t largest = 0;
  std::int64_t sum_absolute = 0;
  // Exact up to 2^53, which is 2.1e6 samples of the largest difference; rounded beyond that.
  double sum_squared = 0;
  // histogram[d]: how many samples differ by d = b - a, d in [-kHistogramReach, kHistogramReach];
  // the two outermost bins also hold everything beyond.
  static constexpr std::int64_t kHistogramReach = 32;
  std::array<std::int64_t, 2 * kHistogramReach + 1> histogram{};

  Differences& operator+=(const Differences& other);
  [[nodiscard]] double mean_absolute() const;
  // 20 log10(range / RMSE), infinity when identical.
  [[nodiscard]] double psnr(double range) const;
};

// Compares `count` samples of one type.
Differences differences(const void* a, const void* b, std::int64_t count, SampleType type);

// Mean structural similarity, Wang et al. 2004 (doi 10.1109/TIP.2003.819861): Gaussian window of
// sigma 1.5 truncated at 3.5 sigma (11 x 11), K1 0.01, K2 0.03, population covariance, mean over
// the pixels whose whole window lies inside; the mean over samples for colour. `range` > 0 is the
// dynamic range. Throws Error(kArgument) when rows or columns are below 11.
double structural_similarity(const void* a, const void* b, const ImageShape& shape, SampleType type,
                             double range);

}  // namespace spinekit

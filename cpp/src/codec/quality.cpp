#include "spinekit/quality.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "spinekit/error.h"
#include "spinekit/processor.h"

// The hot functions are compiled a second time for AVX2 and chosen at run time. Not target_clones:
// its ifuncs fail on musl and under sanitizers, and clang and g++ spell the targets differently.
#if defined(__x86_64__) && defined(__GNUC__)
#define SPINEKIT_HAS_AVX2 1
#define SPINEKIT_AVX2 __attribute__((target("avx2,fma")))
#define SPINEKIT_INLINE inline __attribute__((always_inline))
#else
#define SPINEKIT_HAS_AVX2 0
#define SPINEKIT_AVX2
#define SPINEKIT_INLINE inline
#endif

namespace spinekit {
namespace {

// Frames inside a file need not be aligned.
template <typename Sample>
SPINEKIT_INLINE std::int32_t load(const std::byte* data, std::int64_t index) {
  Sample sample;
  std::memcpy(&sample, data + index * std::int64_t{sizeof(Sample)}, sizeof(Sample));
  return sample;
}

// Calls `body` with a value of the C++ type that `type` names.
template <typename Body>
auto with_sample_type(SampleType type, const Body& body) {
  switch (type) {
    case SampleType::kUint8:
      return body(std::uint8_t{});
    case SampleType::kInt8:
      return body(std::int8_t{});
    case SampleType::kUint16:
      return body(std::uint16_t{});
    case SampleType::kInt16:
      return body(std::int16_t{});
  }
  throw_argument("unknown sample type " + std::to_string(static_cast<int>(type)));
}

constexpr std::int64_t kBlock = 8192;
constexpr std::size_t kBins = 2 * Differences::kHistogramReach + 1;

template <typename Sample>
SPINEKIT_INLINE std::uint64_t add_block(const std::byte* a, const std::byte* b, std::int64_t count,
                                        Differences& sums) {
  constexpr auto kReach = static_cast<std::int32_t>(Differences::kHistogramReach);
  std::uint8_t bins[kBlock];
  // The halves of the squares are summed apart so that 32-bit lanes suffice.
  static_assert(std::uint64_t{kBlock} * 0xffff <= 0xffffffff);
  std::uint32_t absolute = 0;
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  std::int32_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t difference = load<Sample>(b, i) - load<Sample>(a, i);
    const std::int32_t magnitude = difference < 0 ? -difference : difference;
    const auto unsigned_magnitude = static_cast<std::uint32_t>(magnitude);
    const std::uint32_t square = unsigned_magnitude * unsigned_magnitude;
    absolute += unsigned_magnitude;
    low += square & 0xffff;
    high += square >> 16;
    largest = magnitude > largest ? magnitude : largest;
    const std::int32_t raised = difference < -kReach ? -kReach : difference;
    bins[i] = static_cast<std::uint8_t>((raised > kReach ? kReach : raised) + kReach);
  }

  // Neighbours mostly fall into the same bin: four copies keep the increments independent.
  std::uint32_t counts[4][kBins] = {};
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    ++counts[0][bins[i]];
    ++counts[1][bins[i + 1]];
    ++counts[2][bins[i + 2]];
    ++counts[3][bins[i + 3]];
  }
  for (; i < count; ++i) ++counts[0][bins[i]];
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    sums.histogram[bin] +=
        std::int64_t{counts[0][bin]} + counts[1][bin] + counts[2][bin] + counts[3][bin];
  }
  sums.largest = std::max<std::int64_t>(sums.largest, largest);
  sums.sum_absolute += absolute;
  return (std::uint64_t{high} << 16) + low;
}

template <typename Sample>
std::uint64_t add_block_baseline(const std::byte* a, const std::byte* b, std::int64_t count,
                                 Differences& sums) {
  return add_block<Sample>(a, b, count, sums);
}

template <typename Sample>
SPINEKIT_AVX2 std::uint64_t add_block_avx2(const std::byte* a, const std::byte* b,
                                           std::int64_t count, Differences& sums) {
  return add_block<Sample>(a, b, count, sums);
}

template <typename Sample>
Differences differences_of(const std::byte* a, const std::byte* b, std::int64_t count) {
  const auto add = has_avx2() ? add_block_avx2<Sample> : add_block_baseline<Sample>;
  constexpr std::int64_t kSize = sizeof(Sample);
  Differences sums;
  sums.count = count;
  std::int64_t& zeros = sums.histogram[Differences::kHistogramReach];
  std::uint64_t squares = 0;
  for (std::int64_t start = 0; start < count; start += kBlock) {
    const std::int64_t size = std::min(kBlock, count - start);
    const std::byte* block_a = a + start * kSize;
    const std::byte* block_b = b + start * kSize;
    if (std::memcmp(block_a, block_b, static_cast<std::size_t>(size * kSize)) == 0) {
      zeros += size;
      continue;
    }
    squares += add(block_a, block_b, size, sums);
    if (squares >> 63 != 0) {  // 2^31 samples of the largest difference
      sums.sum_squared += static_cast<double>(squares);
      squares = 0;
    }
  }
  sums.sum_squared += static_cast<double>(squares);
  sums.identical = zeros;
  return sums;
}

constexpr std::int64_t kRadius = 5;
constexpr std::int64_t kWindow = 2 * kRadius + 1;
// The ring of a tile, 11 rows of four maps, stays in the L1 cache (25 KiB in float). Columns are
// worked on in whole vectors; what lies beyond the tile is finite and not summed.
constexpr std::int64_t kTileRows = 64;
constexpr std::int64_t kTileColumns = 128;
constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kStride = kTileColumns + kLanes;
static_assert(kLanes >= 2 * kRadius && kTileColumns % kLanes == 0);

constexpr std::int64_t whole_vectors(std::int64_t columns) {
  return (columns + kLanes - 1) / kLanes * kLanes;
}

// With s = a + b and d = a - b, means and variances of s and d give all that SSIM needs:
// four filtered maps instead of five.
enum Map { kS, kD, kSSquared, kDSquared, kMaps };

template <typename Real>
using MapRows = Real[kMaps][kStride];

template <typename Real>
struct FilterBuffers {
  MapRows<Real> ring[kWindow];
  MapRows<Real> blurred;
};

struct Workspace {
  std::int16_t a[kTileRows + 2 * kRadius][kStride];
  std::int16_t b[kTileRows + 2 * kRadius][kStride];
  double column_sums[kTileColumns];
  FilterBuffers<float> single;
  FilterBuffers<double> wide;
};

// `rows` x `columns` windows; the samples under them reach 2 kRadius further.
struct Tile {
  std::int64_t rows;
  std::int64_t columns;
  std::int32_t bias;  // to be added to samples and offsets
  std::int32_t offset_a;
  std::int32_t offset_b;
  std::int32_t spread;
  bool identical;
};

struct Constants {
  double weights[kRadius + 1];  // of the taps at distance 0 .. kRadius
  double c1;
  double c2;
};

template <typename Real>
struct Taps {
  // The outermost takes up the rounding: taps that do not add up to 1 bias every variance.
  SPINEKIT_INLINE explicit Taps(const double (&weights)[kRadius + 1])
      : w0(static_cast<Real>(weights[0])),
        w1(static_cast<Real>(weights[1])),
        w2(static_cast<Real>(weights[2])),
        w3(static_cast<Real>(weights[3])),
        w4(static_cast<Real>(weights[4])),
        w5(static_cast<Real>((1.0 - w0) / 2 - (double{w1} + w2 + w3 + w4))) {}
  Real w0, w1, w2, w3, w4, w5;
};

// Over columns `column` to `column` + 10 of one row.
template <typename Real>
SPINEKIT_INLINE Real blur_across(const Real* row, std::int64_t column, const Taps<Real>& taps) {
  const Real* at = row + column;
  return taps.w0 * at[5] + taps.w1 * (at[4] + at[6]) + taps.w2 * (at[3] + at[7]) +
         taps.w3 * (at[2] + at[8]) + taps.w4 * (at[1] + at[9]) + taps.w5 * (at[0] + at[10]);
}

template <typename Real>
SPINEKIT_INLINE void blur_down(const Real* const (&rows)[kWindow], const Taps<Real>& taps,
                               std::int64_t columns, Real* __restrict to) {
  for (std::int64_t c = 0; c < columns; ++c) {
    to[c] = taps.w0 * rows[5][c] + taps.w1 * (rows[4][c] + rows[6][c]) +
            taps.w2 * (rows[3][c] + rows[7][c]) + taps.w3 * (rows[2][c] + rows[8][c]) +
            taps.w4 * (rows[1][c] + rows[9][c]) + taps.w5 * (rows[0][c] + rows[10][c]);
  }
}

template <typename Real>
SPINEKIT_INLINE void fill_maps(const std::int16_t* a, const std::int16_t* b, const Tile& tile,
                               std::int64_t columns, MapRows<Real>& maps) {
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::int32_t centred_a = a[c] - tile.offset_a;
    const std::int32_t centred_b = b[c] - tile.offset_b;
    const auto s = static_cast<Real>(centred_a + centred_b);
    const auto d = static_cast<Real>(centred_a - centred_b);
    maps[kS][c] = s;
    maps[kD][c] = d;
    maps[kSSquared][c] = s * s;
    maps[kDSquared][c] = d * d;
  }
}

template <typename Real>
SPINEKIT_INLINE void add_similarity(const MapRows<Real>& maps, const Taps<Real>& taps,
                                    const Tile& tile, const Constants& constants,
                                    double* __restrict sums) {
  const std::int64_t columns = whole_vectors(tile.columns);
  const auto offset_s = static_cast<Real>(tile.offset_a + tile.offset_b + 2 * tile.bias);
  const auto offset_d = static_cast<Real>(tile.offset_a - tile.offset_b);
  const auto c1 = static_cast<Real>(2 * constants.c1);
  const auto c2 = static_cast<Real>(2 * constants.c2);
  for (std::int64_t c = 0; c < columns; ++c) {
    const Real mean_s = blur_across(maps[kS], c, taps);
    const Real mean_d = blur_across(maps[kD], c, taps);
    const Real variance_s = blur_across(maps[kSSquared], c, taps) - mean_s * mean_s + c2;
    const Real variance_d = blur_across(maps[kDSquared], c, taps) - mean_d * mean_d;
    const Real level_s = (mean_s + offset_s) * (mean_s + offset_s) + c1;
    const Real level_d = (mean_d + offset_d) * (mean_d + offset_d);
    sums[c] += static_cast<double>(((level_s - level_d) * (variance_s - variance_d)) /
                                   ((level_s + level_d) * (variance_s + variance_d)));
  }
}

template <typename Real>
SPINEKIT_INLINE void filter_tile(const Tile& tile, const Constants& constants, Workspace& work,
                                 FilterBuffers<Real>& buffers) {
  const Taps<Real> taps(constants.weights);
  const std::int64_t columns = whole_vectors(tile.columns + 2 * kRadius);
  for (std::int64_t r = 0; r < tile.rows + 2 * kRadius; ++r) {
    fill_maps(work.a[r], work.b[r], tile, columns, buffers.ring[r % kWindow]);
    if (r < 2 * kRadius) continue;
    for (int map = 0; map < kMaps; ++map) {
      const Real* rows[kWindow];
      for (std::int64_t k = 0; k < kWindow; ++k) rows[k] = buffers.ring[(r + 1 + k) % kWindow][map];
      blur_down(rows, taps, columns, buffers.blurred[map]);
    }
    add_similarity(buffers.blurred, taps, tile, constants, work.column_sums);
  }
}

void filter_baseline(const Tile& tile, const Constants& constants, bool wide, Workspace& work) {
  if (wide) return filter_tile(tile, constants, work, work.wide);
  filter_tile(tile, constants, work, work.single);
}

SPINEKIT_AVX2 void filter_avx2(const Tile& tile, const Constants& constants, bool wide,
                               Workspace& work) {
  if (wide) return filter_tile(tile, constants, work, work.wide);
  filter_tile(tile, constants, work, work.single);
}

// Tiles hold uint16 with 32768 taken off, all other types as they are.
template <typename Sample>
constexpr std::int32_t kBias = std::numeric_limits<Sample>::max() > 0x7fff ? 0x8000 : 0;

template <typename Sample>
SPINEKIT_INLINE std::int16_t load_biased(const std::byte* data, std::int64_t index) {
  return static_cast<std::int16_t>(load<Sample>(data, index) - kBias<Sample>);
}

struct Extent {
  std::int16_t low = std::numeric_limits<std::int16_t>::max();
  std::int16_t high = std::numeric_limits<std::int16_t>::min();
};

SPINEKIT_INLINE void widen(Extent& extent, const std::int16_t* row, std::int64_t columns) {
  std::int16_t low = extent.low;
  std::int16_t high = extent.high;
  for (std::int64_t c = 0; c < columns; ++c) {
    low = row[c] < low ? row[c] : low;
    high = row[c] > high ? row[c] : high;
  }
  extent = {low, high};
}

template <typename Sample>
SPINEKIT_INLINE void copy_row(const std::byte* from, std::int64_t first, std::int64_t step,
                              std::int64_t columns, std::int16_t* __restrict to) {
  if (step == 1) {
    for (std::int64_t c = 0; c < columns; ++c) to[c] = load_biased<Sample>(from, first + c);
  } else {
    for (std::int64_t c = 0; c < columns; ++c) to[c] = load_biased<Sample>(from, first + c * step);
  }
}

// Copies one channel under the tile at `first` (an index in samples).
template <typename Sample>
Tile read_tile(const std::byte* a, const std::byte* b, const ImageShape& shape, std::int64_t first,
               std::int64_t rows, std::int64_t columns, Workspace& work) {
  const std::int64_t inputs = columns + 2 * kRadius;
  const auto row_bytes = static_cast<std::size_t>(inputs) * sizeof(std::int16_t);
  Extent extent_a, extent_b;
  bool identical = true;
  for (std::int64_t r = 0; r < rows + 2 * kRadius; ++r) {
    const std::int64_t start = first + r * shape.columns * shape.samples;
    copy_row<Sample>(a, start, shape.samples, inputs, work.a[r]);
    copy_row<Sample>(b, start, shape.samples, inputs, work.b[r]);
    identical = identical && std::memcmp(work.a[r], work.b[r], row_bytes) == 0;
    widen(extent_a, work.a[r], inputs);
    widen(extent_b, work.b[r], inputs);
  }
  // Offsets are taken off before squaring, or float would lose a faint contrast on a high level.
  return {.rows = rows,
          .columns = columns,
          .bias = kBias<Sample>,
          .offset_a = (extent_a.low + extent_a.high) / 2,
          .offset_b = (extent_b.low + extent_b.high) / 2,
          .spread = std::max(extent_a.high - extent_a.low, extent_b.high - extent_b.low),
          .identical = identical};
}

template <typename Sample>
double similarity_of(const std::byte* a, const std::byte* b, const ImageShape& shape,
                     const Constants& constants, double range) {
  const auto filter_chosen = has_avx2() ? filter_avx2 : filter_baseline;
  const auto work = std::make_unique<Workspace>();
  const std::int64_t rows = shape.rows - 2 * kRadius;
  const std::int64_t columns = shape.columns - 2 * kRadius;
  double sum = 0;
  for (std::int64_t channel = 0; channel < shape.samples; ++channel) {
    for (std::int64_t row = 0; row < rows; row += kTileRows) {
      for (std::int64_t column = 0; column < columns; column += kTileColumns) {
        const std::int64_t first = (row * shape.columns + column) * shape.samples + channel;
        const Tile tile = read_tile<Sample>(a, b, shape, first, std::min(kTileRows, rows - row),
                                            std::min(kTileColumns, columns - column), *work);
        if (tile.identical) {
          sum += static_cast<double>(tile.rows * tile.columns);
          continue;
        }
        // Float holds a variance to 1e-7 spread^2, which must stay small against C2, and the
        // products of four squares, which must not overflow.
        const bool wide = tile.spread > 1.25 * range || range < 1 || range > 1e6;
        std::fill(std::begin(work->column_sums), std::end(work->column_sums), 0.0);
        filter_chosen(tile, constants, wide, *work);
        for (std::int64_t c = 0; c < tile.columns; ++c) sum += work->column_sums[c];
      }
    }
  }
  return sum / static_cast<double>(rows * columns * shape.samples);
}

Constants constants_for(double range) {
  constexpr double kSigma = 1.5;
  Constants constants{};
  double sum = 0;
  for (std::int64_t k = 0; k <= kRadius; ++k) {
    constants.weights[k] = std::exp(-0.5 * static_cast<double>(k * k) / (kSigma * kSigma));
    sum += k == 0 ? constants.weights[k] : 2 * constants.weights[k];
  }
  for (double& weight : constants.weights) weight /= sum;
  constants.c1 = (0.01 * range) * (0.01 * range);
  constants.c2 = (0.03 * range) * (0.03 * range);
  return constants;
}

}  // namespace

Differences& Differences::operator+=(const Differences& other) {
  count += other.count;
  identical += other.identical;
  largest = std::max(largest, other.largest);
  sum_absolute += other.sum_absolute;
  sum_squared += other.sum_squared;
  for (std::size_t bin = 0; bin < histogram.size(); ++bin) histogram[bin] += other.histogram[bin];
  return *this;
}

// NaN when nothing was compared, as for psnr.
double Differences::mean_absolute() const {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(sum_absolute) / static_cast<double>(count);
}

double Differences::psnr(double range) const {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  if (sum_squared == 0) return std::numeric_limits<double>::infinity();
  return 20 * std::log10(range / std::sqrt(sum_squared / static_cast<double>(count)));
}

Differences differences(const void* a, const void* b, std::int64_t count, SampleType type) {
  if (count < 0) throw_argument("count of samples is " + std::to_string(count) + ", expected >= 0");
  return with_sample_type(type, [&](auto sample) {
    return differences_of<decltype(sample)>(static_cast<const std::byte*>(a),
                                            static_cast<const std::byte*>(b), count);
  });
}

double structural_similarity(const void* a, const void* b, const ImageShape& shape, SampleType type,
                             double range) {
  if (shape.rows < kWindow || shape.columns < kWindow || shape.samples < 1) {
    throw_argument(
        "structural similarity needs at least 11 x 11 pixels of 1 sample, this image has " +
        std::to_string(shape.rows) + " x " + std::to_string(shape.columns) + " pixels of " +
        std::to_string(shape.samples));
  }
  if (!(range > 0) || !std::isfinite(range)) {
    throw_argument("range is " + std::to_string(range) + ", expected a finite value above 0");
  }
  return with_sample_type(type, [&](auto sample) {
    return similarity_of<decltype(sample)>(static_cast<const std::byte*>(a),
                                           static_cast<const std::byte*>(b), shape,
                                           constants_for(range), range);
  });
}

}  // namespace spinekit

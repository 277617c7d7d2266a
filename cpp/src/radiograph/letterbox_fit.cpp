#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "rounding.h"
#include "spinekit/error.h"
#include "spinekit/letterbox.h"

namespace spinekit {
namespace {

// What one target pixel takes along an axis: `first` with `head`, `end - 1` with `tail` if it is
// another, those between with `inner`.
struct Taps {
  std::int64_t first;
  std::int64_t end;
  double head;
  double tail;
};

// All weights are whole numbers, so that sums of 16-bit levels are exact in doubles: at most
// 65535 * (2 * kMostFilmSide)^2 < 2^48.
struct Axis {
  std::vector<Taps> taps;
  double inner;
  double norm;
};

Axis shrinking(std::int64_t from, std::int64_t to) {
  Axis axis{{}, static_cast<double>(to), static_cast<double>(from)};
  // In units of 1 / to, source pixels are `to` long and target pixels `from`.
  for (std::int64_t k = 0; k < to; ++k) {
    const std::int64_t begin = k * from;
    const std::int64_t stop = begin + from;
    const std::int64_t first = begin / to;
    const std::int64_t end = (stop + to - 1) / to;
    axis.taps.push_back({first, end, static_cast<double>(std::min(stop, (first + 1) * to) - begin),
                         static_cast<double>(stop - (end - 1) * to)});
  }
  return axis;
}

Axis growing(std::int64_t from, std::int64_t to) {
  Axis axis{{}, 0, static_cast<double>(2 * to)};
  for (std::int64_t k = 0; k < to; ++k) {
    // The centre is at (k + 0.5) * from / to - 0.5, in units of 1 / (2 * to):
    const std::int64_t most = (from - 1) * 2 * to;
    const std::int64_t place = std::clamp<std::int64_t>((2 * k + 1) * from - to, 0, most);
    const std::int64_t first = place / (2 * to);
    const std::int64_t tail = place - first * 2 * to;
    axis.taps.push_back({first, first + (tail > 0 ? 2 : 1), static_cast<double>(2 * to - tail),
                         static_cast<double>(tail)});
  }
  return axis;
}

Axis axis_of(std::int64_t from, std::int64_t to) {
  return to <= from ? shrinking(from, to) : growing(from, to);
}

// Whole numbers up to 2^31 for integers: kMostFilmSide * 65535.
template <typename T>
using SumOf = std::conditional_t<std::is_same_v<T, float>, double, std::uint32_t>;

template <typename T>
void add_row(const T* row, std::int64_t columns, SumOf<T>* sums) {
  for (std::int64_t c = 0; c < columns; ++c) sums[c] += row[c];
}

template <typename T>
void add_weighted(const T* values, std::int64_t columns, double weight, double* sums) {
  for (std::int64_t c = 0; c < columns; ++c) sums[c] += weight * static_cast<double>(values[c]);
}

template <typename T>
class Resampler {
 public:
  Resampler(const FilmView& film, const Letterbox& box)
      : film_(film),
        rows_(axis_of(film.rows, box.fitted.rows)),
        columns_(axis_of(film.columns, box.fitted.columns)),
        whole_(static_cast<std::size_t>(film.columns)),
        line_(static_cast<std::size_t>(film.columns)) {}

  void row(std::int64_t index, T* out) {
    const Taps& taps = rows_.taps[static_cast<std::size_t>(index)];
    std::fill(line_.begin(), line_.end(), 0.0);
    add_weighted(source(taps.first), film_.columns, taps.head, line_.data());
    if (taps.end - taps.first > 2) {
      std::fill(whole_.begin(), whole_.end(), SumOf<T>{0});
      for (std::int64_t r = taps.first + 1; r < taps.end - 1; ++r) {
        add_row(source(r), film_.columns, whole_.data());
      }
      add_weighted(whole_.data(), film_.columns, rows_.inner, line_.data());
    }
    if (taps.end - taps.first > 1) {
      add_weighted(source(taps.end - 1), film_.columns, taps.tail, line_.data());
    }
    for (const Taps& across : columns_.taps) *out++ = pixel(across);
  }

 private:
  [[nodiscard]] const T* source(std::int64_t row) const {
    return static_cast<const T*>(film_.data) + row * film_.columns;
  }

  [[nodiscard]] T pixel(const Taps& taps) const {
    const auto value = [&](std::int64_t column) { return line_[static_cast<std::size_t>(column)]; };
    double sum = taps.head * value(taps.first);
    if (taps.end - taps.first > 2) {
      double between = 0;
      for (std::int64_t c = taps.first + 1; c < taps.end - 1; ++c) between += value(c);
      sum += columns_.inner * between;
    }
    if (taps.end - taps.first > 1) sum += taps.tail * value(taps.end - 1);
    const double mean = sum / (rows_.norm * columns_.norm);
    if constexpr (std::is_same_v<T, float>) {
      return static_cast<float>(mean);
    } else {
      return static_cast<T>(radiograph::rounded(mean));
    }
  }

  const FilmView& film_;
  Axis rows_;
  Axis columns_;
  std::vector<SumOf<T>> whole_;
  std::vector<double> line_;
};

template <typename T>
void fit(const FilmView& film, const Letterbox& box, std::byte* out, Executor& executor,
         const CancelToken& cancel) {
  constexpr std::int64_t kStrip = 16;
  const std::int64_t rows = box.fitted.rows;
  auto* const target = reinterpret_cast<T*>(out);
  executor.parallel_for((rows + kStrip - 1) / kStrip,
                        [&](std::int64_t strip) {
                          Resampler<T> resampler(film, box);
                          for (std::int64_t r = strip * kStrip;
                               r < std::min(rows, (strip + 1) * kStrip); ++r) {
                            resampler.row(r, target + r * box.fitted.columns);
                          }
                        },
                        cancel);
}

}  // namespace

void letterbox_fit(const FilmView& film, const Letterbox& box, std::span<std::byte> out,
                   Executor& executor, const CancelToken& cancel) {
  check_film(film);
  if (LetterboxSize{film.rows, film.columns} != box.film) {
    throw_argument("the film has " + std::to_string(film.rows) + " rows x " +
                   std::to_string(film.columns) + " columns, expected " +
                   std::to_string(box.film.rows) + " x " + std::to_string(box.film.columns));
  }
  const std::int64_t expected = box.fitted.pixels() * size_of(film.type);
  if (static_cast<std::int64_t>(out.size()) != expected) {
    throw_argument("the output has " + std::to_string(out.size()) + " bytes, expected " +
                   std::to_string(expected));
  }
  if (box.fitted == box.film) {
    std::memcpy(out.data(), film.data, out.size());
    return;
  }
  switch (film.type) {
    case GreyType::kUint8:
      return fit<std::uint8_t>(film, box, out.data(), executor, cancel);
    case GreyType::kUint16:
      return fit<std::uint16_t>(film, box, out.data(), executor, cancel);
    case GreyType::kFloat32:
      return fit<float>(film, box, out.data(), executor, cancel);
  }
}

}  // namespace spinekit

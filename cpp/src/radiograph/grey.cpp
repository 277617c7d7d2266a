#include "grey.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "rounding.h"
#include "spinekit/error.h"
#include "spinekit/filters.h"

namespace spinekit {
namespace radiograph {

std::int64_t highest(GreyType type) { return type == GreyType::kUint8 ? 255 : 65535; }

void check_output(const FilmView& film, GreyType type, std::int64_t channels,
                  std::span<std::byte> out) {
  check_film(film);
  const std::int64_t expected = channels * film.pixels() * size_of(type);
  if (static_cast<std::int64_t>(out.size()) != expected) {
    throw_argument("the output has " + std::to_string(out.size()) + " bytes, expected " +
                   std::to_string(expected));
  }
}

void check_integers(const FilmView& film, std::span<std::byte> out) {
  if (film.type == GreyType::kFloat32) {
    throw_argument("the film has floats, expected integers; map its levels first");
  }
  check_output(film, film.type, 1, out);
}

void check_mapping(const GreyMapping& mapping) {
  if (mapping.bits != 0 && mapping.bits != 8 && mapping.bits != 16) {
    throw_argument("bits: " + std::to_string(mapping.bits) + ", expected 8 or 16");
  }
  if (mapping.from == LevelsFrom::kGiven &&
      !(mapping.low < mapping.high && std::isfinite(mapping.high - mapping.low))) {
    throw_argument("levels: " + std::to_string(mapping.low) + " to " +
                   std::to_string(mapping.high) + ", expected two finite numbers, low < high");
  }
}

void check_stretch(const StretchOptions& options) {
  if (!(0 <= options.low_percentile && options.low_percentile < options.high_percentile &&
        options.high_percentile <= 100)) {
    throw_argument("percentiles: " + std::to_string(options.low_percentile) + " and " +
                   std::to_string(options.high_percentile) + ", expected 0 <= low < high <= 100");
  }
}

}  // namespace radiograph

namespace {

using radiograph::highest;
using radiograph::rounded;

// The lowest level where it is not certain that low < high.
double level_of(double value, double low, double high, double top) {
  const double inside = value < low ? low : value > high ? high : value;
  return high > low ? rounded((inside - low) / (high - low) * top) : 0.0;
}

struct Range {
  double low;
  double high;
};

template <typename T>
Range range_of(const FilmView& film) {
  const auto* const begin = static_cast<const T*>(film.data);
  const auto [low, high] = std::minmax_element(begin, begin + film.pixels());
  return {static_cast<double>(*low), static_cast<double>(*high)};
}

template <>
Range range_of<float>(const FilmView& film) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto* const values = static_cast<const float*>(film.data);
  float low = kInfinity;
  float high = -kInfinity;
  for (std::int64_t k = 0; k < film.pixels(); ++k) {
    const float value = values[k];
    // Comparisons with NaN and infinities are false where they must not count.
    if (value < low && value > -kInfinity) low = value;
    if (value > high && value < kInfinity) high = value;
  }
  if (!(low <= high)) return {0, 0};
  return {low, high};
}

Range range_for(const FilmView& film, const GreyMapping& mapping) {
  if (mapping.from == LevelsFrom::kGiven) return {mapping.low, mapping.high};
  if (film.type == GreyType::kFloat32) return range_of<float>(film);
  if (mapping.from == LevelsFrom::kType) return {0, static_cast<double>(highest(film.type))};
  return film.type == GreyType::kUint8 ? range_of<std::uint8_t>(film)
                                       : range_of<std::uint16_t>(film);
}

template <typename From, typename To>
void map_integers(const FilmView& film, Range range, To* out) {
  std::vector<To> table(static_cast<std::size_t>(highest(film.type)) + 1);
  constexpr double kTop = std::numeric_limits<To>::max();
  for (std::size_t level = 0; level < table.size(); ++level) {
    table[level] =
        static_cast<To>(level_of(static_cast<double>(level), range.low, range.high, kTop));
  }
  const auto* const values = static_cast<const From*>(film.data);
  for (std::int64_t k = 0; k < film.pixels(); ++k) out[k] = table[values[k]];
}

template <typename To>
void map_floats(const FilmView& film, Range range, To* out) {
  constexpr double kTop = std::numeric_limits<To>::max();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (!(range.high > range.low)) {
    std::fill_n(out, film.pixels(), To{0});
    return;
  }
  const auto* const values = static_cast<const float*>(film.data);
  for (std::int64_t k = 0; k < film.pixels(); ++k) {
    const float value = values[k];
    const bool finite = value < kInfinity && value > -kInfinity;
    const double level = finite ? static_cast<double>(value) : range.low;
    out[k] = static_cast<To>(level_of(level, range.low, range.high, kTop));
  }
}

template <typename To>
void map_to(const FilmView& film, Range range, void* out) {
  auto* const target = static_cast<To*>(out);
  switch (film.type) {
    case GreyType::kUint8:
      return map_integers<std::uint8_t>(film, range, target);
    case GreyType::kUint16:
      return map_integers<std::uint16_t>(film, range, target);
    case GreyType::kFloat32:
      return map_floats(film, range, target);
  }
}

// The value at a share of all pixels in order, as numpy.quantile's "linear" has it to the last bit.
double quantile(const std::vector<std::int64_t>& counts, std::int64_t pixels, double share) {
  const double place = static_cast<double>(pixels - 1) * share;
  const auto before = static_cast<std::int64_t>(std::floor(place));
  const double part = place - static_cast<double>(before);
  std::int64_t seen = 0;
  std::size_t level = 0;
  while (seen + counts[level] <= before) seen += counts[level++];
  const auto low = static_cast<double>(level);
  seen += counts[level];
  while (seen <= before + 1 && level + 1 < counts.size()) seen += counts[++level];
  const auto high = before + 1 < pixels ? static_cast<double>(level) : low;
  return part >= 0.5 ? high - (high - low) * (1 - part) : low + (high - low) * part;
}

template <typename T>
Range percentiles(const FilmView& film, const StretchOptions& options) {
  std::vector<std::int64_t> counts(std::size_t{std::numeric_limits<T>::max()} + 1);
  const auto* const values = static_cast<const T*>(film.data);
  for (std::int64_t k = 0; k < film.pixels(); ++k) ++counts[values[k]];
  return {quantile(counts, film.pixels(), options.low_percentile / 100),
          quantile(counts, film.pixels(), options.high_percentile / 100)};
}

}  // namespace

std::int64_t size_of(GreyType type) {
  return type == GreyType::kUint8 ? 1 : type == GreyType::kUint16 ? 2 : 4;
}

void check_film(const FilmView& film) {
  if (film.rows < 1 || film.columns < 1 || film.rows > kMostFilmSide ||
      film.columns > kMostFilmSide) {
    throw_argument("the film has " + std::to_string(film.rows) + " rows x " +
                   std::to_string(film.columns) + " columns, expected 1 to " +
                   std::to_string(kMostFilmSide) + " of each");
  }
}

GreyType mapped_type(const FilmView& film, const GreyMapping& mapping) {
  radiograph::check_mapping(mapping);
  const bool bytes = mapping.bits == 0 ? film.type == GreyType::kUint8 : mapping.bits == 8;
  return bytes ? GreyType::kUint8 : GreyType::kUint16;
}

void map_levels(const FilmView& film, const GreyMapping& mapping, std::span<std::byte> out) {
  const GreyType type = mapped_type(film, mapping);
  radiograph::check_output(film, type, 1, out);
  if (mapping.from == LevelsFrom::kType && type == film.type) {
    std::copy_n(static_cast<const std::byte*>(film.data), out.size(), out.data());
    return;
  }
  const Range range = range_for(film, mapping);
  if (type == GreyType::kUint8) return map_to<std::uint8_t>(film, range, out.data());
  map_to<std::uint16_t>(film, range, out.data());
}

void stretch(const FilmView& film, const StretchOptions& options, std::span<std::byte> out) {
  radiograph::check_integers(film, out);
  radiograph::check_stretch(options);
  if (film.type == GreyType::kUint8) {
    return map_to<std::uint8_t>(film, percentiles<std::uint8_t>(film, options), out.data());
  }
  map_to<std::uint16_t>(film, percentiles<std::uint16_t>(film, options), out.data());
}

}  // namespace spinekit

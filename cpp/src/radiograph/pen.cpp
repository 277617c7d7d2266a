#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>
#include <string>

#include "grey.h"
#include "opencv.h"
#include "rounding.h"
#include "spinekit/error.h"
#include "spinekit/filters.h"

namespace spinekit {
namespace {

using radiograph::check_integers;
using radiograph::highest;
using radiograph::rounded;

enum Version { kOriginal, kClahe, kClaheTwice, kSharpened, kSharpenedTwice, kStretched };

void check_clahe(const ClaheOptions& options) {
  if (!(options.clip_limit >= 0 && std::isfinite(options.clip_limit))) {
    throw_argument("clip_limit: " + std::to_string(options.clip_limit) +
                   ", expected 0 (no limit) or more");
  }
  for (const std::int64_t tiles : {options.tile_rows, options.tile_columns}) {
    if (tiles < 1 || tiles > kMostTiles) {
      throw_argument("tiles: " + std::to_string(options.tile_rows) + " x " +
                     std::to_string(options.tile_columns) + ", expected 1 to " +
                     std::to_string(kMostTiles) + " of each");
    }
  }
}

void check_sharpening(double amount) {
  if (!(amount >= 0 && amount <= 100)) {
    throw_argument("sharpening: " + std::to_string(amount) + ", expected 0 to 100");
  }
}

template <typename T>
void sharpen_row(const T* above, const T* row, const T* below, std::int64_t columns, double amount,
                 T* out) {
  constexpr double kTop = std::numeric_limits<T>::max();
  const auto sharpened = [&](std::int64_t c, std::int64_t left, std::int64_t right) {
    const int value = row[c];
    const int excess = 4 * value - above[c] - below[c] - row[left] - row[right];
    const double level = rounded(value + amount * excess);
    return static_cast<T>(level < 0 ? 0.0 : level > kTop ? kTop : level);
  };
  const std::int64_t last = columns - 1;
  if (last == 0) {
    out[0] = sharpened(0, 0, 0);
    return;
  }
  out[0] = sharpened(0, 1, 1);
  for (std::int64_t c = 1; c < last; ++c) out[c] = sharpened(c, c - 1, c + 1);
  out[last] = sharpened(last, last - 1, last - 1);
}

template <typename T>
void sharpen_film(const FilmView& film, double amount, void* out) {
  const auto* const values = static_cast<const T*>(film.data);
  auto* const target = static_cast<T*>(out);
  const std::int64_t last = film.rows - 1;
  const auto row_at = [&](std::int64_t row) { return values + row * film.columns; };
  for (std::int64_t r = 0; r <= last; ++r) {
    const std::int64_t above = r > 0 ? r - 1 : std::min<std::int64_t>(1, last);
    const std::int64_t below = r < last ? r + 1 : std::max<std::int64_t>(last - 1, 0);
    sharpen_row(row_at(above), row_at(r), row_at(below), film.columns, amount,
                target + r * film.columns);
  }
}

// Where each version is made: in the output if it is wanted there, else beside it.
class Versions {
 public:
  Versions(const FilmView& film, GreyType type, unsigned wanted, std::span<std::byte> out)
      : film_(film), type_(type), bytes_(static_cast<std::size_t>(film.pixels() * size_of(type))) {
    std::size_t channel = 0;
    for (int version = 0; version < kPenVersions; ++version) {
      if ((wanted >> version & 1U) != 0) {
        places_[static_cast<std::size_t>(version)] = out.subspan(bytes_ * channel++, bytes_);
      }
    }
  }

  std::span<std::byte> place(Version version) {
    std::span<std::byte>& place = places_[version];
    if (place.empty()) {
      scratch_[version].resize(bytes_);
      place = scratch_[version];
    }
    return place;
  }
  FilmView view(Version version) {
    return {place(version).data(), type_, film_.rows, film_.columns};
  }

 private:
  const FilmView& film_;
  GreyType type_;
  std::size_t bytes_;
  std::array<std::span<std::byte>, kPenVersions> places_;
  std::array<std::vector<std::byte>, kPenVersions> scratch_;
};

template <typename T>
void to_unit(const std::vector<std::byte>& levels, std::span<float> out) {
  const auto* const values = reinterpret_cast<const T*>(levels.data());
  constexpr float kTop = std::numeric_limits<T>::max();
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = static_cast<float>(values[k]) / kTop;
}

}  // namespace

const std::array<const char*, kPenVersions> kPenNames = {
    "original", "clahe", "clahe_twice", "sharpened_clahe", "sharpened_clahe_twice", "stretched"};

int PenOptions::channels() const {
  if (versions == 0 || versions >> kPenVersions != 0) {
    throw_argument("versions: " + std::to_string(versions) + ", expected 1 to 63");
  }
  return std::popcount(versions);
}

void check_pen(const PenOptions& options) {
  (void)options.channels();
  radiograph::check_mapping(options.mapping);
  check_clahe(options.clahe);
  check_sharpening(options.sharpening);
  radiograph::check_stretch(options.stretch);
}

void clahe(const FilmView& film, const ClaheOptions& options, std::span<std::byte> out) {
  check_integers(film, out);
  check_clahe(options);
  const int rows = static_cast<int>(film.rows);
  const int columns = static_cast<int>(film.columns);
  const int type = film.type == GreyType::kUint8 ? CV_8UC1 : CV_16UC1;
  // From as many multiples on as there are levels nothing is clipped; OpenCV would overflow far above.
  const cv::Size tiles(static_cast<int>(options.tile_columns), static_cast<int>(options.tile_rows));
  const double limit = std::min(options.clip_limit, static_cast<double>(highest(film.type) + 1));
  radiograph::with_opencv("CLAHE", [&] {
    const cv::Mat source(rows, columns, type, const_cast<void*>(film.data));
    cv::Mat target(rows, columns, type, out.data());
    cv::createCLAHE(limit, tiles)->apply(source, target);
  });
}

void sharpen(const FilmView& film, double amount, std::span<std::byte> out) {
  check_integers(film, out);
  check_sharpening(amount);
  if (film.type == GreyType::kUint8) return sharpen_film<std::uint8_t>(film, amount, out.data());
  sharpen_film<std::uint16_t>(film, amount, out.data());
}

void pen_levels(const FilmView& film, const PenOptions& options, std::span<std::byte> out) {
  const GreyType type = mapped_type(film, options.mapping);
  check_pen(options);
  radiograph::check_output(film, type, options.channels(), out);
  Versions versions(film, type, options.versions, out);
  const auto wanted = [&](unsigned bits) { return (options.versions & bits) != 0; };
  const auto equalise = [&](Version from, Version to) {
    clahe(versions.view(from), options.clahe, versions.place(to));
  };

  map_levels(film, options.mapping, versions.place(kOriginal));
  if (wanted(1U << kClahe | 1U << kClaheTwice)) equalise(kOriginal, kClahe);
  if (wanted(1U << kClaheTwice)) equalise(kClahe, kClaheTwice);
  if (wanted(1U << kSharpened | 1U << kSharpenedTwice)) {
    std::vector<std::byte> sharp(versions.place(kOriginal).size());
    sharpen(versions.view(kOriginal), options.sharpening, sharp);
    clahe({sharp.data(), type, film.rows, film.columns}, options.clahe, versions.place(kSharpened));
  }
  if (wanted(1U << kSharpenedTwice)) equalise(kSharpened, kSharpenedTwice);
  if (wanted(1U << kStretched)) {
    stretch(versions.view(kOriginal), options.stretch, versions.place(kStretched));
  }
}

void pen_unit(const FilmView& film, const PenOptions& options, std::span<float> out) {
  check_film(film);
  const GreyType type = mapped_type(film, options.mapping);
  const std::int64_t values = options.channels() * film.pixels();
  if (static_cast<std::int64_t>(out.size()) != values) {
    throw_argument("the output has " + std::to_string(out.size()) + " values, expected " +
                   std::to_string(values));
  }
  std::vector<std::byte> levels(static_cast<std::size_t>(values * size_of(type)));
  pen_levels(film, options, levels);
  if (type == GreyType::kUint8) return to_unit<std::uint8_t>(levels, out);
  to_unit<std::uint16_t>(levels, out);
}

void pen_batch(const std::vector<FilmView>& films, const PenOptions& options,
               const std::vector<std::span<float>>& out, Executor& executor,
               const CancelToken& cancel) {
  if (films.size() != out.size()) throw_argument("expected an output for each film");
  executor.parallel_for(
      static_cast<std::int64_t>(films.size()),
      [&](std::int64_t k) {
        const auto film = static_cast<std::size_t>(k);
        pen_unit(films[film], options, out[film]);
      },
      cancel);
}

std::vector<std::pair<std::string, std::string>> filter_versions() {
  return {{"OpenCV", cv::getVersionString()}};
}

}  // namespace spinekit

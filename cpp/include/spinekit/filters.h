// Filters of a film's grey levels, and the ensemble of them (PEN, the preprocessing ensemble) that a
// network sees as channels.
//
// Films are borrowed, never changed; all memory, results included, is the caller's, in C order.
// Functions are pure and thread-safe; none starts a thread, and pen_batch uses its executor's: each
// film is one worker's, so results are the same for any number of them. Safe after fork().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "spinekit/executor.h"

namespace spinekit {

enum class GreyType { kUint8, kUint16, kFloat32 };

// Bytes of one pixel.
std::int64_t size_of(GreyType type);

// Sides of a film have 1 to so many pixels.
inline constexpr std::int64_t kMostFilmSide = 32768;

struct FilmView {
  const void* data = nullptr;
  GreyType type = GreyType::kUint8;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  [[nodiscard]] std::int64_t pixels() const { return rows * columns; }
};

// Throws Error(kArgument) on a film of no pixels or of more than kMostFilmSide in a row or column.
void check_film(const FilmView& film);

// Which grey levels become the lowest and the highest integer; what lies outside is clamped.
enum class LevelsFrom {
  kType,   // all that the type holds: integers stay as they are; of floats as kFilm
  kFilm,   // the film's least and greatest finite value
  kGiven,  // `low` and `high`
};

struct GreyMapping {
  LevelsFrom from = LevelsFrom::kType;
  double low = 0;  // < high; their difference is finite
  double high = 1;
  int bits = 0;  // 8, 16, or 0: the film's own, and 16 for floats
};

struct ClaheOptions {
  // Of a tile's histogram, in multiples of its mean; 0: no limit. What is above is spread over all
  // levels. OpenCV takes at least one pixel a level: tiles of fewer pixels than levels, as small
  // films of 16 bits have, are hardly limited at all.
  double clip_limit = 2;
  std::int64_t tile_rows = 8;  // 1 to kMostTiles
  std::int64_t tile_columns = 8;
};
inline constexpr std::int64_t kMostTiles = 64;

struct StretchOptions {
  double low_percentile = 2;  // 0 <= low < high <= 100
  double high_percentile = 98;
};

inline constexpr int kPenVersions = 6;
// In the order of the channels.
extern const std::array<const char*, kPenVersions> kPenNames;

struct PenOptions {
  GreyMapping mapping{};
  ClaheOptions clahe{};
  double sharpening = 1;
  StretchOptions stretch{};
  unsigned versions = (1U << kPenVersions) - 1;  // bit k: kPenNames[k] is wanted

  [[nodiscard]] int channels() const;
};

// Throws Error(kArgument) on options that cannot be, whatever the film.
void check_pen(const PenOptions& options);

// Each throws Error(kArgument) on options that cannot be, a film that cannot be, and an output of
// another size than stated.

// Type of the integers that a film becomes.
GreyType mapped_type(const FilmView& film, const GreyMapping& mapping);

// A film as integers of mapped_type(), by a linear map, halves to even. A float that is not finite
// becomes the lowest level; so does everything where the least level is also the greatest.
void map_levels(const FilmView& film, const GreyMapping& mapping, std::span<std::byte> out);

// The filters below take films of integers and give integers of the same type and size.

// Contrast-limited adaptive histogram equalisation; that of OpenCV, bit for bit.
// K. Zuiderveld, Contrast limited adaptive histogram equalization, Graphics Gems IV, 1994, 474-485.
void clahe(const FilmView& film, const ClaheOptions& options, std::span<std::byte> out);

// Adds `amount` (0 to 100) times what a pixel has above each of its four neighbours, halves to even,
// clamped. 1 is the kernel 0 -1 0 / -1 5 -1 / 0 -1 0. At the border the film is mirrored about its
// outermost pixels.
void sharpen(const FilmView& film, double amount, std::span<std::byte> out);

// Maps two percentiles (linear between order statistics) to the lowest and the highest level of the
// type, as map_levels does.
void stretch(const FilmView& film, const StretchOptions& options, std::span<std::byte> out);

// The versions of a film that are wanted, (channels, rows, columns), integers of mapped_type().
void pen_levels(const FilmView& film, const PenOptions& options, std::span<std::byte> out);

// The same as levels / highest level of the type, in [0, 1].
void pen_unit(const FilmView& film, const PenOptions& options, std::span<float> out);

// pen_unit of films, which may differ in size and type; the token stops it between two films.
void pen_batch(const std::vector<FilmView>& films, const PenOptions& options,
               const std::vector<std::span<float>>& out, Executor& executor,
               const CancelToken& cancel);

// Names of the libraries behind the filters and the versions that are linked.
std::vector<std::pair<std::string, std::string>> filter_versions();

}  // namespace spinekit

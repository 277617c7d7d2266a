#include "spinekit/letterbox.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "logistic.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

void check_size(const LetterboxSize& size, const char* name) {
  if (size.rows < 1 || size.columns < 1 || size.rows > kMostFilmSide ||
      size.columns > kMostFilmSide) {
    throw_argument(std::string(name) + ": " + std::to_string(size.rows) + " rows x " +
                   std::to_string(size.columns) + " columns, expected 1 to " +
                   std::to_string(kMostFilmSide) + " of each");
  }
}

void check_values(std::size_t found, std::int64_t count, const LetterboxSize& size,
                  const char* name) {
  if (count < 1 || static_cast<std::int64_t>(found) / size.pixels() != count ||
      static_cast<std::int64_t>(found) % size.pixels() != 0) {
    throw_argument(std::string(name) + ": " + std::to_string(found) + " values, expected " +
                   std::to_string(count) + " x " + std::to_string(size.rows) + " x " +
                   std::to_string(size.columns));
  }
}

// Where a pixel of the film lies in the input: between `first` and the next, `part` of the way.
struct Place {
  std::int64_t first;
  std::int64_t next;
  float part;
};

Place place_of(std::int64_t index, double scale, std::int64_t begin, std::int64_t count) {
  const double at = std::clamp((static_cast<double>(index) + 0.5) * scale - 0.5, 0.0,
                               static_cast<double>(count - 1));
  const auto first = static_cast<std::int64_t>(at);
  return {begin + first, begin + std::min(first + 1, count - 1),
          static_cast<float>(at - static_cast<double>(first))};
}

// One map's rows of the input at the film's columns, the two that are between in use.
class WideRows {
 public:
  WideRows(const float* map, const Letterbox& box, const std::vector<Place>& columns)
      : map_(map), stride_(box.input.columns), columns_(columns) {}

  const float* at(std::int64_t row) {
    for (Row& kept : rows_) {
      if (kept.index == row) return kept.values.data();
    }
    Row& oldest = rows_[0].index < rows_[1].index ? rows_[0] : rows_[1];
    oldest.index = row;
    oldest.values.resize(columns_.size());
    const float* const source = map_ + row * stride_;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const Place& place = columns_[c];
      const float value = source[place.first];
      oldest.values[c] = value + place.part * (source[place.next] - value);
    }
    return oldest.values.data();
  }

 private:
  struct Row {
    std::int64_t index = -1;
    std::vector<float> values;
  };

  const float* map_;
  std::int64_t stride_;
  const std::vector<Place>& columns_;
  Row rows_[2];
};

template <bool kLogits>
void between(const float* above, const float* below, float part, std::int64_t columns, float* out) {
  for (std::int64_t c = 0; c < columns; ++c) {
    const float value = above[c] + part * (below[c] - above[c]);
    out[c] = kLogits ? radiograph::logistic(value) : value;
  }
}

}  // namespace

Letterbox letterbox(LetterboxSize film, LetterboxSize input, double row_spacing,
                    double column_spacing) {
  check_size(film, "the film");
  check_size(input, "the input");
  const double ratio = row_spacing / column_spacing;
  if (!(row_spacing > 0 && column_spacing > 0 && ratio > 0 && std::isfinite(ratio))) {
    throw_argument("spacing: (" + std::to_string(row_spacing) + ", " +
                   std::to_string(column_spacing) + "), expected two positive numbers");
  }
  // Lengths in columns.
  const double height = static_cast<double>(film.rows) * ratio;
  const auto width = static_cast<double>(film.columns);
  const double scale = std::min(static_cast<double>(input.rows) / height,
                                static_cast<double>(input.columns) / width);
  const auto fitted = [scale](double length, std::int64_t most) {
    const double count = std::nearbyint(std::min(length * scale, static_cast<double>(most)));
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(count));
  };
  Letterbox box;
  box.film = film;
  box.input = input;
  box.fitted = {fitted(height, input.rows), fitted(width, input.columns)};
  box.top = (input.rows - box.fitted.rows) / 2;
  box.left = (input.columns - box.fitted.columns) / 2;
  box.row_scale = static_cast<double>(box.fitted.rows) / static_cast<double>(film.rows);
  box.column_scale = static_cast<double>(box.fitted.columns) / static_cast<double>(film.columns);
  return box;
}

void letterbox_pad(std::span<const float> stack, std::int64_t channels, const Letterbox& box,
                   float value, std::span<float> out) {
  check_values(stack.size(), channels, box.fitted, "stack");
  check_values(out.size(), channels, box.input, "the output");
  std::fill(out.begin(), out.end(), value);
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    for (std::int64_t r = 0; r < box.fitted.rows; ++r) {
      const float* const row = stack.data() + (channel * box.fitted.rows + r) * box.fitted.columns;
      const std::int64_t target =
          (channel * box.input.rows + box.top + r) * box.input.columns + box.left;
      std::copy_n(row, box.fitted.columns, out.data() + target);
    }
  }
}

void letterbox_unfit(std::span<const float> maps, std::int64_t count, const Letterbox& box,
                     bool logits, std::span<float> out, Executor& executor,
                     const CancelToken& cancel) {
  check_values(maps.size(), count, box.input, "maps");
  check_values(out.size(), count, box.film, "the output");
  constexpr std::int64_t kStrip = 64;
  std::vector<Place> columns;
  for (std::int64_t c = 0; c < box.film.columns; ++c) {
    columns.push_back(place_of(c, box.column_scale, box.left, box.fitted.columns));
  }
  const std::int64_t strips = (box.film.rows + kStrip - 1) / kStrip;
  executor.parallel_for(
      count * strips,
      [&](std::int64_t item) {
        const std::int64_t map = item / strips;
        const std::int64_t begin = item % strips * kStrip;
        WideRows wide(maps.data() + map * box.input.pixels(), box, columns);
        for (std::int64_t r = begin; r < std::min(box.film.rows, begin + kStrip); ++r) {
          const Place place = place_of(r, box.row_scale, box.top, box.fitted.rows);
          const float* const above = wide.at(place.first);
          const float* const below = wide.at(place.next);
          float* const row = out.data() + map * box.film.pixels() + r * box.film.columns;
          (logits ? between<true> : between<false>)(above, below, place.part, box.film.columns,
                                                    row);
        }
      },
      cancel);
}

}  // namespace spinekit

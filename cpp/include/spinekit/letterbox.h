// Between a film and a network's input of fixed size: the film is resampled into it with its aspect
// kept, centred, and the network's maps come back to the film's pixels.
//
// The two pixel grids share their edges, not their outermost centres: a point at x on the film, in
// pixels with centres at integers, is at (x + 0.5) * column_scale - 0.5 + left in the input; rows
// alike. Inputs are borrowed, never changed; all memory is the caller's, in C order. Functions are
// pure and thread-safe, results the same for any number of workers, to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "spinekit/executor.h"
#include "spinekit/filters.h"

namespace spinekit {

struct LetterboxSize {
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  [[nodiscard]] std::int64_t pixels() const { return rows * columns; }
  bool operator==(const LetterboxSize&) const = default;
};

struct Letterbox {
  LetterboxSize film;
  LetterboxSize input;   // of the network
  LetterboxSize fitted;  // the film's share of the input
  std::int64_t top = 0;  // of the fitted film in the input; what is odd goes below and right
  std::int64_t left = 0;
  double row_scale = 1;  // fitted / film: the aspect is kept up to the rounding of `fitted`
  double column_scale = 1;
};

// The largest fit. Spacings are those of the film's rows and columns; only their ratio matters, and
// the input's pixels are square. Throws Error(kArgument) on sizes beyond 1 to kMostFilmSide and
// spacings that are not positive.
Letterbox letterbox(LetterboxSize film, LetterboxSize input, double row_spacing,
                    double column_spacing);

// The film at its fitted size, of the same type, without padding: exact mean over each pixel's area
// along axes that shrink, linear between the two nearest pixels along axes that grow; integers are
// rounded, halves to even. Floats that are not finite spread to the pixels that they are part of.
void letterbox_fit(const FilmView& film, const Letterbox& box, std::span<std::byte> out,
                   Executor& executor, const CancelToken& cancel);

// (channels, fitted) in the middle of (channels, input), surrounded by `value`.
void letterbox_pad(std::span<const float> stack, std::int64_t channels, const Letterbox& box,
                   float value, std::span<float> out);

// (maps, input) to (maps, film), finite values: linear between the four nearest pixels, clamped to the film's share
// of the input, for what a network says of its padding is not of the film. `logits`: the logistic
// function is applied to the result, to within 1e-6.
void letterbox_unfit(std::span<const float> maps, std::int64_t count, const Letterbox& box,
                     bool logits, std::span<float> out, Executor& executor,
                     const CancelToken& cancel);

}  // namespace spinekit

// Where on its scan an artwork lies: the box outside of which nothing is damage.
//
// Boxes are in pixels of what was given. Pixels are borrowed. Results do not depend on strips and
// workers. Objects are for one thread at a time; after an error they are of no further use.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "spinekit/colour.h"
#include "spinekit/executor.h"
#include "spinekit/pieces.h"

namespace spinekit {

// By brightness: paper is what has a b of 8-bit Lab above Otsu's threshold, closed by a square of
// max(20, 0.5 %) and opened by one of max(5, 0.1 %) of the shorter side. The artwork is the largest
// outer contour, with the area that cv2.contourArea gives it, if that is at least 30 % of the scan.
//
// The rows of the scan go in twice, from top to bottom, in strips of any height and format, and are not
// kept: first all through count(), then all through add(), or what count() made of them through add_levels().
// Samples of 16 bits are taken as round(value / 257), grey as RGB of three equal samples.
class ArtworkFinder {
 public:
  // Throws Error(kArgument) on sizes below 1 or above 2^24. Colours take 18 MiB of the limit, rows about
  // 1.5 % of the scan's packed mask and 0.5 MiB.
  ArtworkFinder(std::int64_t width, std::int64_t height,
                std::int64_t memory_limit = std::int64_t{128} << 20);
  ~ArtworkFinder();
  ArtworkFinder(const ArtworkFinder&) = delete;
  ArtworkFinder& operator=(const ArtworkFinder&) = delete;

  // These throw Error(kArgument) on rows of another width, on more than the scan has, and out of
  // turn; Error(kResource) beyond the memory limit. `levels`, if given, gets a byte for each pixel, in C
  // order, for callers to whom reading a scan again is dear.
  void count(const PictureView& rows, Executor& executor, const CancelToken& cancel,
             std::uint8_t* levels = nullptr);
  void add(const PictureView& rows, Executor& executor, const CancelToken& cancel);
  void add_levels(const std::uint8_t* levels, std::int64_t rows, Executor& executor,
                  const CancelToken& cancel);

  // None where nothing is large enough. Once, after the last row of add(); else throws Error(kArgument).
  std::optional<PieceBox> finish();

  // The b above which pixels are paper, after the last row of count().
  [[nodiscard]] std::optional<int> threshold() const;
  [[nodiscard]] std::int64_t peak_memory() const;  // bytes, as the limit counts them

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// By edges, of a preview of kRgb8 that is whole in memory: Canny's at 50 and 150, and among them straight
// lines of at least 30 % of the shorter side (cv2.HoughLinesP), of which two must lie within 10 degrees of
// horizontal and two of vertical. The box is that of the former's ends down, and of the latter's across.
// Throws Error(kArgument) on another format. Takes a few bytes a pixel.
std::optional<PieceBox> edges_boundary(const PictureView& preview);

}  // namespace spinekit

// From the rows of a damage mask to numbered pieces with their contours, in bounded memory.
//
// Rows go in from top to bottom, in strips of any height, and are not kept: cleaning needs a few dozen
// of them, and of the cleaned mask only the runs of regions that may still become pieces stay. Results
// do not depend on the strips. Objects are for one thread at a time; what is passed in is only
// borrowed. Points are (x, y) in pixels, pixel centres at integers; sizes are pixels of this mask.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace spinekit {

// Packed rows: 64 pixels a word, the leftmost in the lowest bit; bits beyond the width are ignored.
constexpr std::int64_t mask_words(std::int64_t width) { return (width + 63) / 64; }

// Packs one row of bytes; all but 0 is damage. `words` has room for mask_words(width).
void pack_mask_row(const std::uint8_t* bytes, std::int64_t width, std::uint64_t* words);

// Sizes are diameters of ellipses as OpenCV draws them: odd; 0 leaves the step out.
struct CleaningOptions {
  std::int64_t closing = 3;
  // 7 x 7 Gaussian of the mask as 0 and 255, mirrored at the borders; damage is what exceeds 127.
  bool smooth = true;
  std::int64_t opening = 3;
  // A closing after the opening, which joins neighbouring pieces.
  std::int64_t join = 0;
};
inline constexpr std::int64_t kLargestKernel = 999;

// Closes, smooths and opens as cv2 does with its default borders, row by row.
class MaskCleaner {
 public:
  using RowSink = std::function<void(const std::uint64_t* row)>;

  // `sink` gets every cleaned row once, in order; its row has no bits beyond the width and is valid
  // during the call. Throws Error(kArgument) on sizes below 1, even kernels or those above the largest.
  MaskCleaner(std::int64_t width, std::int64_t height, const CleaningOptions& options,
              RowSink sink);
  ~MaskCleaner();
  MaskCleaner(const MaskCleaner&) = delete;
  MaskCleaner& operator=(const MaskCleaner&) = delete;

  // The last row of the mask flushes what is still inside.
  void add_row(const std::uint64_t* words);

  [[nodiscard]] std::int64_t memory() const;  // bytes

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct PixelPoint {
  std::int32_t x = 0;
  std::int32_t y = 0;
  friend bool operator==(const PixelPoint&, const PixelPoint&) = default;
};

struct PieceBox {
  std::int64_t x = 0;
  std::int64_t y = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
};

// grid: by cell (row, column), inside by (y / 50, x). row, column: in bands of a cell's height by x,
// of a cell's width by y. simple: by (y, x). Places are centroids; what is equal comes in the order
// of the contours' first points.
enum class Numbering { kGrid, kRow, kColumn, kSimple };

// kRemove leaves out every region that touches a side of the boundary. kKeep leaves out only those that
// touch all four: they surround the artwork, as when the boundary is a pixel too large all round.
enum class AtBoundary { kKeep, kRemove };

struct PieceOptions {
  CleaningOptions cleaning;
  // Where the artwork is; outside there is no damage. Without it, every 8-connected region that
  // touches the border of the mask is left out. What lies in a hole of a region left out may be a piece.
  std::optional<PieceBox> boundary;
  // Of regions at the sides of the boundary, or at those of what it covers of the mask.
  AtBoundary at_boundary = AtBoundary::kKeep;
  // Of the contour, as Piece::area; max_area 0: no limit.
  std::int64_t min_area = 50;
  std::int64_t max_area = 0;
  Numbering numbering = Numbering::kGrid;
  std::int64_t cell = 500;
  // Of Ramer, Douglas and Peucker's simplification, in pixels.
  double epsilon = 0.9;
  bool keep_contours = true;
  // Bytes that rows, runs, and the pieces themselves may take together.
  std::int64_t memory_limit = std::int64_t{128} << 20;
};

struct Piece {
  std::int64_t number = 0;
  // The outer border from its first pixel in reading order, ends of straight stretches only, down the
  // left side first, as cv2.findContours(..., CHAIN_APPROX_SIMPLE). Empty unless kept.
  std::vector<PixelPoint> contour;
  // cv2.approxPolyDP of it.
  std::vector<PixelPoint> outline;
  PixelPoint first;         // of the contour
  double area = 0;          // of the polygon through the border pixels' centres, holes counted in
  std::int64_t pixels = 0;  // white ones; holes and what lies in them not counted
  double x = 0;             // centroid of that polygon; where it has no area, centre of the box
  double y = 0;
  PieceBox box;
};

class PieceFinder {
 public:
  // Throws Error(kArgument) on sizes below 1 or above 2^24, and on options that cannot be.
  PieceFinder(std::int64_t width, std::int64_t height, const PieceOptions& options);
  ~PieceFinder();
  PieceFinder(const PieceFinder&) = delete;
  PieceFinder& operator=(const PieceFinder&) = delete;

  // `rows` packed rows, mask_words(width) apart. Throws Error(kArgument) on more rows than the height,
  // Error(kResource) beyond the memory limit; after that the object is of no further use.
  void add_rows(const std::uint64_t* words, std::int64_t rows);
  // Rows of bytes, `width` apart; all but 0 is damage.
  void add_byte_rows(const std::uint8_t* bytes, std::int64_t rows);

  // The pieces by number, from 1. Once, after the last row; else throws Error(kArgument).
  std::vector<Piece> finish();

  [[nodiscard]] std::int64_t rows() const;         // so far
  [[nodiscard]] std::int64_t peak_memory() const;  // bytes, as the limit counts them

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Sorts and numbers; `cell` as in PieceOptions.
void number_pieces(std::vector<Piece>& pieces, Numbering numbering, std::int64_t cell);

// Sizes as they are meant at the reference of 39,061,392 pixels, or, scaled, those of one mask.
struct PieceSizes {
  std::int64_t min_area = 50;
  std::int64_t max_area = 0;
  std::int64_t kernel = 3;
  std::int64_t join = 9;
  std::int64_t cell = 500;
  std::int64_t margin = 0;
};

// Areas grow with the pixels, lengths with their root, whole numbers below; kernels are odd, the next
// above, at least 3 (join: 5). A max_area of 0 stays "none".
PieceSizes scaled(const PieceSizes& sizes, std::int64_t width, std::int64_t height);

}  // namespace spinekit

// Regions of a mask, row by row: which are whole, which are left out, which lie in another's hole.
//
// Regions are 8-connected, the background between them 4-connected. A region is told of as soon as a row
// has nothing of it. Whether it is a piece of its own hangs on the background around it: if that reaches
// the outside it is, and if that is a hole of a region which stays it is not. So what was made
// of it waits with that background, and, where regions may be left out, with the region around.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "runs.h"
#include "spinekit/pieces.h"

namespace spinekit::classify {

// Regions that touch sides of a box are left out, and what lies in their holes is not.
enum class LeaveOut { kNone, kAtAnySide, kAtAllSides };

class Labeller {
 public:
  struct Calls {
    // A whole region, to be made a piece, or none if it is not worth one. Runs are the list's.
    std::function<std::optional<Piece>(const RunList& runs, const PieceBox& box,
                                       std::int64_t pixels)>
        trace;
    // Pieces that count, and those that turned out to lie in a hole.
    std::function<void(Piece&& piece)> keep;
    std::function<void(const Piece& piece)> drop;
  };

  // The box lies within the mask, and beyond it nothing is set.
  Labeller(std::int64_t width, const PieceBox& box, LeaveOut leave_out, RunStore& store,
           Calls calls);

  void add(const Word* row);
  // After the last row.
  void finish();
  [[nodiscard]] std::int64_t memory() const;

 private:
  using Id = std::int32_t;
  static constexpr Id kNone = -1;
  static constexpr Id kOutside = 0;  // of the backgrounds
  static constexpr std::int64_t kManyRuns = 1 << 17;

  // Pieces that wait, a list in waiting_.
  struct Queue {
    Id head = kNone;
    Id tail = kNone;
  };
  struct Waiting {
    Piece piece;
    Id next;
  };
  struct Region {
    Id parent;
    Id around;         // the background left of its first pixel
    std::int32_t top;  // its first pixel
    std::int32_t start;
    std::int32_t left;
    std::int32_t right;
    std::int32_t last_row;
    std::uint8_t sides = 0;  // of the box, that it touches
    bool done = false;
    std::int64_t pixels = 0;
    RunList runs{};
    std::int64_t fill_at = kManyRuns;
    Queue queue{};
  };
  struct Background {
    Id parent;
    Id above;  // the region above its first pixel
    std::int32_t top;
    std::int32_t last_row;
    bool done = false;
    Queue queue{};
  };

  Id region_of(Id id);
  Id background_of(Id id);
  Id label_gap(std::size_t gap, std::size_t& candidate);
  Id label_span(std::size_t span, Id around, std::size_t& candidate);
  void extend(Id id, Span span);
  Id unite_regions(Id a, Id b);
  Id unite_backgrounds(Id a, Id b);
  [[nodiscard]] std::uint8_t sides_of(Span span) const;
  [[nodiscard]] bool left_out(const Region& region) const;
  void let_go(Region& region);
  void end_region(Id id);
  void end_background(Id id);
  void end_those_above();
  void fill();
  void compact();

  void wait(Queue& queue, Piece&& piece);
  void move(Queue& from, Queue& to);
  void settle(Queue& queue, bool keep);

  std::int32_t width_;
  PieceBox box_;
  LeaveOut leave_out_;
  RunStore& store_;
  Calls calls_;
  std::int32_t row_ = 0;
  // Gap k lies before span k; those at the ends reach beyond the mask and are outside.
  std::vector<Span> spans_, above_;
  std::vector<Id> span_ids_, above_span_ids_;
  std::vector<Id> gap_ids_, above_gap_ids_;
  std::vector<Region> regions_, live_regions_;
  std::vector<Background> backgrounds_, live_backgrounds_;
  std::vector<Waiting> waiting_;
  Id free_waiting_ = kNone;
  bool to_fill_ = false;
  std::vector<Run> runs_;
};

}  // namespace spinekit::classify

#include "labelling.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "disjoint.h"

namespace spinekit::classify {
namespace {

enum Side : std::uint8_t { kLeft = 1, kTop = 2, kRight = 4, kBottom = 8 };
constexpr std::uint8_t kAllSides = kLeft | kTop | kRight | kBottom;

}  // namespace

Labeller::Labeller(std::int64_t width, const PieceBox& box, LeaveOut leave_out, RunStore& store,
                   Calls calls)
    : width_(static_cast<std::int32_t>(width)),
      box_(box),
      leave_out_(leave_out),
      store_(store),
      calls_(std::move(calls)),
      above_gap_ids_{kOutside} {
  backgrounds_.push_back({.parent = kOutside, .above = kNone, .top = -1, .last_row = -1});
}

Labeller::Id Labeller::region_of(Id id) { return root_of(regions_, id); }
Labeller::Id Labeller::background_of(Id id) { return root_of(backgrounds_, id); }

void Labeller::add(const Word* row) {
  spans_.clear();
  append_spans(row, mask_words(width_), spans_);
  span_ids_.resize(spans_.size());
  gap_ids_.resize(spans_.size() + 1);
  gap_ids_.front() = kOutside;
  std::size_t gap_candidate = 0, span_candidate = 0;
  for (std::size_t k = 0; k < spans_.size(); ++k) {
    gap_ids_[k] = label_gap(k, gap_candidate);
    span_ids_[k] = label_span(k, gap_ids_[k], span_candidate);
  }
  gap_ids_[spans_.size()] = label_gap(spans_.size(), gap_candidate);
  end_those_above();
  std::swap(spans_, above_);
  std::swap(span_ids_, above_span_ids_);
  std::swap(gap_ids_, above_gap_ids_);
  ++row_;
  if (to_fill_) fill();
  constexpr std::size_t kSome = 1024;
  if (regions_.size() + backgrounds_.size() > kSome + 4 * above_.size()) compact();
}

// Background joins what it touches above along an edge.
Labeller::Id Labeller::label_gap(std::size_t gap, std::size_t& candidate) {
  const bool at_side = gap == 0 || gap == spans_.size();
  const std::int32_t first = gap == 0 ? -1 : spans_[gap - 1].end;
  const std::int32_t end = gap == spans_.size() ? width_ + 1 : spans_[gap].first;
  Id id = at_side ? kOutside : kNone;
  while (candidate < above_.size() && above_[candidate].first <= first) ++candidate;
  for (std::size_t k = candidate; k <= above_.size(); ++k) {
    if (k > 0 && above_[k - 1].end >= end) break;
    const Id other = background_of(above_gap_ids_[k]);
    id = id == kNone ? other : unite_backgrounds(id, other);
  }
  if (id == kNone) {
    id = static_cast<Id>(backgrounds_.size());
    backgrounds_.push_back(
        {.parent = id, .above = above_span_ids_[candidate - 1], .top = row_, .last_row = row_});
  }
  backgrounds_[static_cast<std::size_t>(id)].last_row = row_;
  return id;
}

// Regions join what they touch above along an edge or at a corner.
Labeller::Id Labeller::label_span(std::size_t index, Id around, std::size_t& candidate) {
  const Span span = spans_[index];
  Id id = kNone;
  while (candidate < above_.size() && above_[candidate].end < span.first) ++candidate;
  for (std::size_t k = candidate; k < above_.size() && above_[k].first <= span.end; ++k) {
    const Id other = region_of(above_span_ids_[k]);
    id = id == kNone ? other : unite_regions(id, other);
  }
  if (id == kNone) {
    id = static_cast<Id>(regions_.size());
    regions_.push_back({.parent = id,
                        .around = around,
                        .top = row_,
                        .start = span.first,
                        .left = span.first,
                        .right = span.end,
                        .last_row = row_});
  }
  extend(id, span);
  return id;
}

void Labeller::extend(Id id, Span span) {
  Region& region = regions_[static_cast<std::size_t>(id)];
  region.last_row = row_;
  region.left = std::min(region.left, span.first);
  region.right = std::max(region.right, span.end);
  region.pixels += span.end - span.first;
  if (left_out(region)) return;
  region.sides |= sides_of(span);
  if (left_out(region)) return let_go(region);
  store_.append(region.runs, {row_, span.first, span.end});
  if (region.runs.count >= region.fill_at) to_fill_ = true;
}

// A region of many holes, as noise makes, would keep its runs for nothing.
void Labeller::fill() {
  to_fill_ = false;
  for (const Id span_id : above_span_ids_) {
    Region& region = regions_[static_cast<std::size_t>(region_of(span_id))];
    if (region.runs.count < region.fill_at) continue;
    store_.sorted(region.runs, runs_);
    fill_holes(runs_);
    store_.release(region.runs);
    for (const Run& run : runs_) store_.append(region.runs, run);
    region.fill_at = std::max(kManyRuns, 2 * region.runs.count);
  }
}

std::uint8_t Labeller::sides_of(Span span) const {
  unsigned sides = 0;
  if (span.first == box_.x) sides |= kLeft;
  if (row_ == box_.y) sides |= kTop;
  if (span.end == box_.x + box_.width) sides |= kRight;
  if (row_ == box_.y + box_.height - 1) sides |= kBottom;
  return static_cast<std::uint8_t>(sides);
}

bool Labeller::left_out(const Region& region) const {
  if (leave_out_ == LeaveOut::kAtAllSides) return region.sides == kAllSides;
  return leave_out_ == LeaveOut::kAtAnySide && region.sides != 0;
}

void Labeller::let_go(Region& region) {
  store_.release(region.runs);
  settle(region.queue, true);
}

Labeller::Id Labeller::unite_regions(Id a, Id b) {
  if (a == b) return a;
  Region& kept = regions_[static_cast<std::size_t>(a)];
  Region& gone = regions_[static_cast<std::size_t>(b)];
  gone.parent = a;
  if (std::tie(gone.top, gone.start) < std::tie(kept.top, kept.start)) {
    kept.top = gone.top;
    kept.start = gone.start;
    kept.around = gone.around;
  }
  kept.left = std::min(kept.left, gone.left);
  kept.right = std::max(kept.right, gone.right);
  kept.last_row = std::max(kept.last_row, gone.last_row);
  kept.pixels += gone.pixels;
  kept.fill_at = std::max(kept.fill_at, gone.fill_at);
  store_.join(kept.runs, gone.runs);
  move(gone.queue, kept.queue);
  kept.sides |= gone.sides;
  if (left_out(kept)) let_go(kept);
  return a;
}

Labeller::Id Labeller::unite_backgrounds(Id a, Id b) {
  if (a == b) return a;
  // The one that began first knows the region around both.
  const auto top = [&](Id id) { return backgrounds_[static_cast<std::size_t>(id)].top; };
  if (top(b) < top(a)) std::swap(a, b);
  Background& kept = backgrounds_[static_cast<std::size_t>(a)];
  Background& gone = backgrounds_[static_cast<std::size_t>(b)];
  gone.parent = a;
  kept.last_row = std::max(kept.last_row, gone.last_row);
  if (a == kOutside) {
    settle(gone.queue, true);
  } else {
    move(gone.queue, kept.queue);
  }
  return a;
}

void Labeller::end_those_above() {
  for (const Id above : above_span_ids_) {
    const Id id = region_of(above);
    Region& region = regions_[static_cast<std::size_t>(id)];
    if (region.last_row == row_ || region.done) continue;
    region.done = true;
    end_region(id);
  }
  for (const Id above : above_gap_ids_) {
    const Id id = background_of(above);
    Background& background = backgrounds_[static_cast<std::size_t>(id)];
    if (id == kOutside || background.last_row == row_ || background.done) continue;
    background.done = true;
    end_background(id);
  }
}

void Labeller::end_region(Id id) {
  Region& region = regions_[static_cast<std::size_t>(id)];
  if (left_out(region)) return;
  settle(region.queue, false);
  const PieceBox box{region.left, region.top, region.right - region.left,
                     region.last_row - region.top + 1};
  std::optional<Piece> piece = calls_.trace(region.runs, box, region.pixels);
  store_.release(region.runs);
  if (!piece) return;
  // What surrounds a region goes on below it.
  const Id around = background_of(region.around);
  if (around == kOutside) {
    calls_.keep(std::move(*piece));
  } else {
    wait(backgrounds_[static_cast<std::size_t>(around)].queue, std::move(*piece));
  }
}

void Labeller::end_background(Id id) {
  Background& hole = backgrounds_[static_cast<std::size_t>(id)];
  if (hole.queue.head == kNone) return;
  // What surrounds a hole goes on below it.
  Region& around = regions_[static_cast<std::size_t>(region_of(hole.above))];
  const bool free = left_out(around);
  if (free || leave_out_ == LeaveOut::kNone) {
    settle(hole.queue, free);
  } else {
    move(hole.queue, around.queue);
  }
}

void Labeller::finish() {
  spans_.clear();
  span_ids_.clear();
  gap_ids_.assign(1, kOutside);
  std::size_t candidate = 0;
  gap_ids_[0] = label_gap(0, candidate);
  end_those_above();
}

// All that lives has a span or a gap in the last row, and what those refer to does too.
void Labeller::compact() {
  live_regions_.clear();
  live_backgrounds_.assign(1, backgrounds_[kOutside]);
  const auto renumber = [](auto& nodes, auto& live, std::vector<Id>& ids) {
    using Node = typename std::decay_t<decltype(nodes)>::value_type;
    for (Id& id : ids) id = root_of(nodes, id);
    for (Id& id : ids) {
      if (id == kOutside && std::is_same_v<Node, Background>) continue;
      Node& node = nodes[static_cast<std::size_t>(id)];
      // A root's parent is itself until it has moved; then it tells, below zero, where to.
      if (node.parent >= 0) {
        live.push_back(node);
        live.back().parent = static_cast<Id>(live.size()) - 1;
        node.parent = -static_cast<Id>(live.size());
      }
      id = -node.parent - 1;
    }
  };
  // References are resolved while both tables are whole.
  for (const Id id : above_span_ids_) {
    Region& region = regions_[static_cast<std::size_t>(region_of(id))];
    region.around = background_of(region.around);
  }
  for (const Id id : above_gap_ids_) {
    Background& background = backgrounds_[static_cast<std::size_t>(background_of(id))];
    if (background.above != kNone) background.above = region_of(background.above);
  }
  renumber(regions_, live_regions_, above_span_ids_);
  renumber(backgrounds_, live_backgrounds_, above_gap_ids_);
  const auto moved = [](const auto& nodes, Id id) {
    const Id parent = nodes[static_cast<std::size_t>(id)].parent;
    return parent < 0 ? -parent - 1 : kNone;
  };
  for (Region& region : live_regions_) {
    if (region.around != kOutside) region.around = moved(backgrounds_, region.around);
  }
  for (Background& background : live_backgrounds_) {
    if (background.above != kNone) background.above = moved(regions_, background.above);
  }
  std::swap(regions_, live_regions_);
  std::swap(backgrounds_, live_backgrounds_);
}

void Labeller::wait(Queue& queue, Piece&& piece) {
  Id id = free_waiting_;
  if (id == kNone) {
    id = static_cast<Id>(waiting_.size());
    waiting_.push_back({std::move(piece), kNone});
  } else {
    free_waiting_ = waiting_[static_cast<std::size_t>(id)].next;
    waiting_[static_cast<std::size_t>(id)] = {std::move(piece), kNone};
  }
  if (queue.head == kNone) {
    queue.head = id;
  } else {
    waiting_[static_cast<std::size_t>(queue.tail)].next = id;
  }
  queue.tail = id;
}

void Labeller::move(Queue& from, Queue& to) {
  if (from.head == kNone) return;
  if (to.head == kNone) {
    to.head = from.head;
  } else {
    waiting_[static_cast<std::size_t>(to.tail)].next = from.head;
  }
  to.tail = from.tail;
  from = {};
}

void Labeller::settle(Queue& queue, bool keep) {
  for (Id id = queue.head; id != kNone;) {
    Waiting& waiting = waiting_[static_cast<std::size_t>(id)];
    if (keep) {
      calls_.keep(std::move(waiting.piece));
    } else {
      calls_.drop(waiting.piece);
    }
    waiting.piece = {};
    const Id next = waiting.next;
    waiting.next = free_waiting_;
    free_waiting_ = id;
    id = next;
  }
  queue = {};
}

std::int64_t Labeller::memory() const {
  const auto bytes = [](const auto& list) {
    return static_cast<std::int64_t>(list.capacity() * sizeof list[0]);
  };
  return bytes(spans_) + bytes(above_) + bytes(span_ids_) + bytes(above_span_ids_) +
         bytes(gap_ids_) + bytes(above_gap_ids_) + bytes(regions_) + bytes(live_regions_) +
         bytes(backgrounds_) + bytes(live_backgrounds_) + bytes(waiting_) + bytes(runs_);
}

}  // namespace spinekit::classify

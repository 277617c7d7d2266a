#include "runs.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

namespace spinekit::classify {

void append_spans(const Word* row, std::int64_t words, std::vector<Span>& spans) {
  bool inside = false;
  for (std::int64_t k = 0; k < words; ++k) {
    const Word bits = row[k];
    // Where a pixel differs from the one before it.
    Word changes = bits ^ (bits << 1 | (inside ? 1U : 0U));
    while (changes != 0) {
      const auto x = static_cast<std::int32_t>(k * kWordBits + std::countr_zero(changes));
      if (inside) {
        spans.back().end = x;
      } else {
        spans.push_back({x, 0});
      }
      inside = !inside;
      changes &= changes - 1;
    }
  }
  if (inside) spans.back().end = static_cast<std::int32_t>(words * kWordBits);
}

void RunStore::append(RunList& list, const Run& run) {
  if (free_.head < 0) {
    grow_(kChunk * static_cast<std::int64_t>(sizeof(Slot)));
    const auto start = static_cast<std::int32_t>(chunks_.size()) * kChunk;
    chunks_.push_back(std::make_unique<Slot[]>(kChunk));
    for (std::int32_t k = 0; k < kChunk; ++k) slot(start + k).next = start + k + 1;
    slot(start + kChunk - 1).next = -1;
    free_ = {start, start + kChunk - 1, kChunk};
  }
  const std::int32_t added = free_.head;
  free_.head = slot(added).next;
  slot(added) = {run, -1};
  if (list.tail >= 0) {
    slot(list.tail).next = added;
  } else {
    list.head = added;
  }
  list.tail = added;
  ++list.count;
}

void RunStore::join(RunList& list, RunList& other) {
  if (other.head < 0) return;
  if (list.tail >= 0) {
    slot(list.tail).next = other.head;
    list.tail = other.tail;
    list.count += other.count;
  } else {
    list = other;
  }
  other = {};
}

void RunStore::release(RunList& list) {
  if (list.head < 0) return;
  slot(list.tail).next = free_.head;
  free_.head = list.head;
  list = {};
}

void RunStore::sorted(const RunList& list, std::vector<Run>& runs) const {
  runs.clear();
  for (std::int32_t k = list.head; k >= 0; k = slot(k).next) runs.push_back(slot(k).run);
  const auto before = [](const Run& a, const Run& b) {
    return std::tie(a.y, a.first) < std::tie(b.y, b.first);
  };
  if (!std::is_sorted(runs.begin(), runs.end(), before)) {
    std::sort(runs.begin(), runs.end(), before);
  }
}

}  // namespace spinekit::classify

// Runs of set pixels, and the store in which regions keep theirs until they are traced.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "bit_row.h"

namespace spinekit::classify {

// Pixels first ... end - 1 of a row.
struct Span {
  std::int32_t first;
  std::int32_t end;
};

struct Run {
  std::int32_t y;
  std::int32_t first;
  std::int32_t end;
};

// Appends the runs of a row without bits beyond the width.
void append_spans(const Word* row, std::int64_t words, std::vector<Span>& spans);

// Of a region that still grows below its last row, fills what is certain to be a hole; its outer border
// stays. `runs` are sorted, and every row between the first and the last has some.
void fill_holes(std::vector<Run>& runs);

// A list of runs in a store.
struct RunList {
  std::int32_t head = -1;
  std::int32_t tail = -1;
  std::int64_t count = 0;
};

// Many lists in few allocations: lists grow, are joined and go all the time.
class RunStore {
 public:
  // Called before the store takes that many more bytes.
  using Grow = std::function<void(std::int64_t bytes)>;
  explicit RunStore(Grow grow) : grow_(std::move(grow)) {}

  void append(RunList& list, const Run& run);
  // `other` goes to the end of `list`, and is empty then.
  void join(RunList& list, RunList& other);
  // What the list held may be reused; it is empty then.
  void release(RunList& list);
  // By row and column.
  void sorted(const RunList& list, std::vector<Run>& runs) const;

 private:
  static constexpr std::int32_t kChunk = 1 << 13;
  struct Slot {
    Run run;
    std::int32_t next;
  };
  Slot& slot(std::int32_t k) { return chunks_[static_cast<std::size_t>(k / kChunk)][k % kChunk]; }
  [[nodiscard]] const Slot& slot(std::int32_t k) const {
    return chunks_[static_cast<std::size_t>(k / kChunk)][k % kChunk];
  }

  Grow grow_;
  std::vector<std::unique_ptr<Slot[]>> chunks_;
  RunList free_;
};

}  // namespace spinekit::classify

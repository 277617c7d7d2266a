#include "frame_store.h"

#include <algorithm>

#include "spinekit/error.h"
#include "stored_range.h"

namespace spinekit {
namespace {

constexpr std::int64_t kMostKeptBytes = std::int64_t{64} << 20;

// Overlays may hide in the unused high bits of the pixel cells (retired; PS3.3 C.9.2 of 2004).
bool has_embedded_overlay(const DataSet& data_set) {
  for (std::uint16_t group = 0x6000; group < 0x6020; group += 2) {
    if (data_set.integer({group, 0x0102}).value_or(0) != 0) return true;
  }
  return false;
}

}  // namespace

void for_each_frame(std::int64_t first, std::int64_t end, Executor& executor,
                    const CancelToken& cancel, const std::function<void(std::int64_t)>& body) {
  executor.parallel_for(
      end - first,
      [&](std::int64_t k) {
        try {
          body(first + k);
        } catch (const Error& error) {
          const bool only_one = first == 0 && end == 1;
          if (only_one || error.code() == ErrorCode::kCancelled) throw;
          throw Error(error.code(), "frame " + std::to_string(first + k) + ": " + error.message());
        }
      },
      cancel);
}

FrameStore::FrameStore(const DataSet& data_set, const FrameReader& reader, std::int64_t frames,
                       Executor& executor, const CancelToken& cancel)
    : reader_(reader), frames_(frames), format_(reader.format()) {
  const std::int64_t bytes = format_.byte_count();
  const bool keep = checked_product(bytes, frames, "bytes of all frames") <= kMostKeptBytes;
  if (keep) kept_.resize(static_cast<std::size_t>(frames));
  std::vector<StoredRange> ranges(static_cast<std::size_t>(frames));
  std::vector<std::vector<std::string>> notes(static_cast<std::size_t>(frames));
  for_each_frame(0, frames, executor, cancel, [&](std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    Buffer frame(static_cast<std::size_t>(bytes));
    reader.read(index, frame, notes[i]);
    ranges[i] = stored_range(frame, format_);
    if (keep) kept_[i] = std::move(frame);
  });

  warnings_ = reader.warnings();
  for (const auto& frame_notes : notes) {
    for (const std::string& note : frame_notes) {
      if (std::find(warnings_.begin(), warnings_.end(), note) == warnings_.end()) {
        warnings_.push_back(note);
      }
    }
  }
  StoredRange all = ranges.front();
  for (const StoredRange& range : ranges) {
    all.least = std::min(all.least, range.least);
    all.largest = std::max(all.largest, range.largest);
  }
  if (lacks_sign_extension(all, format_)) {
    extend_sign_ = true;
    for (Buffer& frame : kept_) extend_sign(frame, format_);
    warnings_.emplace_back("the sign bit was not copied into the unused high bits; it is now");
    return;
  }
  const int needed = bits_needed(all, format_.is_signed);
  if (needed > format_.bits_stored) {
    if (has_embedded_overlay(data_set)) {
      throw_unsupported(
          "an overlay lies in the high bits of the pixels; move it to OverlayData (60xx,3000) "
          "first");
    }
    warnings_.push_back("samples from " + std::to_string(all.least) + " to " +
                        std::to_string(all.largest) + " do not fit BitsStored " +
                        std::to_string(format_.bits_stored) + "; it becomes " +
                        std::to_string(needed));
    format_.bits_stored = needed;
  }
}

Bytes FrameStore::get(std::int64_t index, Buffer& scratch) const {
  if (!kept_.empty()) return kept_[static_cast<std::size_t>(index)];
  scratch.resize(static_cast<std::size_t>(format_.byte_count()));
  std::vector<std::string> ignored;  // said when the frame was read first
  reader_.read(index, scratch, ignored);
  if (extend_sign_) extend_sign(scratch, format_);
  return scratch;
}

}  // namespace spinekit

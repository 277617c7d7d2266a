#include "spinekit/zip_stream.h"

#include <algorithm>
#include <deque>
#include <unordered_set>
#include <utility>

#include "entry_checks.h"
#include "spinekit/error.h"
#include "unpacking.h"
#include "zip_format.h"

namespace spinekit {
namespace {

constexpr std::int64_t kMostJunk = std::int64_t{1} << 20;
constexpr const char* kNoHeader = "no ZIP: no local header (PK\\x03\\x04) in ";
constexpr const char* kNoWayOn =
    "; its packed size is not given, so what follows it cannot be found";

std::string at_byte(std::int64_t offset) { return "at byte " + std::to_string(offset); }

}  // namespace

class ZipStream::State {
 public:
  explicit State(const ZipLimits& limits) : limits_(limits) { check_limits(limits); }

  void feed(Bytes chunk);
  std::optional<ZipEntry> next();
  void finish() const;

  [[nodiscard]] bool directory_reached() const { return phase_ == Phase::kDirectory; }
  [[nodiscard]] std::int64_t consumed() const { return position_; }

 private:
  enum class Phase {
    kStart,         // looking for the first header
    kHeader,        // a local header, or what ends the entries
    kStored,        // of known size
    kStoredSearch,  // stored, up to a descriptor that fits
    kDeflated,
    kSkipped,     // data of known size that are of no use
    kDescriptor,  // behind the data
    kDirectory,
  };

  // Each does one piece of work on chunk_, and returns false when it needs the next one.
  bool step();
  bool look_for_start();
  bool read_header();
  bool read_sized();
  bool search_descriptor();
  bool read_deflated();
  bool read_descriptor();

  void begin_entry();
  void keep(Bytes data);
  void refuse(const std::string& problem);
  void end_data();
  void check(const EntrySizes& expected, const char* record);
  void complete();

  Bytes take(std::size_t count);
  Bytes take_data();
  bool collect(std::int64_t count);
  void drop_held(std::size_t count) { held_.erase(held_.begin(), held_.begin() + count); }

  [[nodiscard]] std::int64_t held_from() const;
  [[nodiscard]] EntrySizes seen() const { return {unpacked_.crc(), packed_, unpacked_.count()}; }
  [[nodiscard]] std::string title() const { return entry_title(header_.name, entry_offset_); }

  ZipLimits limits_;
  Phase phase_ = Phase::kStart;
  std::optional<Error> failure_;
  std::deque<ZipEntry> complete_;
  std::unordered_set<std::string> names_;
  std::int64_t entries_ = 0;
  std::int64_t position_ = 0;  // bytes taken from chunks
  Bytes fed_;                  // the chunk that is being fed
  Bytes chunk_;                // what is left of it
  Buffer held_;                // bytes that were taken, but not understood yet
  std::string beginning_;      // of the stream, for messages

  std::int64_t entry_offset_ = 0;
  LocalHeader header_;
  ZipEntry entry_;
  std::int64_t packed_ = 0;         // bytes of the entry's data that came
  std::int64_t data_end_ = 0;       // up to where they may be taken
  bool output_pending_ = false;     // of the inflater
  std::int64_t most_unpacked_ = 0;  // bytes
  UnpackedBytes unpacked_;
  Inflater inflater_;
};

void ZipStream::State::feed(Bytes chunk) {
  if (failure_) throw *failure_;
  fed_ = chunk_ = chunk;
  try {
    while (step()) {
    }
  } catch (const Error& error) {
    failure_ = error;
    throw;
  } catch (const std::bad_alloc&) {
    failure_ = Error(ErrorCode::kResource, title() + ": not enough memory");
    throw *failure_;
  }
}

bool ZipStream::State::step() {
  switch (phase_) {
    case Phase::kStart:
      return look_for_start();
    case Phase::kHeader:
      return read_header();
    case Phase::kStored:
    case Phase::kSkipped:
      return read_sized();
    case Phase::kStoredSearch:
      return search_descriptor();
    case Phase::kDeflated:
      return read_deflated();
    case Phase::kDescriptor:
      return read_descriptor();
    case Phase::kDirectory:
      take(chunk_.size());
      break;
  }
  return false;
}

std::optional<ZipEntry> ZipStream::State::next() {
  if (complete_.empty()) return std::nullopt;
  ZipEntry entry = std::move(complete_.front());
  complete_.pop_front();
  return entry;
}

void ZipStream::State::finish() const {
  if (failure_) throw *failure_;
  if (phase_ == Phase::kDirectory) return;
  if (position_ == 0) throw_malformed("no ZIP: the stream is empty");
  if (phase_ == Phase::kStart) {
    throw_malformed(kNoHeader + std::to_string(position_) + " bytes, which begin with " +
                    quoted_name(beginning_));
  }
  const std::string where = "the ZIP is cut off " + at_byte(position_) + ", ";
  if (phase_ == Phase::kHeader) {
    throw_malformed(where + (held_.empty() ? "before its central directory" : "within a header"));
  }
  const bool held_data = phase_ == Phase::kStoredSearch;
  const std::int64_t came = packed_ + static_cast<std::int64_t>(held_data ? held_.size() : 0);
  throw_malformed(where + "within " + title() + ": " + std::to_string(came) +
                  (header_.packed_size ? " of " + std::to_string(*header_.packed_size) : "") +
                  " packed bytes came");
}

Bytes ZipStream::State::take(std::size_t count) {
  const Bytes taken = chunk_.first(count);
  chunk_ = chunk_.subspan(count);
  position_ += static_cast<std::int64_t>(count);
  return taken;
}

Bytes ZipStream::State::take_data() {
  const auto left = static_cast<std::size_t>(data_end_ - packed_);
  const Bytes data = take(std::min(left, chunk_.size()));
  packed_ += static_cast<std::int64_t>(data.size());
  return data;
}

bool ZipStream::State::collect(std::int64_t count) {
  const auto wanted = static_cast<std::size_t>(count);
  if (held_.size() < wanted) {
    const Bytes more = take(std::min(wanted - held_.size(), chunk_.size()));
    held_.insert(held_.end(), more.begin(), more.end());
  }
  return held_.size() >= wanted;
}

std::int64_t ZipStream::State::held_from() const {
  return position_ - static_cast<std::int64_t>(held_.size());
}

// ---- between entries

bool ZipStream::State::look_for_start() {
  constexpr std::size_t kBeginningBytes = 8;
  if (chunk_.empty()) return false;
  held_.push_back(take(1)[0]);
  if (beginning_.size() < kBeginningBytes) beginning_ += static_cast<char>(held_.back());
  while (!held_.empty()) {
    if (held_from() > kMostJunk) {
      throw_malformed(kNoHeader + ("the first " + std::to_string(kMostJunk)) +
                      " bytes, which begin with " + quoted_name(beginning_));
    }
    const Start start = begins_archive(held_, held_from() == 0);
    if (start == Start::kYes) phase_ = Phase::kHeader;
    if (start != Start::kNo) return true;
    drop_held(1);
  }
  return true;
}

bool ZipStream::State::read_header() {
  if (!collect(4)) return false;
  const std::uint32_t signature = u32_at(held_, 0);
  if (ends_entries(signature)) {
    held_.clear();
    phase_ = Phase::kDirectory;
    return true;
  }
  if (signature != kLocalSignature) {
    throw_malformed("expected an entry or the central directory " + at_byte(held_from()) +
                    ", got " + quoted_bytes(Bytes(held_).first(4)) + " behind " + title());
  }
  if (!collect(kLocalHeaderBytes) || !collect(local_header_bytes(held_))) return false;
  begin_entry();
  return true;
}

void ZipStream::State::begin_entry() {
  if (++entries_ > limits_.most_entries) {
    throw_malformed("more than " + std::to_string(limits_.most_entries) + " entries");
  }
  entry_offset_ = held_from();
  header_ = parse_local_header(held_, entry_offset_);
  held_.clear();
  entry_ = ZipEntry();
  entry_.name = header_.name;
  entry_.directory = header_.name.ends_with('/');
  unpacked_ = UnpackedBytes();
  packed_ = 0;
  most_unpacked_ = limits_.most_entry_bytes;
  data_end_ = header_.packed_size.value_or(0);
  // Files of no bytes are "deflated" to none by some writers.
  if (header_.method == kStoredMethod || header_.packed_size == 0) {
    if (!header_.size) header_.size = header_.packed_size;
    phase_ = header_.packed_size ? Phase::kStored : Phase::kStoredSearch;
  } else {
    inflater_.restart();
    phase_ = Phase::kDeflated;
  }
  std::string problem = method_problem(header_);
  if (!problem.empty() && !header_.packed_size) {
    throw_malformed(title() + " " + problem + kNoWayOn);
  }
  if (problem.empty()) problem = name_problem(header_.name);
  if (problem.empty()) problem = size_problem(header_, limits_);
  const bool is_new = names_.insert(header_.name).second;
  if (problem.empty() && !is_new) problem = "has the name of an earlier entry";
  if (!problem.empty()) refuse(problem);
}

// ---- the data of an entry

void ZipStream::State::keep(Bytes data) {
  const std::int64_t count = unpacked_.count() + static_cast<std::int64_t>(data.size());
  if (entry_.problem.empty() && count > most_unpacked_) {
    refuse("unpacks to more than the " + std::to_string(most_unpacked_) + " bytes that " +
           (header_.size ? "its header says" : "are allowed for so many packed bytes"));
  }
  unpacked_.take(data, header_.size);
}

void ZipStream::State::refuse(const std::string& problem) {
  entry_.problem = title() + " " + problem;
  unpacked_.drop();
  if (header_.packed_size) phase_ = Phase::kSkipped;
}

bool ZipStream::State::read_sized() {
  const Bytes data = take_data();
  if (phase_ == Phase::kStored) keep(data);
  if (packed_ < data_end_) return false;
  end_data();
  return true;
}

bool ZipStream::State::read_deflated() {
  // Where the packed size is not known, what may be unpacked grows with what came: in blocks, each
  // unpacked to its last byte before the next, so that it does not depend on the chunks.
  constexpr std::int64_t kBlock = 16384;
  const bool open_end = !header_.packed_size;
  if (open_end && packed_ == data_end_ && !output_pending_) data_end_ += kBlock;
  most_unpacked_ = header_.size ? *header_.size : most_unpacked_bytes(data_end_, limits_);
  const auto left = static_cast<std::size_t>(data_end_ - packed_);
  const Inflater::Step step = inflater_.step(chunk_.first(std::min(left, chunk_.size())));
  take(static_cast<std::size_t>(step.taken));
  packed_ += step.taken;
  output_pending_ = step.output_full;
  keep(step.output);
  if (phase_ == Phase::kSkipped) return true;
  switch (step.status) {
    case Inflater::Status::kDamaged:
      if (open_end) throw_malformed(title() + " is damaged" + kNoWayOn);
      refuse("is damaged: not deflated data");
      return true;
    case Inflater::Status::kEnd:
      if (!open_end && packed_ < data_end_) {
        refuse("is damaged: deflated data of " + std::to_string(packed_) + " bytes, expected " +
               std::to_string(data_end_));
      } else {
        end_data();
      }
      return true;
    case Inflater::Status::kMore:
      break;
  }
  if (!open_end && packed_ == data_end_ && !output_pending_) {
    refuse("is damaged: its deflated data do not end within " + std::to_string(data_end_) +
           " bytes");
    return true;
  }
  return output_pending_ || !chunk_.empty();
}

bool ZipStream::State::search_descriptor() {
  if (held_.empty()) {
    const Bytes data = take(find_descriptor_signature(chunk_));
    packed_ += static_cast<std::int64_t>(data.size());
    keep(data);
  }
  const DescriptorSearch search = find_descriptor(held_, seen(), true);
  if (search.needed > 0) return collect(search.needed);
  if (search.found) {
    drop_held(search.found->bytes());
    complete();
    return true;
  }
  const Bytes held(held_);
  const std::size_t next = 1 + find_descriptor_signature(held.subspan(1));
  packed_ += static_cast<std::int64_t>(next);
  keep(held.first(next));
  drop_held(next);
  // Searching goes on in the chunk where it can: in held_ it creeps.
  if (held_.size() <= fed_.size() - chunk_.size()) {
    chunk_ = fed_.last(chunk_.size() + held_.size());
    position_ = held_from();
    held_.clear();
  }
  return true;
}

// ---- behind the data

void ZipStream::State::end_data() {
  if (header_.has_descriptor) {
    phase_ = Phase::kDescriptor;
    return;
  }
  check({header_.crc, *header_.packed_size, *header_.size}, "header");
  complete();
}

bool ZipStream::State::read_descriptor() {
  DescriptorSearch search;
  const bool was_skipped = !entry_.problem.empty() && header_.packed_size;
  if (!was_skipped) search = find_descriptor(held_, seen(), false);
  if (search.needed > 0) return collect(search.needed);
  if (!search.found) {
    if (!collect(kDescriptorGuessBytes)) return false;
    search.found = guess_descriptor(held_);
    if (!search.found) {
      throw_malformed("no data descriptor " + at_byte(held_from()) + " behind " + title());
    }
    check(spinekit::read_descriptor(held_, *search.found), "data descriptor");
  }
  drop_held(search.found->bytes());
  complete();
  return true;
}

void ZipStream::State::check(const EntrySizes& expected, const char* record) {
  if (!entry_.problem.empty()) return;
  const EntrySizes got = seen();
  const auto from_to = [](const EntrySizes& sizes) {
    return std::to_string(sizes.packed) + " bytes to " + std::to_string(sizes.unpacked);
  };
  if (got.packed != expected.packed || got.unpacked != expected.unpacked) {
    refuse("unpacks from " + from_to(got) + ", its " + record + " says from " + from_to(expected));
  } else if (got.crc != expected.crc) {
    refuse("is damaged: CRC " + hex_crc(got.crc) + ", its " + record + " says " +
           hex_crc(expected.crc));
  }
}

void ZipStream::State::complete() {
  if (entry_.problem.empty()) entry_.bytes = unpacked_.release();
  complete_.push_back(std::move(entry_));
  phase_ = Phase::kHeader;
}

// ---- ZipStream

ZipStream::ZipStream(const ZipLimits& limits) : state_(std::make_unique<State>(limits)) {}
ZipStream::~ZipStream() = default;
ZipStream::ZipStream(ZipStream&& other) noexcept = default;
ZipStream& ZipStream::operator=(ZipStream&& other) noexcept = default;

void ZipStream::feed(Bytes chunk) { state_->feed(chunk); }
std::optional<ZipEntry> ZipStream::next() { return state_->next(); }
void ZipStream::finish() const { state_->finish(); }
bool ZipStream::directory_reached() const { return state_->directory_reached(); }
std::int64_t ZipStream::consumed() const { return state_->consumed(); }

}  // namespace spinekit

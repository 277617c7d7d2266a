#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "scan/packed_stream.h"
#include "scan/source_stream.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

// TIFF 6.0, section 13: codes of 9 to 12 bits, the first bit highest; a code grows one entry earlier
// than it must.
constexpr int kClear = 256;
constexpr int kEnd = 257;
constexpr int kFirst = 258;
constexpr int kMostCodes = 4096;
constexpr int kLeastBits = 9;
constexpr int kMostBits = 12;
constexpr std::int64_t kBlock = 8;

// A string in blocks of eight bytes: this entry has the last one to eight, entry `before` all others.
// One store then writes most of the strings that scanned noise gives.
struct Entry {
  std::uint64_t tail = 0;
  std::uint16_t length = 0;
  std::uint16_t before = 0;
  std::uint8_t first = 0;

  [[nodiscard]] int tail_length() const { return (length - 1) % static_cast<int>(kBlock) + 1; }
};

// Byte k of a tail, in the order in which memory takes it.
constexpr std::uint64_t byte_of_tail(std::uint8_t value, int k) {
  const int place = std::endian::native == std::endian::little ? k : 7 - k;
  return std::uint64_t{value} << (8 * place);
}

class LzwStream : public PackedStream {
 public:
  explicit LzwStream(const ByteSource& source) : stream_(source) {
    for (int code = 0; code < kClear; ++code) {
      const auto value = static_cast<std::uint8_t>(code);
      table_[static_cast<std::size_t>(code)] = {byte_of_tail(value, 0), 1, 0, value};
    }
  }

  void start(std::int64_t offset, std::int64_t length) override {
    stream_.start(offset, length);
    piece_ = {};
    held_ = 0;
    held_bits_ = 0;
    pending_at_ = pending_end_ = 0;
    clear();
  }

  void read(MutableBytes out) override {
    std::uint8_t* to = out.data();
    std::uint8_t* const end = to + out.size();
    const std::int64_t kept = std::min<std::int64_t>(pending_end_ - pending_at_, end - to);
    if (kept > 0) {
      std::memcpy(to, pending_.data() + pending_at_, static_cast<std::size_t>(kept));
      pending_at_ += kept;
      to += kept;
    }
    while (to < end) to = write(next_string(), to, end);
  }

 private:
  void clear() {
    next_ = kFirst;
    bits_ = kLeastBits;
    previous_ = -1;
  }

  int take_code() {
    while (held_bits_ < bits_) {
      if (piece_.size() >= 4) {
        const std::uint32_t word = std::uint32_t{piece_[0]} << 24U |
                                   std::uint32_t{piece_[1]} << 16U |
                                   std::uint32_t{piece_[2]} << 8U | piece_[3];
        held_ = held_ << 32U | word;
        held_bits_ += 32;
        piece_ = piece_.subspan(4);
        continue;
      }
      if (piece_.empty()) piece_ = stream_.next();
      if (piece_.empty()) throw_malformed("its LZW data end early");
      held_ = held_ << 8U | piece_[0];
      held_bits_ += 8;
      piece_ = piece_.subspan(1);
    }
    held_bits_ -= bits_;
    return static_cast<int>(held_ >> held_bits_) & ((1 << bits_) - 1);
  }

  // The entry of the string that comes next.
  const Entry& next_string() {
    int code = take_code();
    while (code == kClear) {
      clear();
      code = take_code();
    }
    if (code == kEnd) throw_malformed("its LZW data end early");
    if (previous_ < 0) {
      if (code > kEnd) throw_malformed("its LZW data are damaged (a code before its string)");
    } else {
      if (code > next_ || (code == next_ && next_ >= kMostCodes)) {
        throw_malformed("its LZW data are damaged (a code before its string)");
      }
      if (next_ < kMostCodes) add(code);
    }
    previous_ = code;
    return table_[static_cast<std::size_t>(code)];
  }

  // The previous string and the first byte of this one, which may be the new string itself.
  void add(int code) {
    const Entry& before = table_[static_cast<std::size_t>(previous_)];
    const std::uint8_t last =
        code == next_ ? before.first : table_[static_cast<std::size_t>(code)].first;
    Entry& made = table_[static_cast<std::size_t>(next_)];
    const int filled = before.tail_length();
    made.first = before.first;
    made.length = static_cast<std::uint16_t>(before.length + 1);
    if (filled < kBlock) {
      made.tail = before.tail | byte_of_tail(last, filled);
      made.before = before.before;
    } else {
      made.tail = byte_of_tail(last, 0);
      made.before = static_cast<std::uint16_t>(previous_);
    }
    ++next_;
    if (next_ >= (1 << bits_) - 1 && bits_ < kMostBits) ++bits_;
  }

  // Whole blocks, from the last one: up to seven bytes behind the string are overwritten.
  void store(const Entry& string, std::uint8_t* to) const {
    const Entry* entry = &string;
    std::int64_t at = (string.length - 1) / kBlock * kBlock;
    while (true) {
      std::memcpy(to + at, &entry->tail, kBlock);
      if (at == 0) break;
      at -= kBlock;
      entry = &table_[entry->before];
    }
  }

  std::uint8_t* write(const Entry& string, std::uint8_t* to, std::uint8_t* end) {
    const std::int64_t room = end - to;
    if (string.length + kBlock <= room) {
      store(string, to);
      return to + string.length;
    }
    store(string, pending_.data());
    const std::int64_t count = std::min<std::int64_t>(string.length, room);
    std::memcpy(to, pending_.data(), static_cast<std::size_t>(count));
    pending_at_ = count;
    pending_end_ = string.length;
    return to + count;
  }

  SourceStream stream_;
  Bytes piece_;
  std::uint64_t held_ = 0;  // its lowest held_bits_ bits are still to come
  int held_bits_ = 0;
  int bits_ = kLeastBits;
  int next_ = kFirst;
  int previous_ = -1;
  std::array<Entry, kMostCodes> table_{};
  // What of a string did not fit into the last read.
  std::array<std::uint8_t, kMostCodes + kBlock> pending_{};
  std::int64_t pending_at_ = 0;
  std::int64_t pending_end_ = 0;
};

}  // namespace

std::unique_ptr<PackedStream> make_lzw_stream(const ByteSource& source) {
  return std::make_unique<LzwStream>(source);
}

}  // namespace spinekit

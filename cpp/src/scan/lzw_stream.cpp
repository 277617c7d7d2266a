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
constexpr std::int64_t kInput = std::int64_t{32} << 10;

// A string in blocks of eight bytes: this entry has the last one to eight, entry `before` all others.
// One store then writes most of the strings that scanned noise gives.
struct Entry {
  std::uint64_t tail = 0;
  std::uint16_t length = 0;
  std::uint16_t before = 0;
  std::uint8_t first = 0;
  std::uint8_t tail_length = 0;
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
      table_[static_cast<std::size_t>(code)] = {byte_of_tail(value, 0), 1, 0, value, 1};
    }
  }

  void start(std::int64_t offset, std::int64_t length) override {
    stream_.start(offset, length);
    bit_ = end_bit_ = 0;
    pending_at_ = pending_end_ = 0;
    state_ = {};
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
    while (to < end) {
      to = write_quickly(to, end);
      if (to < end) to = write(next_string(), to, end);
    }
  }

 private:
  struct State {
    int bits = kLeastBits;
    int next = kFirst;
    int previous = -1;
  };

  // The piece's unread bytes go before the next one's; a code may lie across.
  void refill() {
    const std::int64_t used = bit_ / 8;
    const std::int64_t left = end_bit_ / 8 - used;
    std::memmove(input_.data(), input_.data() + used, static_cast<std::size_t>(left));
    const std::size_t got = stream_.read(MutableBytes(input_).subspan(
        static_cast<std::size_t>(left), static_cast<std::size_t>(kInput - left)));
    bit_ -= 8 * used;
    end_bit_ = 8 * (left + static_cast<std::int64_t>(got));
  }

  // Eight bytes from `bit` on must be in the buffer, which is longer than what it holds.
  [[nodiscard]] static int code_at(const std::uint8_t* input, std::int64_t bit, int bits) {
    std::uint64_t word = 0;
    std::memcpy(&word, input + bit / 8, sizeof(word));
    if (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
    return static_cast<int>(word >> (64 - bits - static_cast<int>(bit % 8))) & ((1 << bits) - 1);
  }

  int take_code() {
    if (bit_ + state_.bits > end_bit_) refill();
    if (bit_ + state_.bits > end_bit_) throw_malformed("its LZW data end early");
    const int code = code_at(input_.data(), bit_, state_.bits);
    bit_ += state_.bits;
    return code;
  }

  // The entry of the string that comes next.
  const Entry& next_string() {
    int code = take_code();
    while (code == kClear) {
      state_ = {};
      code = take_code();
    }
    if (code == kEnd) throw_malformed("its LZW data end early");
    if (!follows(state_, code)) {
      throw_malformed("its LZW data are damaged (a code before its string)");
    }
    add(table_.data(), state_, code);
    return table_[static_cast<std::size_t>(code)];
  }

  // Whether a code that is no mark has a string, or gets one from the string before it.
  [[nodiscard]] static bool follows(const State& state, int code) {
    return state.previous < 0 ? code < kClear : code <= state.next && code < kMostCodes;
  }

  // The previous string and the first byte of this one, which may be the new string itself.
  static void add(Entry* table, State& state, int code) {
    if (state.previous >= 0 && state.next < kMostCodes) {
      const Entry& before = table[state.previous];
      const std::uint8_t last = code == state.next ? before.first : table[code].first;
      const bool full = before.tail_length == kBlock;
      Entry& made = table[state.next];
      made.tail =
          full ? byte_of_tail(last, 0) : before.tail | byte_of_tail(last, before.tail_length);
      made.length = static_cast<std::uint16_t>(before.length + 1);
      made.before = full ? static_cast<std::uint16_t>(state.previous) : before.before;
      made.first = before.first;
      made.tail_length = full ? 1 : static_cast<std::uint8_t>(before.tail_length + 1);
      ++state.next;
      if (state.next >= (1 << state.bits) - 1 && state.bits < kMostBits) ++state.bits;
    }
    state.previous = code;
  }

  // While neither side can run out. Bytes may alias anything: what the loop needs is kept out of *this.
  std::uint8_t* write_quickly(std::uint8_t* to, std::uint8_t* end) {
    State state = state_;
    std::int64_t bit = bit_;
    const std::int64_t last_bit = end_bit_ - kMostBits;
    const std::uint8_t* const input = input_.data();
    Entry* const table = table_.data();
    while (end - to >= kMostCodes + kBlock && bit <= last_bit) {
      const int code = code_at(input, bit, state.bits);
      if (code == kClear) {
        bit += state.bits;
        state = {};
        continue;
      }
      if (code == kEnd || !follows(state, code)) break;
      bit += state.bits;
      add(table, state, code);
      store(table, table[code], to);
      to += table[code].length;
    }
    state_ = state;
    bit_ = bit;
    return to;
  }

  // Whole blocks, from the last one: up to seven bytes behind the string are overwritten.
  static void store(const Entry* table, const Entry& string, std::uint8_t* to) {
    const Entry* entry = &string;
    std::int64_t at = (string.length - 1) / kBlock * kBlock;
    while (true) {
      std::memcpy(to + at, &entry->tail, kBlock);
      if (at == 0) break;
      at -= kBlock;
      entry = table + entry->before;
    }
  }

  std::uint8_t* write(const Entry& string, std::uint8_t* to, std::uint8_t* end) {
    const std::int64_t room = end - to;
    if (string.length + kBlock <= room) {
      store(table_.data(), string, to);
      return to + string.length;
    }
    store(table_.data(), string, pending_.data());
    const std::int64_t count = std::min<std::int64_t>(string.length, room);
    std::memcpy(to, pending_.data(), static_cast<std::size_t>(count));
    pending_at_ = count;
    pending_end_ = string.length;
    return to + count;
  }

  SourceStream stream_;
  std::array<std::uint8_t, kInput + sizeof(std::uint64_t)> input_{};
  std::int64_t bit_ = 0;  // of input_, the next to be read
  std::int64_t end_bit_ = 0;
  State state_;
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

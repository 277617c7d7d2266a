// Unpacking one entry in steps: raw deflate through zlib, and the buffer that receives what comes,
// with its CRC. Neither takes memory for bytes that were only announced. Not thread-safe.
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "spinekit/bytes.h"

namespace spinekit {

class Inflater {
 public:
  enum class Status {
    kMore,  // not at the end; when `output` is not full, all input was taken
    kEnd,
    kDamaged,
  };
  struct Step {
    Status status;
    std::int64_t taken;  // bytes of the input
    Bytes output;        // valid until the next step
    bool output_full;    // there may be more output without more input
  };

  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void restart();
  Step step(Bytes input);

 private:
  z_stream stream_{};
  std::array<std::uint8_t, 65536> scratch_{};
};

class UnpackedBytes {
 public:
  // `expected` is the size that was announced.
  void take(Bytes bytes, std::optional<std::int64_t> expected);
  // From here on bytes are counted, but not kept.
  void drop();

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::uint32_t crc() const { return crc_; }
  Buffer release() { return std::move(bytes_); }

 private:
  Buffer bytes_;
  std::int64_t count_ = 0;
  std::uint32_t crc_ = 0;
  bool dropped_ = false;
};

}  // namespace spinekit

// Spans and buffers of raw bytes, as every room passes them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace spinekit {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

// Little-endian numbers, which the caller knows to be there.
inline std::uint16_t u16_at(Bytes bytes, std::int64_t at) {
  const std::uint8_t* p = bytes.data() + at;
  return static_cast<std::uint16_t>(p[0] | p[1] << 8U);
}

inline std::uint32_t u32_at(Bytes bytes, std::int64_t at) {
  const std::uint32_t upper = u16_at(bytes, at + 2);
  return upper << 16U | u16_at(bytes, at);
}

inline std::uint64_t u64_at(Bytes bytes, std::int64_t at) {
  const std::uint64_t upper = u32_at(bytes, at + 4);
  return upper << 32U | u32_at(bytes, at);
}

}  // namespace spinekit

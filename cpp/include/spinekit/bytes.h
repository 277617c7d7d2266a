// Spans and buffers of raw bytes, as every room passes them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace spinekit {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

}  // namespace spinekit

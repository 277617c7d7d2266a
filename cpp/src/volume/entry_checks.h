// What of a local header speaks against reading its entry, and how entries are named in messages.
// Functions are pure and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spinekit/bytes.h"
#include "spinekit/zip_stream.h"
#include "zip_format.h"

namespace spinekit {

void check_limits(const ZipLimits& limits);
// How many bytes may come out of `packed` deflated ones.
std::int64_t most_unpacked_bytes(std::int64_t packed, const ZipLimits& limits);

// Why the entry cannot be had, to stand behind its title; empty when nothing speaks against it.
std::string method_problem(const LocalHeader& header);
std::string name_problem(std::string_view name);
std::string size_problem(const LocalHeader& header, const ZipLimits& limits);

// Without control characters, and cut where names are longer than a message can bear.
std::string quoted_name(std::string_view name);
std::string quoted_bytes(Bytes bytes);
std::string entry_title(std::string_view name, std::int64_t offset);
std::string hex_crc(std::uint32_t crc);

}  // namespace spinekit

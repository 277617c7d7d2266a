#include "entry_checks.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "spinekit/error.h"

namespace spinekit {

std::int64_t most_unpacked_bytes(std::int64_t packed, const ZipLimits& limits) {
  const std::int64_t most = limits.most_entry_bytes;
  if (packed > most / limits.most_expansion) return most;
  return std::min(most, std::max(limits.always_allowed, packed * limits.most_expansion));
}

void check_limits(const ZipLimits& limits) {
  if (limits.most_entry_bytes < 0 || limits.always_allowed < 0 || limits.most_expansion < 1 ||
      limits.most_entries < 0) {
    throw_argument("ZIP limits must not be negative, most_expansion at least 1");
  }
}

std::string method_problem(const LocalHeader& header) {
  if (header.encrypted) return "is encrypted";
  if (header.patch) return "holds a patch (flag bit 5), no file";
  if (header.method != kStoredMethod && header.method != kDeflatedMethod) {
    return "is packed by method " + std::to_string(header.method) +
           ", only 0 (stored) and 8 (deflated) can be read";
  }
  return {};
}

std::string size_problem(const LocalHeader& header, const ZipLimits& limits) {
  if (!header.size || !header.packed_size) return {};
  const std::int64_t packed = *header.packed_size;
  const std::string claim = "claims " + std::to_string(*header.size) + " bytes, ";
  const bool stored = header.method == kStoredMethod;
  const std::int64_t most = stored ? limits.most_entry_bytes : most_unpacked_bytes(packed, limits);
  if (*header.size > most) {
    return claim + "at most " + std::to_string(most) + " are allowed for " +
           std::to_string(packed) + " packed bytes";
  }
  if (*header.size != packed && (stored || packed == 0)) {
    return claim + "but " + std::to_string(packed) + " are stored";
  }
  return {};
}

std::string name_problem(std::string_view name) {
  if (name.empty()) return "has no name";
  if (name.find('\0') != std::string_view::npos) return "has a zero byte in its name";
  if (name.find('\\') != std::string_view::npos) {
    return "has a backslash in its name, folders are separated by '/'";
  }
  if (name.front() == '/') return "has an absolute name";
  const char drive = static_cast<char>(name[0] | 0x20);
  if (name.size() > 1 && name[1] == ':' && drive >= 'a' && drive <= 'z') {
    return "has a drive letter in its name";
  }
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    if (name.substr(start, end - start) == "..") return "has a name that climbs out of the folder";
    start = end + 1;
  }
  return {};
}

std::string quoted_name(std::string_view name) {
  constexpr std::size_t kMost = 200;
  std::string out = "'";
  for (const char c : name.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      std::array<char, 5> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02X", byte);
      out += escaped.data();
    }
  }
  return out + (name.size() > kMost ? "...'" : "'");
}

std::string entry_title(std::string_view name, std::int64_t offset) {
  return "entry " + quoted_name(name) + " at byte " + std::to_string(offset);
}

std::string quoted_bytes(Bytes bytes) {
  return quoted_name({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string hex_crc(std::uint32_t crc) {
  std::array<char, 11> text{};
  std::snprintf(text.data(), text.size(), "0x%08X", crc);
  return text.data();
}

}  // namespace spinekit

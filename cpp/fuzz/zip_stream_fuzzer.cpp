// A ZIP stream, fed whole and in chunks: both must give the same. The first byte picks the chunks,
// the second the limits.
#include <algorithm>
#include <cstdlib>
#include <random>

#include "spinekit/error.h"
#include "spinekit/zip_stream.h"

namespace {

using spinekit::Buffer;
using spinekit::Bytes;

struct Reading {
  std::vector<spinekit::ZipEntry> entries;
  std::string error;
  bool directory = false;
};

template <typename ChunkSize>
Reading read(Bytes zip, const spinekit::ZipLimits& limits, const ChunkSize& chunk_size) {
  Reading out;
  spinekit::ZipStream stream(limits);
  try {
    for (std::size_t at = 0; at < zip.size();) {
      const std::size_t size = std::min<std::size_t>(chunk_size(), zip.size() - at);
      stream.feed(zip.subspan(at, size));
      at += size;
    }
    if (stream.consumed() != static_cast<std::int64_t>(zip.size())) std::abort();
    stream.finish();
  } catch (const spinekit::Error& error) {
    out.error = error.message();
  }
  while (auto entry = stream.next()) out.entries.push_back(std::move(*entry));
  out.directory = stream.directory_reached();
  return out;
}

bool same_entry(const spinekit::ZipEntry& a, const spinekit::ZipEntry& b) {
  return a.name == b.name && a.directory == b.directory && a.bytes == b.bytes &&
         a.problem == b.problem;
}

void unpack(Bytes data, const spinekit::ZipLimits& limits) {
  constexpr std::int64_t kWanted = 70'000;
  for (const int method : {0, 8}) {
    try {
      const Buffer prefix = spinekit::unpack_prefix(data, method, kWanted);
      if (static_cast<std::int64_t>(prefix.size()) > kWanted) std::abort();
      (void)spinekit::unpack_entry(data, method, static_cast<std::int64_t>(prefix.size()), 0,
                                   limits);
    } catch (const spinekit::Error&) {
    }
  }
  try {
    (void)spinekit::local_header_bytes(data);
  } catch (const spinekit::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Bytes zip(data + 2, size - 2);
  spinekit::ZipLimits limits;
  if (data[1] % 2 == 0) {
    limits = {.most_entry_bytes = 100'000,
              .always_allowed = std::int64_t{data[1]} * 100,
              .most_expansion = 1 + data[1] % 3,
              .most_entries = 20};
  }
  const Reading whole = read(zip, limits, [&] { return zip.size(); });
  std::mt19937 random(data[0]);
  // 0: byte by byte; larger numbers allow larger chunks, none of them fixed.
  const unsigned most = data[0] == 0 ? 0 : 1U << data[0] % 10U;
  const Reading chunked = read(zip, limits, [&] { return most == 0 ? 1 : random() % (most + 1); });
  if (whole.error != chunked.error || whole.directory != chunked.directory ||
      !std::equal(whole.entries.begin(), whole.entries.end(), chunked.entries.begin(),
                  chunked.entries.end(), same_entry)) {
    std::abort();
  }
  for (const spinekit::ZipEntry& entry : whole.entries) {
    const bool had = entry.problem.empty();
    const auto bytes = static_cast<std::int64_t>(entry.bytes.size());
    if ((!had && bytes > 0) || bytes > limits.most_entry_bytes) std::abort();
  }
  unpack(zip, limits);
  return 0;
}

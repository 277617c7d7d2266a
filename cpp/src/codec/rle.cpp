// GDCM's RLE decoder is built with assertions that a damaged file trips, so this one is our own.
#include <algorithm>
#include <cstring>

#include "spinekit/codec.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

constexpr std::size_t kHeaderBytes = 64;

std::uint32_t little_endian_32(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) | static_cast<std::uint32_t>(bytes[1]) << 8U |
         static_cast<std::uint32_t>(bytes[2]) << 16U | static_cast<std::uint32_t>(bytes[3]) << 24U;
}

// PackBits (PS3.5 G.3.1) of one byte plane into every `stride`-th byte of `target`.
void unpack(Bytes segment, std::uint8_t* target, std::int64_t count, std::int64_t stride) {
  std::size_t in = 0;
  std::int64_t done = 0;
  while (done < count) {
    if (in >= segment.size()) {
      throw_malformed("RLE segment ends after " + std::to_string(done) + " of " +
                      std::to_string(count) + " bytes");
    }
    const auto control = static_cast<std::int8_t>(segment[in++]);
    if (control == -128) continue;
    const std::int64_t run = control >= 0 ? control + 1 : 1 - control;
    const auto needed = static_cast<std::size_t>(control >= 0 ? run : 1);
    if (needed > segment.size() - in) throw_malformed("RLE segment is cut off within a run");
    // Encoders may pad the last run of a plane beyond its end.
    const std::int64_t kept = std::min(run, count - done);
    for (std::int64_t i = 0; i < kept; ++i) {
      target[(done + i) * stride] = segment[in + static_cast<std::size_t>(control >= 0 ? i : 0)];
    }
    in += needed;
    done += kept;
  }
}

}  // namespace

void decode_rle(Bytes segments, const FrameFormat& format, MutableBytes out) {
  const int sample_bytes = format.bits_allocated / 8;
  const auto planes = static_cast<std::uint32_t>(format.samples * sample_bytes);
  if (segments.size() < kHeaderBytes) throw_malformed("RLE frame without its 64-byte header");
  const std::uint32_t count = little_endian_32(segments.data());
  if (count != planes) {
    throw_malformed("RLE frame of " + std::to_string(count) + " segments, expected " +
                    std::to_string(planes));
  }
  const std::int64_t pixels = format.rows * format.columns;
  for (std::uint32_t plane = 0; plane < planes; ++plane) {
    const std::size_t start = little_endian_32(segments.data() + 4 + std::size_t{4} * plane);
    const std::size_t end = plane + 1 < planes
                                ? little_endian_32(segments.data() + 8 + std::size_t{4} * plane)
                                : segments.size();
    if (start < kHeaderBytes || start > end || end > segments.size()) {
      throw_malformed("RLE segment " + std::to_string(plane) + " lies outside its frame");
    }
    // Planes are stored with the most significant byte of each sample first.
    const int sample = static_cast<int>(plane) / sample_bytes;
    const int byte = sample_bytes - 1 - static_cast<int>(plane) % sample_bytes;
    unpack(segments.subspan(start, end - start),
           out.data() + std::ptrdiff_t{sample} * sample_bytes + byte, pixels,
           std::int64_t{format.samples} * sample_bytes);
  }
}

}  // namespace spinekit

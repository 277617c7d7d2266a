#include <charls/charls.h>

#include <algorithm>
#include <array>

#include "spinekit/codec.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

charls::jpegls_decoder open(Bytes codestream) {
  if (codestream.empty()) throw_malformed("JPEG-LS codestream of no bytes");
  charls::jpegls_decoder decoder;
  decoder.source(codestream.data(), codestream.size());
  decoder.read_header();
  return decoder;
}

// Some encoders leave zeros between the last scan and EOI, which CharLS 2.4 takes for damage.
Buffer without_stray_bytes(Bytes codestream) {
  constexpr std::array<std::uint8_t, 2> kEoi{0xFF, 0xD9};
  const auto eoi = std::find_end(codestream.begin(), codestream.end(), kEoi.begin(), kEoi.end());
  auto end = eoi;
  while (end != codestream.begin() && *(end - 1) == 0) --end;
  Buffer out(codestream.begin(), end);
  out.insert(out.end(), eoi, codestream.end());
  return out;
}

[[noreturn]] void refuse(const std::exception& failure) {
  throw_malformed(std::string("JPEG-LS codestream does not decode: ") + failure.what());
}

bool ends_with_eoi(Bytes codestream) {
  std::size_t size = codestream.size();
  while (size > 0 && codestream[size - 1] == 0) --size;
  return size >= 2 && codestream[size - 2] == 0xFF && codestream[size - 1] == 0xD9;
}

void decode(Bytes codestream, const FrameFormat& format, MutableBytes out) {
  // CharLS 2.4 counts through 2^32 bits that are not there when the data end within a scan; in front
  // of a marker it stops.
  Buffer ended;
  if (!ends_with_eoi(codestream)) {
    ended.assign(codestream.begin(), codestream.end());
    ended.insert(ended.end(), {0xFF, 0xD9});
    codestream = ended;
  }
  charls::jpegls_decoder decoder = open(codestream);
  const charls::frame_info& info = decoder.frame_info();
  check_same_picture("JPEG-LS", info.height, info.width, info.component_count, info.bits_per_sample,
                     format);
  check_plausible_size(format.sample_count(), static_cast<std::int64_t>(codestream.size()));

  const std::size_t coded_bytes = info.bits_per_sample > 8 ? 2 : 1;
  Buffer decoded(static_cast<std::size_t>(format.sample_count()) * coded_bytes);
  decoder.decode(decoded.data(), decoded.size());
  const bool planar = decoder.interleave_mode() == charls::interleave_mode::none;
  store_samples(decoded, info.bits_per_sample, planar, format, out);
}

}  // namespace

int jpegls_near(Bytes codestream) {
  try {
    return open(codestream).near_lossless();
  } catch (const charls::jpegls_error& failure) {
    refuse(failure);
  }
}

void decode_jpegls(Bytes codestream, const FrameFormat& format, MutableBytes out) {
  try {
    try {
      decode(codestream, format, out);
    } catch (const charls::jpegls_error& failure) {
      if (failure.code() != charls::jpegls_errc::jpeg_marker_start_byte_not_found) throw;
      decode(without_stray_bytes(codestream), format, out);
    }
  } catch (const charls::jpegls_error& failure) {
    refuse(failure);
  } catch (const std::bad_alloc&) {
    throw_resource("no memory for a JPEG-LS frame");
  }
}

}  // namespace spinekit

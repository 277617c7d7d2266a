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

  const int coded_bits = info.bits_per_sample > 8 ? 16 : 8;
  const bool planar =
      format.samples > 1 && decoder.interleave_mode() == charls::interleave_mode::none;
  const bool extends_sign = format.is_signed && info.bits_per_sample < format.bits_allocated;
  if (coded_bits == format.bits_allocated && !planar && !extends_sign) {
    decoder.decode(out.data(), out.size());
    return;
  }
  Buffer decoded(static_cast<std::size_t>(format.sample_count() * coded_bits / 8));
  decoder.decode(decoded.data(), decoded.size());
  store_samples(decoded, info.bits_per_sample, planar, format, out);
}

// JPEG-LS knows no signs. Of signed samples all the allocated bits are coded, as DCMTK and GDCM do:
// neither extends the sign of fewer bits when it decompresses.
int coded_precision(const FrameFormat& format) {
  return format.is_signed ? format.bits_allocated : format.bits_stored;
}

// The low byte of each sample.
Buffer low_bytes(Bytes frame) {
  Buffer out;
  out.reserve(frame.size() / 2);
  for (std::size_t i = 0; i < frame.size(); i += 2) out.push_back(frame[i]);
  return out;
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

Buffer encode_jpegls(Bytes frame, const FrameFormat& format) {
  if (static_cast<std::int64_t>(frame.size()) != format.byte_count()) {
    throw_argument("JPEG-LS frame of " + std::to_string(frame.size()) + " bytes, expected " +
                   std::to_string(format.byte_count()));
  }
  const int precision = coded_precision(format);
  if (precision < 2) {
    throw_unsupported("JPEG-LS begins at 2 bits a sample, BitsStored is 1; use codec j2k");
  }
  // CharLS takes samples of at most 8 bits from one byte.
  Buffer narrow;
  if (precision <= 8 && format.bits_allocated == 16) narrow = low_bytes(frame);
  const Bytes samples = narrow.empty() ? frame : Bytes(narrow);
  try {
    charls::jpegls_encoder encoder;
    encoder.frame_info({static_cast<std::uint32_t>(format.columns),
                        static_cast<std::uint32_t>(format.rows), precision, format.samples});
    encoder.interleave_mode(format.samples == 1 ? charls::interleave_mode::none
                                                : charls::interleave_mode::sample);
    Buffer out(encoder.estimated_destination_size());
    encoder.destination(out);
    out.resize(encoder.encode(samples.data(), samples.size()));
    return out;
  } catch (const charls::jpegls_error& failure) {
    throw_resource(std::string("CharLS could not encode the frame: ") + failure.what());
  }
}

}  // namespace spinekit

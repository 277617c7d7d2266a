#include <charls/charls.h>
#include <openjpeg.h>

#include <bit>
#include <cstring>

#include "htj2k.h"
#include "spinekit/codec.h"
#include "spinekit/error.h"
#include "spinekit/jpeg.h"

namespace spinekit {

std::int64_t FrameFormat::sample_count() const {
  return checked_product(checked_product(rows, columns, "Rows x Columns"), samples,
                         "Rows x Columns x SamplesPerPixel");
}

std::int64_t FrameFormat::byte_count() const {
  return checked_product(sample_count(), bits_allocated / 8, "bytes of a frame");
}

FrameFormat reduced(const FrameFormat& format, int reduction) {
  constexpr int kMost = 32;  // decompositions of a J2K codestream
  if (reduction < 0 || reduction > kMost) {
    throw_argument("reduction is " + std::to_string(reduction) + ", expected 0 to 32");
  }
  const std::int64_t step = std::int64_t{1} << reduction;
  FrameFormat out = format;
  out.rows = (format.rows + step - 1) / step;
  out.columns = (format.columns + step - 1) / step;
  return out;
}

void check_plausible_size(std::int64_t samples, std::int64_t codestream_bytes) {
  constexpr std::int64_t kAlwaysAllowed = std::int64_t{64} << 20;
  constexpr std::int64_t kSamplesPerByte = 1024;
  if (samples > kAlwaysAllowed && samples / kSamplesPerByte > codestream_bytes) {
    throw_malformed("a codestream of " + std::to_string(codestream_bytes) + " bytes claims " +
                    std::to_string(samples) + " samples, more than it can hold");
  }
}

void check_same_picture(const char* kind, std::int64_t rows, std::int64_t columns, int components,
                        int precision, const FrameFormat& format) {
  const auto size = [](std::int64_t r, std::int64_t c, int samples) {
    return std::to_string(r) + " x " + std::to_string(c) + " x " + std::to_string(samples);
  };
  const std::string name = std::string(kind) + " codestream of ";
  if (rows != format.rows || columns != format.columns || components != format.samples) {
    throw_malformed(name + size(rows, columns, components) + ", the header says " +
                    size(format.rows, format.columns, format.samples));
  }
  if (precision > format.bits_allocated) {
    throw_malformed(name + std::to_string(precision) + " bits a sample, BitsAllocated is " +
                    std::to_string(format.bits_allocated));
  }
}

void wrap_values(std::int32_t* values, std::int64_t count, int precision, bool is_signed) {
  const unsigned shift = 32U - static_cast<unsigned>(precision);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = static_cast<std::uint32_t>(values[i]) << shift;
    values[i] = is_signed ? static_cast<std::int32_t>(bits) >> shift
                          : static_cast<std::int32_t>(bits >> shift);
  }
}

void store_values(const std::int32_t* values, std::int64_t count, std::int64_t first_pixel,
                  int component, const FrameFormat& format, MutableBytes out) {
  const std::int64_t stride = format.samples;
  const std::int64_t start = first_pixel * stride + component;
  if (format.bits_allocated == 8) {
    std::uint8_t* target = out.data() + start;
    if (stride == 1) {
      for (std::int64_t i = 0; i < count; ++i) target[i] = static_cast<std::uint8_t>(values[i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        target[i * stride] = static_cast<std::uint8_t>(values[i]);
      }
    }
    return;
  }
  // The compiler makes vectors of this loop only where the samples are adjacent.
  static_assert(std::endian::native == std::endian::little);
  std::uint8_t* target = out.data() + 2 * start;
  if (stride == 1) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<std::uint16_t>(values[i]);
      std::memcpy(target + 2 * i, &value, 2);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<std::uint16_t>(values[i]);
      std::memcpy(target + 2 * i * stride, &value, 2);
    }
  }
}

void store_samples(Bytes decoded, int precision, bool planar, const FrameFormat& format,
                   MutableBytes out) {
  const auto pixels = static_cast<std::size_t>(format.rows * format.columns);
  const auto samples = static_cast<std::size_t>(format.samples);
  const std::size_t coded_bytes = precision > 8 ? 2 : 1;
  if (decoded.size() < pixels * samples * coded_bytes) {
    throw_malformed("a codestream ends before its picture does");
  }
  const bool sign_extends = format.is_signed && precision < format.bits_allocated;
  const bool same_width = static_cast<int>(8 * coded_bytes) == format.bits_allocated;
  if (same_width && !sign_extends && (!planar || samples == 1)) {
    std::memcpy(out.data(), decoded.data(), out.size());
    return;
  }
  std::vector<std::int32_t> component(pixels);
  const unsigned shift = 32U - static_cast<unsigned>(precision);
  for (std::size_t c = 0; c < samples; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) {
      const std::size_t at = (planar ? c * pixels + i : i * samples + c) * coded_bytes;
      std::uint32_t bits = decoded[at];
      if (coded_bytes == 2) bits |= static_cast<std::uint32_t>(decoded[at + 1]) << 8U;
      component[i] = sign_extends ? static_cast<std::int32_t>(bits << shift) >> shift
                                  : static_cast<std::int32_t>(bits);
    }
    store_values(component.data(), static_cast<std::int64_t>(pixels), 0, static_cast<int>(c),
                 format, out);
  }
}

std::vector<std::pair<std::string, std::string>> codec_versions() {
  return {{"OpenJPEG", opj_version()},
          {"OpenJPH", openjph_version()},
          {"libjpeg-turbo", libjpeg_version()},
          {"CharLS", charls_get_version_string()}};
}

}  // namespace spinekit

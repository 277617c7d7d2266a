// Frame codecs: one picture to one codestream and back.
//
// A decoded frame is C order, samples interleaved, little endian, one byte a sample for
// bits_allocated 8 and two for 16; signed samples are sign-extended. Functions are pure and
// thread-safe; each throws Error and leaves no partial result.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spinekit {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

struct FrameFormat {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int samples = 1;         // per pixel: 1 or 3
  int bits_allocated = 8;  // 8 or 16
  int bits_stored = 8;     // 1 ... bits_allocated
  bool is_signed = false;

  [[nodiscard]] std::int64_t sample_count() const;
  [[nodiscard]] std::int64_t byte_count() const;
};

// Refuses a decoded size that so short a codestream could only claim, before memory is taken:
// beyond 64 Mi samples it must hold at least one byte for every 1024 samples.
void check_plausible_size(std::int64_t samples, std::int64_t codestream_bytes);

// Refuses a codestream of another picture than the header describes; `kind` is for the message.
void check_same_picture(const char* kind, std::int64_t rows, std::int64_t columns, int components,
                        int precision, const FrameFormat& format);

// ---- JPEG 2000 (ISO/IEC 15444-1; 15444-15 for decoding), through OpenJPEG

struct J2kEncoding {
  bool reversible = true;         // 5/3 with RCT, else 9/7 with ICT
  std::int64_t target_bytes = 0;  // > 0: rate control to about this many bytes
  double quality = 0;             // > 0: rate control to this PSNR, in dB
  bool color_transform = false;   // RCT or ICT over three samples
  // Raw coding of the low bit planes (selective arithmetic coding bypass, ISO/IEC 15444-1 D.6).
  bool bypass = true;
};

struct J2kHeader {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int components = 0;
  int precision = 0;
  bool is_signed = false;
  bool reversible = false;
  bool color_transform = false;
  bool high_throughput = false;
};

Buffer encode_j2k(Bytes frame, const FrameFormat& format, const J2kEncoding& encoding);
// Also finds the codestream inside a JP2 file, which some writers wrongly encapsulate.
J2kHeader read_j2k_header(Bytes codestream);
// Fills `out` (format.byte_count() bytes). Warnings of the decoder (missing data) go to `warnings`.
void decode_j2k(Bytes codestream, const FrameFormat& format, MutableBytes out,
                std::vector<std::string>& warnings);

// ---- JPEG-LS (ISO/IEC 14495-1), through CharLS

// The NEAR parameter: 0 is lossless.
int jpegls_near(Bytes codestream);
void decode_jpegls(Bytes codestream, const FrameFormat& format, MutableBytes out);

// ---- RLE (DICOM PS3.5 annex G)

void decode_rle(Bytes segments, const FrameFormat& format, MutableBytes out);

// ---- shared

// Stores `values` (one int per sample of one component, row-major) as component `component`.
void store_component(const std::int32_t* values, int component, const FrameFormat& format,
                     MutableBytes out);
// Stores what a decoder made (`precision` bits a sample, in one byte up to 8 bits, else two, little
// endian), interleaved or one plane after the other, sign-extending where the format is signed.
void store_samples(Bytes decoded, int precision, bool planar, const FrameFormat& format,
                   MutableBytes out);
// Names of the codec libraries and the versions that are linked.
std::vector<std::pair<std::string, std::string>> codec_versions();

}  // namespace spinekit

// Frame codecs: one picture to one codestream and back.
//
// A decoded frame is C order, samples interleaved, little endian, one byte a sample for
// bits_allocated 8 and two for 16; signed samples are sign-extended. Functions are pure and
// thread-safe; each throws Error and leaves no partial result.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "spinekit/bytes.h"

namespace spinekit {

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

// The picture at 1 / 2^reduction of its size: sides rounded up.
FrameFormat reduced(const FrameFormat& format, int reduction);

// Refuses a decoded size that so short a codestream could only claim, before memory is taken:
// beyond 64 Mi samples it must hold at least one byte for every 1024 samples.
void check_plausible_size(std::int64_t samples, std::int64_t codestream_bytes);

// Refuses a codestream of another picture than the header describes; `kind` is for the message.
void check_same_picture(const char* kind, std::int64_t rows, std::int64_t columns, int components,
                        int precision, const FrameFormat& format);

// ---- JPEG 2000 (ISO/IEC 15444-1) through OpenJPEG, HTJ2K (15444-15) through OpenJPH where that can

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
  int decompositions = 0;  // the least of any component: how far a decode can be reduced
};

Buffer encode_j2k(Bytes frame, const FrameFormat& format, const J2kEncoding& encoding);
// Also finds the codestream inside a JP2 file, which some writers wrongly encapsulate.
J2kHeader read_j2k_header(Bytes codestream);
// Fills `out` with the picture at 1 / 2^reduction of its size: `format` is the whole picture's,
// `out` has reduced(format, reduction).byte_count() bytes. Warnings of the decoder (missing data) go
// to `warnings`. With a reduction the codestream may be a prefix: a packet that is not all there is
// taken as empty, so that j2k_prefix_bytes() bytes or more decode as the whole does.
void decode_j2k(Bytes codestream, const FrameFormat& format, MutableBytes out,
                std::vector<std::string>& warnings, int reduction = 0);
// The length of the shortest prefix that decodes at this reduction to the samples of the whole,
// found without decoding; codestream.size() where every byte is needed, or where the codestream's
// packets cannot be told apart.
std::int64_t j2k_prefix_bytes(Bytes codestream, const FrameFormat& format, int reduction);

// HTJ2K without loss, through OpenJPH: 5/3, RPCL, TLM, one tile; what transfer syntax
// 1.2.840.10008.1.2.4.202 asks for. `color_transform`: RCT over three samples.
Buffer encode_htj2k(Bytes frame, const FrameFormat& format, bool color_transform);

// ---- JPEG-LS (ISO/IEC 14495-1), through CharLS

// Without loss; colour is interleaved by sample. Precision is `bits_stored`, 2 at least; JPEG-LS has no
// sign, so that of signed samples all `bits_allocated` bits are coded, for readers that do not extend
// signs.
Buffer encode_jpegls(Bytes frame, const FrameFormat& format);

// The NEAR parameter: 0 is lossless.
int jpegls_near(Bytes codestream);
void decode_jpegls(Bytes codestream, const FrameFormat& format, MutableBytes out);

// ---- RLE (DICOM PS3.5 annex G)

void decode_rle(Bytes segments, const FrameFormat& format, MutableBytes out);

// ---- shared

// Reads the low `precision` bits of each value as a number with or without sign.
void wrap_values(std::int32_t* values, std::int64_t count, int precision, bool is_signed);
// Stores `count` values of one component from pixel `first_pixel` on.
void store_values(const std::int32_t* values, std::int64_t count, std::int64_t first_pixel,
                  int component, const FrameFormat& format, MutableBytes out);
// Stores what a decoder made (`precision` bits a sample, in one byte up to 8 bits, else two, little
// endian), interleaved or one plane after the other, sign-extending where the format is signed.
void store_samples(Bytes decoded, int precision, bool planar, const FrameFormat& format,
                   MutableBytes out);
// Names of the codec libraries and the versions that are linked.
std::vector<std::pair<std::string, std::string>> codec_versions();

}  // namespace spinekit

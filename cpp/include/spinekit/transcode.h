// One DICOM file into another: compressed, decompressed, described anew, proved and put in place.
//
// The source's bytes are borrowed for the call. Frames are worked on by the executor's threads;
// the result is the same for any number of them. On any failure nothing is left at the target.
#pragma once

#include <string>
#include <vector>

#include "spinekit/codec.h"
#include "spinekit/executor.h"
#include "spinekit/quality.h"

namespace spinekit {

enum class Target {
  kJ2kLossless,     // 5/3, 1.2.840.10008.1.2.4.90
  kJpegLsLossless,  // 1.2.840.10008.1.2.4.80
  kHtj2kLossless,   // 5/3, RPCL, 1.2.840.10008.1.2.4.202
  kJ2kRatio,    // 9/7 to an exact file size, 1.2.840.10008.1.2.4.91; lossless where that suffices
  kJ2kQuality,  // 9/7 to a PSNR in dB over 2^BitsAllocated - 1, as gdcmconv's --quality
  kNative,      // decompressed, explicit VR little endian
};

struct TranscodeOptions {
  Target target = Target::kJ2kLossless;
  double ratio = 0;          // kJ2kRatio: source bytes / target bytes, > 1
  double quality = 0;        // kJ2kQuality: 1 ... 100
  bool force_lossy = false;  // kJ2kRatio: 9/7 even where lossless meets the target
  bool verify = true;        // read back, decode, compare before the rename
  bool overwrite = false;
  std::string software;  // name and version, for DerivationDescription
};

struct Transcoded {
  bool lossless = true;
  bool derived = false;  // a lossy image: new SOP Instance UID, ImageType DERIVED
  bool verified = false;
  bool source_lossy = false;  // it went through a loss before
  std::string source_transfer_syntax;
  std::string target_transfer_syntax;
  std::string source_sop_instance_uid;
  std::string target_sop_instance_uid;
  std::string photometric;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t frames = 0;
  int samples = 1;
  int bits_stored = 0;
  bool is_signed = false;
  std::int64_t source_bytes = 0;
  std::int64_t target_bytes = 0;
  std::int64_t pixel_bytes = 0;         // uncompressed, BitsAllocated a sample
  std::int64_t target_pixel_bytes = 0;  // codestreams, without item headers
  std::int64_t padding_bytes = 0;       // DataSetTrailingPadding, header included
  int encodes = 0;                      // encodes a frame
  Differences differences;              // when verified
  double structural_similarity = 0;     // when verified; NaN below 11 x 11
  std::string source_sha256;
  std::string target_sha256;  // of the whole file
  std::string pixel_sha256;   // of the target's stored values; when verified
  double encode_seconds = 0;
  double write_seconds = 0;
  double verify_seconds = 0;
  std::vector<std::string> warnings;
};

// `source_name` is for messages only.
Transcoded transcode(Bytes source, const std::string& source_name, const std::string& target_path,
                     const TranscodeOptions& options, Executor& executor,
                     const CancelToken& cancel);

}  // namespace spinekit

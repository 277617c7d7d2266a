// Synthetic scans through transcode() and back.
#pragma once

#include <cmath>
#include <random>

#include "dicom_bytes.h"
#include "spinekit/transcode.h"

namespace spinekit::testing {

constexpr const char* kLosslessUid = "1.2.840.10008.1.2.4.90";
constexpr const char* kLossyUid = "1.2.840.10008.1.2.4.91";

// Rings and noise within BitsStored.
inline Buffer scan(const Picture& p, int noise = 8) {
  std::mt19937 random(11);
  const int least = p.is_signed ? -(1 << (p.bits_stored - 1)) : 0;
  const int largest = least + (1 << p.bits_stored) - 1;
  Buffer out;
  for (int f = 0; f < p.frames; ++f) {
    for (int y = 0; y < p.rows; ++y) {
      for (int x = 0; x < p.columns; ++x) {
        const double r = std::hypot(y - p.rows / 2.0 + f, x - p.columns / 2.0);
        for (int c = 0; c < p.samples; ++c) {
          const double wave = 0.5 + 0.35 * std::sin(r * 0.15 + c);
          const int value =
              std::clamp(least + static_cast<int>(wave * (largest - least)) +
                             static_cast<int>(random() % static_cast<unsigned>(noise)),
                         least, largest);
          out.push_back(static_cast<std::uint8_t>(value & 0xFF));
          if (p.bits_allocated == 16) out.push_back(static_cast<std::uint8_t>(value >> 8 & 0xFF));
        }
      }
    }
  }
  return out;
}

struct Result {
  Transcoded report;
  Buffer file;
};

inline Result run(const Buffer& source, const TranscodeOptions& options, int workers = 2) {
  const Folder folder;
  Executor executor(workers);
  const CancelToken cancel;
  Result result;
  result.report = transcode(source, "source", folder.file("out.dcm"), options, executor, cancel);
  result.file = read_file(folder.file("out.dcm"));
  CHECK(folder.entries() == 1);
  return result;
}

inline TranscodeOptions to_ratio(double ratio) {
  return {.target = Target::kJ2kRatio, .ratio = ratio, .software = "test"};
}

inline TranscodeOptions to_quality(double quality) {
  return {.target = Target::kJ2kQuality, .quality = quality, .software = "test"};
}

inline TranscodeOptions to_native() { return {.target = Target::kNative, .software = "test"}; }

inline Buffer pixels_of(const Buffer& file) {
  const DataSet data_set(file);
  const ImageDescription image = describe_image(data_set);
  const FrameReader reader(data_set, image);
  Buffer out;
  for (std::int64_t f = 0; f < image.frames; ++f) {
    Buffer frame(static_cast<std::size_t>(reader.format().byte_count()));
    std::vector<std::string> warnings;
    reader.read(f, frame, warnings);
    CHECK(warnings.empty());
    out = out + frame;
  }
  return out;
}

inline Picture square(int side, int frames = 1) {
  Picture picture;
  picture.rows = picture.columns = side;
  picture.frames = frames;
  return picture;
}

inline void check_refused(ErrorCode code, std::string_view part, const Buffer& source,
                          const TranscodeOptions& options) {
  const Folder folder;
  Executor executor(2);
  check_refuses(code, part, [&] {
    (void)transcode(source, "source", folder.file("out.dcm"), options, executor, CancelToken());
  });
  CHECK(folder.entries() == 0);
}

}  // namespace spinekit::testing

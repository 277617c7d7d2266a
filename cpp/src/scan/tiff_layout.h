// What a TIFF's first directory says, checked: afterwards every strip or tile lies inside the file and
// may hold what it must.
#pragma once

#include "scan/samples.h"
#include "scan/tiff_file.h"
#include "spinekit/scan.h"

namespace spinekit {

// A strip is a chunk as wide as the picture. Chunks are counted along rows, then down, then by plane.
struct TiffLayout {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int compression = 0;
  int predictor = 1;
  bool tiled = false;
  bool swapped = false;   // samples of 16 bits are not in the machine's order
  bool unpacked = false;  // by our own PackedStream, not by libtiff
  int planes = 1;         // that are read: more than 1 where each holds one sample a pixel
  int plane_samples = 3;  // of a pixel, in one plane
  int planes_stored = 1;
  std::int64_t chunk_width = 0;
  std::int64_t chunk_rows = 0;
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> lengths;
  SampleLayout samples;

  [[nodiscard]] std::int64_t across() const { return (width + chunk_width - 1) / chunk_width; }
  [[nodiscard]] std::int64_t down() const { return (height + chunk_rows - 1) / chunk_rows; }
  [[nodiscard]] std::int64_t chunk_index(std::int64_t plane, std::int64_t chunk_row,
                                         std::int64_t column) const {
    return (plane * down() + chunk_row) * across() + column;
  }
  // The last strip ends with the picture; tiles are always full.
  [[nodiscard]] std::int64_t rows_of(std::int64_t chunk_row) const {
    const std::int64_t left = height - chunk_row * chunk_rows;
    return tiled || left > chunk_rows ? chunk_rows : left;
  }
  [[nodiscard]] std::int64_t packed_row(std::int64_t pixels) const {
    return (pixels * plane_samples * samples.bits + 7) / 8;
  }
  [[nodiscard]] std::int64_t row_bytes() const { return packed_row(width); }
  [[nodiscard]] std::int64_t chunk_row_bytes() const { return packed_row(chunk_width); }
  [[nodiscard]] std::string chunk_label(std::int64_t chunk) const;
};

// Fills `info` too; Error(kUnsupported) with the remedy for what is not read.
TiffLayout tiff_layout(const TiffFile& tiff, const ByteSource& source, const ScanLimits& limits,
                       ScanInfo& info);

}  // namespace spinekit

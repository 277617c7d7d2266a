// The readers behind open_scan. They throw without the file's name, which their callers put in front.
#pragma once

#include "spinekit/scan.h"

namespace spinekit {

struct ScanFile {
  std::shared_ptr<const ByteSource> source;
  std::string name;
  ScanLimits limits;
  Executor* executor;
};

std::unique_ptr<ScanReader> open_tiff(const ScanFile& file);
std::unique_ptr<ScanReader> open_png(const ScanFile& file);
std::unique_ptr<ScanReader> open_jpeg(const ScanFile& file);

// What a row costs in all its stages must leave room for the rest.
void check_row_fits(std::int64_t row_bytes, const ScanLimits& limits);
// Sides of 1 to 2^31 - 1.
void check_sides(std::int64_t width, std::int64_t height);
// "row 4 of 10: "
std::string row_label(std::int64_t row, std::int64_t height);
// Only 1, top left first; 0 is what careless writers mean by it.
void check_orientation(int orientation);
std::string megabytes(std::int64_t bytes);
// "or raise the memory limit to 300 MB": what it takes for `memory` to be that large.
std::string raised(std::int64_t memory, const ScanLimits& limits);

}  // namespace spinekit

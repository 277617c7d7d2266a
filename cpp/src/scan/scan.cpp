#include "spinekit/scan.h"

#include <algorithm>
#include <array>

#include "scan/readers.h"

namespace spinekit {

void ScanReader::read_rows(void* rgb, std::int64_t rows) {
  if (rows < 0 || rows > info_.height - next_row_) {
    throw_argument(std::to_string(rows) + " rows wanted, " +
                   std::to_string(info_.height - next_row_) + " are left");
  }
  if (failure_) throw Error(*failure_);
  if (rows == 0) return;
  try {
    with_name(name_, [&] { decode(static_cast<std::uint8_t*>(rgb), rows); });
  } catch (const Error& error) {
    failure_ = error;
    throw;
  }
  next_row_ += rows;
}

void ScanReader::rewind() {
  failure_.reset();
  next_row_ = 0;
  try {
    with_name(name_, [&] { restart(); });
  } catch (const Error& error) {
    failure_ = error;
    throw;
  }
}

void check_row_fits(std::int64_t row_bytes, const ScanLimits& limits) {
  if (row_bytes <= limits.memory / 16) return;
  throw_unsupported("one row takes " + megabytes(row_bytes) +
                    " MB: cut the picture into columns, " + raised(row_bytes * 16, limits));
}

std::string raised(std::int64_t memory, const ScanLimits& limits) {
  const double wanted = static_cast<double>(memory) / limits.share;
  return "or raise the memory limit to " + megabytes(static_cast<std::int64_t>(wanted)) + " MB";
}

void check_sides(std::int64_t width, std::int64_t height) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
  if (width < 1 || height < 1 || width > kMost || height > kMost) {
    throw_malformed("a picture of " + std::to_string(width) + " x " + std::to_string(height) +
                    " pixels, expected sides of 1 to 2147483647");
  }
}

std::string row_label(std::int64_t row, std::int64_t height) {
  return "row " + std::to_string(row) + " of " + std::to_string(height) + ": ";
}

void check_orientation(int orientation) {
  if (orientation == 0 || orientation == 1) return;
  throw_unsupported("is to be shown turned or mirrored (orientation " +
                    std::to_string(orientation) +
                    "), which reading by rows cannot do: save it upright first, for example with "
                    "ImageMagick's 'convert IN -auto-orient OUT'");
}

std::string megabytes(std::int64_t bytes) {
  constexpr std::int64_t kMegabyte = std::int64_t{1} << 20;
  return std::to_string(bytes / kMegabyte + (bytes % kMegabyte == 0 ? 0 : 1));
}

std::unique_ptr<ScanReader> open_scan(std::shared_ptr<const ByteSource> source,
                                      const std::string& name, const ScanLimits& limits,
                                      Executor* executor) {
  return with_name(name, [&]() -> std::unique_ptr<ScanReader> {
    if (limits.memory < ScanLimits::kLeast) {
      throw_argument("a memory limit of " + std::to_string(limits.memory) +
                     " bytes, expected at least " + std::to_string(ScanLimits::kLeast));
    }
    std::array<std::uint8_t, 8> head{};
    const auto there = static_cast<std::size_t>(std::min<std::int64_t>(source->size(), 8));
    source->read(0, MutableBytes(head).first(there));
    const auto begins = [&](std::initializer_list<std::uint8_t> magic) {
      return std::equal(magic.begin(), magic.end(), head.begin());
    };
    const ScanFile file{std::move(source), name, limits, executor};
    if (begins({'I', 'I', 42, 0}) || begins({'M', 'M', 0, 42}) || begins({'I', 'I', 43, 0}) ||
        begins({'M', 'M', 0, 43})) {
      return open_tiff(file);
    }
    if (begins({0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'})) return open_png(file);
    if (begins({0xFF, 0xD8, 0xFF})) return open_jpeg(file);
    if (there == 0) throw_malformed("is empty");
    throw_unsupported("is no TIFF, PNG or JPEG: save the scan as one of them");
  });
}

std::unique_ptr<ScanReader> open_scan(const std::string& path, const ScanLimits& limits,
                                      Executor* executor) {
  auto source = with_name(path, [&] { return std::make_shared<FileSource>(path); });
  return open_scan(std::move(source), path, limits, executor);
}

}  // namespace spinekit

// Scans of any size, read from the top in bounded memory: TIFF and BigTIFF, PNG, JPEG, told apart by
// their content.
//
// A reader gives interleaved RGB whatever the file stores: grey, bilevel and palette are expanded,
// transparency is laid over white. What cannot be read by rows within the limit is refused with
// Error(kUnsupported) and the remedy. A reader owns its file and belongs to one thread at a time;
// different readers are independent. The executor, where given, must outlive the reader.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spinekit/byte_source.h"
#include "spinekit/error.h"
#include "spinekit/executor.h"

namespace spinekit {

struct ScanLimits {
  // For what decoding holds, the caller's rows not counted; at least kLeast.
  std::int64_t memory = std::int64_t{64} << 20;
  // What part that is of the limit that the caller's user knows, for messages.
  double share = 1;

  static constexpr std::int64_t kLeast = std::int64_t{1} << 20;
};

struct ScanInfo {
  std::string format;  // "TIFF", "BigTIFF", "PNG", "JPEG"
  std::int64_t width = 0;
  std::int64_t height = 0;
  int samples = 3;
  int bits = 8;  // of each delivered sample: 8 or 16
  std::string compression;
  double mm_per_pixel_x = 0;  // 0: the file does not say
  double mm_per_pixel_y = 0;
  std::vector<std::string> notes;  // what was done to, or passed over in, the stored picture

  [[nodiscard]] std::int64_t row_bytes() const { return width * samples * (bits / 8); }
};

class ScanReader {
 public:
  virtual ~ScanReader() = default;
  ScanReader(const ScanReader&) = delete;
  ScanReader& operator=(const ScanReader&) = delete;

  [[nodiscard]] const ScanInfo& info() const { return info_; }
  [[nodiscard]] std::int64_t next_row() const { return next_row_; }

  // The next `rows` rows, samples in the machine's byte order; Error(kArgument) where fewer are left.
  // After any other error each further call repeats it, until rewind().
  void read_rows(void* rgb, std::int64_t rows);
  // Back to the first row.
  void rewind();

 protected:
  explicit ScanReader(std::string name) : name_(std::move(name)) {}

  ScanInfo info_;

 private:
  // Rows next_row() to next_row() + rows - 1, which exist.
  virtual void decode(std::uint8_t* rgb, std::int64_t rows) = 0;
  virtual void restart() = 0;

  std::string name_;
  std::int64_t next_row_ = 0;
  std::optional<Error> failure_;
};

// With an executor, strips and tiles that stand alone are decoded side by side.
std::unique_ptr<ScanReader> open_scan(const std::string& path, const ScanLimits& limits,
                                      Executor* executor = nullptr);
// `name` is for messages.
std::unique_ptr<ScanReader> open_scan(std::shared_ptr<const ByteSource> source,
                                      const std::string& name, const ScanLimits& limits,
                                      Executor* executor = nullptr);

}  // namespace spinekit

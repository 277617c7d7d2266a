// A scan: whole, by batches after a rewind, and with threads all give the same, or the same refusal.
#include <algorithm>
#include <cstdlib>

#include "spinekit/error.h"
#include "spinekit/scan.h"

namespace {

using spinekit::Buffer;
using spinekit::Bytes;

constexpr std::int64_t kMostBytes = std::int64_t{8} << 20;

// Not zero-copy, as a file is not.
class CopyingSource : public spinekit::ByteSource {
 public:
  explicit CopyingSource(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(bytes_.size());
  }
  void read(std::int64_t offset, spinekit::MutableBytes out) const override {
    check_inside(offset, static_cast<std::int64_t>(out.size()));
    std::copy_n(bytes_.begin() + offset, out.size(), out.begin());
  }

 private:
  Bytes bytes_;
};

struct Reading {
  Buffer rows;
  std::string error;
};

Reading read(spinekit::ScanReader& reader, std::int64_t rows, std::int64_t batch) {
  Reading out;
  const std::int64_t row_bytes = reader.info().row_bytes();
  out.rows.resize(static_cast<std::size_t>(rows * row_bytes));
  try {
    for (std::int64_t row = 0; row < rows; row += batch) {
      reader.read_rows(out.rows.data() + row * row_bytes, std::min(batch, rows - row));
    }
  } catch (const spinekit::Error& error) {
    out.error = error.message();
    out.rows.clear();
  }
  return out;
}

void check_same(const Reading& a, const Reading& b) {
  if (a.error != b.error || a.rows != b.rows) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static spinekit::Executor executor(2);
  const auto source = std::make_shared<CopyingSource>(Bytes(data, size));
  const spinekit::ScanLimits limits{.memory = std::int64_t{2} << 20};
  try {
    const auto reader = spinekit::open_scan(source, "fuzz", limits);
    const spinekit::ScanInfo& info = reader->info();
    if (info.width < 1 || info.height < 1 || info.row_bytes() > limits.memory) std::abort();
    const std::int64_t rows = std::min(info.height, kMostBytes / info.row_bytes());
    const Reading whole = read(*reader, rows, rows);
    reader->rewind();
    check_same(whole, read(*reader, rows, 1 + static_cast<std::int64_t>(size % 7)));
    const auto parallel = spinekit::open_scan(source, "fuzz", limits, &executor);
    check_same(whole, read(*parallel, rows, rows));
  } catch (const spinekit::Error&) {
  }
  return 0;
}

// Sources of bytes that stand in for files and networks.
#pragma once

#include <algorithm>
#include <atomic>

#include "spinekit/byte_source.h"

namespace spinekit::testing {

// Bytes in memory that have to be read as a file's have; counts how often.
class CopyingSource : public ByteSource {
 public:
  explicit CopyingSource(Buffer bytes, bool slow = false) : bytes_(std::move(bytes)), slow_(slow) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(bytes_.size());
  }
  void read(std::int64_t offset, MutableBytes out) const override {
    check_inside(offset, static_cast<std::int64_t>(out.size()));
    ++reads_;
    std::copy_n(bytes_.begin() + offset, out.size(), out.begin());
  }
  [[nodiscard]] bool slow() const override { return slow_; }
  [[nodiscard]] int reads() const { return reads_; }

 private:
  Buffer bytes_;
  bool slow_;
  mutable std::atomic<int> reads_{0};
};

}  // namespace spinekit::testing

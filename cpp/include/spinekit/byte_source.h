// Bytes that are read where they lie: a file of any size, memory, or a part of either.
//
// Every source may be read from several threads at once and stays as large as it was when it was
// opened; a file that becomes shorter is an Error, never a crash.
#pragma once

#include <memory>
#include <string>

#include "spinekit/bytes.h"

namespace spinekit {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  // Fills `out` with what stands at `offset`; Error(kMalformed) where that is not all there.
  virtual void read(std::int64_t offset, MutableBytes out) const = 0;
  // The same bytes without a copy where they are in memory; else `scratch` holds them.
  virtual Bytes view(std::int64_t offset, std::int64_t length, Buffer& scratch) const;
  // Whether each read costs so much (a network's round trip) that reads should be saved.
  [[nodiscard]] virtual bool slow() const { return false; }
  // Begins to fetch what will be read soon, so that several reads are waited for at once. Whether that
  // saves anything here.
  virtual bool will_read(std::int64_t /*offset*/, std::int64_t /*length*/) const { return false; }

 protected:
  void check_inside(std::int64_t offset, std::int64_t length) const;
};

// Borrows its bytes.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] std::int64_t size() const override;
  void read(std::int64_t offset, MutableBytes out) const override;
  Bytes view(std::int64_t offset, std::int64_t length, Buffer& scratch) const override;

 private:
  Bytes bytes_;
};

// A regular file, open as long as the object lives. Error(kResource) where it cannot be opened.
class FileSource : public ByteSource {
 public:
  explicit FileSource(const std::string& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  [[nodiscard]] std::int64_t size() const override { return size_; }
  void read(std::int64_t offset, MutableBytes out) const override;
  bool will_read(std::int64_t offset, std::int64_t length) const override;

 private:
  int file_ = -1;
  std::int64_t size_ = 0;
};

// `length` bytes of another source, from `offset`.
class WindowSource : public ByteSource {
 public:
  WindowSource(std::shared_ptr<const ByteSource> whole, std::int64_t offset, std::int64_t length);
  [[nodiscard]] std::int64_t size() const override { return length_; }
  void read(std::int64_t offset, MutableBytes out) const override;
  Bytes view(std::int64_t offset, std::int64_t length, Buffer& scratch) const override;
  [[nodiscard]] bool slow() const override { return whole_->slow(); }
  bool will_read(std::int64_t offset, std::int64_t length) const override {
    return whole_->will_read(offset_ + offset, length);
  }

 private:
  std::shared_ptr<const ByteSource> whole_;
  std::int64_t offset_;
  std::int64_t length_;
};

}  // namespace spinekit

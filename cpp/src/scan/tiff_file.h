// libtiff on a ByteSource. Its messages stay with the handle that they belong to, and it maps no file:
// pages of a map count as resident.
#pragma once

#include <tiffio.h>

#include <memory>
#include <optional>
#include <string>

#include "spinekit/byte_source.h"
#include "spinekit/error.h"

namespace spinekit {

class TiffFile {
 public:
  // Reads the first directory. No single allocation of libtiff's is larger than `memory`.
  TiffFile(std::shared_ptr<const ByteSource> source, std::int64_t memory);
  ~TiffFile();
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  [[nodiscard]] TIFF* handle() const { return tiff_; }

  template <typename T>
  [[nodiscard]] std::optional<T> tag(std::uint32_t number) const {
    T value{};
    if (TIFFGetField(tiff_, number, &value) != 1) return std::nullopt;
    return value;
  }

  // Forgets what was said so far: from here on warnings are about the samples, and may count as damage.
  void begin_decoding(bool warnings_are_damage);
  // Throws what libtiff or the source complained of since then, or, with `failed`, that it did not say.
  void check(bool failed, const std::string& where) const;

 private:
  struct Session;
  std::unique_ptr<Session> session_;
  TIFF* tiff_ = nullptr;
};

}  // namespace spinekit

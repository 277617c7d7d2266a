// The stored rows of a TIFF, in order and in bounded memory, whatever its strips and tiles are like.
#pragma once

#include "scan/readers.h"
#include "scan/tiff_layout.h"

namespace spinekit {

class TiffRows {
 public:
  virtual ~TiffRows() = default;
  // Makes row `row` available, the one after the last or one that still is; how many are from there on.
  virtual std::int64_t reach(std::int64_t row) = 0;
  // The row's packed samples in one plane, 16-bit ones in the machine's order.
  [[nodiscard]] virtual const std::uint8_t* at(std::int64_t row, int plane) const = 0;
};

// Both must outlive what is returned; `tiff` is used where libtiff unpacks.
std::unique_ptr<TiffRows> make_tiff_rows(const TiffLayout& layout, TiffFile* tiff,
                                         const ScanFile& file);

}  // namespace spinekit

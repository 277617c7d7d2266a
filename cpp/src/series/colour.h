// Decoded colour frames to RGB, as viewers expect it of a volume.
#pragma once

#include <array>

#include "spinekit/dicom.h"

namespace spinekit {

// YBR_FULL of 8 bits to RGB, in place (PS3.3 C.7.6.3.1.2).
void ybr_full_to_rgb(MutableBytes samples);

// Red, green, blue lookup tables (PS3.3 C.7.6.3.1.5, C.7.9), to colours of 8 bits: of 16-bit entries
// the high byte.
class Palette {
 public:
  // Error(kUnsupported) for segmented tables, Error(kMalformed) for broken ones.
  explicit Palette(const DataSet& data_set);
  // Stored values of one sample a pixel to RGB of 8 bits: of 16-bit entries, the high ones.
  [[nodiscard]] Buffer apply(Bytes stored, const FrameFormat& format) const;

 private:
  struct Table {
    std::uint16_t first = 0;  // the stored value of entry 0, signed as the stored values are
    Buffer entries;
  };
  std::array<Table, 3> tables_;
};

}  // namespace spinekit

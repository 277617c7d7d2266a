// Where the frames of encapsulated pixel data lie (PS3.5 A.4), found without reading them.
#pragma once

#include "spinekit/byte_source.h"
#include "spinekit/dicom.h"

namespace spinekit {

struct EncapsulatedFrames {
  std::int64_t first_item = 0;  // of the Basic Offset Table's item, in the source
  std::int64_t end = 0;         // no item begins behind it
  PixelCoding coding = PixelCoding::kUnknown;
  std::int64_t frames = 1;
  Bytes extended_offsets;  // value of (7FE0,0001), or empty
};

// For each frame the extent of its items, their headers included. Where `believe_tables` is set, an
// offset table of plausible content is taken after some of its entries were looked at (all of them
// for small files), so that opening costs little; otherwise every item's header is read.
std::vector<Extent> index_frames(const ByteSource& source, const EncapsulatedFrames& pixel_data,
                                 bool believe_tables);

// The fragments of one frame, from the bytes of its extent; `cut` where these may end early.
std::vector<Bytes> fragments_in(Bytes extent, bool cut = false);

}  // namespace spinekit

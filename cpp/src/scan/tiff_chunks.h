// One strip or tile after another, unpacked by our own streams or by libtiff.
#pragma once

#include "scan/packed_stream.h"
#include "scan/tiff_layout.h"

namespace spinekit {

// A strip or tile as a whole. An object serves one thread at a time.
class ChunkDecoder {
 public:
  virtual ~ChunkDecoder() = default;
  virtual void decode(std::int64_t chunk, MutableBytes out) = 0;
};

// The rows of one plane's strips, in order: for strips that are too large to be held.
class StripRows {
 public:
  virtual ~StripRows() = default;
  virtual void next(std::int64_t rows, MutableBytes out) = 0;
};

std::unique_ptr<ChunkDecoder> make_chunk_decoder(const TiffLayout& layout, const ByteSource& source,
                                                 std::int64_t most_packed);
std::unique_ptr<ChunkDecoder> make_libtiff_chunk_decoder(const TiffLayout& layout, TiffFile& tiff);
std::unique_ptr<StripRows> make_strip_rows(const TiffLayout& layout, const ByteSource& source,
                                           int plane);
// Of a picture in one plane only: libtiff would begin each strip anew for each change of plane.
std::unique_ptr<StripRows> make_libtiff_strip_rows(const TiffLayout& layout, TiffFile& tiff);

}  // namespace spinekit

// The one thing that EXIF says about where the top is.
#pragma once

#include "spinekit/byte_source.h"

namespace spinekit {

// Tag 0x0112 of a TIFF structure; 0 where it does not say, or is damaged.
int exif_orientation(Bytes tiff);
// The same of the first EXIF segment before a JPEG's first scan.
int jpeg_exif_orientation(const ByteSource& jpeg);

}  // namespace spinekit

// What a J2K codestream says before it is decoded, and whether that can be true.
#pragma once

#include "spinekit/codec.h"

namespace spinekit {

// The codestream itself: some writers put a whole JP2 file into a fragment.
Bytes j2k_codestream(Bytes bytes);

// Throws Error(kMalformed) where the headers promise so many tiles, packets or code-blocks that a
// decoder would take memory for nothing.
void check_plausible_structure(Bytes codestream);

// Throws where the codestream has not so many decompositions, or where an image offset gives the
// reduced picture another size than reduced() says. Unlike read_j2k_header(), the header that comes
// back also knows the headers of tile-parts.
J2kHeader check_reduction(Bytes codestream, int reduction);

}  // namespace spinekit

// HTJ2K (ISO/IEC 15444-15) through OpenJPH, which is twice as fast as OpenJPEG but trusts its input:
// it is only given codestreams that were put together here from packets that were checked.
#pragma once

#include "j2k_packets.h"

namespace spinekit {

// Throws where HT data hold what looks like a marker: OpenJPEG 2.5.0 and OpenJPH 0.9 end the process
// there. To be called before either.
void check_blocks(const j2k::Codestream& codestream);

// Fills `out` with the picture at 1 / 2^reduction of its size; `picture` is that reduced picture.
// Returns false where the codestream has anything that OpenJPH does not do or that is not plainly
// well formed: that is for OpenJPEG to decode or to refuse.
bool decode_htj2k(const j2k::Codestream& codestream, const J2kHeader& info,
                  const FrameFormat& picture, MutableBytes out, int reduction);

std::string openjph_version();

}  // namespace spinekit

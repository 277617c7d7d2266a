// Stored values to voxels.
#pragma once

#include "spinekit/volume.h"

namespace spinekit {

// Writes frame values * slope + intercept to `out`, voxels of `type`. Returns false, with `out`
// partly written, where a value is not whole or does not fit an integer type.
bool rescale(const StoredFrame& frame, VoxelType type, MutableBytes out);

// The same for a frame of reduced size: sample (r, c) is that of row r * 2^reduction and column
// c * 2^reduction; what lies between is interpolated and rounded, and clamped to the type.
void rescale_coarse(const StoredFrame& frame, int reduction, const VolumeLayout& layout,
                    MutableBytes out);

}  // namespace spinekit

// Value representations of implicit VR elements, from GDCM's dictionaries (PS3.6, and private ones).
#pragma once

#include <string>

#include "spinekit/dicom.h"

namespace spinekit {

// What an ambiguous "US or SS" depends on.
struct VrContext {
  bool signed_pixels = false;
};

// "UN" where the dictionary has no entry. `private_creator` matters for odd groups only.
Vr dictionary_vr(Tag tag, const std::string& private_creator, VrContext context);

}  // namespace spinekit

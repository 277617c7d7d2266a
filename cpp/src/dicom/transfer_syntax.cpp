#include <array>

#include "spinekit/dicom.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

struct Known {
  std::string_view uid;
  bool explicit_vr;
  bool big_endian;
  bool deflated;
  PixelCoding coding;
  std::string_view lossy_method;
};

using enum PixelCoding;

// PS3.6 table A-1. Methods: PS3.3 C.7.6.1.1.5.2.
constexpr std::array kKnown{
    Known{"1.2.840.10008.1.2", false, false, false, kNative, ""},
    Known{"1.2.840.10008.1.2.1", true, false, false, kNative, ""},
    Known{"1.2.840.10008.1.2.1.99", true, false, true, kNative, ""},
    Known{"1.2.840.10008.1.2.2", true, true, false, kNative, ""},
    Known{"1.2.840.10008.1.2.4.50", true, false, false, kJpeg, "ISO_10918_1"},
    Known{"1.2.840.10008.1.2.4.51", true, false, false, kJpeg, "ISO_10918_1"},
    Known{"1.2.840.10008.1.2.4.53", true, false, false, kJpeg, "ISO_10918_1"},
    Known{"1.2.840.10008.1.2.4.55", true, false, false, kJpeg, "ISO_10918_1"},
    Known{"1.2.840.10008.1.2.4.57", true, false, false, kJpeg, ""},
    Known{"1.2.840.10008.1.2.4.70", true, false, false, kJpeg, ""},
    Known{"1.2.840.10008.1.2.4.80", true, false, false, kJpegLs, ""},
    Known{"1.2.840.10008.1.2.4.81", true, false, false, kJpegLs, "ISO_14495_1"},
    Known{"1.2.840.10008.1.2.4.90", true, false, false, kJ2k, ""},
    Known{"1.2.840.10008.1.2.4.91", true, false, false, kJ2k, "ISO_15444_1"},
    Known{"1.2.840.10008.1.2.4.92", true, false, false, kJ2k, ""},
    Known{"1.2.840.10008.1.2.4.93", true, false, false, kJ2k, "ISO_15444_2"},
    Known{"1.2.840.10008.1.2.4.201", true, false, false, kJ2k, ""},
    Known{"1.2.840.10008.1.2.4.202", true, false, false, kJ2k, ""},
    Known{"1.2.840.10008.1.2.4.203", true, false, false, kJ2k, "ISO_15444_15"},
    Known{"1.2.840.10008.1.2.5", true, false, false, kRle, ""},
};

}  // namespace

TransferSyntax transfer_syntax(std::string_view uid) {
  for (const Known& known : kKnown) {
    if (known.uid == uid) {
      return {std::string(uid), known.explicit_vr, known.big_endian,
              known.deflated,   known.coding,      std::string(known.lossy_method)};
    }
  }
  // Every other syntax of the standard is explicit VR little endian around some encoding (video,
  // encapsulated uncompressed, ...): its elements can be read, its pixels not.
  return {.uid = std::string(uid), .coding = PixelCoding::kUnknown, .lossy_method = ""};
}

}  // namespace spinekit

// One frame: the first byte picks the codec, the format and the reduction, the second the size.
#include "dicom/dicom_jpeg.h"
#include "spinekit/codec.h"
#include "spinekit/error.h"

namespace {

struct Size {
  std::int64_t rows;
  std::int64_t columns;
};

constexpr Size kSizes[] = {{1, 1},   {5, 7},   {8, 8},    {16, 16},
                           {33, 31}, {64, 64}, {128, 96}, {256, 256}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned kind = data[0];
  const Size& side = kSizes[data[1] % std::size(kSizes)];
  const spinekit::Bytes codestream(data + 2, size - 2);
  spinekit::FrameFormat format;
  format.rows = side.rows;
  format.columns = side.columns;
  format.samples = (kind & 4U) != 0 ? 3 : 1;
  format.bits_allocated = (kind & 8U) != 0 ? 16 : 8;
  format.bits_stored = (kind & 16U) != 0 ? format.bits_allocated - 4 : format.bits_allocated;
  format.is_signed = (kind & 32U) != 0;
  std::vector<std::string> warnings;
  try {
    const int reduction = (kind & 3U) == 0 ? static_cast<int>(kind >> 6U) : 0;
    spinekit::Buffer out(
        static_cast<std::size_t>(spinekit::reduced(format, reduction).byte_count()));
    switch (kind & 3U) {
      case 0:
        (void)spinekit::j2k_prefix_bytes(codestream, format, reduction);
        spinekit::decode_j2k(codestream, format, out, warnings, reduction);
        break;
      case 1:
        (void)spinekit::jpegls_near(codestream);
        spinekit::decode_jpegls(codestream, format, out);
        break;
      case 2:
        spinekit::decode_rle(codestream, format, out);
        break;
      default:
        spinekit::decode_jpeg(codestream, format, out, warnings);
        break;
    }
  } catch (const spinekit::Error&) {
  }
  return 0;
}

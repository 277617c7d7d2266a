#include "spinekit/dicom.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

constexpr Tag kRows{0x0028, 0x0010};
constexpr Tag kColumns{0x0028, 0x0011};
constexpr Tag kSamples{0x0028, 0x0002};
constexpr Tag kPhotometric{0x0028, 0x0004};
constexpr Tag kPlanar{0x0028, 0x0006};
constexpr Tag kFrames{0x0028, 0x0008};
constexpr Tag kBitsAllocated{0x0028, 0x0100};
constexpr Tag kBitsStored{0x0028, 0x0101};
constexpr Tag kHighBit{0x0028, 0x0102};
constexpr Tag kPixelRepresentation{0x0028, 0x0103};

std::int64_t required(const DataSet& data_set, Tag tag, const char* keyword, std::int64_t least,
                      std::int64_t most) {
  const auto value = data_set.integer(tag);
  if (!value) throw_malformed(std::string("no ") + keyword + " " + tag.text());
  if (*value < least || *value > most) {
    throw_malformed(std::string(keyword) + " is " + std::to_string(*value) + ", expected " +
                    std::to_string(least) + " to " + std::to_string(most));
  }
  return *value;
}

}  // namespace

ImageDescription describe_image(const DataSet& data_set) {
  if (data_set.find({0x7FE0, 0x0010}) == nullptr) {
    for (const Tag tag : {Tag{0x7FE0, 0x0008}, Tag{0x7FE0, 0x0009}}) {
      if (data_set.find(tag) != nullptr) {
        throw_unsupported("floating-point pixel data " + tag.text() + ", only integers are read");
      }
    }
    throw_malformed("no pixel data (7FE0,0010): not an image");
  }
  ImageDescription image;
  FrameFormat& format = image.format;
  format.rows = required(data_set, kRows, "Rows", 1, 65535);
  format.columns = required(data_set, kColumns, "Columns", 1, 65535);
  format.samples = static_cast<int>(data_set.integer(kSamples).value_or(1));
  if (format.samples != 1 && format.samples != 3) {
    throw_unsupported("SamplesPerPixel is " + std::to_string(format.samples) + ", expected 1 or 3");
  }
  format.bits_allocated =
      static_cast<int>(required(data_set, kBitsAllocated, "BitsAllocated", 1, 64));
  if (format.bits_allocated != 8 && format.bits_allocated != 16) {
    throw_unsupported("BitsAllocated is " + std::to_string(format.bits_allocated) +
                      ", expected 8 or 16");
  }
  format.bits_stored =
      static_cast<int>(required(data_set, kBitsStored, "BitsStored", 1, format.bits_allocated));
  const std::int64_t high_bit = data_set.integer(kHighBit).value_or(format.bits_stored - 1);
  if (high_bit != format.bits_stored - 1) {
    throw_unsupported("HighBit is " + std::to_string(high_bit) +
                      ", expected BitsStored - 1 = " + std::to_string(format.bits_stored - 1));
  }
  const std::int64_t sign = data_set.integer(kPixelRepresentation).value_or(0);
  if (sign > 1) throw_malformed("PixelRepresentation is " + std::to_string(sign) + ", not 0 or 1");
  format.is_signed = sign == 1;
  image.planar = format.samples == 3 && data_set.integer(kPlanar).value_or(0) == 1;
  image.frames = data_set.integer(kFrames).value_or(1);
  if (image.frames < 1 || image.frames > (std::int64_t{1} << 31)) {
    throw_malformed("NumberOfFrames is " + std::to_string(image.frames));
  }
  image.photometric = data_set.text(kPhotometric);
  if (image.photometric.empty()) {
    image.photometric = format.samples == 3 ? "RGB" : "MONOCHROME2";
  }
  const bool one_sample = image.photometric.starts_with("MONOCHROME") || image.palette();
  if (one_sample != (format.samples == 1)) {
    throw_malformed("PhotometricInterpretation " + image.photometric + " with SamplesPerPixel " +
                    std::to_string(format.samples));
  }
  image.sop_class_uid = data_set.text({0x0008, 0x0016});
  image.sop_instance_uid = data_set.text({0x0008, 0x0018});
  return image;
}

}  // namespace spinekit

#include "dicom_jpeg.h"

#include <gdcmDataElement.h>
#include <gdcmFragment.h>
#include <gdcmJPEGCodec.h>
#include <gdcmPhotometricInterpretation.h>
#include <gdcmPixelFormat.h>
#include <gdcmSequenceOfFragments.h>
#include <gdcmTrace.h>

#include <array>
#include <mutex>

#include "spinekit/error.h"
#include "spinekit/jpeg.h"

namespace spinekit {
namespace {

void silence_gdcm() {
  static std::once_flag once;
  std::call_once(once, [] {
    gdcm::Trace::SetWarning(false);
    gdcm::Trace::SetDebug(false);
    gdcm::Trace::SetError(false);
  });
}

void decode_with_gdcm(const JpegStream& stream, const FrameFormat& format, MutableBytes out) {
  silence_gdcm();

  gdcm::Fragment fragment;
  fragment.SetByteValue(reinterpret_cast<const char*>(stream.bytes.data()),
                        static_cast<std::uint32_t>(stream.bytes.size()));
  gdcm::SmartPointer<gdcm::SequenceOfFragments> fragments = new gdcm::SequenceOfFragments;
  fragments->AddFragment(fragment);
  gdcm::DataElement coded(gdcm::Tag(0x7FE0, 0x0010), 0, gdcm::VR::OB);
  coded.SetValue(*fragments);

  const auto precision = static_cast<std::uint16_t>(stream.precision);
  gdcm::PixelFormat pixel_format(static_cast<std::uint16_t>(format.samples),
                                 static_cast<std::uint16_t>(precision > 8 ? 16 : 8), precision,
                                 static_cast<std::uint16_t>(precision - 1), 0);
  const std::array<unsigned int, 3> dimensions{static_cast<unsigned int>(format.columns),
                                               static_cast<unsigned int>(format.rows), 1};
  gdcm::JPEGCodec codec;
  codec.SetNumberOfDimensions(2);
  codec.SetDimensions(dimensions.data());
  codec.SetPlanarConfiguration(0);
  // YBR_FULL makes GDCM hand out the components as they were coded, whatever they mean.
  codec.SetPhotometricInterpretation(format.samples == 3
                                         ? gdcm::PhotometricInterpretation::YBR_FULL
                                         : gdcm::PhotometricInterpretation::MONOCHROME2);
  codec.SetPixelFormat(pixel_format);
  gdcm::DataElement decoded;
  const bool ok = codec.Decode(coded, decoded);
  const gdcm::ByteValue* value = ok ? decoded.GetByteValue() : nullptr;
  if (value == nullptr) throw_malformed("JPEG codestream does not decode: damaged data");

  const Bytes samples(reinterpret_cast<const std::uint8_t*>(value->GetPointer()),
                      value->GetLength());
  store_samples(samples, stream.precision, false, format, out);
}

}  // namespace

void decode_jpeg(Bytes codestream, const FrameFormat& format, MutableBytes out,
                 std::vector<std::string>& warnings) {
  const JpegStream stream = checked_jpeg_stream(codestream, format);
  check_plausible_size(format.sample_count(), static_cast<std::int64_t>(stream.bytes.size()));
  if (stream.precision == 8 && !stream.lossless) {
    decode_jpeg_8_bit(stream, format, out, warnings);
  } else {
    decode_with_gdcm(stream, format, out);
  }
}

}  // namespace spinekit

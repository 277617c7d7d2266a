#include "spinekit/dicom.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

// Bytes that nearly every header fits into, and those that none needs.
constexpr std::int64_t kFirstLook = 16 << 10;
constexpr std::int64_t kLongestHeader = std::int64_t{256} << 20;

}  // namespace

DicomFile::DicomFile(std::shared_ptr<const ByteSource> bytes) : bytes_(std::move(bytes)) {
  const std::int64_t size = bytes_->size();
  const std::int64_t look = bytes_->slow() ? kFirstLook / 4 : kFirstLook;
  std::int64_t looked_at = std::min(size, look);
  while (!data_set_) {
    try {
      data_set_.emplace(bytes_->view(0, looked_at, head_), size);
    } catch (const HeadTooShort& head) {
      if (looked_at == size) throw_malformed("the header is cut off");
      if (head.needed > kLongestHeader && !head.whole) {
        throw_unsupported("a header of more than 256 MiB");
      }
      looked_at = std::min(size, std::max(head.needed + look, 4 * looked_at));
    }
  }
}

const ImageDescription& DicomFile::image() const {
  const std::lock_guard lock(mutex_);
  if (!image_) image_ = describe_image(*data_set_);
  return *image_;
}

const FrameReader& DicomFile::frames() const {
  const ImageDescription& description = image();
  const std::lock_guard lock(mutex_);
  if (!frames_) frames_.emplace(*data_set_, description, *bytes_);
  return *frames_;
}

}  // namespace spinekit

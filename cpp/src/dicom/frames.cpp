#include <algorithm>
#include <cstring>

#include "dicom_jpeg.h"
#include "element_scanner.h"
#include "frame_index.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

bool word_ordered(const DataSet& data_set, const Element& pixel_data) {
  return data_set.syntax().big_endian && pixel_data.vr == Vr("OW");
}

// The codestream whose fragments an extent holds; `joined` where there are several.
Bytes codestream_in(Bytes extent, Buffer& joined, bool cut = false) {
  const std::vector<Bytes> fragments = fragments_in(extent, cut);
  if (fragments.size() == 1) return fragments.front();
  for (const Bytes part : fragments) joined.insert(joined.end(), part.begin(), part.end());
  return joined;
}

}  // namespace

FrameReader::FrameReader(const DataSet& data_set, const ImageDescription& image)
    : FrameReader(data_set, image, nullptr) {}

FrameReader::FrameReader(const DataSet& data_set, const ImageDescription& image,
                         const ByteSource& file)
    : FrameReader(data_set, image, data_set.syntax().deflated ? nullptr : &file) {
  inflated_from_file_ = data_set.syntax().deflated;
}

FrameReader::FrameReader(const DataSet& data_set, const ImageDescription& image,
                         const ByteSource* file)
    : data_set_(data_set),
      image_(image),
      memory_(file == nullptr ? std::make_unique<MemorySource>(data_set.body()) : nullptr),
      inflated_from_file_(false),
      source_(file == nullptr ? *memory_ : *file),
      body_offset_(file == nullptr ? 0 : data_set.body_offset()),
      photometric_(image.photometric) {
  const Element* pixel_data = data_set.find(kPixelData);
  if (pixel_data == nullptr) throw_malformed("no pixel data (7FE0,0010): not an image");
  const TransferSyntax& syntax = data_set.syntax();
  if (pixel_data->length == 0) throw_malformed("the pixel data (7FE0,0010) is empty");
  if (syntax.coding == PixelCoding::kUnknown) {
    throw_unsupported("transfer syntax " + syntax.uid + " is not one that spinekit decodes");
  }
  if (syntax.encapsulated() != pixel_data->undefined_length) {
    throw_malformed(std::string("transfer syntax ") + syntax.uid + " with " +
                    (pixel_data->undefined_length ? "encapsulated" : "native") +
                    " pixel data: one of the two is wrong");
  }
  if (syntax.encapsulated()) {
    open_encapsulated(*pixel_data);
  } else {
    open_native(*pixel_data);
  }
}

void FrameReader::open_encapsulated(const Element& pixel_data) {
  const Element* extended = data_set_.find({0x7FE0, 0x0001});
  const std::int64_t start = body_offset_ + pixel_data.offset;
  frames_ = index_frames(source_,
                         {.first_item = start,
                          .end = start + pixel_data.length,
                          .coding = data_set_.syntax().coding,
                          .frames = image_.frames,
                          .extended_offsets = extended ? data_set_.value(*extended) : Bytes()},
                         memory_ == nullptr);
  for (const Extent& frame : frames_) {
    check_plausible_size(image_.format.sample_count(), frame.length);
  }
  if (photometric_ == "YBR_RCT" || photometric_ == "YBR_ICT") photometric_ = "RGB";
  if (photometric_ == "YBR_FULL_422") photometric_ = "YBR_FULL";
}

void FrameReader::open_native(const Element& pixel_data) {
  const FrameFormat& format = image_.format;
  if (photometric_ == "YBR_RCT" || photometric_ == "YBR_ICT") {
    throw_malformed("PhotometricInterpretation " + photometric_ + " without J2K compression");
  }
  native_ = {body_offset_ + pixel_data.offset, pixel_data.length};
  native_frame_bytes_ = format.byte_count();
  if (photometric_ == "YBR_FULL_422") {
    // Two luminance samples share one chroma pair: 4 bytes for 2 pixels (PS3.3 C.7.6.3.1.2).
    if (format.bits_allocated != 8 || format.columns % 2 != 0) {
      throw_unsupported("native YBR_FULL_422 of odd width or more than 8 bits");
    }
    native_frame_bytes_ = format.rows * format.columns * 2;
    photometric_ = "YBR_FULL";
  }
  swap_bytes_ = word_ordered(data_set_, pixel_data) && format.bits_allocated == 8;
  const std::int64_t expected =
      checked_product(native_frame_bytes_, image_.frames, "bytes of the pixel data");
  // Of a file that is cut off, the frames before the cut are read.
  if (native_.length < expected && memory_ != nullptr) {
    throw_malformed("the pixel data holds " + std::to_string(native_.length) + " bytes, " +
                    std::to_string(format.rows) + " rows x " + std::to_string(format.columns) +
                    " columns x " + std::to_string(image_.frames) + " frames need " +
                    std::to_string(expected));
  }
  if (native_.length > expected + 1) {
    warnings_.push_back(std::to_string(native_.length - expected) +
                        " surplus bytes behind the last frame are not carried over");
  }
}

void FrameReader::check_index(std::int64_t index) const {
  if (index < 0 || index >= image_.frames) {
    throw_argument("frame " + std::to_string(index) + " of " + std::to_string(image_.frames));
  }
}

Extent FrameReader::extent(std::int64_t index) const {
  check_index(index);
  return inflated_from_file_ ? Extent{} : extent_in_source(index);
}

Extent FrameReader::extent_in_source(std::int64_t index) const {
  check_index(index);
  if (data_set_.syntax().encapsulated()) return frames_[static_cast<std::size_t>(index)];
  std::int64_t from = index * native_frame_bytes_;
  std::int64_t to = from + native_frame_bytes_;
  if (swap_bytes_) {
    // Whole words, which a frame may begin or end amid.
    from -= from % 2;
    to += to % 2;
  }
  if (to > native_.length) {
    throw_malformed("cut off: the pixel data holds " + std::to_string(native_.length) +
                    " bytes, frame " + std::to_string(index) + " ends at byte " +
                    std::to_string(to));
  }
  return {native_.offset + from, to - from};
}

// The frame out of an extent's words of two 8-bit samples, the second first.
Bytes FrameReader::in_order(std::int64_t index, Bytes fetched, Buffer& scratch) const {
  const std::int64_t from = index * native_frame_bytes_ % 2;
  const auto last = static_cast<std::int64_t>(fetched.size()) - 1;
  scratch.reserve(static_cast<std::size_t>(native_frame_bytes_));
  for (std::int64_t at = from; at < from + native_frame_bytes_; ++at) {
    scratch.push_back(fetched[static_cast<std::size_t>(std::min(at ^ 1, last))]);
  }
  return scratch;
}

void FrameReader::decode_native(Bytes frame, MutableBytes out) const {
  const FrameFormat& format = image_.format;
  const auto sample_bytes = static_cast<std::size_t>(format.bits_allocated / 8);
  if (image_.photometric == "YBR_FULL_422") {
    for (std::size_t pair = 0; pair < frame.size() / 4; ++pair) {
      const std::uint8_t* in = frame.data() + 4 * pair;
      std::uint8_t* to = out.data() + 6 * pair;
      to[0] = in[0];
      to[3] = in[1];
      to[1] = to[4] = in[2];
      to[2] = to[5] = in[3];
    }
    return;
  }
  if (!image_.planar) {
    std::memcpy(out.data(), frame.data(), frame.size());
  } else {
    const auto pixels = static_cast<std::size_t>(format.rows * format.columns);
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < pixels; ++i) {
        std::memcpy(out.data() + (3 * i + c) * sample_bytes,
                    frame.data() + (c * pixels + i) * sample_bytes, sample_bytes);
      }
    }
  }
  if (data_set_.syntax().big_endian && sample_bytes == 2) {
    for (std::size_t i = 0; i + 1 < out.size(); i += 2) std::swap(out[i], out[i + 1]);
  }
}

int FrameReader::most_reduction(std::int64_t index) const {
  if (data_set_.syntax().coding != PixelCoding::kJ2k) return 0;
  const Extent frame = extent_in_source(index);
  Buffer scratch;
  Buffer joined;
  const Bytes head = source_.view(frame.offset, frame.length, scratch);
  return read_j2k_header(codestream_in(head, joined)).decompositions;
}

void FrameReader::read(std::int64_t index, MutableBytes out, std::vector<std::string>& warnings,
                       int reduction) const {
  const Extent frame = extent_in_source(index);
  Buffer scratch;
  decode(index, source_.view(frame.offset, frame.length, scratch), out, warnings, reduction);
}

void FrameReader::decode(std::int64_t index, Bytes fetched, MutableBytes out,
                         std::vector<std::string>& warnings, int reduction) const {
  check_index(index);
  const PixelCoding coding = data_set_.syntax().coding;
  const FrameFormat& format = image_.format;
  if (reduction != 0 && coding != PixelCoding::kJ2k) {
    throw_argument("only J2K frames decode at reduced size");
  }
  const std::int64_t needed = reduced(format, reduction).byte_count();
  if (static_cast<std::int64_t>(out.size()) != needed) {
    throw_argument("a frame has " + std::to_string(needed) + " bytes, the buffer " +
                   std::to_string(out.size()));
  }
  if (coding == PixelCoding::kNative) {
    const Extent where = extent_in_source(index);
    Buffer scratch;
    if (inflated_from_file_ && fetched.empty()) {
      fetched = source_.view(where.offset, where.length, scratch);
    }
    if (static_cast<std::int64_t>(fetched.size()) != where.length) {
      throw_malformed("a native frame of " + std::to_string(fetched.size()) + " bytes, expected " +
                      std::to_string(where.length));
    }
    return decode_native(swap_bytes_ ? in_order(index, fetched, scratch) : fetched, out);
  }
  Buffer joined;
  const Bytes codestream = codestream_in(fetched, joined, reduction > 0);
  switch (coding) {
    case PixelCoding::kRle:
      return decode_rle(codestream, format, out);
    case PixelCoding::kJpeg:
      return decode_jpeg(codestream, format, out, warnings);
    case PixelCoding::kJpegLs:
      return decode_jpegls(codestream, format, out);
    case PixelCoding::kJ2k:
      return decode_j2k(codestream, format, out, warnings, reduction);
    case PixelCoding::kNative:
    case PixelCoding::kUnknown:
      break;
  }
  throw_unsupported("transfer syntax " + data_set_.syntax().uid);
}

std::string FrameReader::lossy_method() const {
  const TransferSyntax& syntax = data_set_.syntax();
  if (!syntax.encapsulated() || syntax.lossy_method.empty()) return {};
  for (std::int64_t index = 0; index < image_.frames; ++index) {
    Buffer scratch;
    Buffer joined;
    const Extent where = extent_in_source(index);
    const Bytes frame = codestream_in(source_.view(where.offset, where.length, scratch), joined);
    const bool reversible =
        (syntax.coding == PixelCoding::kJ2k && read_j2k_header(frame).reversible) ||
        (syntax.coding == PixelCoding::kJpegLs && jpegls_near(frame) == 0);
    if (!reversible) return syntax.lossy_method;
  }
  return {};
}

std::int64_t FrameReader::stored_bytes() const {
  if (!data_set_.syntax().encapsulated()) return native_frame_bytes_ * image_.frames;
  std::int64_t total = 0;
  Buffer scratch;
  for (const Extent& frame : frames_) {
    for (const Bytes part : fragments_in(source_.view(frame.offset, frame.length, scratch))) {
      total += static_cast<std::int64_t>(part.size());
    }
  }
  return total;
}

}  // namespace spinekit

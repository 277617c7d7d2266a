#include <algorithm>
#include <cstring>

#include "element_scanner.h"
#include "gdcm_jpeg.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

std::uint32_t u32(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) | static_cast<std::uint32_t>(bytes[at + 1]) << 8U |
         static_cast<std::uint32_t>(bytes[at + 2]) << 16U |
         static_cast<std::uint32_t>(bytes[at + 3]) << 24U;
}

std::uint64_t u64(Bytes bytes, std::size_t at) {
  return static_cast<std::uint64_t>(u32(bytes, at)) | static_cast<std::uint64_t>(u32(bytes, at + 4))
                                                          << 32U;
}

struct Fragments {
  Bytes basic_offset_table;
  std::vector<Bytes> items;
  std::vector<std::uint64_t> offsets;  // of each item's header behind the offset table
};

constexpr std::size_t kMostFragments = std::size_t{1} << 20U;

Fragments read_fragments(const DataSet& data_set, const Element& pixel_data) {
  Fragments fragments;
  ElementScanner scanner(data_set.body(), {true, false}, pixel_data.offset,
                         pixel_data.offset + pixel_data.length);
  std::int64_t first = -1;
  while (!scanner.at_end()) {
    const std::int64_t header = scanner.position();
    std::uint32_t length = 0;
    (void)scanner.next_item(length);  // an item with a defined length: the reader made sure
    if (length == kUndefinedLength) throw_malformed("a fragment of undefined length");
    const Bytes item =
        data_set.body().subspan(static_cast<std::size_t>(scanner.position()), length);
    scanner.move_to(scanner.position() + length);
    if (first < 0) {
      first = scanner.position();
      fragments.basic_offset_table = item;
    } else {
      if (fragments.items.size() >= kMostFragments)
        throw_malformed("more than 1,048,576 fragments");
      fragments.items.push_back(item);
      fragments.offsets.push_back(static_cast<std::uint64_t>(header - first));
    }
  }
  if (first < 0) throw_malformed("encapsulated pixel data without a Basic Offset Table item");
  if (fragments.items.empty()) throw_malformed("encapsulated pixel data without fragments");
  return fragments;
}

std::vector<std::vector<Bytes>> split_at(const Fragments& fragments,
                                         const std::vector<std::uint64_t>& starts) {
  std::vector<std::vector<Bytes>> frames;
  std::size_t item = 0;
  for (std::size_t f = 0; f < starts.size(); ++f) {
    std::vector<Bytes> frame;
    if (item >= fragments.items.size() || fragments.offsets[item] != starts[f]) {
      throw_malformed("the offset table does not point at fragments");
    }
    while (item < fragments.items.size() &&
           (f + 1 == starts.size() || fragments.offsets[item] < starts[f + 1])) {
      frame.push_back(fragments.items[item++]);
    }
    frames.push_back(std::move(frame));
  }
  return frames;
}

bool starts_codestream(Bytes fragment, PixelCoding coding) {
  if (fragment.size() < 4 || fragment[0] != 0xFF) return false;
  if (coding == PixelCoding::kJ2k) return fragment[1] == 0x4F && fragment[2] == 0xFF;
  return fragment[1] == 0xD8;
}

bool word_ordered(const DataSet& data_set, const Element& pixel_data) {
  return data_set.syntax().big_endian && pixel_data.vr == Vr("OW");
}

}  // namespace

std::vector<std::vector<Bytes>> frame_fragments(const DataSet& data_set, std::int64_t frames) {
  const Element* pixel_data = data_set.find(kPixelData);
  if (pixel_data == nullptr) throw_malformed("no pixel data (7FE0,0010): not an image");
  const Fragments fragments = read_fragments(data_set, *pixel_data);
  const auto count = static_cast<std::int64_t>(fragments.items.size());
  if (count < frames) {
    throw_malformed("NumberOfFrames is " + std::to_string(frames) + ", the pixel data holds " +
                    std::to_string(count) + " fragments");
  }
  if (frames == 1) return {fragments.items};
  if (count == frames) {
    std::vector<std::vector<Bytes>> out;
    out.reserve(fragments.items.size());
    for (const Bytes item : fragments.items) out.push_back({item});
    return out;
  }
  const auto wanted = static_cast<std::size_t>(frames);
  const Bytes basic = fragments.basic_offset_table;
  std::vector<std::uint64_t> starts;
  if (basic.size() / 4 == wanted) {
    for (std::size_t f = 0; f < wanted; ++f) starts.push_back(u32(basic, 4 * f));
    return split_at(fragments, starts);
  }
  const Element* extended = data_set.find({0x7FE0, 0x0001});
  if (extended != nullptr && data_set.value(*extended).size() / 8 == wanted) {
    const Bytes table = data_set.value(*extended);
    for (std::size_t f = 0; f < wanted; ++f) starts.push_back(u64(table, 8 * f));
    return split_at(fragments, starts);
  }
  for (std::size_t i = 0; i < fragments.items.size(); ++i) {
    if (starts_codestream(fragments.items[i], data_set.syntax().coding)) {
      starts.push_back(fragments.offsets[i]);
    }
  }
  if (starts.size() != wanted || starts.front() != 0) {
    throw_malformed(std::to_string(count) +
                    " fragments without an offset table do not show where " +
                    std::to_string(frames) + " frames begin");
  }
  return split_at(fragments, starts);
}

FrameReader::FrameReader(const DataSet& data_set, const ImageDescription& image)
    : data_set_(data_set), image_(image), photometric_(image.photometric) {
  const Element* pixel_data = data_set.find(kPixelData);
  if (pixel_data == nullptr) throw_malformed("no pixel data (7FE0,0010): not an image");
  const TransferSyntax& syntax = data_set.syntax();
  const FrameFormat& format = image.format;
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
    fragments_ = frame_fragments(data_set, image.frames);
    for (const std::vector<Bytes>& frame : fragments_) {
      std::int64_t held = 0;
      for (const Bytes part : frame) held += static_cast<std::int64_t>(part.size());
      check_plausible_size(format.sample_count(), held);
    }
    if (photometric_ == "YBR_RCT" || photometric_ == "YBR_ICT") photometric_ = "RGB";
    if (photometric_ == "YBR_FULL_422") photometric_ = "YBR_FULL";
    return;
  }
  if (photometric_ == "YBR_RCT" || photometric_ == "YBR_ICT") {
    throw_malformed("PhotometricInterpretation " + photometric_ + " without J2K compression");
  }
  native_ = data_set.value(*pixel_data);
  native_frame_bytes_ = format.byte_count();
  if (photometric_ == "YBR_FULL_422") {
    // Two luminance samples share one chroma pair: 4 bytes for 2 pixels (PS3.3 C.7.6.3.1.2).
    if (format.bits_allocated != 8 || format.columns % 2 != 0) {
      throw_unsupported("native YBR_FULL_422 of odd width or more than 8 bits");
    }
    native_frame_bytes_ = format.rows * format.columns * 2;
    photometric_ = "YBR_FULL";
  }
  swap_words_ = word_ordered(data_set, *pixel_data);
  const std::int64_t expected =
      checked_product(native_frame_bytes_, image.frames, "bytes of the pixel data");
  const auto held = static_cast<std::int64_t>(native_.size());
  if (held < expected) {
    throw_malformed("the pixel data holds " + std::to_string(held) + " bytes, " +
                    std::to_string(format.rows) + " rows x " + std::to_string(format.columns) +
                    " columns x " + std::to_string(image.frames) + " frames need " +
                    std::to_string(expected));
  }
  if (held > expected + 1) {
    warnings_.push_back(std::to_string(held - expected) +
                        " surplus bytes behind the last frame are not carried over");
  }
}

void FrameReader::read_native(std::int64_t index, MutableBytes out) const {
  const FrameFormat& format = image_.format;
  const auto frame_bytes = static_cast<std::size_t>(native_frame_bytes_);
  const std::size_t start = static_cast<std::size_t>(index) * frame_bytes;
  Bytes frame = native_.subspan(start, frame_bytes);
  const auto sample_bytes = static_cast<std::size_t>(format.bits_allocated / 8);
  // 8-bit samples in big-endian words: pairs of the whole value, which a frame may begin amid.
  Buffer unswapped;
  if (swap_words_ && sample_bytes == 1) {
    unswapped.reserve(frame_bytes);
    for (std::size_t at = start; at < start + frame_bytes; ++at) {
      unswapped.push_back(native_[std::min(at ^ 1U, native_.size() - 1)]);
    }
    frame = unswapped;
  }
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

Bytes FrameReader::codestream(std::int64_t index, Buffer& joined) const {
  const std::vector<Bytes>& parts = fragments_[static_cast<std::size_t>(index)];
  if (parts.size() == 1) return parts.front();
  for (const Bytes part : parts) joined.insert(joined.end(), part.begin(), part.end());
  return joined;
}

void FrameReader::read(std::int64_t index, MutableBytes out,
                       std::vector<std::string>& warnings) const {
  if (index < 0 || index >= image_.frames) {
    throw_argument("frame " + std::to_string(index) + " of " + std::to_string(image_.frames));
  }
  if (static_cast<std::int64_t>(out.size()) != image_.format.byte_count()) {
    throw_argument("a frame has " + std::to_string(image_.format.byte_count()) +
                   " bytes, the buffer " + std::to_string(out.size()));
  }
  Buffer joined;
  switch (data_set_.syntax().coding) {
    case PixelCoding::kNative:
      return read_native(index, out);
    case PixelCoding::kRle:
      return decode_rle(codestream(index, joined), image_.format, out);
    case PixelCoding::kJpeg:
      return decode_jpeg(codestream(index, joined), image_.format, out);
    case PixelCoding::kJpegLs:
      return decode_jpegls(codestream(index, joined), image_.format, out);
    case PixelCoding::kJ2k:
      return decode_j2k(codestream(index, joined), image_.format, out, warnings);
    case PixelCoding::kUnknown:
      break;
  }
  throw_unsupported("transfer syntax " + data_set_.syntax().uid);
}

std::string FrameReader::lossy_method() const {
  const TransferSyntax& syntax = data_set_.syntax();
  if (!syntax.encapsulated() || syntax.lossy_method.empty()) return {};
  for (std::int64_t index = 0; index < image_.frames; ++index) {
    Buffer joined;
    const Bytes frame = codestream(index, joined);
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
  for (const auto& frame : fragments_) {
    for (const Bytes part : frame) total += static_cast<std::int64_t>(part.size());
  }
  return total;
}

}  // namespace spinekit

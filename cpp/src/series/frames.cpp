#include <algorithm>

#include "colour.h"
#include "dicom/element_scanner.h"
#include "dicom/frame_index.h"
#include "spinekit/error.h"
#include "spinekit/series.h"

namespace spinekit {
namespace {

VoxelType stored_type(const FrameFormat& format) {
  if (format.bits_allocated == 16) {
    return format.is_signed ? VoxelType::kInt16 : VoxelType::kUint16;
  }
  return format.is_signed ? VoxelType::kInt8 : VoxelType::kUint8;
}

// Bits above BitsStored are none of the value (PS3.5 8.1.1; older writers kept overlays there): they
// are cleared, or follow the sign. Whether any were otherwise.
template <typename Sample>
bool keep_stored_bits(MutableBytes bytes, int bits_stored) {
  const int unused = static_cast<int>(8 * sizeof(Sample)) - bits_stored;
  auto* samples = reinterpret_cast<Sample*>(bytes.data());
  const std::size_t count = bytes.size() / sizeof(Sample);
  unsigned changed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto raised = static_cast<Sample>(static_cast<unsigned>(samples[i]) << unused);
    const auto value = static_cast<Sample>(raised >> unused);
    changed |= static_cast<unsigned>(static_cast<Sample>(value ^ samples[i]));
    samples[i] = value;
  }
  return changed != 0;
}

void keep_stored_bits(const FrameFormat& format, StoredFrame& frame) {
  if (format.bits_stored == format.bits_allocated) return;
  const int bits = format.bits_stored;
  bool changed = false;
  switch (stored_type(format)) {
    case VoxelType::kInt16:
      changed = keep_stored_bits<std::int16_t>(frame.bytes, bits);
      break;
    case VoxelType::kUint16:
      changed = keep_stored_bits<std::uint16_t>(frame.bytes, bits);
      break;
    case VoxelType::kInt8:
      changed = keep_stored_bits<std::int8_t>(frame.bytes, bits);
      break;
    default:
      changed = keep_stored_bits<std::uint8_t>(frame.bytes, bits);
      break;
  }
  if (changed) {
    frame.warnings.push_back("bits above BitsStored " + std::to_string(bits) +
                             " were set and are not part of the values");
  }
}

void check_colours(const std::string& photometric, const FrameFormat& format) {
  if (format.samples == 1 || photometric == "RGB" || photometric == "YBR_RCT" ||
      photometric == "YBR_ICT" || (photometric == "YBR_FULL" && format.bits_allocated == 8)) {
    return;
  }
  throw_unsupported("PhotometricInterpretation " + photometric + " of " +
                    std::to_string(format.bits_allocated) + " bits cannot be made RGB");
}

// What comes out of a codec, made ready for a volume.
void finish_frame(const DataSet& data_set, const ImageDescription& image,
                  const std::string& photometric, int reduction, const FrameHeader& header,
                  StoredFrame& frame) {
  const FrameFormat format = reduced(image.format, reduction);
  frame.type = stored_type(format);
  frame.rows = format.rows;
  frame.columns = format.columns;
  frame.samples = format.samples;
  frame.slope = header.slope;
  frame.intercept = header.intercept;
  keep_stored_bits(format, frame);
  check_colours(photometric == "YBR_FULL_422" ? "YBR_FULL" : photometric, format);
  if (image.palette()) {
    // Colour numbers have no mean.
    if (reduction > 0) throw_unsupported("palette colours are not decoded at reduced size");
    frame.bytes = Palette(data_set).apply(frame.bytes, format);
    frame.type = VoxelType::kUint8;
    frame.samples = 3;
  } else if (photometric == "YBR_FULL" && format.bits_allocated == 8) {
    ybr_full_to_rgb(frame.bytes);
  }
  if (frame.samples > 1) {
    frame.slope = 1;
    frame.intercept = 0;
  }
}

std::int64_t stored_bytes(const FrameFormat& format, int reduction) {
  return reduced(format, reduction).byte_count();
}

// The first frame at reduced size from a file's first bytes, if these hold enough of it.
void decode_beginning(Bytes head, std::int64_t file_bytes, int reduction, StoredFrame& frame) {
  const DataSet data_set(head, file_bytes);
  const ImageDescription image = describe_image(data_set);
  if (data_set.syntax().coding != PixelCoding::kJ2k) {
    throw_unsupported("only J2K frames decode at reduced size");
  }
  const ImageHeader header = read_image_header(data_set);
  const Element* pixel_data = data_set.find(kPixelData);
  ElementScanner scanner(data_set.body(), {true, false}, pixel_data->offset,
                         pixel_data->offset + pixel_data->length);
  std::uint32_t length = 0;
  if (scanner.next_item(length) != kItem) throw_malformed("no Basic Offset Table item");
  scanner.move_to(scanner.position() + length);
  if (scanner.next_item(length) != kItem) throw_malformed("no fragment");
  const Bytes rest = data_set.body().subspan(static_cast<std::size_t>(scanner.position()));
  const Bytes codestream = rest.first(std::min<std::size_t>(rest.size(), length));
  check_plausible_size(reduced(image.format, reduction).sample_count(),
                       static_cast<std::int64_t>(codestream.size()));
  frame.bytes.resize(static_cast<std::size_t>(stored_bytes(image.format, reduction)));
  decode_j2k(codestream, image.format, frame.bytes, frame.warnings, reduction);
  const bool ybr = image.photometric == "YBR_FULL" || image.photometric == "YBR_FULL_422";
  finish_frame(data_set, image, ybr ? "YBR_FULL" : "RGB", reduction, header.frames.front(), frame);
}

}  // namespace

void decode_frame(const DicomFile& file, std::int64_t index, int reduction,
                  const FrameHeader& header, StoredFrame& frame) {
  const ImageDescription& image = file.image();
  const FrameReader& frames = file.frames();
  frame.bytes.resize(static_cast<std::size_t>(stored_bytes(image.format, reduction)));
  frames.read(index, frame.bytes, frame.warnings, reduction);
  finish_frame(file.data_set(), image, frames.photometric(), reduction, header, frame);
}

ImageHeader scan_header(const FileLocation& location) {
  return with_name(location.label, [&] {
    const DicomFile file(open_location(location));
    return read_image_header(file.data_set());
  });
}

std::int64_t coarse_bytes(const FileLocation& location, int reduction) {
  return with_name(location.label, [&]() -> std::int64_t {
    const Buffer bytes = whole(location);
    const DicomFile file(std::make_shared<MemorySource>(bytes));
    if (file.data_set().syntax().coding != PixelCoding::kJ2k || file.image().frames != 1 ||
        file.image().palette() || file.frames().most_reduction(0) < reduction) {
      return 0;
    }
    const Extent extent = file.frames().extent(0);
    const std::vector<Bytes> fragments = fragments_in(Bytes(bytes).subspan(
        static_cast<std::size_t>(extent.offset), static_cast<std::size_t>(extent.length)));
    if (fragments.size() != 1) return 0;
    return fragments.front().data() - bytes.data() +
           j2k_prefix_bytes(fragments.front(), file.image().format, reduction);
  });
}

// ---- DicomFrames

struct DicomFrames::Open {
  explicit Open(const FileLocation& location)
      : file(open_location(location)), headers(read_image_header(file.data_set()).frames) {}

  DicomFile file;
  std::vector<FrameHeader> headers;
};

DicomFrames::DicomFrames(std::vector<FileLocation> files, std::vector<SliceOrigin> slices)
    : files_(std::move(files)), slices_(std::move(slices)), slices_of_file_(files_.size()) {
  for (const SliceOrigin& slice : slices_) {
    if (slice.file < 0 || slice.file >= static_cast<std::int64_t>(files_.size())) {
      throw_argument("file " + std::to_string(slice.file) + " of " + std::to_string(files_.size()));
    }
    ++slices_of_file_[static_cast<std::size_t>(slice.file)];
  }
}

std::shared_ptr<DicomFrames::Open> DicomFrames::open(std::int64_t file) {
  const std::lock_guard lock(mutex_);
  // Files beyond so many are closed again: descriptors are few, and what was unpacked takes room.
  constexpr std::size_t kMostOpen = 16;
  if (opened_.size() >= kMostOpen && opened_.find(file) == opened_.end()) {
    // The one that is farthest away in the order of files is wanted last, as a rule.
    const auto first = opened_.begin();
    const auto last = std::prev(opened_.end());
    opened_.erase(file - first->first > last->first - file ? first : last);
  }
  std::shared_ptr<Open>& place = opened_[file];
  if (!place) place = std::make_shared<Open>(files_[static_cast<std::size_t>(file)]);
  return place;
}

int DicomFrames::most_reduction(std::int64_t slice) {
  const SliceOrigin origin = slices_.at(static_cast<std::size_t>(slice));
  const FileLocation& location = files_[static_cast<std::size_t>(origin.file)];
  return with_name(location.label, [&] {
    const auto of = [&](const DicomFile& file) {
      // Colour numbers have no mean.
      return file.image().palette() ? 0 : file.frames().most_reduction(origin.frame);
    };
    if (slices_of_file_[static_cast<std::size_t>(origin.file)] > 1)
      return of(open(origin.file)->file);
    return of(DicomFile(open_location(location)));
  });
}

void DicomFrames::prepare(std::int64_t slice) {
  const std::int64_t file = slices_.at(static_cast<std::size_t>(slice)).file;
  if (slices_of_file_[static_cast<std::size_t>(file)] < 2) return;
  try {
    (void)open(file)->file.frames();
  } catch (const Error&) {
    return;
  }
}

void DicomFrames::read(std::int64_t slice, int reduction, StoredFrame& frame) {
  const SliceOrigin origin = slices_.at(static_cast<std::size_t>(slice));
  const FileLocation& location = files_[static_cast<std::size_t>(origin.file)];
  with_name(location.label, [&] {
    if (slices_of_file_[static_cast<std::size_t>(origin.file)] > 1) {
      const std::shared_ptr<Open> open_file = open(origin.file);
      const auto at = static_cast<std::size_t>(origin.frame);
      if (at >= open_file->headers.size()) throw_malformed("the file has fewer frames than it had");
      return decode_frame(open_file->file, origin.frame, reduction, open_file->headers[at], frame);
    }
    const Buffer bytes = whole(location);
    const DicomFile file(std::make_shared<MemorySource>(bytes));
    const std::vector<FrameHeader> headers = read_image_header(file.data_set()).frames;
    const auto at = static_cast<std::size_t>(origin.frame);
    if (at >= headers.size()) throw_malformed("the file has fewer frames than it had");
    decode_frame(file, origin.frame, reduction, headers[at], frame);
  });
}

// ---- FetchedFrames

FetchedFrames::FetchedFrames(std::vector<std::string> labels, std::shared_ptr<const DicomFile> file,
                             std::vector<std::int64_t> frames)
    : labels_(std::move(labels)),
      file_(std::move(file)),
      frames_(std::move(frames)),
      headers_(read_image_header(file_->data_set()).frames) {
  for (const std::int64_t index : frames_) {
    if (index < 0 || index >= static_cast<std::int64_t>(headers_.size())) {
      throw_argument("frame " + std::to_string(index) + " of " + std::to_string(headers_.size()));
    }
  }
}

void FetchedFrames::give_file(std::int64_t slice, int reduction, Buffer bytes,
                              std::int64_t file_bytes) {
  const std::lock_guard lock(mutex_);
  given_[{slice, reduction}] = {std::move(bytes), file_bytes};
}

void FetchedFrames::give_extent(std::int64_t slice, int reduction, Buffer bytes) {
  give_file(slice, reduction, std::move(bytes), 0);
}

int FetchedFrames::most_reduction(std::int64_t) {
  // Who fetched the beginning of a frame did so because it is enough.
  constexpr int kAny = 32;
  return kAny;
}

void FetchedFrames::read(std::int64_t slice, int reduction, StoredFrame& frame) {
  Given given;
  {
    const std::lock_guard lock(mutex_);
    const auto found = given_.find({slice, reduction});
    if (found == given_.end()) throw_argument("slice " + std::to_string(slice) + " was not given");
    given = std::move(found->second);
    given_.erase(found);
  }
  with_name(labels_.at(static_cast<std::size_t>(slice)), [&] {
    if (file_) {
      const FrameReader& frames = file_->frames();
      const std::int64_t index = frames_.at(static_cast<std::size_t>(slice));
      const ImageDescription& image = file_->image();
      frame.bytes.resize(static_cast<std::size_t>(stored_bytes(image.format, reduction)));
      frames.decode(index, given.bytes, frame.bytes, frame.warnings, reduction);
      return finish_frame(file_->data_set(), image, frames.photometric(), reduction,
                          headers_[static_cast<std::size_t>(index)], frame);
    }
    if (reduction > 0) {
      try {
        return decode_beginning(given.bytes, given.file_bytes, reduction, frame);
      } catch (const HeadTooShort&) {
        throw_malformed("cut off within the header");
      }
    }
    const DicomFile file(std::make_shared<MemorySource>(given.bytes));
    const std::vector<FrameHeader> headers = read_image_header(file.data_set()).frames;
    if (headers.size() != 1) throw_unsupported("a file of several frames among single slices");
    decode_frame(file, 0, 0, headers.front(), frame);
  });
}

}  // namespace spinekit

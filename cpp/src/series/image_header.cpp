#include <algorithm>
#include <charconv>
#include <cmath>

#include "dicom/sequence_items.h"
#include "spinekit/error.h"
#include "spinekit/series.h"

namespace spinekit {
namespace {

constexpr Tag kRescaleIntercept{0x0028, 0x1052};
constexpr Tag kRescaleSlope{0x0028, 0x1053};
constexpr Tag kPixelSpacing{0x0028, 0x0030};
constexpr Tag kPosition{0x0020, 0x0032};
constexpr Tag kOrientation{0x0020, 0x0037};

// Values of a DS or IS; empty where one of them is no finite number.
std::vector<double> numbers(const std::string& text) {
  std::vector<double> out;
  std::size_t at = 0;
  while (at <= text.size() && !text.empty()) {
    const std::size_t end = std::min(text.find('\\', at), text.size());
    std::size_t first = at;
    while (first < end && (text[first] == ' ' || text[first] == '+')) ++first;
    std::size_t last = end;
    while (last > first && (text[last - 1] == ' ' || text[last - 1] == '\0')) --last;
    double value = 0;
    const auto [stop, status] = std::from_chars(text.data() + first, text.data() + last, value);
    if (status != std::errc() || stop != text.data() + last || !std::isfinite(value)) return {};
    out.push_back(value);
    at = end + 1;
  }
  return out;
}

template <std::size_t N>
void set(std::optional<std::array<double, N>>& target, const std::string& text) {
  const std::vector<double> values = numbers(text);
  if (values.size() != N) return;
  std::array<double, N> out{};
  std::copy(values.begin(), values.end(), out.begin());
  target = out;
}

void set_spacing(SlicePlace& place, const std::string& text) {
  std::optional<std::array<double, 2>> spacing;
  set(spacing, text);
  if (spacing && (*spacing)[0] > 0 && (*spacing)[1] > 0) place.spacing_mm = spacing;
}

void set_rescale(FrameHeader& frame, const std::string& slope, const std::string& intercept) {
  const auto number = [](const std::string& text, double otherwise, const char* keyword) {
    if (text.empty()) return otherwise;
    const std::vector<double> values = numbers(text);
    if (values.empty()) throw_malformed(std::string(keyword) + " is no number");
    return values.front();
  };
  frame.slope = number(slope, frame.slope, "RescaleSlope");
  frame.intercept = number(intercept, frame.intercept, "RescaleIntercept");
  // A slope of 0, which some writers leave, would make all values one: it means "none".
  if (frame.slope == 0) frame.slope = 1;
}

// Functional groups: each a sequence of one item.
void read_groups(const SequenceItem& groups, FrameHeader& frame) {
  if (const auto plane = groups.first({0x0020, 0x9113})) {
    set(frame.place.position, plane->text(kPosition));
  }
  if (const auto plane = groups.first({0x0020, 0x9116})) {
    set(frame.place.orientation, plane->text(kOrientation));
  }
  if (const auto measures = groups.first({0x0028, 0x9110})) {
    set_spacing(frame.place, measures->text(kPixelSpacing));
  }
  if (const auto transformation = groups.first({0x0028, 0x9145})) {
    set_rescale(frame, transformation->text(kRescaleSlope),
                transformation->text(kRescaleIntercept));
  }
}

FrameHeader read_top_level(const DataSet& data_set) {
  FrameHeader frame;
  set(frame.place.position, data_set.text(kPosition));
  set(frame.place.orientation, data_set.text(kOrientation));
  // Where the patient's plane is not known: the detector's, the scanned film's.
  for (const Tag tag : {kPixelSpacing, Tag{0x0018, 0x1164}, Tag{0x0018, 0x2010}}) {
    if (!frame.place.spacing_mm) set_spacing(frame.place, data_set.text(tag));
  }
  const std::vector<double> number = numbers(data_set.text({0x0020, 0x0013}));
  if (!number.empty()) frame.place.number = number.front();
  set_rescale(frame, data_set.text(kRescaleSlope), data_set.text(kRescaleIntercept));
  return frame;
}

// Before memory is taken for frames that a header only claims.
void check_frame_count(const DataSet& data_set, const ImageDescription& image) {
  constexpr std::int64_t kMostFrames = std::int64_t{1} << 20;
  constexpr std::int64_t kItemHeader = 8;
  const Element* pixel_data = data_set.find({0x7FE0, 0x0010});
  const std::int64_t held = pixel_data == nullptr ? 0 : pixel_data->length;
  const std::int64_t least = data_set.syntax().encapsulated() ? kItemHeader : 1;
  if (image.frames > 1 && image.frames > std::min(kMostFrames, held / least)) {
    throw_malformed("NumberOfFrames is " + std::to_string(image.frames) +
                    ", the pixel data holds " + std::to_string(held) + " bytes");
  }
}

}  // namespace

ImageHeader read_image_header(const DataSet& data_set) {
  ImageHeader header;
  header.study_instance_uid = data_set.text({0x0020, 0x000D});
  header.series_instance_uid = data_set.text({0x0020, 0x000E});
  header.series_number = data_set.text({0x0020, 0x0011});
  header.series_description = data_set.text({0x0008, 0x103E});
  header.modality = data_set.text({0x0008, 0x0060});
  header.transfer_syntax_uid = data_set.syntax().uid;
  header.image = describe_image(data_set);
  FrameHeader common = read_top_level(data_set);
  const std::vector<SequenceItem> shared = items_of(data_set, {0x5200, 0x9229});
  if (!shared.empty()) read_groups(shared.front(), common);
  const std::vector<SequenceItem> per_frame = items_of(data_set, {0x5200, 0x9230});
  check_frame_count(data_set, header.image);
  header.frames.assign(static_cast<std::size_t>(header.image.frames), common);
  for (std::size_t f = 0; f < header.frames.size(); ++f) {
    if (f < per_frame.size()) read_groups(per_frame[f], header.frames[f]);
    if (header.image.frames > 1) header.frames[f].place.number = static_cast<double>(f);
  }
  // One position for all frames is where the first lies, not where each does.
  if (header.image.frames > 1 && per_frame.empty()) {
    for (FrameHeader& frame : header.frames) frame.place.position.reset();
  }
  return header;
}

VoxelType voxel_type(const std::string& modality, const ImageDescription& image,
                     const std::vector<FrameHeader>& frames) {
  if (image.palette()) return VoxelType::kUint8;
  const FrameFormat& format = image.format;
  const bool wide = format.bits_allocated == 16;
  const VoxelType stored = format.is_signed ? (wide ? VoxelType::kInt16 : VoxelType::kInt8)
                                            : (wide ? VoxelType::kUint16 : VoxelType::kUint8);
  if (format.samples > 1) return stored;
  const bool ct = modality == "CT";
  const double full = std::exp2(format.bits_stored);
  const double least = format.is_signed ? -full / 2 : 0;
  const double largest = format.is_signed ? full / 2 - 1 : full - 1;
  double low = 0;
  double high = 0;
  bool whole = true;
  for (const FrameHeader& frame : frames) {
    const double a = least * frame.slope + frame.intercept;
    const double b = largest * frame.slope + frame.intercept;
    low = std::min({low, a, b});
    high = std::max({high, a, b});
    whole = whole && frame.slope == std::floor(frame.slope) &&
            frame.intercept == std::floor(frame.intercept);
  }
  if (!whole) return VoxelType::kFloat32;
  const bool to_signed = ct || format.is_signed;
  const double bits = ct || wide ? 16 : 8;
  const double top = to_signed ? std::exp2(bits - 1) - 1 : std::exp2(bits) - 1;
  const double bottom = to_signed ? -std::exp2(bits - 1) : 0;
  const bool no_such_hu = ct && format.is_signed;
  if (high > top || (low < bottom && !no_such_hu)) return VoxelType::kFloat32;
  return ct ? VoxelType::kInt16 : stored;
}

int voxel_samples(const ImageDescription& image) {
  return image.format.samples == 3 || image.palette() ? 3 : 1;
}

}  // namespace spinekit

// Headers of several files: each up to a length that its first two bytes give. Functional groups,
// voxel types, the order of slices and what is found of it, palettes.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "spinekit/error.h"
#include "spinekit/series.h"

namespace {

using spinekit::Bytes;
using spinekit::FrameHeader;
using spinekit::SlicePlace;

void check_arrangement(const std::vector<SlicePlace>& places) {
  const spinekit::Arrangement arranged = spinekit::arrange(places);
  std::vector<bool> seen(places.size());
  if (arranged.order.size() != places.size()) std::abort();
  for (const std::int64_t index : arranged.order) {
    const auto at = static_cast<std::size_t>(index);
    if (at >= seen.size() || seen[at]) std::abort();
    seen[at] = true;
  }
  const spinekit::Geometry& geometry = arranged.geometry;
  (void)geometry.findings();
  if (!geometry.origin) return;
  for (const spinekit::Vector3& axis : geometry.axes) {
    const double norm = std::hypot(axis[0], axis[1], axis[2]);
    if (!(std::abs(norm - 1) < 1e-6)) std::abort();
  }
  if (!(geometry.tilt_deg >= 0 && geometry.tilt_deg <= 90)) std::abort();
  if (geometry.spacing_mm[0] && !(*geometry.spacing_mm[0] > 0)) std::abort();
}

void read_one(Bytes file, std::vector<SlicePlace>& places) {
  const spinekit::DicomFile dicom(std::make_shared<spinekit::MemorySource>(file));
  const spinekit::ImageHeader header = read_image_header(dicom.data_set());
  if (static_cast<std::int64_t>(header.frames.size()) != header.image.frames) std::abort();
  (void)voxel_type(header.modality, header.image, header.frames);
  for (const FrameHeader& frame : header.frames) {
    if (!std::isfinite(frame.slope) || !std::isfinite(frame.intercept)) std::abort();
    if (places.size() < 1000) places.push_back(frame.place);
  }
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 20;
  if (header.image.format.byte_count() > kMostBytes) return;
  spinekit::StoredFrame frame;
  decode_frame(dicom, 0, 0, header.frames.front(), frame);
  if (frame.samples != voxel_samples(header.image)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes rest(data, size);
  std::vector<SlicePlace> places;
  while (rest.size() > 2) {
    const std::size_t said = 1 + std::size_t{rest[0]} + 256 * std::size_t{rest[1]};
    const Bytes file = rest.subspan(2, std::min(said, rest.size() - 2));
    rest = rest.subspan(2 + file.size());
    try {
      read_one(file, places);
    } catch (const spinekit::Error&) {
    }
  }
  check_arrangement(places);
  return 0;
}

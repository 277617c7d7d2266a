// A file that is read in part: header, believed or scanned tables, extents, first frames; compared
// with the same file in memory.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "dicom/element_scanner.h"
#include "dicom/frame_index.h"
#include "spinekit/error.h"
#include "spinekit/series.h"

namespace {

using spinekit::Buffer;
using spinekit::Bytes;
using spinekit::DicomFile;
using spinekit::Extent;
using spinekit::FrameReader;

constexpr std::int64_t kMostBytes = std::int64_t{4} << 20;
constexpr std::int64_t kMostFrames = 3;

// Not zero-copy, as a file is not.
class CopyingSource : public spinekit::ByteSource {
 public:
  CopyingSource(Bytes bytes, bool slow) : bytes_(bytes), slow_(slow) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(bytes_.size());
  }
  void read(std::int64_t offset, spinekit::MutableBytes out) const override {
    check_inside(offset, static_cast<std::int64_t>(out.size()));
    std::copy_n(bytes_.begin() + offset, out.size(), out.begin());
  }
  [[nodiscard]] bool slow() const override { return slow_; }

 private:
  Bytes bytes_;
  bool slow_;
};

template <typename Work>
auto unless_refused(const Work& work) -> std::optional<decltype(work())> {
  try {
    return work();
  } catch (const spinekit::Error&) {
    return std::nullopt;
  }
}

// Frames lie one behind the other, inside the pixel data.
void check_order(const std::vector<Extent>& frames, std::int64_t begin, std::int64_t end) {
  std::int64_t reached = begin;
  for (const Extent& frame : frames) {
    if (frame.offset < reached || frame.length < 8 || frame.offset + frame.length > end) {
      std::abort();
    }
    reached = frame.offset + frame.length;
  }
}

// Where every entry was looked at, a table is believed only if it points at items: then both begin
// and end with the same byte.
void compare_indices(const spinekit::ByteSource& source, const DicomFile& file) {
  const spinekit::DataSet& data_set = file.data_set();
  const spinekit::Element* pixels = data_set.find(spinekit::kPixelData);
  if (!data_set.syntax().encapsulated() || !pixels->undefined_length) return;
  const spinekit::Element* extended = data_set.find({0x7FE0, 0x0001});
  const std::int64_t start = data_set.body_offset() + pixels->offset;
  const spinekit::EncapsulatedFrames where{
      .first_item = start,
      .end = start + pixels->length,
      .coding = data_set.syntax().coding,
      .frames = file.image().frames,
      .extended_offsets = extended != nullptr ? data_set.value(*extended) : Bytes()};
  const auto scanned = unless_refused([&] { return index_frames(source, where, false); });
  const auto believed = unless_refused([&] { return index_frames(source, where, true); });
  if (scanned) check_order(*scanned, start, where.end);
  if (believed) check_order(*believed, start, where.end);
  if (!scanned) return;
  if (!believed || believed->size() != scanned->size()) std::abort();
  if (believed->front().offset != scanned->front().offset) std::abort();
  if (source.slow() || where.frames > 256) return;
  const Extent& a = believed->back();
  const Extent& b = scanned->back();
  if (a.offset + a.length != b.offset + b.length) std::abort();
}

std::optional<Buffer> frame_of(const FrameReader& reader, std::int64_t index) {
  return unless_refused([&] {
    Buffer out(static_cast<std::size_t>(reader.format().byte_count()));
    std::vector<std::string> warnings;
    reader.read(index, out, warnings);
    return out;
  });
}

// `memory` is the same file's, or null.
void decode(const spinekit::ByteSource& source, const DicomFile& file, const FrameReader* memory) {
  const FrameReader& reader = file.frames();
  if (reader.format().byte_count() > kMostBytes) return;
  for (std::int64_t index = 0; index < std::min(file.image().frames, kMostFrames); ++index) {
    const auto frame = frame_of(reader, index);
    const Extent extent = reader.extent(index);
    if (memory != nullptr) {
      const Extent held = memory->extent(index);
      // A table that lies can part the bytes otherwise.
      const bool same = held.offset + file.data_set().body_offset() == extent.offset &&
                        held.length == extent.length;
      if (same && frame != frame_of(*memory, index)) std::abort();
    }
    const auto fetched = unless_refused([&] {
      Buffer bytes(static_cast<std::size_t>(extent.length));
      source.read(extent.offset, bytes);
      Buffer out(static_cast<std::size_t>(reader.format().byte_count()));
      std::vector<std::string> warnings;
      reader.decode(index, bytes, out, warnings);
      return out;
    });
    if (fetched != frame) std::abort();
    const int reduction = unless_refused([&] { return reader.most_reduction(index); }).value_or(0);
    spinekit::StoredFrame stored;
    (void)unless_refused([&] {
      decode_frame(file, index, std::min(reduction, 2), {}, stored);
      return 0;
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  const bool slow = size % 2 != 0;
  const auto source = std::make_shared<CopyingSource>(bytes, slow);
  try {
    const DicomFile file(source);
    (void)unless_refused([&] { return read_image_header(file.data_set()); });
    (void)file.image();
    if (file.data_set().find(spinekit::kPixelData) == nullptr) return 0;
    compare_indices(*source, file);
    (void)file.frames();
    // What is behind the pixel data counts only there.
    const auto whole = unless_refused([&] { return std::make_unique<spinekit::DataSet>(bytes); });
    const auto memory = unless_refused(
        [&] { return whole ? std::make_unique<FrameReader>(**whole, file.image()) : nullptr; });
    decode(*source, file, memory ? memory->get() : nullptr);
  } catch (const spinekit::Error&) {
  }
  return 0;
}

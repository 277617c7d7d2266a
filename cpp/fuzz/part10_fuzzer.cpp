// A whole file: parsed, rewritten in explicit VR and parsed again, its first frames decoded.
#include <cstdlib>

#include "dicom/data_set_writer.h"
#include "dicom/derivation.h"
#include "spinekit/dicom.h"
#include "spinekit/error.h"

namespace {

using spinekit::Buffer;
using spinekit::Bytes;
using spinekit::DataSet;

void decode(const DataSet& data_set) {
  constexpr std::int64_t kMostBytes = std::int64_t{16} << 20;
  constexpr std::int64_t kMostFrames = 3;
  const spinekit::ImageDescription image = spinekit::describe_image(data_set);
  const spinekit::FrameReader reader(data_set, image);
  (void)reader.lossy_method();
  (void)reader.stored_bytes();
  if (reader.format().byte_count() > kMostBytes) return;
  Buffer frame(static_cast<std::size_t>(reader.format().byte_count()));
  for (std::int64_t index = 0; index < std::min(image.frames, kMostFrames); ++index) {
    std::vector<std::string> warnings;
    reader.read(index, frame, warnings);
  }
}

// What was read can be written, and what was written can be read.
void rewrite(const DataSet& data_set, spinekit::Edits edits) {
  for (const std::uint16_t element : std::initializer_list<std::uint16_t>{0x0001, 0x0002, 0x0010}) {
    edits.elements[{0x7FE0, element}] = std::nullopt;
  }
  Buffer file = spinekit::file_head(data_set, "1.2.840.10008.1.2.1", "1.2.3");
  spinekit::append_elements(data_set, edits, {0, 0}, {0xFFFF, 0xFFFF}, file);
  std::size_t expected = 0;
  for (const auto& [tag, element] : edits.elements) expected += element ? 1 : 0;
  for (const spinekit::Element& element : data_set.elements()) {
    const bool dropped = element.tag.element == 0 || edits.elements.contains(element.tag) ||
                         element.tag == spinekit::Tag{0xFFFF, 0xFFFF};
    if (!dropped) ++expected;
  }
  try {
    if (DataSet(file).elements().size() != expected) std::abort();
  } catch (const spinekit::Error&) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const DataSet data_set(Bytes(data, size));
    try {
      decode(data_set);
    } catch (const spinekit::Error&) {
    }
    Buffer scratch;
    try {
      spinekit::append_elements(data_set, {}, {0, 0}, {0xFFFF, 0xFFFF}, scratch);
    } catch (const spinekit::Error&) {
      return 0;
    }
    rewrite(data_set, {});
    spinekit::Edits edits;
    spinekit::describe_lossy_step(data_set, {10, "ISO_15444_1", "fuzzed", "1.2.3"}, false, edits);
    rewrite(data_set, edits);
  } catch (const spinekit::Error&) {
  }
  return 0;
}

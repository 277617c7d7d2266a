#include "frame_store.h"
#include "spinekit/dicom.h"
#include "spinekit/error.h"

namespace spinekit {

Pixels read_pixels(Bytes file, const std::string& name, Executor& executor,
                   const CancelToken& cancel) {
  return with_name(name, [&] {
    const DataSet data_set(file);
    const ImageDescription image = describe_image(data_set);
    const FrameReader reader(data_set, image);
    const std::int64_t frame_bytes = reader.format().byte_count();
    Pixels pixels{.bytes = {},
                  .format = reader.format(),
                  .frames = image.frames,
                  .warnings = reader.warnings()};
    pixels.bytes.resize(static_cast<std::size_t>(
        checked_product(frame_bytes, image.frames, "bytes of all frames")));
    std::vector<std::vector<std::string>> notes(static_cast<std::size_t>(image.frames));
    for_each_frame(0, image.frames, executor, cancel, [&](std::int64_t index) {
      reader.read(index,
                  MutableBytes(pixels.bytes)
                      .subspan(static_cast<std::size_t>(index * frame_bytes),
                               static_cast<std::size_t>(frame_bytes)),
                  notes[static_cast<std::size_t>(index)]);
    });
    for (std::size_t index = 0; index < notes.size(); ++index) {
      for (const std::string& note : notes[index]) {
        pixels.warnings.push_back("frame " + std::to_string(index) + ": " + note);
      }
    }
    return pixels;
  });
}

}  // namespace spinekit

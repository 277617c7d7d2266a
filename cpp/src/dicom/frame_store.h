// Frames of the source as they will be compared and coded: decoded once where memory allows, with
// the format that their values really need.
#pragma once

#include "spinekit/dicom.h"
#include "spinekit/executor.h"

namespace spinekit {

class FrameStore {
 public:
  // Decodes every frame once, to learn what values occur.
  FrameStore(const DataSet& data_set, const FrameReader& reader, std::int64_t frames,
             Executor& executor, const CancelToken& cancel);

  [[nodiscard]] std::int64_t frames() const { return frames_; }
  // BitsStored is widened when samples lie outside of it; warnings() says so.
  [[nodiscard]] const FrameFormat& format() const { return format_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  // The frame's bytes; `scratch` holds them when they are not kept. Thread-safe.
  Bytes get(std::int64_t index, Buffer& scratch) const;

 private:
  const FrameReader& reader_;
  std::int64_t frames_;
  FrameFormat format_;
  bool extend_sign_ = false;
  std::vector<Buffer> kept_;
  std::vector<std::string> warnings_;
};

// parallel_for over the frames [first, end) whose errors name the frame, unless there is only one.
void for_each_frame(std::int64_t first, std::int64_t end, Executor& executor,
                    const CancelToken& cancel, const std::function<void(std::int64_t)>& body);

}  // namespace spinekit

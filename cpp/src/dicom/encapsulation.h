// Encapsulated pixel data (PS3.5 A.4): one fragment a frame, with offset tables.
#pragma once

#include "data_set_writer.h"

namespace spinekit {

class Encapsulation {
 public:
  // Sizes of the codestreams; each fragment is padded to an even length.
  explicit Encapsulation(const std::vector<std::int64_t>& codestream_bytes);

  // Everything in front of the first fragment: the extended offset tables when the offsets do not
  // fit into 32 bits, the pixel data header, the Basic Offset Table (empty for a single frame).
  [[nodiscard]] const Buffer& head() const { return head_; }
  [[nodiscard]] static Buffer fragment_header(std::int64_t codestream_bytes);
  [[nodiscard]] static Buffer sequence_end();
  [[nodiscard]] std::int64_t total_bytes() const { return total_; }

  // The same sum before the codestreams exist, `payload` being their padded sizes together.
  static std::int64_t total_bytes(std::int64_t frames, std::int64_t payload);

 private:
  Buffer head_;
  std::int64_t total_ = 0;
};

}  // namespace spinekit

// Compares a written file with what it was made from, before it gets its name.
#pragma once

#include <string>

#include "data_set_writer.h"
#include "frame_store.h"
#include "spinekit/quality.h"

namespace spinekit {

struct Proof {
  Differences differences;
  double structural_similarity = 0;  // the mean over frames; NaN below 11 x 11
  std::string pixel_sha256;          // of the written file's stored values
};

// `named` are the elements that were meant to change; every other value of `source` must stand in
// `written` unchanged (sequences: must be there). With `lossless` every sample must, too. Throws
// Error(kVerification).
Proof prove(Bytes written, const DataSet& source, const FrameStore& frames, const Edits& named,
            bool lossless, Executor& executor, const CancelToken& cancel);

[[noreturn]] void throw_not_proved(const std::string& what);

}  // namespace spinekit

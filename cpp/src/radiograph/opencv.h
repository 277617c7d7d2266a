// The way into OpenCV: its failures come out as Error, and it starts no threads.
#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "spinekit/error.h"

namespace spinekit::radiograph {

// Runs `work`. Turning the threads off holds for everyone in the process who uses this very library, as
// Debian's own cv2 does; wheels bring theirs. Results do not depend on it, should someone turn them on.
template <typename Work>
void with_opencv(const char* what, const Work& work) {
  static const bool kSerial = [] {
    cv::setNumThreads(0);
    return true;
  }();
  (void)kSerial;
  try {
    work();
  } catch (const cv::Exception& failure) {
    const std::string message = std::string(what) + ": " + failure.err;
    if (failure.code == cv::Error::StsNoMem) throw_resource(message);
    throw Error(ErrorCode::kUnsupported, message);
  }
}

}  // namespace spinekit::radiograph

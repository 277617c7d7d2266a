#include "proof.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "spinekit/error.h"
#include "spinekit/sha256.h"

namespace spinekit {
namespace {

SampleType sample_type(const FrameFormat& format) {
  if (format.bits_allocated == 8) return format.is_signed ? SampleType::kInt8 : SampleType::kUint8;
  return format.is_signed ? SampleType::kInt16 : SampleType::kUint16;
}

void compare_elements(const DataSet& source, const DataSet& written, const Edits& named) {
  for (const Element& element : source.elements()) {
    if (element.tag.element == 0 || named.elements.contains(element.tag)) continue;
    const Element* kept = written.find(element.tag);
    if (kept == nullptr) throw_not_proved("element " + element.tag.text() + " is missing");
    const bool comparable =
        kept->vr != Vr("SQ") && !element.undefined_length && !source.syntax().big_endian;
    if (!comparable) continue;
    const Bytes a = source.value(element);
    const Bytes b = written.value(*kept);
    if (!std::equal(a.begin(), a.end(), b.begin(), b.end())) {
      throw_not_proved("element " + element.tag.text() + " has changed");
    }
  }
}

struct FrameProof {
  Buffer decoded;
  Differences differences;
  double similarity = 0;

  void compare(Bytes before, const FrameFormat& format) {
    const SampleType type = sample_type(format);
    differences = spinekit::differences(before.data(), decoded.data(), format.sample_count(), type);
    if (differences.largest == 0) {
      similarity = 1;
    } else if (format.rows < 11 || format.columns < 11) {
      similarity = std::numeric_limits<double>::quiet_NaN();
    } else {
      similarity = structural_similarity(before.data(), decoded.data(),
                                         {format.rows, format.columns, format.samples}, type,
                                         std::ldexp(1.0, format.bits_stored) - 1);
    }
  }
};

// As many frames at a time as there are workers, so that few are in memory; added up in order, so
// that the sums do not depend on that number.
Proof compare_frames(const FrameStore& frames, const FrameReader& written, Executor& executor,
                     const CancelToken& cancel) {
  const FrameFormat& format = frames.format();
  const std::int64_t chunk = std::min<std::int64_t>(executor.workers(), frames.frames());
  std::vector<FrameProof> slots(static_cast<std::size_t>(chunk));
  for (FrameProof& slot : slots) slot.decoded.resize(static_cast<std::size_t>(format.byte_count()));
  Proof proof;
  Sha256 hash;
  for (std::int64_t first = 0; first < frames.frames(); first += chunk) {
    const std::int64_t end = std::min(first + chunk, frames.frames());
    for_each_frame(first, end, executor, cancel, [&](std::int64_t index) {
      FrameProof& slot = slots[static_cast<std::size_t>(index - first)];
      Buffer scratch;
      std::vector<std::string> warnings;
      written.read(index, slot.decoded, warnings);
      if (!warnings.empty()) throw_not_proved("a written frame decodes with: " + warnings.front());
      slot.compare(frames.get(index, scratch), format);
    });
    for (std::int64_t index = first; index < end; ++index) {
      const FrameProof& slot = slots[static_cast<std::size_t>(index - first)];
      hash.update(slot.decoded);
      proof.differences += slot.differences;
      proof.structural_similarity += slot.similarity;
    }
  }
  proof.structural_similarity /= static_cast<double>(frames.frames());
  proof.pixel_sha256 = hash.hex();
  return proof;
}

}  // namespace

void throw_not_proved(const std::string& what) {
  throw Error(ErrorCode::kVerification, "verification failed, nothing was kept: " + what);
}

Proof prove(Bytes written, const DataSet& source, const FrameStore& frames, const Edits& named,
            bool lossless, Executor& executor, const CancelToken& cancel) {
  const DataSet data_set(written);
  const ImageDescription image = describe_image(data_set);
  const FrameReader reader(data_set, image);
  if (image.frames != frames.frames() ||
      reader.format().byte_count() != frames.format().byte_count()) {
    throw_not_proved("the written image has another size");
  }
  compare_elements(source, data_set, named);
  Proof proof = compare_frames(frames, reader, executor, cancel);
  if (lossless && proof.differences.largest != 0) {
    throw_not_proved("the decoded pixels differ by up to " +
                     std::to_string(proof.differences.largest) + " after a lossless encode");
  }
  return proof;
}

}  // namespace spinekit

// A data set through the engine's writer and back to bytes.
#pragma once

#include "dicom/data_set_writer.h"
#include "dicom_bytes.h"

namespace spinekit::testing {

constexpr Encoder kExplicitLittle{true, false};
constexpr Encoder kImplicitLittle{false, false};
constexpr Encoder kExplicitBig{true, true};

inline Buffer rewritten(const DataSet& data_set) {
  Buffer out;
  append_elements(data_set, {}, {0, 0}, {0xFFFF, 0xFFFF}, out);
  return out;
}

inline Buffer rewritten(const std::string& syntax, const Buffer& body) {
  const Buffer file = part10(syntax, body);
  return rewritten(DataSet(file));
}

// Explicit VR little endian that `body`, in implicit VR, becomes.
inline void check_implicit_becomes(const Buffer& body, const Buffer& expected) {
  CHECK(rewritten(kImplicit, body) == expected);
}

inline void check_malformed(const Buffer& file, std::string_view part) {
  check_refuses(ErrorCode::kMalformed, part, [&] { const DataSet data_set(file); });
}

}  // namespace spinekit::testing

// Writes a data set in explicit VR little endian: named elements edited, every other value byte
// carried over at every depth. Group lengths, which the new headers would belie, are left out.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "spinekit/dicom.h"

namespace spinekit {

struct NewElement {
  Vr vr;
  Buffer value;  // of even length
};

NewElement text_element(Vr vr, std::string_view text);
NewElement uint16_element(std::uint16_t value);

struct Edits {
  // No value: the element is left out.
  std::map<Tag, std::optional<NewElement>> elements;
  // FrameType (0008,9007) of every functional group says DERIVED, as ImageType then does.
  bool derive_frame_types = false;
};

// The lowest `bytes` bytes of `value`, little endian.
void append_integer(std::uint64_t value, unsigned bytes, Buffer& out);
// Of an item or a delimiter.
void append_item_header(Tag tag, std::uint32_t length, Buffer& out);
void append_header(Tag tag, Vr vr, std::uint32_t length, Buffer& out);
void append_element(Tag tag, const NewElement& element, Buffer& out);

// Appends the elements in [first, last) of the body, with the edits that fall into that range.
void append_elements(const DataSet& data_set, const Edits& edits, Tag first, Tag last, Buffer& out);

}  // namespace spinekit

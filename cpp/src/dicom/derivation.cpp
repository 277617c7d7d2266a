#include "derivation.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "element_scanner.h"
#include "spinekit/error.h"
#include "spinekit/sha256.h"

namespace spinekit {
namespace {

constexpr Tag kImageType{0x0008, 0x0008};
constexpr Tag kSopInstanceUid{0x0008, 0x0018};
constexpr Tag kDerivationDescription{0x0008, 0x2111};
constexpr Tag kSourceImageSequence{0x0008, 0x2112};
constexpr Tag kDerivationCodeSequence{0x0008, 0x9215};
constexpr Tag kLossyImageCompression{0x0028, 0x2110};
constexpr Tag kLossyImageCompressionRatio{0x0028, 0x2112};
constexpr Tag kLossyImageCompressionMethod{0x0028, 0x2114};

// Made once for this project, by uid_from("spinekit implementation class").
constexpr std::string_view kImplementationClassUid = "2.25.270083494264716263953478021347110420183";
constexpr std::string_view kImplementationVersionName = "SPINEKIT";

void set(Edits& edits, Tag tag, NewElement element) { edits.elements[tag] = std::move(element); }

std::int64_t multiplicity(const std::string& text) {
  return text.empty() ? 0 : 1 + std::count(text.begin(), text.end(), '\\');
}

void append_item(const Buffer& content, Buffer& out) {
  for (const std::uint32_t part :
       {std::uint32_t{kItem.group} | std::uint32_t{kItem.element} << 16U,
        static_cast<std::uint32_t>(content.size())}) {
    for (unsigned i = 0; i < 4; ++i) {
      out.push_back(static_cast<std::uint8_t>(part >> (8U * i) & 0xFFU));
    }
  }
  out.insert(out.end(), content.begin(), content.end());
}

Buffer code_item(std::string_view value, std::string_view meaning) {
  Buffer code;
  append_element({0x0008, 0x0100}, text_element(Vr("SH"), value), code);
  append_element({0x0008, 0x0102}, text_element(Vr("SH"), "DCM"), code);
  append_element({0x0008, 0x0104}, text_element(Vr("LO"), meaning), code);
  return code;
}

// A sequence of the source's items, in the target's encoding, and one more.
NewElement with_item(const DataSet& source, Tag tag, const Buffer& item) {
  NewElement sequence{Vr("SQ"), {}};
  const Element* existing = source.find(tag);
  if (existing != nullptr) {
    Buffer encoded;
    append_elements(source, {}, tag, {tag.group, static_cast<std::uint16_t>(tag.element + 1)},
                    encoded);
    if (encoded.size() < 12 || encoded[4] != 'S' || encoded[5] != 'Q') {
      throw_unsupported("element " + tag.text() + " is encoded as something else than a sequence");
    }
    // Header of a long VR in front, a delimiter behind when the length was undefined.
    const bool delimited = existing->undefined_length;
    sequence.value.assign(encoded.begin() + 12, encoded.end() - (delimited ? 8 : 0));
  }
  append_item(item, sequence.value);
  return sequence;
}

// As it stands after the edits so far.
std::string current_text(const DataSet& source, const Edits& edits, Tag tag) {
  const auto edited = edits.elements.find(tag);
  if (edited == edits.elements.end()) return source.text(tag);
  if (!edited->second) return {};
  std::string text(edited->second->value.begin(), edited->second->value.end());
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// Appends to what the source, or an earlier call, says.
void append_lossy_step(const DataSet& source, const std::string& method, double pixel_ratio,
                       Edits& edits) {
  const std::string ratios = current_text(source, edits, kLossyImageCompressionRatio);
  std::string methods = current_text(source, edits, kLossyImageCompressionMethod);
  // The two lists match item by item; what earlier writers left out stays empty.
  if (!ratios.empty()) {
    for (std::int64_t i = std::max<std::int64_t>(multiplicity(methods), 1);
         i < multiplicity(ratios); ++i) {
      methods += '\\';
    }
    methods += '\\';
  }
  set(edits, kLossyImageCompression, text_element(Vr("CS"), "01"));
  set(edits, kLossyImageCompressionRatio,
      text_element(Vr("DS"), (ratios.empty() ? "" : ratios + "\\") + decimal_string(pixel_ratio)));
  set(edits, kLossyImageCompressionMethod, text_element(Vr("CS"), methods + method));
}

std::string derived_image_type(const std::string& image_type) {
  if (image_type.empty()) return "DERIVED\\PRIMARY";
  const std::size_t end = image_type.find('\\');
  return "DERIVED" + (end == std::string::npos ? std::string("\\PRIMARY") : image_type.substr(end));
}

// ST holds 1024 characters; the newest step is kept whole.
std::string longer_description(std::string existing, const std::string& addition) {
  constexpr std::size_t kMost = 1024;
  if (existing.empty()) return addition;
  const std::string joint = "; ";
  if (existing.size() + joint.size() + addition.size() > kMost) {
    existing.resize(kMost - joint.size() - std::min(addition.size(), kMost - joint.size()));
  }
  return existing + joint + addition;
}

}  // namespace

std::string decimal_string(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), value < 1e6 ? "%.4f" : "%.6g", value);
  return text.data();
}

std::string uid_from(const std::string& text) {
  const std::string hex =
      sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  __extension__ using Wide = unsigned __int128;
  Wide number = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    const char digit = hex[i];
    number = number << 4U | static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  // A UUID of version 8, variant 1 (RFC 9562 5.8), as 2.25 requires one.
  number &= ~(Wide{0xF} << 76U);
  number |= Wide{0x8} << 76U;
  number &= ~(Wide{0x3} << 62U);
  number |= Wide{0x2} << 62U;
  std::string digits;
  for (; number != 0; number /= 10) digits += static_cast<char>('0' + static_cast<int>(number % 10));
  std::reverse(digits.begin(), digits.end());
  return "2.25." + digits;
}

void describe_lossy_step(const DataSet& source, const LossyStep& step, bool source_was_lossy,
                         Edits& edits) {
  append_lossy_step(source, step.method, step.pixel_ratio, edits);
  set(edits, kImageType, text_element(Vr("CS"), derived_image_type(source.text(kImageType))));
  set(edits, kSopInstanceUid, text_element(Vr("UI"), step.sop_instance_uid));
  set(edits, kDerivationDescription,
      text_element(Vr("ST"),
                   longer_description(source.text(kDerivationDescription), step.description)));
  set(edits, kDerivationCodeSequence,
      with_item(source, kDerivationCodeSequence, code_item("113040", "Lossy Compression")));
  const std::string sop_class = source.text({0x0008, 0x0016});
  const std::string sop_instance = source.text(kSopInstanceUid);
  if (!sop_class.empty() && !sop_instance.empty()) {
    Buffer item;
    append_element({0x0008, 0x1150}, text_element(Vr("UI"), sop_class), item);
    append_element({0x0008, 0x1155}, text_element(Vr("UI"), sop_instance), item);
    NewElement purpose{Vr("SQ"), {}};
    append_item(source_was_lossy
                    ? code_item("121322", "Source image for image processing operation")
                    : code_item("121320", "Uncompressed predecessor"),
                purpose.value);
    append_element({0x0040, 0xA170}, purpose, item);
    set(edits, kSourceImageSequence, with_item(source, kSourceImageSequence, item));
  }
  edits.derive_frame_types = true;
}

void admit_past_loss(const DataSet& source, const std::string& method, double pixel_ratio,
                     Edits& edits) {
  if (source.text(kLossyImageCompression) == "01") return;
  append_lossy_step(source, method, pixel_ratio, edits);
}

Buffer file_head(const DataSet& source, const std::string& transfer_syntax_uid,
                 const std::string& sop_instance_uid) {
  std::map<Tag, NewElement> meta;
  for (const Element& element : source.meta()) {
    const Bytes value = source.value(element);
    if (element.vr == Vr("SQ") || element.undefined_length) continue;
    meta[element.tag] = {element.vr, Buffer(value.begin(), value.end())};
  }
  meta.erase({0x0002, 0x0000});
  meta[{0x0002, 0x0001}] = {Vr("OB"), {0x00, 0x01}};
  const std::string sop_class = source.text({0x0008, 0x0016});
  if (!sop_class.empty()) meta[{0x0002, 0x0002}] = text_element(Vr("UI"), sop_class);
  if (!sop_instance_uid.empty()) meta[{0x0002, 0x0003}] = text_element(Vr("UI"), sop_instance_uid);
  meta[{0x0002, 0x0010}] = text_element(Vr("UI"), transfer_syntax_uid);
  meta[{0x0002, 0x0012}] = text_element(Vr("UI"), kImplementationClassUid);
  meta[{0x0002, 0x0013}] = text_element(Vr("SH"), kImplementationVersionName);

  Buffer group;
  for (const auto& [tag, element] : meta) append_element(tag, element, group);
  constexpr std::size_t kPreambleBytes = 128;
  Buffer out(kPreambleBytes, 0);
  std::copy(source.preamble().begin(), source.preamble().end(), out.begin());
  for (const char c : {'D', 'I', 'C', 'M'}) out.push_back(static_cast<std::uint8_t>(c));
  NewElement length{Vr("UL"), {}};
  for (unsigned i = 0; i < 4; ++i) {
    length.value.push_back(static_cast<std::uint8_t>(group.size() >> (8U * i) & 0xFFU));
  }
  append_element({0x0002, 0x0000}, length, out);
  out.insert(out.end(), group.begin(), group.end());
  return out;
}

}  // namespace spinekit

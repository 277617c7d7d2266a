#include "derivation.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

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
constexpr Tag kDerivationImageSequence{0x0008, 0x9124};
constexpr Tag kSourceImageEvidenceSequence{0x0008, 0x9154};
constexpr Tag kSharedFunctionalGroups{0x5200, 0x9229};
constexpr Tag kPerFrameFunctionalGroups{0x5200, 0x9230};
constexpr Tag kLossyImageCompression{0x0028, 0x2110};
constexpr Tag kLossyImageCompressionRatio{0x0028, 0x2112};
constexpr Tag kLossyImageCompressionMethod{0x0028, 0x2114};

// Made once for this project, by uid_from("spinekit implementation class").
constexpr std::string_view kImplementationClassUid = "2.25.291573697292636960864398515751739469631";
constexpr std::string_view kImplementationVersionName = "SPINEKIT";

void set(Edits& edits, Tag tag, NewElement element) { edits.elements[tag] = std::move(element); }

std::int64_t multiplicity(const std::string& text) {
  return text.empty() ? 0 : 1 + std::count(text.begin(), text.end(), '\\');
}

void append_item(const Buffer& content, Buffer& out) {
  append_item_header(kItem, static_cast<std::uint32_t>(content.size()), out);
  out.insert(out.end(), content.begin(), content.end());
}

Buffer code_item(std::string_view value, std::string_view meaning) {
  Buffer code;
  append_element({0x0008, 0x0100}, text_element(Vr("SH"), value), code);
  append_element({0x0008, 0x0102}, text_element(Vr("SH"), "DCM"), code);
  append_element({0x0008, 0x0104}, text_element(Vr("LO"), meaning), code);
  return code;
}

// Items of one of the source's sequences in the target's encoding, without header and delimiter.
Buffer items_of(const DataSet& source, Tag tag, bool derive_frame_types) {
  const Element* existing = source.find(tag);
  if (existing == nullptr) return {};
  Buffer encoded;
  append_elements(source, {.elements = {}, .derive_frame_types = derive_frame_types}, tag,
                  {tag.group, static_cast<std::uint16_t>(tag.element + 1)}, encoded);
  if (encoded.size() < 12 || encoded[4] != 'S' || encoded[5] != 'Q') {
    throw_unsupported("element " + tag.text() + " is encoded as something else than a sequence");
  }
  constexpr std::ptrdiff_t kHeader = 12;
  const std::ptrdiff_t delimiter = existing->undefined_length ? 8 : 0;
  return {encoded.begin() + kHeader, encoded.end() - delimiter};
}

NewElement with_item(const DataSet& source, Tag tag, const Buffer& item) {
  NewElement sequence{Vr("SQ"), items_of(source, tag, false)};
  append_item(item, sequence.value);
  return sequence;
}

// Hierarchical SOP Instance Reference macro (PS3.3 table C.17-3).
Buffer evidence_item(const DataSet& source, const std::string& sop_class,
                     const std::string& sop_instance) {
  Buffer reference;
  append_element({0x0008, 0x1150}, text_element(Vr("UI"), sop_class), reference);
  append_element({0x0008, 0x1155}, text_element(Vr("UI"), sop_instance), reference);
  NewElement references{Vr("SQ"), {}};
  append_item(reference, references.value);
  Buffer series;
  append_element({0x0008, 0x1199}, references, series);
  append_element({0x0020, 0x000E}, text_element(Vr("UI"), source.text({0x0020, 0x000E})), series);
  NewElement all_series{Vr("SQ"), {}};
  append_item(series, all_series.value);
  Buffer study;
  append_element({0x0008, 0x1115}, all_series, study);
  append_element({0x0020, 0x000D}, text_element(Vr("UI"), source.text({0x0020, 0x000D})), study);
  return study;
}

bool contains_tag(Bytes encoded, Tag tag) {
  Buffer bytes;
  append_integer(tag.group, 2, bytes);
  append_integer(tag.element, 2, bytes);
  return std::search(encoded.begin(), encoded.end(), bytes.begin(), bytes.end()) != encoded.end();
}

// The shared functional groups with one more macro (PS3.3 C.7.6.16.2.6), or nothing where the
// object has none, is damaged, or describes derivations itself, perhaps frame by frame.
std::optional<NewElement> with_shared_group(const DataSet& source, Tag tag,
                                            const NewElement& macro) {
  const Buffer items = items_of(source, kSharedFunctionalGroups, true);
  if (items.size() < 8) return std::nullopt;
  for (const Tag groups : {kSharedFunctionalGroups, kPerFrameFunctionalGroups}) {
    const Element* element = source.find(groups);
    if (element != nullptr && contains_tag(source.value(*element), tag)) return std::nullopt;
  }
  const auto end = static_cast<std::int64_t>(items.size());
  ElementScanner scanner(items, {true, false}, 0, end);
  std::uint32_t length = 0;
  if (scanner.next_item(length) != kItem) return std::nullopt;
  const bool undefined = length == kUndefinedLength;
  if (!undefined && scanner.position() + length != end) return std::nullopt;
  Buffer content;
  bool placed = false;
  const auto place = [&] {
    if (!placed) append_element(tag, macro, content);
    placed = true;
  };
  while (!scanner.at_end()) {
    const Tag next = scanner.peek_tag();
    if (undefined && next == kItemDelimiter) break;
    if (next > tag) place();
    const std::int64_t from = scanner.position();
    (void)scanner.next();
    content.insert(content.end(), items.begin() + from, items.begin() + scanner.position());
  }
  // A second item, which the standard does not know, would be lost.
  if (undefined && scanner.position() + 8 != end) return std::nullopt;
  place();
  NewElement groups{Vr("SQ"), {}};
  append_item(content, groups.value);
  return groups;
}

// As it stands after the edits so far.
std::string current_text(const DataSet& source, const Edits& edits, Tag tag) {
  const auto edited = edits.elements.find(tag);
  if (edited == edits.elements.end()) return source.text(tag);
  return edited->second ? trimmed_text(edited->second->value) : std::string();
}

// Appends to what the source, or an earlier call, says.
void append_lossy_step(const DataSet& source, const std::string& method, double pixel_ratio,
                       Edits& edits) {
  std::string ratios = current_text(source, edits, kLossyImageCompressionRatio);
  std::string methods = current_text(source, edits, kLossyImageCompressionMethod);
  // The two lists match value by value; what earlier writers left out stays empty.
  const std::int64_t before = std::max(multiplicity(ratios), multiplicity(methods));
  for (std::string* list : {&ratios, &methods}) {
    for (std::int64_t i = std::max<std::int64_t>(multiplicity(*list), 1); i < before; ++i) {
      *list += '\\';
    }
    if (before > 0) *list += '\\';
  }
  set(edits, kLossyImageCompression, text_element(Vr("CS"), "01"));
  set(edits, kLossyImageCompressionRatio,
      text_element(Vr("DS"), ratios + decimal_string(pixel_ratio)));
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
    // Not within a character of UTF-8.
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    while (!existing.empty() && continues(existing.back())) existing.pop_back();
    if (!existing.empty() && static_cast<unsigned char>(existing.back()) >= 0xC0U) {
      existing.pop_back();
    }
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
  for (; number != 0; number /= 10)
    digits += static_cast<char>('0' + static_cast<int>(number % 10));
  std::reverse(digits.begin(), digits.end());
  return "2.25." + digits;
}

void describe_lossy_step(const DataSet& source, const LossyStep& step, bool source_was_lossy,
                         Edits& edits) {
  append_lossy_step(source, step.method, step.pixel_ratio, edits);
  set(edits, kImageType, text_element(Vr("CS"), derived_image_type(source.text(kImageType))));
  set(edits, kSopInstanceUid, text_element(Vr("UI"), step.sop_instance_uid));
  edits.derive_frame_types = true;

  const Buffer code = code_item("113040", "Lossy Compression");
  const std::string sop_class = source.text({0x0008, 0x0016});
  const std::string sop_instance = source.text(kSopInstanceUid);
  Buffer source_image;
  if (!sop_class.empty() && !sop_instance.empty()) {
    append_element({0x0008, 0x1150}, text_element(Vr("UI"), sop_class), source_image);
    append_element({0x0008, 0x1155}, text_element(Vr("UI"), sop_instance), source_image);
    NewElement purpose{Vr("SQ"), {}};
    append_item(source_was_lossy
                    ? code_item("121322", "Source image for image processing operation")
                    : code_item("121320", "Uncompressed predecessor"),
                purpose.value);
    append_element({0x0040, 0xA170}, purpose, source_image);
  }

  // Enhanced objects have no General Image module: their derivation is a functional group.
  if (source.find(kSharedFunctionalGroups) != nullptr) {
    Buffer derivation;
    append_element(kDerivationDescription, text_element(Vr("ST"), step.description), derivation);
    NewElement images{Vr("SQ"), {}};
    if (!source_image.empty()) append_item(source_image, images.value);
    append_element(kSourceImageSequence, images, derivation);
    NewElement codes{Vr("SQ"), {}};
    append_item(code, codes.value);
    append_element(kDerivationCodeSequence, codes, derivation);
    NewElement macro{Vr("SQ"), {}};
    append_item(derivation, macro.value);
    if (auto groups = with_shared_group(source, kDerivationImageSequence, macro)) {
      set(edits, kSharedFunctionalGroups, std::move(*groups));
      if (!source_image.empty()) {
        set(edits, kSourceImageEvidenceSequence,
            with_item(source, kSourceImageEvidenceSequence,
                      evidence_item(source, sop_class, sop_instance)));
      }
      return;
    }
  }
  set(edits, kDerivationDescription,
      text_element(Vr("ST"),
                   longer_description(source.text(kDerivationDescription), step.description)));
  set(edits, kDerivationCodeSequence, with_item(source, kDerivationCodeSequence, code));
  if (!source_image.empty()) {
    set(edits, kSourceImageSequence, with_item(source, kSourceImageSequence, source_image));
  }
}

void admit_past_loss(const DataSet& source, const std::string& method, double pixel_ratio,
                     Edits& edits) {
  if (source.text(kLossyImageCompression) != "01") {
    append_lossy_step(source, method, pixel_ratio, edits);
    return;
  }
  // The last step is the one that the source's syntax still shows.
  const std::string methods = source.text(kLossyImageCompressionMethod);
  const std::int64_t named = multiplicity(methods);
  if (named + 1 == multiplicity(source.text(kLossyImageCompressionRatio))) {
    set(edits, kLossyImageCompressionMethod,
        text_element(Vr("CS"), methods + (named > 0 ? "\\" : "") + method));
  }
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
  append_integer(group.size(), 4, length.value);
  append_element({0x0002, 0x0000}, length, out);
  out.insert(out.end(), group.begin(), group.end());
  return out;
}

}  // namespace spinekit

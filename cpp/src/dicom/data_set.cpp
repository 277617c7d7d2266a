#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include "element_scanner.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

constexpr std::size_t kMostElements = std::size_t{1} << 20U;

constexpr std::array<Vr, 13> kLongVrs{Vr("OB"), Vr("OD"), Vr("OF"), Vr("OL"), Vr("OV"),
                                      Vr("OW"), Vr("SQ"), Vr("SV"), Vr("UC"), Vr("UN"),
                                      Vr("UR"), Vr("UT"), Vr("UV")};
constexpr std::array<Vr, 21> kShortVrs{Vr("AE"), Vr("AS"), Vr("AT"), Vr("CS"), Vr("DA"), Vr("DS"),
                                       Vr("DT"), Vr("FL"), Vr("FD"), Vr("IS"), Vr("LO"), Vr("LT"),
                                       Vr("PN"), Vr("SH"), Vr("SL"), Vr("SS"), Vr("ST"), Vr("TM"),
                                       Vr("UI"), Vr("UL"), Vr("US")};

template <std::size_t N>
bool contains(const std::array<Vr, N>& list, Vr vr) {
  return std::find(list.begin(), list.end(), vr) != list.end();
}

bool capital(char c) { return c >= 'A' && c <= 'Z'; }

std::string at_offset(std::int64_t offset) { return " at byte " + std::to_string(offset); }

// Raw deflate (PS3.5 A.5). The size is counted before memory is taken for it.
Buffer inflate_all(Bytes compressed) {
  constexpr std::int64_t kAlwaysAllowed = std::int64_t{64} << 20;
  constexpr std::int64_t kMostExpansion = 100;
  const auto run = [&](Buffer* out) {
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw_resource("zlib gave no decoder");
    std::array<std::uint8_t, 65536> scratch{};
    std::int64_t total = 0;
    std::size_t consumed = 0;
    int status = Z_OK;
    while (status == Z_OK) {
      if (stream.avail_in == 0) {
        const std::size_t step = std::min<std::size_t>(compressed.size() - consumed, 1U << 30U);
        // zlib's interface is not const-correct; it does not write here.
        stream.next_in = const_cast<Bytef*>(compressed.data() + consumed);
        stream.avail_in = static_cast<uInt>(step);
        consumed += step;
      }
      stream.next_out = scratch.data();
      stream.avail_out = static_cast<uInt>(scratch.size());
      status = inflate(&stream, Z_NO_FLUSH);
      const std::size_t made = scratch.size() - stream.avail_out;
      if (out != nullptr && made > 0) {
        std::memcpy(out->data() + total, scratch.data(), made);
      }
      total += static_cast<std::int64_t>(made);
      if (total > kAlwaysAllowed &&
          total / kMostExpansion > static_cast<std::int64_t>(compressed.size())) {
        status = Z_MEM_ERROR;
      }
    }
    inflateEnd(&stream);
    if (status == Z_MEM_ERROR) throw_malformed("deflated data set expands more than 100 times");
    if (status != Z_STREAM_END) throw_malformed("deflated data set is damaged or cut off");
    return total;
  };
  Buffer out(static_cast<std::size_t>(run(nullptr)));
  run(&out);
  return out;
}

void sort_by_tag(std::vector<Element>& elements) {
  const auto by_tag = [](const Element& a, const Element& b) { return a.tag < b.tag; };
  if (!std::is_sorted(elements.begin(), elements.end(), by_tag)) {
    std::stable_sort(elements.begin(), elements.end(), by_tag);
  }
  for (std::size_t i = 1; i < elements.size(); ++i) {
    if (elements[i].tag == elements[i - 1].tag) {
      throw_malformed("element " + elements[i].tag.text() + " stands twice");
    }
  }
}

}  // namespace

std::string Tag::text() const {
  std::array<char, 12> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "(%04X,%04X)", group, element);
  return buffer.data();
}

std::string trimmed_text(Bytes value) {
  std::string text(reinterpret_cast<const char*>(value.data()), value.size());
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
  return text;
}

bool Vr::has_long_length() const {
  return contains(kLongVrs, *this) || !contains(kShortVrs, *this);
}

int Vr::word_bytes() const {
  const auto is = [this](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(),
                       [this](const char* name) { return name[0] == first && name[1] == second; });
  };
  if (is({"US", "SS", "OW", "AT"})) return 2;
  if (is({"UL", "SL", "FL", "OF", "OL"})) return 4;
  if (is({"FD", "OD", "OV", "SV", "UV"})) return 8;
  return 1;
}

// ---- ElementScanner

void ElementScanner::need(std::int64_t count, const char* what) const {
  if (count > end_ - position_) {
    throw_malformed(std::string("cut off: ") + what + at_offset(position_) + " needs " +
                    std::to_string(count) + " bytes, " + std::to_string(end_ - position_) +
                    " are left");
  }
  const auto held = static_cast<std::int64_t>(bytes_.size());
  if (position_ + count > held) throw HeadTooShort{position_ + count};
}

std::uint16_t ElementScanner::u16(std::int64_t at) const {
  const std::uint8_t* p = bytes_.data() + at;
  return encoding_.big_endian ? static_cast<std::uint16_t>(p[0] << 8U | p[1])
                              : static_cast<std::uint16_t>(p[1] << 8U | p[0]);
}

std::uint32_t ElementScanner::u32(std::int64_t at) const {
  const std::uint32_t a = u16(at);
  const std::uint32_t b = u16(at + 2);
  return encoding_.big_endian ? a << 16U | b : b << 16U | a;
}

Tag ElementScanner::peek_tag() const {
  need(4, "a tag");
  return {u16(position_), u16(position_ + 2)};
}

Tag ElementScanner::next_item(std::uint32_t& length) {
  need(8, "an item header");
  const Tag tag = peek_tag();
  length = u32(position_ + 4);
  position_ += 8;
  return tag;
}

Element ElementScanner::next() { return next_at_depth(0); }

Element ElementScanner::next_header(bool may_be_cut) {
  need(8, "an element header");
  const std::int64_t header = position_;
  Element element{.tag = peek_tag(), .vr = {}};
  std::uint32_t length = 0;
  if (element.tag.group == 0xFFFE) {
    throw_malformed("delimiter " + element.tag.text() + " outside of a sequence" +
                    at_offset(header));
  }
  if (encoding_.explicit_vr) {
    element.vr = Vr(static_cast<char>(bytes_[header + 4]), static_cast<char>(bytes_[header + 5]));
    if (!capital(element.vr.first) || !capital(element.vr.second)) {
      throw_malformed("no value representation in element " + element.tag.text() +
                      at_offset(header));
    }
    if (element.vr.has_long_length()) {
      need(12, "an element header");
      length = u32(header + 8);
      position_ += 12;
    } else {
      length = u16(header + 6);
      position_ += 8;
    }
  } else {
    length = u32(header + 4);
    position_ += 8;
    if (length == kUndefinedLength) element.vr = Vr("SQ");
  }
  element.offset = position_;
  if (length != kUndefinedLength) {
    if (length > end_ - position_ && !may_be_cut) {
      throw_malformed("cut off, or a wrong length: element " + element.tag.text() +
                      at_offset(header) + " claims " + std::to_string(length) + " bytes, " +
                      std::to_string(end_ - position_) + " are left");
    }
    element.length = std::min<std::int64_t>(length, end_ - position_);
    return element;
  }
  element.undefined_length = true;
  element.length = end_ - position_;
  if (element.vr != Vr("SQ") && element.vr != Vr("UN") && element.tag != kPixelData) {
    throw_malformed("element " + element.tag.text() + at_offset(header) +
                    " has an undefined length but is no sequence");
  }
  return element;
}

Element ElementScanner::next_at_depth(int depth) {
  Element element = next_header();
  if (!element.undefined_length) {
    position_ += element.length;
    return element;
  }
  // PS3.5 6.2.2: a sequence of unknown VR is implicit VR little endian inside.
  const Encoding inner = element.vr == Vr("UN") ? Encoding{false, false} : encoding_;
  element.length = skip_items(inner, depth + 1) - element.offset;
  return element;
}

std::int64_t ElementScanner::skip_items(Encoding inner, int depth) {
  if (depth > kDeepestNesting) {
    throw_malformed("sequences nested more than " + std::to_string(kDeepestNesting) + " deep");
  }
  const Encoding outer = std::exchange(encoding_, inner);
  while (true) {
    const std::int64_t header = position_;
    std::uint32_t length = 0;
    const Tag tag = next_item(length);
    if (tag == kSequenceDelimiter) {
      encoding_ = outer;
      return header;
    }
    if (tag != kItem) {
      throw_malformed("expected an item, got " + tag.text() + at_offset(header));
    }
    if (length == kUndefinedLength) {
      skip_undefined_item(depth);
    } else {
      need(length, "an item");
      position_ += length;
    }
  }
}

void ElementScanner::skip_undefined_item(int depth) {
  while (peek_tag() != kItemDelimiter) (void)next_at_depth(depth);
  std::uint32_t length = 0;
  (void)next_item(length);
}

// ---- DataSet

DataSet::DataSet(Bytes file) : file_bytes_(static_cast<std::int64_t>(file.size())), file_(file) {
  read(file);
}

DataSet::DataSet(Bytes head, std::int64_t file_bytes)
    : file_bytes_(file_bytes), head_only_(true), file_(head) {
  read(head);
}

void DataSet::read(Bytes file) {
  constexpr std::int64_t kPreambleBytes = 128;
  constexpr std::array<std::uint8_t, 4> kPrefix{'D', 'I', 'C', 'M'};
  if (file.empty()) throw_malformed("the file is empty");
  if (file.size() >= kPreambleBytes + kPrefix.size() &&
      std::equal(kPrefix.begin(), kPrefix.end(), file.begin() + kPreambleBytes)) {
    preamble_ = file.first(kPreambleBytes);
    read_meta(kPreambleBytes + kPrefix.size());
    return;
  }
  // Without a preamble only a data set that begins as they all do is believed.
  if (file.size() < 8 || (file[0] != 0x08 && file[0] != 0x02) || file[1] != 0) {
    throw_malformed("no DICOM file: 'DICM' is missing at byte 128");
  }
  if (file[0] == 0x02) {
    read_meta(0);
    return;
  }
  const bool explicit_vr =
      capital(static_cast<char>(file[4])) && capital(static_cast<char>(file[5]));
  syntax_ = transfer_syntax(explicit_vr ? "1.2.840.10008.1.2.1" : "1.2.840.10008.1.2");
  body_ = file;
  read_body();
}

void DataSet::read_meta(std::size_t start) {
  ElementScanner scanner(file_, {true, false}, static_cast<std::int64_t>(start), file_bytes_);
  while (!scanner.at_end() && scanner.peek_tag().group == 0x0002) {
    if (meta_.size() > 256) throw_malformed("more than 256 elements of group 0002");
    meta_.push_back(scanner.next());
    if (scanner.position() > static_cast<std::int64_t>(file_.size())) {
      throw HeadTooShort{scanner.position()};
    }
  }
  sort_by_tag(meta_);
  const std::string uid = text({0x0002, 0x0010});
  if (uid.empty()) throw_malformed("no TransferSyntaxUID (0002,0010)");
  syntax_ = transfer_syntax(uid);
  body_offset_ = scanner.position();
  const Bytes rest = file_.subspan(static_cast<std::size_t>(body_offset_));
  if (syntax_.deflated) {
    if (static_cast<std::int64_t>(file_.size()) < file_bytes_)
      throw HeadTooShort{file_bytes_, true};
    inflated_ = inflate_all(rest);
    body_ = inflated_;
  } else {
    body_ = rest;
  }
  read_body();
}

void DataSet::read_body() {
  const auto held = static_cast<std::int64_t>(body_.size());
  const std::int64_t end = syntax_.deflated ? held : file_bytes_ - body_offset_;
  const std::int64_t before_body = syntax_.deflated ? 0 : body_offset_;
  ElementScanner scanner(body_, {syntax_.explicit_vr, syntax_.big_endian}, 0, end);
  try {
    while (!scanner.at_end()) {
      if (elements_.size() >= kMostElements) throw_malformed("more than 1,048,576 elements");
      if (head_only_ && scanner.peek_tag() == kPixelData) {
        // Its frames, as far as they are there, are worth more than an error for all.
        elements_.push_back(scanner.next_header(true));
        break;
      }
      elements_.push_back(scanner.next());
      if (scanner.position() > held) throw HeadTooShort{scanner.position()};
      if (elements_.back().tag.group == 0x0002) {
        throw_malformed("element " + elements_.back().tag.text() + " behind the meta header");
      }
    }
  } catch (const HeadTooShort& head) {
    throw HeadTooShort{before_body + head.needed, head.whole};
  }
  sort_by_tag(elements_);
}

const Element* DataSet::find(Tag tag) const {
  const std::vector<Element>& list = tag.group == 0x0002 ? meta_ : elements_;
  const auto found = std::lower_bound(list.begin(), list.end(), tag,
                                      [](const Element& e, Tag t) { return e.tag < t; });
  return found != list.end() && found->tag == tag ? &*found : nullptr;
}

Bytes DataSet::value(const Element& element) const {
  const Bytes source = element.tag.group == 0x0002 ? file_ : body_;
  return source.subspan(static_cast<std::size_t>(element.offset),
                        static_cast<std::size_t>(element.length));
}

std::string DataSet::text(Tag tag) const {
  const Element* element = find(tag);
  return element == nullptr ? std::string() : trimmed_text(value(*element));
}

std::optional<std::int64_t> DataSet::integer(Tag tag) const {
  const Element* element = find(tag);
  if (element == nullptr || element->length == 0) return std::nullopt;
  const Bytes bytes = value(*element);
  // NumberOfFrames is the one IS that is asked for; everything else here is US.
  constexpr Tag kNumberOfFrames{0x0028, 0x0008};
  if (tag == kNumberOfFrames || element->vr == Vr("IS")) {
    std::string digits = text(tag);
    const std::size_t start = digits.find_first_not_of(" +");
    std::int64_t number = 0;
    const char* first = digits.data() + std::min(start, digits.size());
    const char* last = digits.data() + digits.size();
    const auto [end, status] = std::from_chars(first, last, number);
    if (status != std::errc() || end != last) {
      throw_malformed("element " + tag.text() + " holds no integer");
    }
    return number;
  }
  if (bytes.size() < 2) throw_malformed("element " + tag.text() + " holds no 16-bit value");
  const bool swap = syntax_.big_endian && tag.group != 0x0002;
  return swap ? bytes[0] << 8U | bytes[1] : bytes[1] << 8U | bytes[0];
}

}  // namespace spinekit

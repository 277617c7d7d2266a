#include "data_set_writer.h"

#include <algorithm>

#include "dictionary.h"
#include "element_scanner.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

void append_value(Bytes value, int word_bytes, bool swap, Buffer& out) {
  const std::size_t start = out.size();
  out.insert(out.end(), value.begin(), value.end());
  if (!swap || word_bytes == 1) return;
  const auto step = static_cast<std::ptrdiff_t>(word_bytes);
  for (auto word = out.begin() + static_cast<std::ptrdiff_t>(start); out.end() - word >= step;
       word += step) {
    std::reverse(word, word + step);
  }
}

bool is_group_length(Tag tag) { return tag.element == 0x0000; }

// Whether a private dictionary's VR fits the length that the element really has.
bool length_fits(Vr vr, std::int64_t length) {
  if (vr == Vr("SQ")) return true;
  if (!vr.has_long_length() && length > 0xFFFE) return false;
  return length % vr.word_bytes() == 0;
}

class Rewriter {
 public:
  Rewriter(Bytes bytes, Encoding encoding, VrContext context, bool derive_frame_types, Buffer& out,
           int depth = 0)
      : bytes_(bytes),
        encoding_(encoding),
        context_(context),
        derive_frame_types_(derive_frame_types),
        depth_(depth),
        out_(out) {}

  void element(const Element& element, const std::string& private_creator) {
    if (is_group_length(element.tag)) return;
    const Bytes value = bytes_.subspan(static_cast<std::size_t>(element.offset),
                                       static_cast<std::size_t>(element.length));
    Vr vr = element.vr;
    if (!encoding_.explicit_vr && !element.undefined_length) {
      vr = dictionary_vr(element.tag, private_creator, context_);
      if (!length_fits(vr, element.length)) vr = {};
    }
    if (vr == Vr("SQ")) {
      const std::size_t rollback = out_.size();
      try {
        sequence(element);
        return;
      } catch (const Error&) {
        // What claims to be a sequence and is none is carried over as the bytes that it is.
        if (element.undefined_length || encoding_.big_endian) throw;
        out_.resize(rollback);
        if (!encoding_.explicit_vr) vr = {};
      }
    }
    // UN is implicit VR little endian inside, as it was; the pixel data of an icon is fragments.
    if (element.undefined_length) {
      if (encoding_.big_endian && vr != Vr("UN")) {
        throw_malformed("fragments in a big-endian data set, element " + element.tag.text());
      }
      append_header(element.tag, vr, kUndefinedLength, out_);
      out_.insert(out_.end(), value.begin(), value.end());
      append_item_header(kSequenceDelimiter, 0, out_);
      return;
    }
    if (derive_frame_types_ && depth_ > 0 && element.tag == Tag{0x0008, 0x9007}) {
      frame_type(value);
      return;
    }
    if (!vr.has_long_length() && element.length > 0xFFFF) vr = Vr("UN");
    append_header(element.tag, vr, static_cast<std::uint32_t>(element.length), out_);
    append_value(value, vr.word_bytes(), encoding_.big_endian, out_);
  }

 private:
  void frame_type(Bytes value) {
    std::string text = trimmed_text(value);
    if (text.starts_with("ORIGINAL")) text.replace(0, 8, "DERIVED");
    append_element({0x0008, 0x9007}, text_element(Vr("CS"), text), out_);
  }

  // Lengths keep their form: what was defined is counted anew, what was undefined is delimited.
  void sequence(const Element& element) {
    if (depth_ >= kDeepestNesting) throw_malformed("sequences nested too deep");
    append_header(element.tag, Vr("SQ"), kUndefinedLength, out_);
    const std::size_t length_at = out_.size() - 4;
    ElementScanner scanner(bytes_, encoding_, element.offset, element.offset + element.length);
    while (!scanner.at_end()) {
      std::uint32_t length = 0;
      const Tag tag = scanner.next_item(length);
      if (tag != kItem) throw_malformed("expected an item, got " + tag.text());
      item(scanner, element.offset + element.length, length);
    }
    if (element.undefined_length) {
      append_item_header(kSequenceDelimiter, 0, out_);
    } else {
      patch_length(length_at);
    }
  }

  void item(ElementScanner& outer, std::int64_t sequence_end, std::uint32_t length) {
    const bool undefined = length == kUndefinedLength;
    const std::int64_t start = outer.position();
    if (!undefined && length > sequence_end - start) throw_malformed("an item is cut off");
    const std::int64_t end = undefined ? sequence_end : start + length;
    append_item_header(kItem, kUndefinedLength, out_);
    const std::size_t length_at = out_.size() - 4;

    ElementScanner scanner(bytes_, encoding_, start, end);
    Rewriter inner(bytes_, encoding_, context_, derive_frame_types_, out_, depth_ + 1);
    std::map<Tag, std::string> creators;
    bool delimited = false;
    while (!scanner.at_end()) {
      if (undefined && scanner.peek_tag() == kItemDelimiter) {
        std::uint32_t zero = 0;
        (void)scanner.next_item(zero);
        delimited = true;
        break;
      }
      const Element element = scanner.next();
      inner.element(element, creator_of(element, creators));
    }
    if (undefined && !delimited) throw_malformed("an item has no end");
    if (undefined) {
      append_item_header(kItemDelimiter, 0, out_);
    } else {
      patch_length(length_at);
    }
    outer.move_to(scanner.position());
  }

  void patch_length(std::size_t at) {
    const std::size_t length = out_.size() - at - 4;
    if (length >= kUndefinedLength) throw_unsupported("a sequence of more than 4 GB");
    for (unsigned i = 0; i < 4; ++i) {
      out_[at + i] = static_cast<std::uint8_t>(length >> (8U * i) & 0xFFU);
    }
  }

  Bytes bytes_;
  Encoding encoding_;
  VrContext context_;
  bool derive_frame_types_;
  int depth_;
  Buffer& out_;

 public:
  // Remembers private creators as they pass and names the one that reserved the element's block.
  std::string creator_of(const Element& element, std::map<Tag, std::string>& creators) const {
    const Tag tag = element.tag;
    if (!tag.is_private() || encoding_.explicit_vr) return {};
    if (tag.element >= 0x0010 && tag.element <= 0x00FF) {
      creators[tag] = trimmed_text(bytes_.subspan(static_cast<std::size_t>(element.offset),
                                                  static_cast<std::size_t>(element.length)));
      return {};
    }
    const auto block = static_cast<std::uint16_t>(tag.element >> 8U);
    const auto found = creators.find({tag.group, block});
    return found == creators.end() ? std::string() : found->second;
  }
};

}  // namespace

NewElement text_element(Vr vr, std::string_view text) {
  NewElement element{vr, Buffer(text.begin(), text.end())};
  if (element.value.size() % 2 != 0) element.value.push_back(vr == Vr("UI") ? '\0' : ' ');
  return element;
}

NewElement uint16_element(std::uint16_t value) {
  NewElement element{Vr("US"), {}};
  append_integer(value, 2, element.value);
  return element;
}

void append_integer(std::uint64_t value, unsigned bytes, Buffer& out) {
  for (unsigned i = 0; i < bytes; ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> (8U * i) & 0xFFU));
  }
}

void append_item_header(Tag tag, std::uint32_t length, Buffer& out) {
  append_integer(tag.group, 2, out);
  append_integer(tag.element, 2, out);
  append_integer(length, 4, out);
}

void append_header(Tag tag, Vr vr, std::uint32_t length, Buffer& out) {
  append_integer(tag.group, 2, out);
  append_integer(tag.element, 2, out);
  out.push_back(static_cast<std::uint8_t>(vr.first));
  out.push_back(static_cast<std::uint8_t>(vr.second));
  if (vr.has_long_length()) append_integer(0, 2, out);
  append_integer(length, vr.has_long_length() ? 4 : 2, out);
}

void append_element(Tag tag, const NewElement& element, Buffer& out) {
  append_header(tag, element.vr, static_cast<std::uint32_t>(element.value.size()), out);
  out.insert(out.end(), element.value.begin(), element.value.end());
}

void append_elements(const DataSet& data_set, const Edits& edits, Tag first, Tag last,
                     Buffer& out) {
  const TransferSyntax& syntax = data_set.syntax();
  const VrContext context{data_set.integer({0x0028, 0x0103}).value_or(0) == 1};
  Rewriter rewriter(data_set.body(), {syntax.explicit_vr, syntax.big_endian}, context,
                    edits.derive_frame_types, out);
  std::map<Tag, std::string> creators;
  auto edit = edits.elements.lower_bound(first);
  const auto put_edits_before = [&](Tag limit) {
    for (; edit != edits.elements.end() && edit->first < limit; ++edit) {
      if (edit->second) append_element(edit->first, *edit->second, out);
    }
  };
  for (const Element& element : data_set.elements()) {
    if (element.tag < first) continue;
    if (element.tag >= last) break;
    put_edits_before(element.tag);
    const std::string creator = rewriter.creator_of(element, creators);
    if (!edits.elements.contains(element.tag)) rewriter.element(element, creator);
  }
  put_edits_before(last);
}

}  // namespace spinekit

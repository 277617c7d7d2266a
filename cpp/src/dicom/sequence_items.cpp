#include "sequence_items.h"

#include "spinekit/error.h"

namespace spinekit {
namespace {

constexpr std::int64_t kMostItems = std::int64_t{1} << 20;

SequenceItem item_at(Bytes body, Encoding encoding, ElementScanner& scanner, std::uint32_t length) {
  std::vector<Element> elements;
  if (length == kUndefinedLength) {
    while (scanner.peek_tag() != kItemDelimiter) elements.push_back(scanner.next());
    (void)scanner.next_item(length);
  } else {
    const std::int64_t end = scanner.position() + length;
    ElementScanner inner(body, encoding, scanner.position(), end);
    while (!inner.at_end()) elements.push_back(inner.next());
    scanner.move_to(end);
  }
  return {body, encoding, std::move(elements)};
}

std::vector<SequenceItem> items_in(Bytes body, Encoding encoding, const Element& sequence) {
  // PS3.5 6.2.2: a sequence of unknown VR is implicit VR little endian inside.
  if (encoding.explicit_vr && sequence.vr == Vr("UN")) encoding = {false, false};
  std::vector<SequenceItem> items;
  const std::int64_t end = sequence.offset + sequence.length;
  ElementScanner scanner(body, encoding, sequence.offset, end);
  while (!scanner.at_end()) {
    std::uint32_t length = 0;
    const Tag tag = scanner.next_item(length);
    if (tag != kItem) throw_malformed("expected an item in a sequence, got " + tag.text());
    if (length != kUndefinedLength && length > end - scanner.position()) {
      throw_malformed("an item reaches beyond its sequence");
    }
    if (static_cast<std::int64_t>(items.size()) >= kMostItems) {
      throw_malformed("more than 1,048,576 items in a sequence");
    }
    items.push_back(item_at(body, encoding, scanner, length));
  }
  return items;
}

}  // namespace

const Element* SequenceItem::find(Tag tag) const {
  for (const Element& element : elements_) {
    if (element.tag == tag) return &element;
  }
  return nullptr;
}

std::string SequenceItem::text(Tag tag) const {
  const Element* element = find(tag);
  if (element == nullptr) return {};
  return trimmed_text(body_.subspan(static_cast<std::size_t>(element->offset),
                                    static_cast<std::size_t>(element->length)));
}

std::vector<SequenceItem> SequenceItem::items(Tag tag) const {
  const Element* element = find(tag);
  return element == nullptr ? std::vector<SequenceItem>() : items_in(body_, encoding_, *element);
}

std::optional<SequenceItem> SequenceItem::first(Tag tag) const {
  std::vector<SequenceItem> all = items(tag);
  if (all.empty()) return std::nullopt;
  return std::move(all.front());
}

std::vector<SequenceItem> items_of(const DataSet& data_set, Tag tag) {
  const Element* element = data_set.find(tag);
  if (element == nullptr) return {};
  return items_in(data_set.body(), {data_set.syntax().explicit_vr, data_set.syntax().big_endian},
                  *element);
}

}  // namespace spinekit

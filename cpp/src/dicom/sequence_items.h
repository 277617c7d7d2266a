// Reading inside sequences: items and their elements, at any depth, in any encoding.
#pragma once

#include <optional>
#include <vector>

#include "element_scanner.h"

namespace spinekit {

// Borrows the data set's bytes.
class SequenceItem {
 public:
  SequenceItem(Bytes body, Encoding encoding, std::vector<Element> elements)
      : body_(body), encoding_(encoding), elements_(std::move(elements)) {}

  [[nodiscard]] std::string text(Tag tag) const;
  [[nodiscard]] std::vector<SequenceItem> items(Tag tag) const;
  // The first item of a sequence within, where it is there.
  [[nodiscard]] std::optional<SequenceItem> first(Tag tag) const;

 private:
  [[nodiscard]] const Element* find(Tag tag) const;

  Bytes body_;
  Encoding encoding_;
  std::vector<Element> elements_;
};

// The items of a sequence of the data set itself; none where it is absent.
std::vector<SequenceItem> items_of(const DataSet& data_set, Tag tag);

}  // namespace spinekit

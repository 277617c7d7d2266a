// Disjoint sets among nodes that name their parent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace spinekit::classify {

template <typename Node>
std::int32_t root_of(std::vector<Node>& nodes, std::int32_t id) {
  const auto at = [&](std::int32_t k) -> Node& { return nodes[static_cast<std::size_t>(k)]; };
  while (at(id).parent != id) {
    at(id).parent = at(at(id).parent).parent;
    id = at(id).parent;
  }
  return id;
}

// The least of both stays the root.
template <typename Node>
void unite(std::vector<Node>& nodes, std::int32_t a, std::int32_t b) {
  a = root_of(nodes, a);
  b = root_of(nodes, b);
  nodes[static_cast<std::size_t>(std::max(a, b))].parent = std::min(a, b);
}

}  // namespace spinekit::classify

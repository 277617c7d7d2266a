// Weights by name, checked against what a network expects before any of them is used.
#pragma once

#include <ATen/core/Tensor.h>

#include <set>
#include <string>
#include <vector>

#include "spinekit/network.h"

namespace spinekit::infer {

class Weights {
 public:
  explicit Weights(const WeightViews& views) : views_(views) {}

  // A view of the weights of that name and shape. What does not fit is remembered, and zeros returned, so
  // that check() can tell all of it at once.
  at::Tensor take(const std::string& name, const std::vector<std::int64_t>& shape);

  // Names that the file may hold although no weights are taken from them.
  void ignore(const std::string& name) { taken_.insert(name); }

  // Error(kArgument) that names the first few weights that do not fit, and how many they are.
  void check() const;

 private:
  const WeightViews& views_;
  std::set<std::string> taken_;
  std::vector<std::string> problems_;
};

}  // namespace spinekit::infer

#include "weights.h"

#include <ATen/Functions.h>

#include "spinekit/error.h"

namespace spinekit::infer {
namespace {

constexpr std::size_t kNamed = 6;

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t k = 0; k < shape.size(); ++k) {
    text += (k > 0 ? ", " : "") + std::to_string(shape[k]);
  }
  return text + ")";
}

}  // namespace

at::Tensor Weights::take(const std::string& name, const std::vector<std::int64_t>& shape) {
  taken_.insert(name);
  const auto found = views_.find(name);
  if (found == views_.end()) {
    problems_.push_back("'" + name + "' is missing, expected " + text_of(shape));
  } else if (found->second.shape != shape) {
    problems_.push_back("'" + name + "' is " + text_of(found->second.shape) + ", expected " +
                        text_of(shape));
  } else {
    // torch has no read-only tensors; nothing here writes to one.
    return at::from_blob(const_cast<float*>(found->second.data), shape, at::kFloat);
  }
  return at::zeros(shape, at::kFloat);
}

void Weights::check() const {
  std::vector<std::string> problems = problems_;
  for (const auto& [name, view] : views_) {
    if (!taken_.contains(name)) {
      problems.push_back("'" + name + "' " + text_of(view.shape) + " has no place in the network");
    }
  }
  if (problems.empty()) return;
  std::string text = "the weights do not fit: ";
  for (std::size_t k = 0; k < std::min(problems.size(), kNamed); ++k) {
    text += (k > 0 ? "; " : "") + problems[k];
  }
  if (problems.size() > kNamed) {
    text += "; and " + std::to_string(problems.size() - kNamed) + " more";
  }
  throw_argument(text);
}

}  // namespace spinekit::infer

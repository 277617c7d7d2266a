#include <algorithm>
#include <cmath>
#include <string>

#include "colour_kernels.h"
#include "spinekit/colour.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

constexpr double kMostValue = 1e6;
// Of a pivot, and of a pivot to its variance; below, features are as good as linearly dependent.
constexpr double kLeastPivot = 1e-12;

std::string named(std::size_t number) { return "component " + std::to_string(number + 1) + ": "; }

void check_gaussian(const ColourGaussian& gaussian, std::size_t number) {
  const auto fine = [](double value) { return std::abs(value) <= kMostValue; };  // false for NaN
  bool all = std::all_of(gaussian.mean.begin(), gaussian.mean.end(), fine);
  for (const ColourVector& row : gaussian.covariance) {
    all = all && std::all_of(row.begin(), row.end(), fine);
  }
  if (!all) throw_argument(named(number) + "its values are not finite, or beyond 1e6");
  if (!(gaussian.weight > 0 && std::isfinite(gaussian.weight))) {
    throw_argument(named(number) + "weight " + std::to_string(gaussian.weight) +
                   ", expected a finite one above 0");
  }
  if (gaussian.label < 0 || gaussian.label >= kMostColourClasses) {
    throw_argument(named(number) + "label " + std::to_string(gaussian.label) + ", expected 0 to " +
                   std::to_string(kMostColourClasses - 1));
  }
  for (std::size_t i = 0; i < kColourFeatures; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double above = gaussian.covariance[j][i];
      const double below = gaussian.covariance[i][j];
      if (std::abs(above - below) > 1e-9 * std::max(std::abs(above), std::abs(below))) {
        throw_argument(named(number) + "its covariance is not symmetric");
      }
    }
  }
}

// Lower triangular, of the lower triangle of a covariance.
ColourMatrix cholesky(const ColourMatrix& covariance, std::size_t number) {
  ColourMatrix lower{};
  for (std::size_t j = 0; j < kColourFeatures; ++j) {
    for (std::size_t i = j; i < kColourFeatures; ++i) {
      double value = covariance[i][j];
      for (std::size_t k = 0; k < j; ++k) value -= lower[i][k] * lower[j][k];
      if (i > j) {
        lower[i][j] = value / lower[j][j];
      } else if (value > kLeastPivot * std::max(1.0, covariance[j][j])) {
        lower[j][j] = std::sqrt(value);
      } else {
        throw_argument(named(number) +
                       "its covariance is singular, expected a positive definite one");
      }
    }
  }
  return lower;
}

ColourMatrix inverse_of_lower(const ColourMatrix& lower) {
  ColourMatrix inverse{};
  for (std::size_t j = 0; j < kColourFeatures; ++j) {
    inverse[j][j] = 1 / lower[j][j];
    for (std::size_t i = j + 1; i < kColourFeatures; ++i) {
      double sum = 0;
      for (std::size_t k = j; k < i; ++k) sum += lower[i][k] * inverse[k][j];
      inverse[i][j] = -sum / lower[i][i];
    }
  }
  return inverse;
}

ColourModel::Component component_of(const ColourGaussian& gaussian, std::size_t number) {
  check_gaussian(gaussian, number);
  ColourModel::Component made{.gaussian = gaussian};
  const ColourMatrix lower = cholesky(gaussian.covariance, number);
  made.whitening = inverse_of_lower(lower);
  for (std::size_t i = 0; i < kColourFeatures; ++i) {
    made.log_determinant += 2 * std::log(lower[i][i]);
    for (std::size_t j = 0; j < kColourFeatures; ++j) {
      for (std::size_t k = std::max(i, j); k < kColourFeatures; ++k) {
        made.inverse[i][j] += made.whitening[k][i] * made.whitening[k][j];
      }
    }
  }
  return made;
}

}  // namespace

ColourModel::ColourModel(const std::vector<ColourGaussian>& gaussians, ColourRule rule,
                         double reject)
    : rule_(rule), reject_(reject) {
  if (gaussians.empty() || gaussians.size() > std::size_t{kMostColourComponents}) {
    throw_argument(std::to_string(gaussians.size()) + " components, expected 1 to " +
                   std::to_string(kMostColourComponents));
  }
  if (!(reject > 0)) {
    throw_argument("reject: " + std::to_string(reject) + ", expected a distance above 0");
  }
  double total = 0;
  for (std::size_t k = 0; k < gaussians.size(); ++k) {
    components_.push_back(component_of(gaussians[k], k));
    total += gaussians[k].weight;
  }
  if (!std::isfinite(total)) throw_argument("the weights' sum is not finite");
  std::stable_sort(components_.begin(), components_.end(), [](const auto& a, const auto& b) {
    return a.gaussian.label < b.gaussian.label;
  });
  int expected = 0;
  for (Component& component : components_) {
    if (component.gaussian.label > expected) {
      throw_argument("class " + std::to_string(expected) + " has no component");
    }
    expected = component.gaussian.label + 1;
    if (rule == ColourRule::kQda) {
      component.offset =
          component.log_determinant - 2 * std::log(component.gaussian.weight / total);
    }
  }
}

std::uint8_t ColourModel::label(const ColourVector& features) const {
  double best = std::numeric_limits<double>::infinity();
  double least = best;
  int label = 0;
  for (const Component& component : components_) {
    const double d2 = classify::squared_distance(component, features);
    const double score = d2 + component.offset;
    if (score < best) {
      best = score;
      label = component.gaussian.label;
    }
    least = std::min(least, d2);
  }
  return least > reject_ ? kRejectedColour : static_cast<std::uint8_t>(label);
}

}  // namespace spinekit

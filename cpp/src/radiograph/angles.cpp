#include "angles.h"

#include <cmath>
#include <numbers>

namespace spinekit::radiograph {
namespace {

// Degrees of freedom of the known angles' tails.
constexpr double kTails = 2;
constexpr int kRounds = 4;

// Solves matrix x = right in place, the matrix symmetric and positive definite, n x n.
void solve_in_place(std::vector<double>& matrix, std::vector<double>& right) {
  const std::size_t n = right.size();
  for (std::size_t j = 0; j < n; ++j) {
    double pivot = matrix[j * n + j];
    for (std::size_t k = 0; k < j; ++k) pivot -= matrix[j * n + k] * matrix[j * n + k];
    pivot = std::sqrt(pivot);
    matrix[j * n + j] = pivot;
    for (std::size_t i = j + 1; i < n; ++i) {
      double value = matrix[i * n + j];
      for (std::size_t k = 0; k < j; ++k) value -= matrix[i * n + k] * matrix[j * n + k];
      matrix[i * n + j] = value / pivot;
    }
    for (std::size_t k = 0; k < j; ++k) right[j] -= matrix[j * n + k] * right[k];
    right[j] /= pivot;
  }
  for (std::size_t j = n; j-- > 0;) {
    for (std::size_t k = j + 1; k < n; ++k) right[j] -= matrix[k * n + j] * right[k];
    right[j] /= matrix[j * n + j];
  }
}

}  // namespace

std::vector<double> reconcile(const std::vector<AngleEstimate>& estimates,
                              const std::vector<AngleRelation>& relations, Random* random) {
  const std::size_t n = estimates.size();
  std::vector<double> deviations;
  for (const AngleRelation& r : relations) {
    const double difference = estimates[r.first].angle - estimates[r.second].angle - r.mean;
    deviations.push_back(std::remainder(difference, 2 * std::numbers::pi) +
                         (random != nullptr ? r.spread * random->normal() : 0));
  }
  std::vector<double> change(n, 0);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> matrix(n * n, 0);
    std::vector<double> right(n, 0);
    for (std::size_t k = 0; k < n; ++k) matrix[k * n + k] = estimates[k].precision;
    for (std::size_t k = 0; k < relations.size(); ++k) {
      const AngleRelation& r = relations[k];
      const double left_over = deviations[k] + change[r.first] - change[r.second];
      const double square = left_over * left_over / (r.spread * r.spread);
      const double weight = (kTails + 1) / (kTails + square) / (r.spread * r.spread);
      matrix[r.first * n + r.first] += weight;
      matrix[r.second * n + r.second] += weight;
      matrix[r.first * n + r.second] -= weight;
      matrix[r.second * n + r.first] -= weight;
      right[r.first] -= weight * deviations[k];
      right[r.second] += weight * deviations[k];
    }
    solve_in_place(matrix, right);
    change = right;
  }
  return change;
}

double improbability(const std::vector<double>& angles,
                     const std::vector<AngleRelation>& relations) {
  double sum = 0;
  for (const AngleRelation& r : relations) {
    const double off =
        std::remainder(angles[r.first] - angles[r.second] - r.mean, 2 * std::numbers::pi) /
        r.spread;
    sum += 0.5 * (kTails + 1) * std::log1p(off * off / kTails);
  }
  return sum;
}

}  // namespace spinekit::radiograph

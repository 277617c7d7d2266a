// Reproducible numbers for the bootstrap: SplitMix64 (Steele, Lea, Flood 2014, doi
// 10.1145/2660193.2660195).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace spinekit::radiograph {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  // In (0, 1).
  double uniform() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return (static_cast<double>(z >> 11) + 0.5) * 0x1p-53;
  }
  // With mean 1: the weights of the Bayesian bootstrap (Rubin 1981, doi 10.1214/aos/1176345338).
  double exponential() { return -std::log(uniform()); }
  // Standard normal, by Box and Muller.
  double normal() {
    const double radius = std::sqrt(2 * exponential());
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

}  // namespace spinekit::radiograph

// Directions of sides, each as its own border tells it, brought together with what is known of the
// angles between them.
//
// Clean borders decide alone; noisy ones give way to the others, and to what lumbar spines are like.
// Known angles have long tails (Student's t), so that a broken or slipped body is not made whole.
#pragma once

#include <cstddef>
#include <vector>

#include "random.h"

namespace spinekit::radiograph {

struct AngleEstimate {
  double angle = 0;      // radians
  double precision = 0;  // 1 / variance
};

// angle(first) - angle(second) is `mean`, give or take `spread`; radians, modulo a turn.
struct AngleRelation {
  std::size_t first;
  std::size_t second;
  double mean;
  double spread;
};

// What to add to each angle. With `random`, a sample of what is possible instead of the most
// probable (known angles are drawn anew; estimates are to be).
std::vector<double> reconcile(const std::vector<AngleEstimate>& estimates,
                              const std::vector<AngleRelation>& relations, Random* random);

// How improbable angles are by what is known: minus the logarithm of their probability, 0 at best.
double improbability(const std::vector<double>& angles,
                     const std::vector<AngleRelation>& relations);

}  // namespace spinekit::radiograph

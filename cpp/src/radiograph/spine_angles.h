// What is known of the angles of lumbar spines: the relations that noisy borders lean on.
#pragma once

#include <vector>

#include "angles.h"

namespace spinekit::radiograph {

// Between the sides of a body (superior, anterior, inferior, posterior) whose angles are numbered
// from `first` on; `level` 0 is L1.
std::vector<AngleRelation> relations_of_body(int level, std::size_t first);

// Between the sides of S1 (posterior wall, endplate, anterior wall), numbered from `first` on.
std::vector<AngleRelation> relations_of_sacrum(std::size_t first);

// Between the endplates about the disc below `level`, by their numbers.
AngleRelation relation_of_disc(int level, std::size_t inferior, std::size_t superior);

}  // namespace spinekit::radiograph

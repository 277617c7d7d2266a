// What the filters of grey levels share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "spinekit/filters.h"

namespace spinekit::radiograph {

// The highest level of a type of integers.
std::int64_t highest(GreyType type);

// Of a result (channels, rows, columns).
void check_output(const FilmView& film, GreyType type, std::int64_t channels,
                  std::span<std::byte> out);

// Of a filter from integers to as many integers of the same type.
void check_integers(const FilmView& film, std::span<std::byte> out);

void check_mapping(const GreyMapping& mapping);
void check_stretch(const StretchOptions& options);

}  // namespace spinekit::radiograph

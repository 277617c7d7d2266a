// Rounding to whole numbers that compilers turn into vector code on any x86-64.
#pragma once

namespace spinekit::radiograph {

// To the nearest, halves to even, for |value| < 2^51. std::nearbyint is a call for each value
// before SSE4.1. Needs the addition as written: no -ffast-math.
inline double rounded(double value) {
  constexpr double kShift = 0x1.8p52;
  return (value + kShift) - kShift;
}

}  // namespace spinekit::radiograph

// Points and directions of the film's plane, in mm, y downwards.
#pragma once

#include <cmath>

#include "spinekit/measurement.h"

namespace spinekit::radiograph {

struct Vec {
  double x = 0;
  double y = 0;
};

constexpr Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y}; }
constexpr Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y}; }
constexpr Vec operator-(Vec a) { return {-a.x, -a.y}; }
constexpr Vec operator*(double k, Vec a) { return {k * a.x, k * a.y}; }
constexpr double dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y; }
// Positive when b lies clockwise of a, as seen on the film.
constexpr double cross(Vec a, Vec b) { return a.x * b.y - a.y * b.x; }
inline double norm(Vec a) { return std::hypot(a.x, a.y); }
inline double distance(Vec a, Vec b) { return norm(b - a); }
inline Vec unit(Vec a) { return (1 / norm(a)) * a; }
constexpr Vec middle(Vec a, Vec b) { return 0.5 * (a + b); }
// Where contours run clockwise: outwards for one that runs along `a`.
constexpr Vec outward(Vec a) { return {a.y, -a.x}; }

}  // namespace spinekit::radiograph

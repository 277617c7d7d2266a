#include "contour.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "robust.h"

namespace spinekit::radiograph {
namespace {

// Sets everything but the places and the film's edge.
void complete(Contour& contour) {
  std::vector<ContourPoint>& points = contour.points;
  const std::size_t count = points.size();
  contour.length = 0;
  std::vector<double> step(count);
  for (std::size_t k = 0; k < count; ++k) {
    step[k] = distance(points[k].at, points[(k + 1) % count].at);
    contour.length += step[k];
  }
  // About the first point, lest large coordinates eat the digits.
  const Vec origin = points[0].at;
  double twice_area = 0;
  Vec moment;
  for (std::size_t k = 0; k < count; ++k) {
    const Vec a = points[k].at - origin;
    const Vec b = points[(k + 1) % count].at - origin;
    twice_area += cross(a, b);
    moment = moment + cross(a, b) * (a + b);
  }
  contour.area = twice_area / 2;
  contour.centre = twice_area > 0 ? origin + (1 / (3 * twice_area)) * moment : origin;
  // Wide enough for stairs of binary masks, narrow enough for corners.
  const double reach = std::max(2.5 * contour.pixel, 0.015 * contour.length);
  for (std::size_t k = 0; k < count; ++k) {
    points[k].share = 0.5 * (step[k] + step[(k + count - 1) % count]);
    std::size_t ahead = 0, behind = 0;
    for (double way = 0; way < reach && ahead < count / 4; ++ahead)
      way += step[(k + ahead) % count];
    for (double way = 0; way < reach && behind < count / 4; ++behind) {
      way += step[(k + count - 1 - behind) % count];
    }
    const Vec along = points[(k + ahead) % count].at - points[(k + count - behind) % count].at;
    const double long_enough = norm(along);
    points[k].outward = long_enough > 0 ? (1 / long_enough) * outward(along) : Vec{};
  }
}

}  // namespace

Contour contour_of(const std::vector<BorderPoint>& border, const PixelSpacing& spacing) {
  Contour contour;
  contour.pixel = std::max(spacing.row, spacing.column);
  for (const BorderPoint& point : border) {
    ContourPoint& added = contour.points.emplace_back();
    added.at = {point.x * spacing.column, point.y * spacing.row};
    added.at_film_edge = point.at_film_edge;
  }
  if (!contour.points.empty()) complete(contour);
  return contour;
}

Contour mirrored(const Contour& contour) {
  Contour other = contour;
  std::reverse(other.points.begin(), other.points.end());
  for (ContourPoint& point : other.points) {
    point.at.x = -point.at.x;
    point.outward.x = -point.outward.x;
  }
  other.centre.x = -other.centre.x;
  return other;
}

void prepare(Contour& contour, Vec direction) {
  const auto first = std::max_element(contour.points.begin(), contour.points.end(),
                                      [&](const ContourPoint& a, const ContourPoint& b) {
                                        return dot(a.at, direction) < dot(b.at, direction);
                                      });
  std::rotate(contour.points.begin(), first, contour.points.end());
  // More points than this tell nothing new; of as many, neighbours are taken together.
  constexpr std::size_t kEnough = 500;
  const std::size_t count = contour.size();
  const std::size_t group = count / kEnough + 1;
  if (group == 1) return;
  std::vector<ContourPoint> thinned;
  for (std::size_t from = 0; from < count; from += group) {
    const std::size_t end = std::min(from + group, count);
    ContourPoint& added = thinned.emplace_back();
    for (std::size_t k = from; k < end; ++k) {
      added.at = added.at + contour.points[k].at;
      added.at_film_edge = added.at_film_edge || contour.points[k].at_film_edge;
    }
    added.at = (1 / static_cast<double>(end - from)) * added.at;
  }
  contour.points = std::move(thinned);
  complete(contour);
}

std::vector<Vec> even_points(const Contour& contour, std::size_t count) {
  std::vector<Vec> even;
  even.reserve(count);
  const double step = contour.length / static_cast<double>(count);
  double way = 0;  // to the start of the segment
  std::size_t segment = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const double wanted = static_cast<double>(k) * step;
    while (true) {
      const Vec a = contour.points[segment % contour.size()].at;
      const Vec b = contour.points[(segment + 1) % contour.size()].at;
      const double length = distance(a, b);
      if (way + length >= wanted || segment + 1 >= contour.size()) {
        const double t = length > 0 ? std::clamp((wanted - way) / length, 0.0, 1.0) : 0;
        even.push_back((1 - t) * a + t * b);
        break;
      }
      way += length;
      ++segment;
    }
  }
  return even;
}

double roughness(const Contour& contour, double stretch) {
  constexpr std::size_t kEach = 4;
  const auto stretches = static_cast<std::size_t>(contour.length / stretch);
  if (stretches < 8) return 0;
  const std::vector<Vec> points = even_points(contour, kEach * stretches);
  std::vector<Vec> means(stretches);
  for (std::size_t k = 0; k < points.size(); ++k) {
    means[k / kEach] = means[k / kEach] + (1.0 / kEach) * points[k];
  }
  std::vector<WeightedValue> squares;
  for (std::size_t k = 0; k < stretches; ++k) {
    const auto mean = [&](std::size_t ahead) { return means[(k + ahead) % stretches]; };
    // Third differences, across: a bend of even curvature has none. White noise has 20 times its own.
    const Vec along = unit(mean(3) - mean(0));
    const Vec change = (mean(3) - mean(0)) - 3 * (mean(2) - mean(1));
    const double across = cross(along, change);
    squares.push_back({across * across / 20, 1});
  }
  constexpr double kMedianOfSquares = 0.4549;  // of a standard normal
  return weighted_median(squares) / kMedianOfSquares * contour.length /
         static_cast<double>(stretches);
}

Moments moments_of(const Contour& contour) {
  double xx = 0, xy = 0, yy = 0;
  for (std::size_t k = 0; k < contour.size(); ++k) {
    const Vec a = contour.points[k].at - contour.centre;
    const Vec b = contour.points[(k + 1) % contour.size()].at - contour.centre;
    const double c = cross(a, b) / 12;
    xx += c * (a.x * a.x + a.x * b.x + b.x * b.x);
    yy += c * (a.y * a.y + a.y * b.y + b.y * b.y);
    xy += c * (a.x * a.y + b.x * b.y + 0.5 * (a.x * b.y + a.y * b.x));
  }
  const double angle = 0.5 * std::atan2(2 * xy, xx - yy);
  const double spread = std::hypot(xx - yy, 2 * xy);
  const double area = std::max(contour.area, 1e-12);
  return {.axis = {std::cos(angle), std::sin(angle)},
          .along = 0.5 * (xx + yy + spread) / area,
          .across = 0.5 * (xx + yy - spread) / area};
}

}  // namespace spinekit::radiograph

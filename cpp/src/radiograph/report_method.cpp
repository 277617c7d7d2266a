#include "report_method.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "plane.h"

namespace spinekit::radiograph {
namespace {

struct Pixel {
  std::int64_t x;
  std::int64_t y;
};

// First and last pixel of every row: farthest points are among them.
std::vector<Pixel> row_ends(const Plane& plane, const PixelBox& box) {
  std::vector<Pixel> ends;
  for (std::int64_t r = box.top; r <= box.bottom; ++r) {
    std::int64_t first = box.left, last = box.right;
    while (first <= last && plane(r, first) < 0.5) ++first;
    if (first > last) continue;
    while (plane(r, last) < 0.5) --last;
    ends.push_back({first, r});
    if (last != first) ends.push_back({last, r});
  }
  return ends;
}

template <typename Measure>
Pixel largest_by(const std::vector<Pixel>& pixels, const Measure& measure) {
  return *std::max_element(pixels.begin(), pixels.end(),
                           [&](const Pixel& a, const Pixel& b) { return measure(a) < measure(b); });
}

Pixel farthest(const std::vector<Pixel>& pixels, Pixel from) {
  return largest_by(pixels, [from](const Pixel& p) {
    return (p.x - from.x) * (p.x - from.x) + (p.y - from.y) * (p.y - from.y);
  });
}

// "Four times the farthest point from the last one."
std::vector<Pixel> swings(const std::vector<Pixel>& pixels, Pixel last) {
  std::vector<Pixel> list;
  for (int k = 0; k < 4; ++k) {
    last = farthest(pixels, last);
    list.push_back(last);
  }
  return list;
}

FilmPoint film_point(const Pixel& pixel) {
  return {static_cast<double>(pixel.x), static_cast<double>(pixel.y)};
}

}  // namespace

ReportedBody report_vertebra(const Plane& plane, const PixelBox& box) {
  const std::vector<Pixel> ends = row_ends(plane, box);
  const Pixel leftmost = largest_by(ends, [](const Pixel& p) { return -p.x; });
  const std::vector<Pixel> f = swings(ends, farthest(ends, leftmost));
  const Pixel along{f[3].x - f[2].x, f[3].y - f[2].y};
  const Pixel off_line = largest_by(ends, [&](const Pixel& p) {
    return std::abs(along.x * (p.y - f[2].y) - along.y * (p.x - f[2].x));
  });
  const std::vector<Pixel> s = swings(ends, farthest(ends, off_line));
  std::array<Pixel, 4> corners{s[0], s[1], f[0], f[1]};
  // The report does not name them: the upper two, the lower two, of each the left one anterior.
  std::sort(corners.begin(), corners.end(),
            [](const Pixel& a, const Pixel& b) { return a.y < b.y; });
  if (corners[0].x > corners[1].x) std::swap(corners[0], corners[1]);
  if (corners[2].x > corners[3].x) std::swap(corners[2], corners[3]);
  ReportedBody body;
  body.corners[kSuperiorAnterior] = film_point(corners[0]);
  body.corners[kSuperiorPosterior] = film_point(corners[1]);
  body.corners[kInferiorAnterior] = film_point(corners[2]);
  body.corners[kInferiorPosterior] = film_point(corners[3]);
  return body;
}

std::array<FilmPoint, 2> report_sacrum(const Plane& plane, const PixelBox& box) {
  // As cv2.getRotationMatrix2D turns about the film's centre, counter-clockwise by 20 degrees, onto
  // a canvas large enough; linear interpolation.
  const double angle = 20 * std::numbers::pi / 180;
  const double c = std::cos(angle), s = std::sin(angle);
  const Vec centre{0.5 * static_cast<double>(plane.columns() - 1),
                   0.5 * static_cast<double>(plane.rows() - 1)};
  const auto turned = [&](Vec p) {
    const Vec d = p - centre;
    return centre + Vec{c * d.x + s * d.y, c * d.y - s * d.x};
  };
  const auto turned_back = [&](Vec p) {
    const Vec d = p - centre;
    return centre + Vec{c * d.x - s * d.y, c * d.y + s * d.x};
  };
  const auto left = static_cast<double>(box.left - 1), right = static_cast<double>(box.right + 1);
  const auto top = static_cast<double>(box.top - 1), bottom = static_cast<double>(box.bottom + 1);
  const std::array<Vec, 4> box_corners{turned({left, top}), turned({right, top}),
                                       turned({left, bottom}), turned({right, bottom})};
  Vec low = box_corners[0], high = box_corners[0];
  for (const Vec& p : box_corners) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
  }
  const auto inside = [&](std::int64_t r, std::int64_t k) {
    return r >= box.top && r <= box.bottom && k >= box.left && k <= box.right && plane(r, k) >= 0.5
               ? 1.0
               : 0.0;
  };
  const auto sample = [&](Vec p) {
    const auto k = static_cast<std::int64_t>(std::floor(p.x));
    const auto r = static_cast<std::int64_t>(std::floor(p.y));
    const double x = p.x - static_cast<double>(k), y = p.y - static_cast<double>(r);
    return (1 - y) * ((1 - x) * inside(r, k) + x * inside(r, k + 1)) +
           y * ((1 - x) * inside(r + 1, k) + x * inside(r + 1, k + 1));
  };
  Vec leftmost{std::numeric_limits<double>::infinity(), 0};
  Vec lowest{0, -std::numeric_limits<double>::infinity()};
  for (double y = std::floor(low.y); y <= high.y; ++y) {
    for (double x = std::floor(low.x); x <= high.x; ++x) {
      const bool candidate = x < leftmost.x || y > lowest.y;
      if (!candidate || sample(turned_back({x, y})) < 0.5) continue;
      if (x < leftmost.x) leftmost = {x, y};
      if (y > lowest.y) lowest = {x, y};
    }
  }
  const auto rounded = [&](Vec p) {
    const Vec back = turned_back(p);
    return FilmPoint{std::round(back.x), std::round(back.y)};
  };
  return {rounded(leftmost), rounded(lowest)};
}

ReportedHead report_head(const Plane& plane, const PixelBox& box) {
  double m00 = 0, m10 = 0, m01 = 0;
  for (std::int64_t r = box.top; r <= box.bottom; ++r) {
    for (std::int64_t c = box.left; c <= box.right; ++c) {
      if (plane(r, c) < 0.5) continue;
      m00 += 1;
      m10 += static_cast<double>(c);
      m01 += static_cast<double>(r);
    }
  }
  return {{m10 / m00, m01 / m00}, std::sqrt(m00 / std::numbers::pi)};
}

}  // namespace spinekit::radiograph

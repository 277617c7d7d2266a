#include "anatomy.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "robust.h"

namespace spinekit::radiograph {
namespace {

constexpr Vec kFilmDown{0, 1};

std::string name(std::size_t bone) { return kBoneNames[bone]; }

std::optional<Vec> hips(const FoundBones& bones) {
  const FoundBone& first = bones[kFirstHead];
  const FoundBone& second = bones[kFirstHead + 1];
  if (first.there() && second.there()) return middle(first.contour.centre, second.contour.centre);
  if (first.there()) return first.contour.centre;
  if (second.there()) return second.contour.centre;
  return std::nullopt;
}

// Levels of the spine that were found: vertebrae and sacrum.
std::vector<std::size_t> found_levels(const FoundBones& bones, std::size_t count = kSacrum + 1) {
  std::vector<std::size_t> levels;
  for (std::size_t k = 0; k < count; ++k) {
    if (bones[k].there()) levels.push_back(k);
  }
  return levels;
}

// The long axis of the bones' places, towards the hips or, without them, down the film.
Vec spine_axis(const FoundBones& bones, const std::vector<std::size_t>& levels) {
  Vec mean;
  for (const std::size_t k : levels) mean = mean + bones[k].contour.centre;
  mean = (1 / static_cast<double>(levels.size())) * mean;
  double xx = 0, xy = 0, yy = 0;
  for (const std::size_t k : levels) {
    const Vec p = bones[k].contour.centre - mean;
    xx += p.x * p.x;
    xy += p.x * p.y;
    yy += p.y * p.y;
  }
  const double angle = 0.5 * std::atan2(2 * xy, xx - yy);
  Vec axis{std::cos(angle), std::sin(angle)};
  const std::optional<Vec> hip = hips(bones);
  const Vec downwards = hip ? *hip - mean : kFilmDown;
  return dot(axis, downwards) < 0 ? -axis : axis;
}

std::array<std::string, kBones> size_problems(const FoundBones& bones) {
  std::array<std::string, kBones> problems;
  std::vector<WeightedValue> areas;
  const auto levels = found_levels(bones, kVertebrae);
  for (const std::size_t k : levels) areas.push_back({bones[k].contour.area, 1});
  if (areas.size() < 3) return problems;
  const double typical = weighted_median(areas);
  for (const std::size_t k : levels) {
    const double ratio = bones[k].contour.area / typical;
    if (ratio < 0.35 || ratio > 2.2) {
      problems[k] = "the mask is too " + std::string(ratio < 1 ? "small" : "large") +
                    " beside those of the other vertebrae";
    }
  }
  return problems;
}

}  // namespace

void check_places(FoundBones& bones, std::vector<std::string>& warnings) {
  const auto levels = found_levels(bones);
  if (levels.size() < 2) return;
  // Of all bones at once: one that goes for its size still shows that another is out of place.
  std::array<std::string, kBones> problems = size_problems(bones);
  const Vec axis = spine_axis(bones, levels);
  for (std::size_t a = 0; a < levels.size(); ++a) {
    for (std::size_t b = a + 1; b < levels.size(); ++b) {
      const std::size_t upper = levels[a], lower = levels[b];
      const Contour& above = bones[upper].contour;
      const Contour& below = bones[lower].contour;
      const double step = dot(below.centre - above.centre, axis);
      const double size = std::sqrt(std::min(above.area, below.area));
      std::string problem;
      if (step < 0) {
        problem = name(lower) + " lies above " + name(upper) + ": masks swapped?";
      } else if (distance(above.centre, below.centre) < 0.5 * size) {
        problem = "the masks of " + name(upper) + " and " + name(lower) + " lie in the same place";
      }
      if (problem.empty()) continue;
      problems[upper] = problem;
      problems[lower] = problem;
    }
  }
  for (std::size_t k = 0; k < kBones; ++k) {
    if (!problems[k].empty()) bones[k].problem = problems[k];
  }
  for (std::size_t k = 0; k < kVertebrae; ++k) {
    if (!bones[k].there() || !bones[k + 1].there()) continue;
    const double size = std::sqrt(bones[k].contour.area);
    if (distance(bones[k].contour.centre, bones[k + 1].contour.centre) > 2.6 * size) {
      warnings.push_back(name(k) + " and " + name(k + 1) +
                         " lie far apart: is a vertebra missing?");
    }
  }
}

Facing facing_of(const FoundBones& bones, std::string& problem,
                 std::vector<std::string>& warnings) {
  const auto vertebrae = found_levels(bones, kVertebrae);
  const std::optional<Vec> hip = hips(bones);
  const bool sacrum = bones[kSacrum].there();
  // Each is the sine of an angle, positive when the patient looks to the right.
  std::vector<double> votes;
  const auto vote = [&](Vec a, Vec b) { votes.push_back(cross(a, b) / (norm(a) * norm(b))); };
  if (!vertebrae.empty()) {
    const Vec lowest = bones[vertebrae.back()].contour.centre;
    const Vec highest = bones[vertebrae.front()].contour.centre;
    const Vec lumbar = lowest - highest;
    if (sacrum) {
      const Vec tail = bones[kSacrum].contour.centre;
      // The hips lie in front of the line from the spine through the sacrum.
      if (hip) vote(*hip - tail, tail - lowest);
      // The sacrum lies behind the line of the lumbar bodies.
      if (vertebrae.size() > 1) vote(lumbar, tail - lowest);
    } else if (hip && vertebrae.size() > 1 && vertebrae.back() >= kVertebrae - 2) {
      // So do they of the line of the lowest bodies, if these are low enough.
      const Vec before = bones[vertebrae[vertebrae.size() - 2]].contour.centre;
      vote(*hip - lowest, lowest - before);
    }
    if (votes.empty() && vertebrae.size() > 2) {
      // Lordosis: the bodies between lie in front of the line from the first to the last.
      for (std::size_t k = 1; k + 1 < vertebrae.size(); ++k) {
        vote(bones[vertebrae[k]].contour.centre - highest, lumbar);
      }
    }
  } else if (sacrum && hip) {
    vote(*hip - bones[kSacrum].contour.centre, -up_from_sacrum(bones));
  }
  constexpr double kClear = 0.06;
  for (const double strength : votes) {
    if (std::abs(strength) < kClear) continue;
    for (const double other : votes) {
      if (other * strength < 0 && std::abs(other) >= 3 * kClear) {
        warnings.emplace_back("hips and lumbar spine disagree about which side is anterior");
        break;
      }
    }
    return strength > 0 ? Facing::kRight : Facing::kLeft;
  }
  problem = votes.empty() ? "too few bones to tell which side is anterior"
                          : "the bones lie too straight to tell which side is anterior";
  return Facing::kUnknown;
}

Vec down_at(const FoundBones& bones, int level) {
  const auto self = static_cast<std::size_t>(level);
  const Vec here = bones[self].contour.centre;
  const auto levels = found_levels(bones);
  std::optional<std::size_t> above, below;
  for (const std::size_t k : levels) {
    if (k < self) above = k;
    if (k > self && !below) below = k;
  }
  if (above && below) {
    // Neighbours may be a level away or more; each side counts by its own direction.
    const Vec from = unit(here - bones[*above].contour.centre);
    const Vec to = unit(bones[*below].contour.centre - here);
    return unit(from + to);
  }
  if (above) return unit(here - bones[*above].contour.centre);
  if (below) return unit(bones[*below].contour.centre - here);
  // Alone: of the body's own axes, the one that runs down the film.
  const Moments moments = moments_of(bones[self].contour);
  const Vec across{-moments.axis.y, moments.axis.x};
  const Vec best = std::abs(moments.axis.y) > std::abs(across.y) ? moments.axis : across;
  return best.y < 0 ? -best : best;
}

Vec up_from_sacrum(const FoundBones& bones) {
  const Vec here = bones[kSacrum].contour.centre;
  const auto vertebrae = found_levels(bones, kVertebrae);
  if (!vertebrae.empty()) return unit(bones[vertebrae.back()].contour.centre - here);
  // Its wide end: the third moment along its axis points to the narrow one.
  const Contour& contour = bones[kSacrum].contour;
  const Vec axis = moments_of(contour).axis;
  double skew = 0;
  for (const ContourPoint& point : contour.points) {
    skew += point.share * std::pow(dot(point.at - here, axis), 3);
  }
  return skew > 0 ? -axis : axis;
}

}  // namespace spinekit::radiograph

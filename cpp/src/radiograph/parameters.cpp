#include "parameters.h"

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <utility>

#include "spinekit/error.h"

namespace spinekit {

const std::array<const char*, kBones> kBoneNames{"L1", "L2",     "L3",  "L4",
                                                 "L5", "sacrum", "FH1", "FH2"};

namespace radiograph {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr Vec kNowhere{kUnknown, kUnknown};

double degrees(double radians) { return radians * 180 / std::numbers::pi; }

// Into (-180, 180].
double wrapped(double angle_deg) {
  const double turned = std::remainder(angle_deg, 360.0);
  return turned == -180.0 ? 180.0 : turned;
}

struct Endplate {
  Vec anterior;
  Vec posterior;
  [[nodiscard]] Vec along() const { return anterior - posterior; }
  [[nodiscard]] Vec centre() const { return middle(anterior, posterior); }
  [[nodiscard]] double length() const { return norm(along()); }
  // Rise towards anterior, degrees.
  [[nodiscard]] double slope() const { return degrees(std::atan2(-along().y, along().x)); }
};

// Level 5 is S1.
Endplate superior(const Skeleton& s, int level) {
  if (level == kSacrum) return {s.sacrum[0], s.sacrum[1]};
  const auto& corners = s.vertebrae[static_cast<std::size_t>(level)];
  return {corners[kSuperiorAnterior], corners[kSuperiorPosterior]};
}

Endplate inferior(const Skeleton& s, int level) {
  const auto& corners = s.vertebrae[static_cast<std::size_t>(level)];
  return {corners[kInferiorAnterior], corners[kInferiorPosterior]};
}

double angle_between(const Endplate& upper, const Endplate& lower) {
  return wrapped(upper.slope() - lower.slope());
}

Vec hip_axis(const Skeleton& s) {
  if (std::isnan(s.heads[0].x)) return s.heads[1];
  if (std::isnan(s.heads[1].x)) return s.heads[0];
  return middle(s.heads[0], s.heads[1]);
}

double sacral_slope(const Skeleton& s) { return -superior(s, kSacrum).slope(); }

// From the vertical through the hip axis back to the line to `target`, degrees.
double tilt_from_hips(const Skeleton& s, Vec target) {
  const Vec line = target - hip_axis(s);
  return degrees(std::atan2(-line.x, -line.y));
}

double pelvic_tilt(const Skeleton& s) { return tilt_from_hips(s, superior(s, kSacrum).centre()); }
double pelvic_incidence(const Skeleton& s) { return pelvic_tilt(s) + sacral_slope(s); }
double lordosis(const Skeleton& s, int from) {
  return angle_between(superior(s, from), superior(s, kSacrum));
}

double l1_pelvic_angle(const Skeleton& s) {
  const auto& l1 = s.vertebrae[0];
  const Vec centre = 0.25 * ((l1[0] + l1[1]) + (l1[2] + l1[3]));
  return wrapped(pelvic_tilt(s) - tilt_from_hips(s, centre));
}

// Anterior, middle, posterior: along the normal of the disc's mid-plane (Frobin et al. 1997,
// doi 10.1016/s0268-0033(96)00067-8), so that a slip does not count as height.
std::array<double, 3> disc_heights(const Skeleton& s, int level) {
  const Endplate upper = inferior(s, level);
  const Endplate lower = superior(s, level + 1);
  const Vec mid_plane = unit(unit(upper.along()) + unit(lower.along()));
  const Vec down = -outward(mid_plane);
  return {dot(lower.anterior - upper.anterior, down), dot(lower.centre() - upper.centre(), down),
          dot(lower.posterior - upper.posterior, down)};
}

double mean_disc_height(const Skeleton& s, int level) {
  const auto [anterior, central, posterior] = disc_heights(s, level);
  return (anterior + central + posterior) / 3;
}

double anterior_height(const Skeleton& s, int level) {
  return distance(superior(s, level).anterior, inferior(s, level).anterior);
}
double posterior_height(const Skeleton& s, int level) {
  return distance(superior(s, level).posterior, inferior(s, level).posterior);
}
double mean_height(const Skeleton& s, int level) {
  return 0.5 * (anterior_height(s, level) + posterior_height(s, level));
}

double disc_index(const Skeleton& s, int level) {
  const double above = mean_height(s, level);
  const double bodies = level + 1 == kSacrum ? above : 0.5 * (above + mean_height(s, level + 1));
  return mean_disc_height(s, level) / bodies;
}

// Of the posterior corners along the lower endplate, anterior positive.
double slip(const Skeleton& s, int level) {
  const Endplate lower = superior(s, level + 1);
  return dot(inferior(s, level).posterior - lower.posterior, unit(lower.along()));
}

struct Definition {
  ParameterInfo info;
  std::function<double(const Skeleton&)> value;
};

using Unit = ParameterUnit;

constexpr unsigned bone(int index) { return 1U << static_cast<unsigned>(index); }

std::vector<Definition> make_definitions() {
  constexpr unsigned kS1 = bone(kSacrum);
  constexpr unsigned kHips = bone(kFirstHead);
  constexpr unsigned kL1 = bone(0);
  constexpr unsigned kL4 = bone(3);
  std::vector<Definition> all;
  const auto define = [&](std::string name, Unit unit, unsigned bones, auto value) {
    all.push_back({{std::move(name), unit, bones}, std::move(value)});
  };
  using S = const Skeleton&;
  define("pi", Unit::kDegree, kS1 | kHips, pelvic_incidence);
  define("pt", Unit::kDegree, kS1 | kHips, pelvic_tilt);
  define("ss", Unit::kDegree, kS1, sacral_slope);
  define("ll", Unit::kDegree, kS1 | kL1, [](S s) { return lordosis(s, 0); });
  define("pi_minus_ll", Unit::kDegree, kS1 | kHips | kL1,
         [](S s) { return pelvic_incidence(s) - lordosis(s, 0); });
  define("l1pa", Unit::kDegree, kS1 | kHips | kL1, l1_pelvic_angle);
  define("l4_s1", Unit::kDegree, kS1 | kL4, [](S s) { return lordosis(s, 3); });
  // A share of nearly nothing says nothing.
  define("l4_s1_share", Unit::kPercent, kS1 | kL4 | kL1, [](S s) {
    constexpr double kLeastLordosis = 5;
    const double whole = lordosis(s, 0);
    return std::abs(whole) < kLeastLordosis ? kUnknown : 100 * lordosis(s, 3) / whole;
  });

  const auto level_name = [](int level) {
    return level == kSacrum ? std::string("S1")
                            : std::string(kBoneNames[static_cast<std::size_t>(level)]);
  };
  for (int level = 0; level <= kSacrum; ++level) {
    define("slopes." + level_name(level) + ".superior", Unit::kDegree, bone(level),
           [level](S s) { return superior(s, level).slope(); });
    if (level == kSacrum) continue;
    define("slopes." + level_name(level) + ".inferior", Unit::kDegree, bone(level),
           [level](S s) { return inferior(s, level).slope(); });
  }
  for (int level = 0; level < kVertebrae; ++level) {
    const std::string disc = level_name(level) + "-" + level_name(level + 1);
    const unsigned both = bone(level) | bone(level + 1);
    define("segmental." + disc, Unit::kDegree, both,
           [level](S s) { return angle_between(superior(s, level), superior(s, level + 1)); });
    define("disc_angles." + disc, Unit::kDegree, both,
           [level](S s) { return angle_between(inferior(s, level), superior(s, level + 1)); });
    constexpr std::array<const char*, 3> kPlaces{"anterior", "middle", "posterior"};
    for (std::size_t place = 0; place < kPlaces.size(); ++place) {
      define("disc_heights." + disc + "." + kPlaces[place], Unit::kLength, both,
             [level, place](S s) { return disc_heights(s, level)[place]; });
    }
    define("disc_heights." + disc + ".mean", Unit::kLength, both,
           [level](S s) { return mean_disc_height(s, level); });
    define("disc_heights." + disc + ".index", Unit::kRatio, both,
           [level](S s) { return disc_index(s, level); });
    define("slip." + disc + ".distance", Unit::kLength, both,
           [level](S s) { return slip(s, level); });
    define("slip." + disc + ".percent", Unit::kPercent, both,
           [level](S s) { return 100 * slip(s, level) / superior(s, level + 1).length(); });
  }
  for (int level = 0; level < kVertebrae; ++level) {
    const std::string name = level_name(level);
    const std::string heights = "vertebral_heights." + name + ".";
    define(heights + "anterior", Unit::kLength, bone(level),
           [level](S s) { return anterior_height(s, level); });
    define(heights + "posterior", Unit::kLength, bone(level),
           [level](S s) { return posterior_height(s, level); });
    define(heights + "mean", Unit::kLength, bone(level),
           [level](S s) { return mean_height(s, level); });
    define(heights + "depth", Unit::kLength, bone(level), [level](S s) {
      return 0.5 * (superior(s, level).length() + inferior(s, level).length());
    });
    define("wedge." + name, Unit::kRatio, bone(level),
           [level](S s) { return anterior_height(s, level) / posterior_height(s, level); });
  }
  return all;
}

const std::vector<Definition>& definitions() {
  static const std::vector<Definition> kAll = make_definitions();
  return kAll;
}

Vec in_mm(const FilmPoint& point, const PixelSpacing& spacing, bool flip) {
  const double x = point.x * spacing.column;
  return {flip ? -x : x, point.y * spacing.row};
}

}  // namespace

Skeleton unknown_skeleton() {
  Skeleton skeleton;
  for (auto& corners : skeleton.vertebrae) corners.fill(kNowhere);
  skeleton.sacrum.fill(kNowhere);
  skeleton.heads.fill(kNowhere);
  return skeleton;
}

std::vector<double> values_of(const Skeleton& skeleton) {
  std::vector<double> values;
  values.reserve(definitions().size());
  for (const Definition& definition : definitions()) values.push_back(definition.value(skeleton));
  return values;
}

}  // namespace radiograph

const std::vector<ParameterInfo>& parameters() {
  static const std::vector<ParameterInfo> kInfos = [] {
    std::vector<ParameterInfo> infos;
    for (const auto& definition : radiograph::definitions()) infos.push_back(definition.info);
    return infos;
  }();
  return kInfos;
}

Facing facing_of(const KeyPoints& points, const PixelSpacing& spacing) {
  double rightwards = 0;
  const auto count = [&](const FilmPoint& anterior, const FilmPoint& posterior) {
    const double across = (anterior.x - posterior.x) * spacing.column;
    if (!std::isnan(across)) rightwards += across;
  };
  for (const auto& corners : points.vertebrae) {
    count(corners[kSuperiorAnterior], corners[kSuperiorPosterior]);
    count(corners[kInferiorAnterior], corners[kInferiorPosterior]);
  }
  count(points.sacrum[0], points.sacrum[1]);
  if (rightwards == 0) return Facing::kUnknown;
  return rightwards > 0 ? Facing::kRight : Facing::kLeft;
}

std::vector<double> parameters_of(const KeyPoints& points, const PixelSpacing& spacing) {
  if (!(spacing.row > 0 && spacing.column > 0)) throw_argument("spacing: expected values above 0");
  const bool flip = facing_of(points, spacing) == Facing::kLeft;
  radiograph::Skeleton skeleton;
  for (std::size_t level = 0; level < kVertebrae; ++level) {
    for (std::size_t corner = 0; corner < 4; ++corner) {
      skeleton.vertebrae[level][corner] =
          radiograph::in_mm(points.vertebrae[level][corner], spacing, flip);
    }
  }
  for (std::size_t k = 0; k < 2; ++k) {
    skeleton.sacrum[k] = radiograph::in_mm(points.sacrum[k], spacing, flip);
    skeleton.heads[k] = radiograph::in_mm(points.heads[k], spacing, flip);
  }
  return radiograph::values_of(skeleton);
}

}  // namespace spinekit

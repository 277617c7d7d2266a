#include "spine_angles.h"

#include <array>
#include <numbers>

namespace spinekit::radiograph {
namespace {

constexpr double radians(double degrees) { return degrees * std::numbers::pi / 180; }

// Means of asymptomatic adults, degrees, lordotic positive: L1 to L5, and the discs below them (Been,
// Barash, Marom, Kramer 2010, doi 10.1007/s11999-009-1153-7, rounded). Spreads are generous: they hold
// for worn spines as well, and each relation has long tails.
constexpr std::array<double, 5> kBodyWedges{-2, 0, 1, 3, 8};
constexpr std::array<double, 5> kDiscWedges{5, 7, 9, 11, 15};
constexpr std::array<double, 5> kBodySpreads{14, 12, 12, 12, 12};
constexpr std::array<double, 5> kDiscSpreads{8, 8, 8, 9, 10};
// Walls stand square on the mid-plane between the endplates.
constexpr double kWallSpread = 9;
// The sacral table angle, between the endplate and the posterior wall of S1 (95 with, 102 without
// spondylolysis: Baker 2022, doi 10.31616/asj.2020.0442), and the angle of the promontory.
constexpr double kSacralTable = 98;
constexpr double kSacralTableSpread = 12;
constexpr double kPromontory = 65;
constexpr double kPromontorySpread = 12;

AngleRelation relation(std::size_t first, std::size_t second, double mean_deg, double spread_deg) {
  return {first, second, radians(mean_deg), radians(spread_deg)};
}

}  // namespace

std::vector<AngleRelation> relations_of_body(int level, std::size_t first) {
  const double wedge = kBodyWedges[static_cast<std::size_t>(level)];
  const std::size_t superior = first, anterior = first + 1, inferior = first + 2,
                    posterior = first + 3;
  return {relation(superior, inferior, wedge - 180, kBodySpreads[static_cast<std::size_t>(level)]),
          relation(superior, anterior, 90 + wedge / 2, kWallSpread),
          relation(anterior, inferior, 90 + wedge / 2, kWallSpread),
          relation(inferior, posterior, 90 - wedge / 2, kWallSpread),
          relation(posterior, superior, 90 - wedge / 2, kWallSpread)};
}

std::vector<AngleRelation> relations_of_sacrum(std::size_t first) {
  return {relation(first, first + 1, 180 - kSacralTable, kSacralTableSpread),
          relation(first + 1, first + 2, 180 - kPromontory, kPromontorySpread)};
}

AngleRelation relation_of_disc(int level, std::size_t inferior, std::size_t superior) {
  const auto disc = static_cast<std::size_t>(level);
  return relation(inferior, superior, 180 + kDiscWedges[disc], kDiscSpreads[disc]);
}

}  // namespace spinekit::radiograph

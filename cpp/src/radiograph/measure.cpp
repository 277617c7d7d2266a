#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "anatomy.h"
#include "intervals.h"
#include "report_method.h"
#include "spine_model.h"
#include "spinekit/error.h"
#include "spinekit/measurement.h"

namespace spinekit {
namespace radiograph {
namespace {

void check_arguments(const MaskStack& masks, const PixelSpacing& spacing,
                     const MeasuringOptions& options) {
  if (masks.rows < 1 || masks.columns < 1) {
    throw_argument("masks: " + std::to_string(masks.rows) + " rows and " +
                   std::to_string(masks.columns) + " columns, expected at least 1");
  }
  checked_product(checked_product(masks.rows, masks.columns, "masks"), 4 * kBones, "masks");
  if (!(spacing.row > 0 && spacing.column > 0 && std::isfinite(spacing.row) &&
        std::isfinite(spacing.column))) {
    throw_argument("spacing: (" + std::to_string(spacing.row) + ", " +
                   std::to_string(spacing.column) + "), expected (row, column) in mm, both > 0");
  }
  if (options.replicates < 0 || options.replicates > 10000) {
    throw_argument("replicates: " + std::to_string(options.replicates) + ", expected 0 to 10000");
  }
}

// Bytes are 0 and 1, or 255ths when any is above 1.
double byte_scale(const MaskStack& masks, Executor& executor, const CancelToken& cancel) {
  if (masks.type != MaskType::kUint8) return 1;
  const std::int64_t size = masks.rows * masks.columns;
  std::array<std::uint8_t, kBones> largest{};
  executor.parallel_for(
      kBones,
      [&](std::int64_t k) {
        largest[static_cast<std::size_t>(k)] =
            largest_byte(static_cast<const std::uint8_t*>(masks.data) + k * size, size);
      },
      cancel);
  return *std::max_element(largest.begin(), largest.end()) > 1 ? 1.0 / 255 : 1;
}

// Fewer pixels than this across have no shape; of a disc, that is 5 pixels in diameter.
constexpr std::int64_t kFewestPixels = 20;

FoundBone find_bone(const Plane& plane, const PixelSpacing& spacing, std::string& warning) {
  FoundBone bone;
  const PixelBox box = plane.scan();
  if (box.empty()) {
    bone.problem = "the mask is empty";
    return bone;
  }
  const Component piece = largest_component(plane, box);
  if (piece.pixels < kFewestPixels) {
    bone.problem = "the mask has " + std::to_string(piece.pixels) + " pixel" +
                   (piece.pixels == 1 ? "" : "s") + ", too few";
    return bone;
  }
  if (5 * piece.pixels > 4 * plane.rows() * plane.columns()) {
    bone.problem = "the mask covers the film";
    return bone;
  }
  if (4 * piece.other_pixels > piece.pixels)
    warning = "the mask is in pieces; the largest was taken";
  bone.contour = contour_of(trace_border(plane, piece), spacing);
  double cut = 0;
  for (const ContourPoint& point : bone.contour.points) {
    if (point.at_film_edge) cut += point.share;
  }
  if (cut > 0.3 * bone.contour.length) bone.problem = "the film's edge cuts the mask";
  return bone;
}

std::optional<EndplateAbove> endplate_above_sacrum(const FoundBones& bones, const Fits& fits) {
  constexpr std::size_t kL5 = kVertebrae - 1;
  if (!bones[kL5].there() || !fits.bodies[kL5].problem.empty()) return std::nullopt;
  const OutlineFit& outline = fits.bodies[kL5].outline;
  return EndplateAbove{outline.corners[2], outline.corners[3],
                       solve_sides(outline, nullptr)[2].angle};
}

void fit_bone(const FoundBones& bones, std::size_t k, Fits& fits) {
  const Contour& contour = bones[k].contour;
  if (k < kVertebrae) {
    const int level = static_cast<int>(k);
    fits.bodies[k] = fit_body(contour, level, down_at(bones, level));
  } else if (k == kSacrum) {
    // After L5, which shows where to look.
    fits.sacrum = fit_endplate(contour, up_from_sacrum(bones), endplate_above_sacrum(bones, fits));
  } else {
    Contour canonical = contour;
    prepare(canonical, {0.37, -0.93});  // no direction in which pixels tie
    fits.heads[k - kFirstHead] = fit_circle(canonical);
  }
}

const std::string& problem_of(const Fits& fits, std::size_t k) {
  if (k < kVertebrae) return fits.bodies[k].problem;
  return k == kSacrum ? fits.sacrum.problem : fits.heads[k - kFirstHead].problem;
}

// What single bones cannot show.
void check_together(FoundBones& bones, const Fits& fits, std::vector<std::string>& warnings) {
  FoundBone& first = bones[kFirstHead];
  FoundBone& second = bones[kFirstHead + 1];
  if (first.there() && second.there()) {
    const CircleFit& a = fits.heads[0];
    const CircleFit& b = fits.heads[1];
    const double large = std::max(a.radius, b.radius), small = std::min(a.radius, b.radius);
    if (large > 1.5 * small) {
      first.problem = second.problem = "the radii of the femoral heads differ too much";
    } else if (distance(a.centre, b.centre) > 5 * large) {
      first.problem = second.problem = "the femoral heads lie too far apart";
    } else if (large > 1.2 * small) {
      warnings.emplace_back("the radii of the femoral heads differ by more than 20 %");
    }
  }
  FoundBone& sacrum = bones[kSacrum];
  if (!sacrum.there()) return;
  const std::vector<Vec>& plate = fits.sacrum.outline.corners;
  const double length = distance(plate[1], plate[2]);
  for (std::size_t k = kVertebrae; k-- > 0;) {
    if (!bones[k].there()) continue;
    const std::vector<Vec>& body = fits.bodies[k].outline.corners;
    const double depth = distance(body[2], body[3]);
    if (length < 0.55 * depth || length > 1.7 * depth) {
      sacrum.problem = "the endplate of S1 was not found: its length does not suit " +
                       std::string(kBoneNames[k]);
    } else if (k + 1 == kVertebrae) {
      // L5 and S1 face each other.
      const double facing = dot(unit(plate[2] - plate[1]), unit(body[2] - body[3]));
      const double gap = distance(middle(plate[1], plate[2]), middle(body[2], body[3]));
      if (facing < 0.6 || gap > depth) {
        sacrum.problem = "the endplate of S1 was not found: it does not face L5";
      }
    }
    return;
  }
}

KeyPoints key_points(const Skeleton& skeleton, bool flipped, const PixelSpacing& spacing) {
  const auto in_pixels = [&](Vec p) {
    return FilmPoint{(flipped ? -p.x : p.x) / spacing.column, p.y / spacing.row};
  };
  KeyPoints points;
  for (std::size_t k = 0; k < kVertebrae; ++k) {
    for (std::size_t c = 0; c < 4; ++c)
      points.vertebrae[k][c] = in_pixels(skeleton.vertebrae[k][c]);
  }
  for (std::size_t k = 0; k < 2; ++k) {
    points.sacrum[k] = in_pixels(skeleton.sacrum[k]);
    points.heads[k] = in_pixels(skeleton.heads[k]);
  }
  return points;
}

// Heads must be round, and the sacrum must not be, before anything is concluded from their places.
void check_roundness(FoundBones& bones) {
  for (std::size_t k = kSacrum; k < kBones; ++k) {
    if (!bones[k].there()) continue;
    const CircleFit circle = fit_circle(bones[k].contour);
    constexpr double kRound = 0.8;
    if (k != kSacrum) {
      bones[k].problem = circle.problem;
    } else if (circle.problem.empty() && circle.support > kRound) {
      bones[k].problem = "the mask is too round for a sacrum";
    }
  }
}

void measure_robustly(FoundBones& bones, const PixelSpacing& spacing,
                      const MeasuringOptions& options, Executor& executor,
                      const CancelToken& cancel, MeasuredFilm& film) {
  check_roundness(bones);
  check_places(bones, film.warnings);
  film.facing = facing_of(bones, film.facing_problem, film.warnings);
  // From here on the patient looks to the right.
  const bool flipped = film.facing == Facing::kLeft;
  if (flipped) {
    for (FoundBone& bone : bones) {
      if (bone.there()) bone.contour = mirrored(bone.contour);
    }
  }
  Fits fits;
  executor.parallel_for(
      kBones - 1,
      [&](std::int64_t k) {
        const auto bone = static_cast<std::size_t>(k < kSacrum ? k : k + 1);
        if (bones[bone].there()) fit_bone(bones, bone, fits);
      },
      cancel);
  if (bones[kSacrum].there()) fit_bone(bones, kSacrum, fits);
  for (std::size_t k = 0; k < kBones; ++k) {
    if (bones[k].there()) bones[k].problem = problem_of(fits, k);
  }
  check_together(bones, fits, film.warnings);

  // Once more, by what has proved to be there; it has been turned to look to the right.
  if (film.facing != Facing::kUnknown) {
    std::vector<std::string> same_warnings;
    if (facing_of(bones, film.facing_problem, same_warnings) != Facing::kRight) {
      film.facing = Facing::kUnknown;
      if (film.facing_problem.empty()) {
        film.facing_problem = "the bones contradict each other about which side is anterior";
      }
    }
  }

  Skeleton skeleton = skeleton_of(bones, fits, nullptr);
  if (film.facing == Facing::kUnknown) {
    // Heads have no sides; everything else would be a guess.
    const std::array<Vec, 2> heads = skeleton.heads;
    skeleton = unknown_skeleton();
    skeleton.heads = heads;
  }
  film.points = key_points(skeleton, flipped, spacing);
  for (std::size_t k = 0; k < 2; ++k) {
    if (bones[kFirstHead + k].there()) film.points.radii[k] = fits.heads[k].radius / spacing.row;
  }
  film.values = values_of(skeleton);
  if (options.replicates == 0) return;
  constexpr std::uint64_t kSeed = 20240229;
  std::vector<std::vector<double>> replicates(static_cast<std::size_t>(options.replicates));
  executor.parallel_for(
      options.replicates,
      [&](std::int64_t k) {
        Random random(kSeed + static_cast<std::uint64_t>(k) * 0x632be59bd9b4e019);
        const Skeleton again =
            film.facing == Facing::kUnknown ? skeleton : skeleton_of(bones, fits, &random);
        replicates[static_cast<std::size_t>(k)] = values_of(again);
      },
      cancel);
  film.intervals = intervals_of(film.values, replicates);
}

void measure_as_reported(const MaskStack& masks, double scale, FoundBones& bones,
                         const PixelSpacing& spacing, MeasuredFilm& film) {
  film.facing = Facing::kLeft;
  for (int k = 0; k < kBones; ++k) {
    const auto bone = static_cast<std::size_t>(k);
    if (!bones[bone].there()) continue;
    const Plane plane(masks, k, scale);
    const PixelBox box = plane.scan();
    if (k < kVertebrae) {
      film.points.vertebrae[bone] = report_vertebra(plane, box).corners;
    } else if (k == kSacrum) {
      film.points.sacrum = report_sacrum(plane, box);
    } else {
      const ReportedHead head = report_head(plane, box);
      film.points.heads[bone - kFirstHead] = head.centre;
      film.points.radii[bone - kFirstHead] = head.radius;
    }
  }
  Skeleton skeleton;
  const auto in_mm = [&](const FilmPoint& p) {
    return Vec{-p.x * spacing.column, p.y * spacing.row};
  };
  for (std::size_t k = 0; k < kVertebrae; ++k) {
    for (std::size_t c = 0; c < 4; ++c)
      skeleton.vertebrae[k][c] = in_mm(film.points.vertebrae[k][c]);
  }
  for (std::size_t k = 0; k < 2; ++k) {
    skeleton.sacrum[k] = in_mm(film.points.sacrum[k]);
    skeleton.heads[k] = in_mm(film.points.heads[k]);
  }
  film.values = values_of(skeleton);
}

}  // namespace
}  // namespace radiograph

MeasuredFilm measure_masks(const MaskStack& masks, const PixelSpacing& spacing,
                           const MeasuringOptions& options, Executor& executor,
                           const CancelToken& cancel) {
  using namespace radiograph;
  check_arguments(masks, spacing, options);
  const double scale = byte_scale(masks, executor, cancel);
  MeasuredFilm film;
  FoundBones bones;
  std::array<std::string, kBones> notes;
  executor.parallel_for(
      kBones,
      [&](std::int64_t k) {
        const auto bone = static_cast<std::size_t>(k);
        bones[bone] = find_bone(Plane(masks, static_cast<int>(k), scale), spacing, notes[bone]);
      },
      cancel);
  for (std::size_t k = 0; k < kBones; ++k) {
    if (!notes[k].empty()) film.warnings.push_back(std::string(kBoneNames[k]) + ": " + notes[k]);
  }
  if (options.method == MeasuringMethod::kReport) {
    measure_as_reported(masks, scale, bones, spacing, film);
  } else {
    measure_robustly(bones, spacing, options, executor, cancel, film);
  }
  for (std::size_t k = 0; k < kBones; ++k) film.missing[k] = bones[k].problem;
  return film;
}

}  // namespace spinekit

// Spinopelvic measurement: from eight masks of a lateral film to key points, and from key points to
// angles, heights and grades' numbers, each with what stands behind it.
//
// Masks are borrowed, never copied or changed. Functions are pure and thread-safe; results are
// bit-identical for any number of workers. Points are (x, y) in pixels of the film, y downwards,
// pixel centres at integers; spacing is in mm, angles in degrees, lengths in mm of the spacing given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "spinekit/executor.h"

namespace spinekit {

inline constexpr int kVertebrae = 5;
inline constexpr int kSacrum = 5;
inline constexpr int kFirstHead = 6;
inline constexpr int kBones = 8;
// L1 ... L5, sacrum, FH1, FH2.
extern const std::array<const char*, kBones> kBoneNames;

struct FilmPoint {
  double x = std::numeric_limits<double>::quiet_NaN();
  double y = std::numeric_limits<double>::quiet_NaN();
};

enum Corner { kSuperiorAnterior, kSuperiorPosterior, kInferiorAnterior, kInferiorPosterior };

// NaN where unknown.
struct KeyPoints {
  std::array<std::array<FilmPoint, 4>, kVertebrae> vertebrae;  // by Corner
  std::array<FilmPoint, 2> sacrum;  // anterior and posterior end of the endplate of S1
  std::array<FilmPoint, 2> heads;
  std::array<double, 2> radii{std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::quiet_NaN()};  // in rows
};

struct PixelSpacing {
  double row = 1;
  double column = 1;
};

// The side of the film that the patient looks to.
enum class Facing { kUnknown, kLeft, kRight };

enum class MaskType { kFloat32, kUint8 };

// Eight planes in the order of kBoneNames, C order. Float: probabilities. Bytes: 0 and 1, or, when
// any byte is above 1, probabilities in 255ths. A pixel belongs to a bone from 0.5 on.
struct MaskStack {
  const void* data = nullptr;
  MaskType type = MaskType::kFloat32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

enum class MeasuringMethod { kRobust, kReport };

struct MeasuringOptions {
  MeasuringMethod method = MeasuringMethod::kRobust;
  // Bootstrap replicates behind the intervals; 0: no intervals.
  int replicates = 200;
};

enum class ParameterUnit { kDegree, kLength, kRatio, kPercent };

// One number of the result. `bones` has bit k set where kBoneNames[k] is needed; bit kFirstHead
// stands for the hip axis, for which one head will do.
struct ParameterInfo {
  std::string name;  // dotted: "pi", "segmental.L4-L5", "disc_heights.L5-S1.anterior"
  ParameterUnit unit;
  unsigned bones;
};
const std::vector<ParameterInfo>& parameters();

struct Interval {
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct MeasuredFilm {
  KeyPoints points;
  Facing facing = Facing::kUnknown;
  std::vector<double> values;               // as parameters(); NaN where it cannot be told
  std::vector<Interval> intervals;          // as parameters(), 95 %; empty without replicates
  std::array<std::string, kBones> missing;  // why a bone gave no key points; empty where it did
  std::string facing_problem;               // why no side is anterior; empty where one is
  std::vector<std::string> warnings;
};

// As parameters(), of points in pixels. Anterior is where the corners say it is. Values whose points
// are missing are NaN.
std::vector<double> parameters_of(const KeyPoints& points, const PixelSpacing& spacing);

// Which side the anterior corners are on.
Facing facing_of(const KeyPoints& points, const PixelSpacing& spacing);

// Throws Error(kArgument) on probabilities outside [0, 1] (by more than 0.001), a size of 0, a
// spacing that is not positive. O(pixels) to find the bones, the rest O(contours).
MeasuredFilm measure_masks(const MaskStack& masks, const PixelSpacing& spacing,
                           const MeasuringOptions& options, Executor& executor,
                           const CancelToken& cancel);

}  // namespace spinekit

#include "spinekit/pieces.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "classify/runs.h"
#include "classify/tracing.h"
#include "spinekit/error.h"

namespace {

using namespace spinekit;
using classify::Run;

using Picture = std::vector<std::string>;  // '#' is set
using Points = std::vector<PixelPoint>;

std::vector<std::uint8_t> bytes_of(const Picture& picture) {
  std::vector<std::uint8_t> bytes;
  for (const std::string& row : picture) {
    for (const char pixel : row) bytes.push_back(pixel == '#' ? 255 : 0);
  }
  return bytes;
}

PieceOptions bare() {
  PieceOptions options;
  options.cleaning = {.closing = 0, .smooth = false, .opening = 0};
  options.min_area = 0;
  return options;
}

std::vector<Piece> pieces_of(const Picture& picture, const PieceOptions& options = bare(),
                             std::int64_t strip = 1000) {
  const auto width = static_cast<std::int64_t>(picture[0].size());
  const auto height = static_cast<std::int64_t>(picture.size());
  const std::vector<std::uint8_t> bytes = bytes_of(picture);
  PieceFinder finder(width, height, options);
  for (std::int64_t y = 0; y < height; y += strip) {
    finder.add_byte_rows(bytes.data() + y * width, std::min(strip, height - y));
  }
  return finder.finish();
}

Picture cleaned(const Picture& picture, const CleaningOptions& options) {
  const auto width = static_cast<std::int64_t>(picture[0].size());
  Picture result;
  MaskCleaner cleaner(width, static_cast<std::int64_t>(picture.size()), options,
                      [&](const std::uint64_t* row) {
                        std::string& text = result.emplace_back();
                        for (std::int64_t x = 0; x < width; ++x) {
                          text += (row[x / 64] >> (x % 64) & 1) != 0 ? '#' : '.';
                        }
                      });
  const std::vector<std::uint8_t> bytes = bytes_of(picture);
  std::vector<std::uint64_t> words(static_cast<std::size_t>(mask_words(width)));
  for (std::size_t y = 0; y < picture.size(); ++y) {
    pack_mask_row(bytes.data() + static_cast<std::int64_t>(y) * width, width, words.data());
    cleaner.add_row(words.data());
  }
  return result;
}

ErrorCode code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kVerification;
}

Picture noise(std::int64_t width, std::int64_t height, unsigned seed, double density) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution set(density);
  Picture picture;
  for (std::int64_t y = 0; y < height; ++y) {
    std::string& row = picture.emplace_back();
    for (std::int64_t x = 0; x < width; ++x) row += set(generator) ? '#' : '.';
  }
  return picture;
}

}  // namespace

TEST_CASE("packing takes every byte but 0 as damage, and no bits beyond the width") {
  std::vector<std::uint8_t> bytes(70, 0);
  bytes[0] = 1;
  bytes[9] = 128;
  bytes[63] = 255;
  bytes[69] = 2;
  std::vector<std::uint64_t> words(2, ~std::uint64_t{0});
  pack_mask_row(bytes.data(), 70, words.data());
  CHECK(words[0] == ((std::uint64_t{1} << 63) | (1U << 9) | 1U));
  CHECK(words[1] == std::uint64_t{1} << 5);
}

TEST_CASE("closing fills a gap, opening takes a line away, and borders do neither") {
  const CleaningOptions close{.closing = 3, .smooth = false, .opening = 0};
  CHECK(cleaned({"##.##", "##.##", "##.##"}, close) == Picture{"#####", "#####", "#####"});
  const CleaningOptions open{.closing = 0, .smooth = false, .opening = 3};
  CHECK(cleaned({".....", "#####", "....."}, open) == Picture{".....", ".....", "....."});
  CHECK(cleaned({"#####", "#####", "....."}, open) == Picture{"#####", "#####", "....."});
}

TEST_CASE("smoothing rounds a corner and drops a pixel") {
  const CleaningOptions smooth{.closing = 0, .smooth = true, .opening = 0};
  Picture pixel(9, ".........");
  pixel[4][4] = '#';
  CHECK(cleaned(pixel, smooth) == Picture(9, "........."));
  // A half plane has 41 of 64 along its last column, 23 beyond.
  CHECK(cleaned(Picture(8, "####...."), smooth) == Picture(8, "####...."));
  // The corner of a quadrant has (41 / 64)^2 = 0.41, its neighbours along the edge (41 / 64)(55 / 64).
  Picture quadrant(12, "............");
  for (std::size_t y = 6; y < 12; ++y) quadrant[y] = "......######";
  Picture expected = quadrant;
  expected[6][6] = '.';
  CHECK(cleaned(quadrant, smooth) == expected);
}

TEST_CASE("a rectangle has its corners for a contour, left side first") {
  const auto pieces = pieces_of({"......", ".####.", ".####.", ".####.", "......"});
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].number == 1);
  CHECK(pieces[0].contour == Points{{1, 1}, {1, 3}, {4, 3}, {4, 1}});
  CHECK(pieces[0].area == 6);  // through the centres of the border pixels
  CHECK(pieces[0].pixels == 12);
  CHECK(pieces[0].x == 2.5);
  CHECK(pieces[0].y == 2);
  CHECK(pieces[0].box.width == 4);
  CHECK(pieces[0].box.height == 3);
}

TEST_CASE("lines of one pixel are walked there and back") {
  const auto row = pieces_of({".....", ".###.", "....."});
  REQUIRE(row.size() == 1);
  CHECK(row[0].contour == Points{{1, 1}, {3, 1}});
  CHECK(row[0].area == 0);
  CHECK(row[0].x == 2);
  const auto slope = pieces_of({".....", "...#.", "..#..", ".#...", "....."});
  REQUIRE(slope.size() == 1);
  CHECK(slope[0].contour == Points{{3, 1}, {1, 3}});
  const auto dot = pieces_of({"...", ".#.", "..."});
  REQUIRE(dot.size() == 1);
  CHECK(dot[0].contour == Points{{1, 1}});
  CHECK(dot[0].outline == Points{{1, 1}});
}

TEST_CASE("what lies in a hole of a piece is none of its own") {
  const Picture ring{".........", ".#######.", ".#.....#.", ".#.###.#.", ".#.#.#.#.",
                     ".#.###.#.", ".#.....#.", ".#######.", "........."};
  const auto pieces = pieces_of(ring);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].area == 36);
  CHECK(pieces[0].pixels == 24);
  PieceOptions boxed = bare();
  boxed.boundary = PieceBox{0, 0, 9, 9};
  CHECK(pieces_of(ring, boxed).size() == 1);
}

TEST_CASE("what lies in a hole of a region that goes with the border is a piece") {
  const Picture ring{"#######", "#.....#", "#.##..#", "#.##..#", "#.....#", "#######"};
  const auto pieces = pieces_of(ring);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].pixels == 4);
}

TEST_CASE("a region at all four sides of the boundary surrounds the artwork and is none") {
  PieceOptions options = bare();
  options.numbering = Numbering::kSimple;
  options.boundary = PieceBox{1, 1, 7, 6};
  Picture picture{".........", "########.", ".#.....#.", ".#.##..#.",
                  ".#.##..#.", ".#.....#.", ".#######.", "........."};
  const auto pieces = pieces_of(picture, options);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].pixels == 4);
  // Three sides and no more.
  for (std::size_t x = 1; x < 8; ++x) picture[6][x] = '.';
  const auto arch = pieces_of(picture, options);
  REQUIRE(arch.size() == 2);
  CHECK(arch[0].pixels == 15);
  options.at_boundary = AtBoundary::kRemove;
  const auto inner = pieces_of(picture, options);
  REQUIRE(inner.size() == 1);
  CHECK(inner[0].pixels == 4);
  // A pixel alone touches all four sides of a boundary of its size.
  options = bare();
  options.boundary = PieceBox{3, 3, 1, 1};
  CHECK(pieces_of(picture, options).empty());
}

TEST_CASE("regions that meet below count the sides that both touch") {
  const Picture picture{".#.....", ".#...##", ".#.#.#.", "##...#.", ".#####.", "..#...."};
  PieceOptions options = bare();
  options.boundary = PieceBox{0, 0, 7, 6};
  for (std::int64_t strip = 1; strip < 7; ++strip) {
    const auto pieces = pieces_of(picture, options, strip);
    REQUIRE(pieces.size() == 1);
    CHECK(pieces[0].contour == Points{{3, 2}});
  }
  options.boundary = PieceBox{0, 0, 7, 5};
  options.at_boundary = AtBoundary::kRemove;
  CHECK(pieces_of(picture, options).size() == 1);
  options.boundary = PieceBox{-5, 0, 20, 9};  // of which the mask is what counts
  options.at_boundary = AtBoundary::kKeep;
  CHECK(pieces_of(picture, options).size() == 1);
  options.boundary = PieceBox{1, 1, 6, 5};
  CHECK(pieces_of(picture, options).size() == 1);
}

TEST_CASE("a ring that reaches the border below its island gives the island free") {
  const auto pieces = pieces_of(
      {".......", ".#####.", ".#...#.", ".#.#.#.", ".#...#.", ".#####.", ".#.....", ".#....."});
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].contour == Points{{3, 3}});
}

TEST_CASE("corners connect regions and do not let background through") {
  // A diamond: closed by corners, so that its middle pixel lies in a hole.
  const Picture diamond{".......", "...#...", "..#.#..", ".#.#.#.",
                        "..#.#..", "...#...", "......."};
  const auto pieces = pieces_of(diamond);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].pixels == 9);  // the middle one touches the diamond by its corners
  const Picture wide{".........", "....#....", "...#.#...", "..#...#..", ".#..#..#.",
                     "..#...#..", "...#.#...", "....#....", "........."};
  const auto outer = pieces_of(wide);
  REQUIRE(outer.size() == 1);
  CHECK(outer[0].pixels == 12);
  CHECK(outer[0].area == 18);
}

TEST_CASE("the boundary cuts regions and keeps those at its edge") {
  PieceOptions options = bare();
  options.boundary = PieceBox{1, 1, 4, 2};
  const auto pieces = pieces_of({"####..", "####..", "####..", "####.."}, options);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].contour == Points{{1, 1}, {1, 2}, {3, 2}, {3, 1}});
  options.boundary = PieceBox{9, 9, 3, 2};
  CHECK(pieces_of({"#####", "#####"}, options).empty());
  options.boundary = PieceBox{-5, -5, 3, 3};
  CHECK(pieces_of({"#####", "#####"}, options).empty());
}

TEST_CASE("areas filter, bounds included") {
  const Picture squares{"..............", ".###.####.###.", ".###.####.###.",
                        ".###.####.....", ".....####.....", ".............."};
  PieceOptions options = bare();  // of areas 4, 9 and 2
  CHECK(pieces_of(squares, options).size() == 3);
  options.min_area = 4;
  CHECK(pieces_of(squares, options).size() == 2);
  options.max_area = 8;
  CHECK(pieces_of(squares, options).size() == 1);
}

TEST_CASE("the four numberings sort as they say") {
  std::vector<Piece> pieces;
  const double places[][2] = {{120, 10}, {20, 90}, {10, 120}, {130, 5}, {30, 60}};
  for (std::size_t k = 0; k < 5; ++k) {
    Piece& piece = pieces.emplace_back();
    piece.x = places[k][0];
    piece.y = places[k][1];
    piece.pixels = static_cast<std::int64_t>(k);
  }
  const auto order = [&](Numbering numbering) {
    std::vector<Piece> sorted = pieces;
    number_pieces(sorted, numbering, 100);
    std::string text;
    for (const Piece& piece : sorted) text += std::to_string(piece.pixels);
    return text;
  };
  CHECK(order(Numbering::kGrid) == "14032");  // 1 and 4 share a line of 50, and so do 0 and 3
  CHECK(order(Numbering::kRow) == "14032");
  CHECK(order(Numbering::kColumn) == "41230");
  CHECK(order(Numbering::kSimple) == "30412");
}

TEST_CASE("strips of any height give the same pieces") {
  PieceOptions boxed = bare();
  boxed.boundary = PieceBox{0, 0, 400, 90};
  for (const double density : {0.3, 0.42, 0.55, 0.65}) {
    const Picture picture = noise(400, 90, 3, density);
    for (const PieceOptions& options : {bare(), boxed}) {
      const auto whole = pieces_of(picture, options);
      CHECK(!whole.empty());
      for (std::int64_t strip = 1; strip < 90; strip += 17) {
        const auto pieces = pieces_of(picture, options, strip);
        REQUIRE(pieces.size() == whole.size());
        for (std::size_t k = 0; k < whole.size(); ++k) {
          CHECK(pieces[k].contour == whole[k].contour);
          CHECK(pieces[k].outline == whole[k].outline);
        }
      }
    }
  }
}

TEST_CASE("borders are the same from a picture and from a search") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto pieces = pieces_of(noise(60, 40, seed, 0.55));
    for (const Piece& piece : pieces) {
      // Any region will do: here the polygon's own border pixels, which are connected.
      std::vector<Run> runs;
      for (std::size_t k = 0; k < piece.contour.size(); ++k) {
        PixelPoint at = piece.contour[k];
        const PixelPoint to = piece.contour[(k + 1) % piece.contour.size()];
        while (true) {
          runs.push_back({at.y, at.x, at.x + 1});
          if (at == to) break;
          at.x += (to.x > at.x) - (to.x < at.x);
          at.y += (to.y > at.y) - (to.y < at.y);
        }
      }
      const auto key = [](const Run& run) { return std::make_pair(run.y, run.first); };
      std::sort(runs.begin(), runs.end(),
                [&](const Run& a, const Run& b) { return key(a) < key(b); });
      runs.erase(std::unique(runs.begin(), runs.end(),
                             [&](const Run& a, const Run& b) { return key(a) == key(b); }),
                 runs.end());
      CHECK(classify::outer_border(runs) == piece.contour);
      CHECK(classify::outer_border_by_search(runs) == piece.contour);
    }
  }
}

TEST_CASE("a sieve keeps little more than its outline, and has its corners for a contour") {
  Picture sieve;
  for (int y = 0; y < 2001; ++y) {
    std::string& row = sieve.emplace_back(2001, '#');
    for (int x = 1; y % 2 == 1 && x < 2001; x += 2) row[static_cast<std::size_t>(x)] = '.';
    row += '.';
  }
  PieceOptions options = bare();
  options.boundary = PieceBox{0, 0, 2002, 2001};  // a column without it, so that it is damage
  options.memory_limit = 8'000'000;
  const auto pieces = pieces_of(sieve, options);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].contour == Points{{0, 0}, {0, 2000}, {2000, 2000}, {2000, 0}});
  CHECK(pieces[0].area == 4'000'000);
  CHECK(pieces[0].pixels == 2001 * 2001 - 1000 * 1000);
}

TEST_CASE("more than the memory limit is an error that names the remedy") {
  PieceOptions options = bare();
  options.memory_limit = 300'000;
  options.boundary = PieceBox{0, 0, 1002, 2000};
  const Picture comb(2000, "." + noise(1000, 1, 1, 0.5)[0] + ".");
  CHECK(code_of([&] { pieces_of(comb, options); }) == ErrorCode::kResource);
  options.memory_limit = 12'000'000;
  CHECK(code_of([&] { pieces_of(noise(300, 300, 1, 0.3), options); }) == ErrorCode::kVerification);
}

TEST_CASE("a finder refuses rows beyond its mask and to finish early") {
  PieceFinder finder(3, 2, bare());
  const std::vector<std::uint8_t> bytes(9);
  CHECK(code_of([&] { finder.finish(); }) == ErrorCode::kArgument);
  CHECK(code_of([&] { finder.add_byte_rows(bytes.data(), 3); }) == ErrorCode::kArgument);
  finder.add_byte_rows(bytes.data(), 2);
  CHECK(finder.finish().empty());
  CHECK(code_of([&] { finder.finish(); }) == ErrorCode::kArgument);
  CHECK(code_of([&] { PieceFinder(0, 2, bare()); }) == ErrorCode::kArgument);
}

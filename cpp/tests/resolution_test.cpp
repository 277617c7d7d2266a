#include <doctest/doctest.h>

#include "codec/j2k_header.h"
#include "dicom_bytes.h"
#include "frames.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

// The low-pass half of the 5/3 transform of one line (ISO/IEC 15444-1 F.4.8.1), from its equations.
std::vector<int> low_pass(const std::vector<int>& line) {
  const int n = static_cast<int>(line.size());
  if (n == 1) return line;
  const auto x = [&](int i) {
    const int period = 2 * (n - 1);
    i = ((i % period) + period) % period;
    return line[static_cast<std::size_t>(i < n ? i : period - i)];
  };
  const auto high = [&](int i) { return x(2 * i + 1) - floor_div(x(2 * i) + x(2 * i + 2), 2); };
  std::vector<int> out;
  for (int i = 0; 2 * i < n; ++i) {
    out.push_back(x(2 * i) + floor_div(high(i - 1) + high(i) + 2, 4));
  }
  return out;
}

// One component: columns first, then rows (F.4.2).
std::vector<int> half_size(const std::vector<int>& image, std::ptrdiff_t rows,
                           std::ptrdiff_t columns) {
  const std::ptrdiff_t low_rows = (rows + 1) / 2;
  const auto at = [columns](std::ptrdiff_t y, std::ptrdiff_t x) {
    return static_cast<std::size_t>(y * columns + x);
  };
  std::vector<int> tall(at(low_rows, 0));
  for (std::ptrdiff_t x = 0; x < columns; ++x) {
    std::vector<int> line(static_cast<std::size_t>(rows));
    for (std::ptrdiff_t y = 0; y < rows; ++y) line[static_cast<std::size_t>(y)] = image[at(y, x)];
    const std::vector<int> low = low_pass(line);
    for (std::ptrdiff_t y = 0; y < low_rows; ++y) tall[at(y, x)] = low[static_cast<std::size_t>(y)];
  }
  std::vector<int> out;
  for (std::ptrdiff_t y = 0; y < low_rows; ++y) {
    const auto start = tall.begin() + y * columns;
    const std::vector<int> low = low_pass({start, start + columns});
    out.insert(out.end(), low.begin(), low.end());
  }
  return out;
}

Buffer decoded_at(Bytes codestream, const FrameFormat& format, int reduction) {
  Buffer out(static_cast<std::size_t>(reduced(format, reduction).byte_count()));
  std::vector<std::string> warnings;
  decode_j2k(codestream, format, out, warnings, reduction);
  CHECK(warnings.empty());
  return out;
}

}  // namespace

TEST_CASE("a reduced J2K frame is the low-pass band of the 5/3 transform") {
  for (const FrameFormat& format :
       {format_of(64, 65, 1, 16, 12, true), format_of(17, 33, 1, 8, 8, false),
        format_of(31, 30, 1, 16, 16, false)}) {
    CAPTURE(format.columns);
    const Buffer frame = test_frame(format);
    const Buffer codestream = encode_j2k(frame, format, {});
    const int decompositions = read_j2k_header(codestream).decompositions;
    CHECK(decompositions >= 4);
    const int offset = format.is_signed ? 0 : 1 << (format.bits_stored - 1);
    const int least = format.is_signed ? -(1 << (format.bits_stored - 1)) : 0;
    std::vector<int> expected = values_of(frame, format);
    for (int& value : expected) value -= offset;
    FrameFormat size = format;
    for (int reduction = 1; reduction <= decompositions; ++reduction) {
      expected = half_size(expected, size.rows, size.columns);
      size = reduced(format, reduction);
      std::vector<int> stored = expected;
      for (int& value : stored) {
        value = std::clamp(value + offset, least, least + (1 << format.bits_stored) - 1);
      }
      CHECK(values_of(decoded_at(codestream, format, reduction), size) == stored);
    }
  }
}

TEST_CASE("reductions beyond the decompositions are the caller's mistake") {
  const FrameFormat format = format_of(16, 16, 1, 8, 8, false);
  const Buffer codestream = encode_j2k(test_frame(format), format, {});
  CHECK(read_j2k_header(codestream).decompositions == 4);
  check_refuses(ErrorCode::kArgument, "reduction 5, this codestream has 0 to 4",
                [&] { decoded_at(codestream, format, 5); });
  check_refuses(ErrorCode::kArgument, "reduction is -1",
                [&] { decoded_at(codestream, format, -1); });
  check_refuses(ErrorCode::kArgument, "64 bytes, the buffer 256", [&] {
    Buffer out(256);
    std::vector<std::string> warnings;
    decode_j2k(codestream, format, out, warnings, 1);
  });
}

TEST_CASE("an image offset that changes the reduced size is refused, others are not") {
  const FrameFormat format = format_of(17, 17, 1, 8, 8, false);
  Buffer codestream = encode_j2k(test_frame(format), format, {});
  constexpr std::size_t kXsiz = 8;
  constexpr std::size_t kXOsiz = 16;
  const auto moved_by = [&](std::uint8_t offset) {
    Buffer moved = codestream;
    for (const std::size_t field : {kXsiz, kXsiz + 4, kXOsiz, kXOsiz + 4, kXsiz + 16, kXsiz + 20}) {
      moved[field + 3] = static_cast<std::uint8_t>(moved[field + 3] + offset);
    }
    return moved;
  };
  CHECK_NOTHROW(check_reduction(moved_by(16), 4));
  CHECK_NOTHROW(check_reduction(moved_by(2), 1));
  check_refuses(ErrorCode::kUnsupported, "begins at (1, 1)",
                [&] { check_reduction(moved_by(1), 1); });
}

TEST_CASE("a prefix decodes at its reduction to the samples of the whole") {
  for (const FrameFormat& format :
       {format_of(256, 256, 1, 16, 12, true), format_of(128, 96, 3, 8, 8, false),
        format_of(17, 33, 1, 8, 8, false)}) {
    CAPTURE(format.columns);
    const Buffer frame = test_frame(format);
    for (const bool reversible : {true, false}) {
      const Buffer codestream = encode_j2k(
          frame, format, {.reversible = reversible, .color_transform = format.samples == 3});
      const auto size = static_cast<std::int64_t>(codestream.size());
      std::int64_t previous = size + 1;
      for (int reduction = 0; reduction <= read_j2k_header(codestream).decompositions;
           ++reduction) {
        CAPTURE(reduction);
        const std::int64_t prefix = j2k_prefix_bytes(codestream, format, reduction);
        CHECK(prefix <= size);
        CHECK(prefix <= previous);
        previous = prefix;
        const Buffer whole = decoded_at(codestream, format, reduction);
        for (std::int64_t length = prefix; length < size; length += 1 + size / 17) {
          const Bytes part = Bytes(codestream).first(static_cast<std::size_t>(length));
          CHECK(decoded_at(part, format, reduction) == whole);
        }
      }
      // The highest resolution has three quarters of the coefficients.
      if (size > 4096) CHECK(j2k_prefix_bytes(codestream, format, 2) * 2 < size);
      CHECK(j2k_prefix_bytes(codestream, format, 0) == size);
    }
  }
}

TEST_CASE("without a reduction a cut codestream is still refused") {
  const FrameFormat format = format_of(64, 64, 1, 16, 12, false);
  const Buffer codestream = encode_j2k(test_frame(format), format, {});
  check_refuses(ErrorCode::kMalformed, "does not decode",
                [&] { decoded_at(Bytes(codestream).first(codestream.size() / 2), format, 0); });
}

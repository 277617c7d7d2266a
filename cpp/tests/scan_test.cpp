#include "spinekit/scan.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <array>
#include <functional>
#include <map>

#include "scan/exif.h"
#include "scan/packed_stream.h"
#include "scan/samples.h"
#include "sources.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr int kLzw = 5;
constexpr int kDeflate = 8;
constexpr int kPackBits = 32773;

Buffer counted(std::size_t size) {
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + i / 100);
  return out;
}

Buffer deflated(const Buffer& bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  Buffer out(size);
  REQUIRE(compress(out.data(), &size, bytes.data(), static_cast<uLong>(bytes.size())) == Z_OK);
  out.resize(size);
  return out;
}

// Codes with their widths, the first bit highest.
class Codes {
 public:
  Codes& put(unsigned code, int bits) {
    for (int k = bits - 1; k >= 0; --k) {
      if (filled_ % 8 == 0) bytes_.push_back(0);
      bytes_.back() =
          static_cast<std::uint8_t>(bytes_.back() | ((code >> k) & 1U) << (7 - filled_ % 8));
      ++filled_;
    }
    return *this;
  }
  [[nodiscard]] const Buffer& bytes() const { return bytes_; }

 private:
  Buffer bytes_;
  int filled_ = 0;
};

// One byte's run as TIFF 6.0 section 13 packs it: each code stands for a string longer by one.
Buffer lzw_run(std::uint8_t value, int codes) {
  Codes out;
  out.put(256, 9).put(value, 9);
  int bits = 9;
  for (int k = 1; k < codes; ++k) {
    const int next = 257 + k;  // the entry that this very code makes
    out.put(static_cast<unsigned>(next), bits);
    if (next + 1 >= (1 << bits) - 1 && bits < 12) ++bits;
  }
  out.put(257, bits);
  return out.bytes();
}

Buffer unpacked(int compression, const Buffer& packed, std::size_t size, std::size_t step) {
  const CopyingSource source(packed);
  const auto stream = make_packed_stream(compression, source, 0);
  stream->start(0, source.size());
  Buffer out(size);
  for (std::size_t at = 0; at < size; at += step) {
    stream->read(MutableBytes(out).subspan(at, std::min(step, size - at)));
  }
  stream->finish();
  return out;
}

using Tags = std::map<std::uint16_t, std::uint32_t>;

// A little-endian TIFF of one strip behind its header, all tags LONG.
Buffer tiff(Tags tags, const Buffer& strip) {
  Buffer out = {'I', 'I', 42, 0, 0, 0, 0, 0};
  out.insert(out.end(), strip.begin(), strip.end());
  if (out.size() % 2 != 0) out.push_back(0);
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int k = 0; k < bytes; ++k) out.push_back(static_cast<std::uint8_t>(value >> (8 * k)));
  };
  tags.emplace(273, 8);
  tags.emplace(279, static_cast<std::uint32_t>(strip.size()));
  const std::size_t directory = out.size();
  put(static_cast<std::uint32_t>(tags.size()), 2);
  for (const auto& [tag, value] : tags) {
    put(tag, 2);
    put(4, 2);
    put(1, 4);
    put(value, 4);
  }
  put(0, 4);
  for (std::size_t k = 0; k < 4; ++k) out[4 + k] = static_cast<std::uint8_t>(directory >> (8 * k));
  return out;
}

Tags grey(std::uint32_t rows, std::uint32_t columns, std::uint32_t compression) {
  return {{256, columns}, {257, rows}, {258, 8},   {259, compression},
          {262, 1},       {277, 1},    {278, rows}};
}

std::unique_ptr<ScanReader> open_bytes(Buffer bytes, Executor* executor = nullptr) {
  return open_scan(std::make_shared<CopyingSource>(std::move(bytes)), "made", ScanLimits{},
                   executor);
}

Error failure_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return {ErrorCode::kArgument, ""};
}

}  // namespace

TEST_CASE("streams unpack the same in steps of any size") {
  const Buffer bytes = counted(5000);
  Buffer packbits;
  for (std::size_t at = 0; at < bytes.size(); at += 100) {
    packbits.push_back(99);
    packbits.insert(packbits.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at + 100));
  }
  for (const std::size_t step : {1U, 7U, 100U, 4999U, 5000U}) {
    CHECK(unpacked(1, bytes, 5000, step) == bytes);
    CHECK(unpacked(kPackBits, packbits, 5000, step) == bytes);
    CHECK(unpacked(kDeflate, deflated(bytes), 5000, step) == bytes);
  }
}

TEST_CASE("LZW strings of every length, past a full table") {
  // 3837 codes after the first fill 258 to 4094; the lengths are 1, 2, 3 ...
  constexpr int kCodes = 3838;
  constexpr std::size_t kLength = std::size_t{kCodes} * (kCodes + 1) / 2;
  const Buffer packed = lzw_run(9, kCodes);
  for (const std::size_t step : {std::size_t{1}, std::size_t{4000}, std::size_t{70'001}, kLength}) {
    CHECK(unpacked(kLzw, packed, kLength, step) == Buffer(kLength, 9));
  }
  CHECK_THROWS_WITH_AS((void)unpacked(kLzw, packed, kLength + 1, kLength + 1),
                       "its LZW data end early", Error);
}

TEST_CASE("LZW codes without a string are damage") {
  const auto message = [](const Buffer& packed) {
    return failure_of([&] { (void)unpacked(kLzw, packed, 10, 10); }).message();
  };
  const std::string expected = "its LZW data are damaged (a code before its string)";
  CHECK(message(Codes().put(256, 9).put(258, 9).bytes()) == expected);
  CHECK(message(Codes().put(256, 9).put(1, 9).put(259, 9).bytes()) == expected);
  CHECK(message(Codes().put(256, 9).put(1, 9).bytes()) == "its LZW data end early");
}

TEST_CASE("deflate is judged the same in one piece and in steps") {
  const Buffer bytes = counted(3000);
  Buffer packed = deflated(bytes);
  const auto whole = [&](std::int64_t most_packed) {
    const CopyingSource source(packed);
    const auto stream = make_packed_stream(kDeflate, source, most_packed);
    Buffer out(bytes.size());
    stream->read_whole(0, source.size(), out);
    return out;
  };
  CHECK(whole(1 << 20) == bytes);
  CHECK(whole(0) == bytes);
  packed.back() ^= 1U;
  for (const std::int64_t most : {1 << 20, 0}) {
    CHECK(failure_of([&] { (void)whole(most); }).message() ==
          "its deflate data are damaged (incorrect data check)");
  }
}

TEST_CASE("transparency over white is rounded to the nearest") {
  SampleLayout layout;
  layout.alpha = Alpha::kStraight;
  layout.stride = 4;
  Buffer scratch;
  for (int colour = 0; colour < 256; colour += 5) {
    for (int alpha = 0; alpha < 256; ++alpha) {
      const auto c = static_cast<std::uint8_t>(colour);
      const std::array<std::uint8_t, 4> pixel = {c, c, c, static_cast<std::uint8_t>(alpha)};
      std::array<std::uint8_t, 3> rgb{};
      to_rgb(layout, {pixel.data(), pixel.data() + 1, pixel.data() + 2, pixel.data() + 3}, 1,
             rgb.data(), scratch);
      const double exact = (colour * alpha + 255.0 * (255 - alpha)) / 255.0;
      CHECK(rgb[0] == static_cast<int>(exact + 0.5));
    }
  }
}

TEST_CASE("the orientation of EXIF in both byte orders, and of damaged ones") {
  const Buffer little = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
  const Buffer big = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0};
  CHECK(exif_orientation(little) == 6);
  CHECK(exif_orientation(big) == 8);
  for (std::size_t length = 0; length < 20; ++length) {
    const int cut = exif_orientation(Bytes(little).first(length));
    CHECK((cut == 0 || cut == 6));
  }
  Buffer far = little;
  far[4] = far[5] = far[6] = far[7] = 0xFF;
  CHECK(exif_orientation(far) == 0);
}

TEST_CASE("rows come in order, in any batches, and again after a rewind") {
  const Buffer bytes = counted(50 * 40);
  for (const int compression : {1, kDeflate}) {
    const Buffer strip = compression == 1 ? bytes : deflated(bytes);
    const auto reader =
        open_bytes(tiff(grey(50, 40, static_cast<std::uint32_t>(compression)), strip));
    CHECK(reader->info().format == "TIFF");
    for (const std::int64_t batch : {1, 7, 50}) {
      Buffer rgb(50 * 120);
      for (std::int64_t row = 0; row < 50; row += batch) {
        reader->read_rows(rgb.data() + row * 120, std::min(batch, 50 - row));
      }
      for (std::size_t k = 0; k < rgb.size(); ++k) REQUIRE(rgb[k] == bytes[k / 3]);
      CHECK(failure_of([&] { reader->read_rows(rgb.data(), 1); }).code() == ErrorCode::kArgument);
      reader->rewind();
    }
  }
}

TEST_CASE("an error names the scan, and stays until a rewind") {
  Buffer strip = deflated(counted(5000));
  strip.resize(strip.size() / 2);
  const auto reader = open_bytes(tiff(grey(50, 100, kDeflate), strip));
  Buffer rgb(50 * 300);
  for (int again = 0; again < 3; ++again) {
    const Error error = failure_of([&] { reader->read_rows(rgb.data(), 50); });
    CHECK(error.code() == ErrorCode::kMalformed);
    CHECK(error.message() == "'made': strip 0 (rows 0 to 49 of 50): its data end early");
    if (again == 1) reader->rewind();
  }
}

TEST_CASE("cut files are errors at every length") {
  const Buffer whole = tiff(grey(20, 10, kDeflate), deflated(counted(200)));
  // The last four bytes only say that no page follows.
  for (std::size_t length = 0; length < whole.size() - 4; ++length) {
    CHECK_THROWS_AS((void)open_bytes(
                        Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))),
                    Error);
  }
  CHECK(open_bytes(whole)->info().height == 20);
}

TEST_CASE("a limit that nothing fits into is an argument error") {
  const auto source = std::make_shared<CopyingSource>(tiff(grey(5, 10, 1), counted(50)));
  CHECK(failure_of([&] { (void)open_scan(source, "made", {.memory = 1000}); }).code() ==
        ErrorCode::kArgument);
}

#include <unistd.h>

#include "deflated.h"
#include "dicom_bytes.h"
#include "frames.h"
#include "sources.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr Encoder kLittle{true, false};
constexpr Encoder kBig{true, true};
constexpr const char* kRle = "1.2.840.10008.1.2.5";
constexpr const char* kJ2k = "1.2.840.10008.1.2.4.90";
constexpr Tag kPixels{0x7FE0, 0x0010};

Buffer ramp(std::size_t bytes) {
  Buffer out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(7 * i + i / 256);
  return out;
}

Picture picture_of(int rows, int columns, int frames, int bits = 8, int samples = 1) {
  Picture p;
  p.rows = rows;
  p.columns = columns;
  p.frames = frames;
  p.bits_allocated = p.bits_stored = bits;
  p.samples = samples;
  if (samples == 3) {
    p.photometric = "RGB";
    p.planar = 0;
  }
  return p;
}

Buffer native_file(const Picture& p, const Buffer& pixels, const char* syntax, Encoder e,
                   const char* vr) {
  return part10(syntax, picture_elements(p, e) + e.element(kPixels, vr, pixels));
}

struct Named {
  const char* name;
  Buffer file;
};

// One file of each way in which frames can lie. `extra` stands in the header.
std::vector<Named> files(const Buffer& extra, const Buffer& extra_big) {
  std::vector<Named> out;
  const auto with = [&](Picture p, bool big = false) {
    p.extra = big ? extra_big : extra;
    return p;
  };
  const Picture wide = picture_of(5, 7, 4, 16);
  out.push_back({"explicit", native_file(with(wide), ramp(280), kExplicit, kLittle, "OW")});
  out.push_back({"big endian", native_file(with(wide, true), ramp(280), kBigEndian, kBig, "OW")});
  for (const int frames : {1, 4, 5}) {
    // Odd frames in words: every second one begins amid a word.
    const Picture odd = with(picture_of(3, 5, frames), true);
    Buffer pixels = ramp(15 * static_cast<std::size_t>(frames));
    if (pixels.size() % 2 != 0) pixels.push_back(0);
    out.push_back({"8 bit in words", native_file(odd, pixels, kBigEndian, kBig, "OW")});
    out.push_back({"8 bit in bytes", native_file(odd, pixels, kBigEndian, kBig, "OB")});
  }
  Picture colour = with(picture_of(3, 4, 2, 8, 3));
  out.push_back({"RGB", native_file(colour, ramp(72), kExplicit, kLittle, "OB")});
  colour.planar = 1;
  out.push_back({"planar", native_file(colour, ramp(72), kExplicit, kLittle, "OB")});
  colour.planar = 0;
  colour.photometric = "YBR_FULL_422";
  out.push_back({"4:2:2", native_file(colour, ramp(48), kExplicit, kLittle, "OB")});
  Buffer body = picture_elements(with(wide), kLittle) + kLittle.element(kPixels, "OW", ramp(280));
  out.push_back({"deflated", part10(kDeflated, deflated(body))});

  Buffer rle = hex("01000000 40000000");
  rle.resize(64);
  out.push_back({"RLE", encapsulated_file(with(picture_of(1, 2, 2)), kRle,
                                          {hex("00000000 4A000000"), rle + hex("FF11"),
                                           rle + hex("0122 3300")})});
  const FrameFormat format = format_of(40, 24, 1, 16, 12, false);
  Picture coded = with(picture_of(40, 24, 3, 16));
  coded.bits_stored = 12;
  Buffer codestream = encode_j2k(test_frame(format), format, {});
  if (codestream.size() % 2 != 0) codestream.push_back(0);
  const Buffer first = copy_of(Bytes(codestream).first(100));
  const Buffer second = copy_of(Bytes(codestream).subspan(100));
  const auto bytes = static_cast<std::uint32_t>(codestream.size());
  const Buffer whole_table = kLittle.number(0, 4) + kLittle.number(bytes + 8, 4) +
                             kLittle.number(2 * std::uint64_t{bytes} + 16, 4);
  const Buffer split_table = kLittle.number(0, 4) + kLittle.number(bytes + 16, 4) +
                             kLittle.number(2 * std::uint64_t{bytes} + 24, 4);
  const std::vector<Buffer> split{first, second, codestream, first, second};
  out.push_back(
      {"J2K", encapsulated_file(coded, kJ2k, {whole_table, codestream, codestream, codestream})});
  const auto joined = [&](const Buffer& table) {
    std::vector<Buffer> items{table};
    items.insert(items.end(), split.begin(), split.end());
    return items;
  };
  out.push_back({"J2K in pieces", encapsulated_file(coded, kJ2k, joined(split_table))});
  out.push_back({"J2K, no table", encapsulated_file(coded, kJ2k, joined({}))});
  out.push_back({"J2K, lying table", encapsulated_file(coded, kJ2k,
                                                       {kLittle.number(0, 4) + hex("10000000") +
                                                            kLittle.number(bytes, 4),
                                                        codestream, codestream, codestream})});
  return out;
}

Buffer frame_by(const FrameReader& reader, std::int64_t index) {
  Buffer out(static_cast<std::size_t>(reader.format().byte_count()));
  std::vector<std::string> warnings;
  reader.read(index, out, warnings);
  return out;
}

// Reads every frame through `source` in each way, and compares with the file in memory.
void check_same_frames(const Buffer& file, const std::shared_ptr<const ByteSource>& source) {
  const DataSet data_set(file);
  const ImageDescription image = describe_image(data_set);
  const FrameReader memory(data_set, image);
  const DicomFile from_source(source);
  const FrameReader& reader = from_source.frames();
  CHECK(from_source.image().frames == image.frames);
  CHECK(reader.photometric() == memory.photometric());
  CHECK(reader.stored_bytes() == memory.stored_bytes());
  CHECK(reader.lossy_method() == memory.lossy_method());
  for (std::int64_t index = 0; index < image.frames; ++index) {
    CAPTURE(index);
    const Buffer expected = frame_by(memory, index);
    CHECK(frame_by(reader, index) == expected);
    CHECK(reader.most_reduction(index) == memory.most_reduction(index));
    // Fetched by somebody else, from where extent() says.
    const Extent extent = reader.extent(index);
    Buffer fetched(static_cast<std::size_t>(extent.length));
    source->read(extent.offset, fetched);
    Buffer out(expected.size());
    std::vector<std::string> warnings;
    reader.decode(index, fetched, out, warnings);
    CHECK(out == expected);
  }
  check_refuses(ErrorCode::kArgument, "frame -1 of", [&] { (void)reader.extent(-1); });
  check_refuses(ErrorCode::kArgument, "of", [&] { (void)frame_by(reader, image.frames); });
}

void check_same_everywhere(const Buffer& file) {
  const Folder folder;
  std::ofstream(folder.file("f"), std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  check_same_frames(file, std::make_shared<FileSource>(folder.file("f")));
  check_same_frames(file, std::make_shared<MemorySource>(file));
  check_same_frames(file, std::make_shared<CopyingSource>(file, true));
  const Buffer framed = ramp(13) + file + ramp(5);
  check_same_frames(file, std::make_shared<WindowSource>(std::make_shared<CopyingSource>(framed),
                                                         13, std::int64_t(file.size())));
}

}  // namespace

TEST_CASE("a file gives the frames that it gives in memory, wherever its bytes are") {
  for (const std::size_t size : {0, 20000, 200000}) {
    const Buffer value = ramp(size);
    for (const Named& file : files(kLittle.element({0x0009, 0x1001}, "OB", value),
                                   kBig.element({0x0009, 0x1001}, "OB", value))) {
      CAPTURE(file.name);
      CAPTURE(size);
      check_same_everywhere(file.file);
    }
  }
}

TEST_CASE("headers that end anywhere around the first look are read") {
  const Picture plain = picture_of(2, 2, 1);
  const std::size_t rest = picture_file(plain, ramp(4)).size();
  for (std::size_t total = 16384 - 40; total < 16384 + 60; total += 2) {
    CAPTURE(total);
    Picture p = plain;
    p.extra = kLittle.element({0x0009, 0x1001}, "OB", ramp(total - rest - 12));
    const Buffer file = picture_file(p, ramp(4));
    REQUIRE(file.size() == total);
    const DicomFile read(std::make_shared<CopyingSource>(file));
    CHECK(frame_by(read.frames(), 0) == ramp(4));
    CHECK(read.data_set().elements().size() == DataSet(file).elements().size());
  }
}

TEST_CASE("sequences of undefined length that are longer than the first look are read") {
  Buffer items;
  for (int i = 0; i < 900; ++i) {
    items = std::move(items) + kLittle.undefined_item(kLittle.undefined(
                                   {0x0008, 0x1140}, "SQ",
                                   kLittle.item(kLittle.text({0x0008, 0x1150}, "UI", "1.2.3"))));
  }
  Picture p = picture_of(2, 2, 1);
  p.extra = kLittle.undefined({0x0009, 0x1002}, "SQ", items) +
            kLittle.element({0x0009, 0x1003}, "LO", chars("behind"));
  const Buffer file = picture_file(p, ramp(4));
  REQUIRE(file.size() > 50000);
  const DicomFile read(std::make_shared<CopyingSource>(file));
  CHECK(read.data_set().text({0x0009, 0x1003}) == "behind");
  CHECK(frame_by(read.frames(), 0) == ramp(4));
}

TEST_CASE("of a large file only header and frames are read") {
  Buffer pixels = ramp(std::size_t{64} << 20);
  const Buffer file = picture_file(picture_of(1024, 1024, 64), pixels);
  class Counting : public MemorySource {
   public:
    using MemorySource::MemorySource;
    Bytes view(std::int64_t offset, std::int64_t length, Buffer& scratch) const override {
      total += length;
      return MemorySource::view(offset, length, scratch);
    }
    mutable std::int64_t total = 0;
  };
  const auto source = std::make_shared<Counting>(file);
  const DicomFile read(source);
  CHECK(frame_by(read.frames(), 63) == copy_of(Bytes(pixels).last(1 << 20)));
  CHECK(source->total <= (1 << 20) + (16 << 10));
}

TEST_CASE("a header that is no header is not read at any length") {
  const Folder folder;
  // An element of 300 MB in front of the pixel data; the file is a hole.
  const Buffer start = part10(kExplicit, kLittle.text({0x0008, 0x0018}, "UI", "1.2") +
                                             kLittle.header({0x0009, 0x1001}, "OB", 300 << 20));
  std::ofstream(folder.file("f"), std::ios::binary)
      .write(reinterpret_cast<const char*>(start.data()),
             static_cast<std::streamsize>(start.size()));
  const std::int64_t end = std::int64_t(start.size()) + (300 << 20);
  for (const std::int64_t size : {end, end + 100}) {
    REQUIRE(::truncate(folder.file("f").c_str(), size) == 0);
    check_refuses(ErrorCode::kUnsupported, "256 MiB",
                  [&] { (void)DicomFile(std::make_shared<FileSource>(folder.file("f"))); });
  }
}

TEST_CASE("a file that is cut anywhere gives an error, in memory or not") {
  for (const Named& file : files({}, {})) {
    CAPTURE(file.name);
    const auto read_all = [](const Buffer& bytes) {
      const DicomFile read(std::make_shared<CopyingSource>(bytes));
      for (std::int64_t i = 0; i < read.image().frames; ++i) (void)frame_by(read.frames(), i);
    };
    read_all(file.file);
    // Behind the pixels there is only the delimiter, or an even byte, which may be missing.
    const DicomFile whole(std::make_shared<MemorySource>(file.file));
    const bool encapsulated = whole.data_set().syntax().encapsulated();
    const Extent last = whole.frames().extent(whole.image().frames - 1);
    const bool deflated = whole.data_set().syntax().deflated;
    const auto needed = encapsulated || deflated
                            ? file.file.size() - (encapsulated ? 8 : 0)
                            : static_cast<std::size_t>(last.offset + last.length);
    for (std::size_t size = 0; size<needed; size += size> 200 && size + 200 < needed ? 7 : 1) {
      CAPTURE(size);
      CHECK_THROWS_AS(read_all(copy_of(Bytes(file.file).first(size))), Error);
    }
    if (encapsulated) read_all(copy_of(Bytes(file.file).first(needed)));
  }
}

TEST_CASE("a file without an image has a header and says why it has no frames") {
  const Buffer file = part10(kExplicit, kLittle.text({0x0010, 0x0010}, "PN", "A^B"));
  const DicomFile read(std::make_shared<CopyingSource>(file));
  CHECK(read.data_set().text({0x0010, 0x0010}) == "A^B");
  for (int i = 0; i < 2; ++i) {
    check_refuses(ErrorCode::kMalformed, "not an image", [&] { (void)read.image(); });
    check_refuses(ErrorCode::kMalformed, "not an image", [&] { (void)read.frames(); });
  }
}

TEST_CASE("frames are asked for by several threads at once") {
  const auto all = files({}, {});
  const DicomFile file(std::make_shared<CopyingSource>(all.front().file));
  Executor executor(4);
  executor.parallel_for(
      40, [&](std::int64_t i) { CHECK(frame_by(file.frames(), i % 4).size() == 70); },
      CancelToken());
}

#include <random>

#include "deflated.h"
#include "dicom_bytes.h"
#include "spinekit/series.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr Encoder kLittle{true, false};

std::uint32_t crc_of(const Buffer& bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

void write_to(const std::string& path, const Buffer& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

// An entry behind 11 bytes of something else, followed by more (APPNOTE.TXT 4.3.7).
struct Archive {
  Archive(const Buffer& content, const Buffer& packed, int method) {
    const std::string name = "folder/slice.dcm";
    const Buffer extra = hex("FECA0300 010203");
    const Buffer header = hex("504B0304 1400 0000") + kLittle.number(unsigned(method), 2) +
                          hex("00000000") + kLittle.number(crc_of(content), 4) +
                          kLittle.number(packed.size(), 4) + kLittle.number(content.size(), 4) +
                          kLittle.number(name.size(), 2) + kLittle.number(extra.size(), 2) +
                          chars(name) + extra;
    write_to(folder.file("a.zip"), chars("HELLO WORLD") + header + packed + Buffer(100, 0x77));
    location = {.path = folder.file("a.zip"),
                .label = "a.zip: folder/slice.dcm",
                .archived = true,
                .offset = 11,
                .packed_bytes = static_cast<std::int64_t>(packed.size()),
                .size = static_cast<std::int64_t>(content.size()),
                .method = method,
                .crc = crc_of(content)};
  }

  Folder folder;
  FileLocation location;
};

Buffer noise(std::size_t size) {
  std::mt19937 random(5);
  Buffer out(size);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

Buffer text_like(std::size_t size) {
  std::mt19937 random(6);
  Buffer out(size);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>('a' + random() % 4);
  return out;
}

// Ends a block behind every few bytes: more of deflate's own words than of bytes.
Buffer flushed(const Buffer& content) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Buffer in = content;
  Buffer out(20 * content.size() + 100);
  stream.next_in = in.data();
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  for (std::size_t at = 0; at < in.size(); ++at) {
    stream.avail_in = 1;
    REQUIRE(deflate(&stream, at + 1 == in.size() ? Z_FINISH : Z_FULL_FLUSH) >= Z_OK);
  }
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Buffer read_at(const ByteSource& source, std::int64_t offset, std::int64_t length) {
  Buffer scratch;
  return copy_of(source.view(offset, length, scratch));
}

void check_reads(const FileLocation& location, const Buffer& content) {
  CHECK(whole(location) == content);
  const auto size = static_cast<std::int64_t>(content.size());
  const auto part = [&](std::int64_t offset, std::int64_t length) {
    return copy_of(
        Bytes(content).subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length)));
  };
  for (const std::int64_t first : {std::int64_t{1}, std::min<std::int64_t>(size, 16384), size}) {
    CAPTURE(first);
    const auto source = open_location(location);
    CHECK(source->size() == size);
    CHECK(read_at(*source, 0, first) == part(0, first));
    CHECK(read_at(*source, size / 2, size / 4) == part(size / 2, size / 4));
    CHECK(read_at(*source, 0, size) == content);
    CHECK(read_at(*source, size, 0).empty());
    check_refuses(ErrorCode::kMalformed, "cut off", [&] { (void)read_at(*source, size, 1); });
    check_refuses(ErrorCode::kMalformed, "cut off", [&] { (void)read_at(*source, -1, 1); });
  }
}

Buffer slice_file(std::size_t header_bytes = 0) {
  Picture p;
  p.extra = kLittle.text({0x0008, 0x0060}, "CS", "MR") +
            kLittle.element({0x0009, 0x1001}, "OB", text_like(header_bytes));
  return picture_file(p, text_like(32));
}

void check_whole_refused(FileLocation location, const char* part) {
  check_refuses(ErrorCode::kMalformed, part, [&] { (void)whole(location); });
}

}  // namespace

TEST_CASE("a file of its own is read as it is") {
  const Folder folder;
  const Buffer content = noise(50000);
  write_to(folder.file("f"), content);
  check_reads({.path = folder.file("f"), .label = "f"}, content);
  write_to(folder.file("empty"), {});
  CHECK(whole({.path = folder.file("empty"), .label = "empty"}).empty());
  check_refuses(ErrorCode::kResource, "cannot be read",
                [&] { (void)whole({.path = folder.file("absent"), .label = "absent"}); });
}

TEST_CASE("stored and deflated entries are read in part and as a whole") {
  for (const std::size_t size : {1, 100, 16384, 50000, 1200000}) {
    CAPTURE(size);
    for (const Buffer& content : {noise(size), text_like(size)}) {
      check_reads(Archive(content, content, 0).location, content);
      check_reads(Archive(content, deflated(content), 8).location, content);
    }
  }
  const Buffer content = text_like(20000);
  check_reads(Archive(content, flushed(content), 8).location, content);
}

TEST_CASE("an entry whose CRC or sizes do not match is refused once it is read as a whole") {
  const Buffer content = text_like(5000);
  for (const int method : {0, 8}) {
    CAPTURE(method);
    const Archive archive(content, method == 0 ? content : deflated(content), method);
    FileLocation location = archive.location;
    location.crc ^= 1;
    check_whole_refused(location, "CRC");
    // Its beginning can be had all the same.
    CHECK(read_at(*open_location(location), 0, 100) == copy_of(Bytes(content).first(100)));
    for (const std::int64_t delta : {-1, 1, 1000}) {
      CAPTURE(delta);
      location = archive.location;
      location.size += delta;
      check_refuses(ErrorCode::kMalformed, "", [&] { (void)whole(location); });
      check_refuses(ErrorCode::kMalformed, "", [&] {
        const auto source = open_location(location);
        (void)read_at(*source, 0, source->size());
      });
      location = archive.location;
      location.packed_bytes += delta;
      check_refuses(ErrorCode::kMalformed, "", [&] { (void)whole(location); });
      check_refuses(ErrorCode::kMalformed, "", [&] {
        const auto source = open_location(location);
        (void)read_at(*source, 0, source->size());
      });
    }
  }
}

TEST_CASE("an entry that is not where it should be is refused") {
  const Buffer content = text_like(5000);
  for (const int method : {0, 8}) {
    CAPTURE(method);
    const Archive archive(content, method == 0 ? content : deflated(content), method);
    const auto refused = [&](const char* part, const auto& change) {
      FileLocation location = archive.location;
      change(location);
      check_whole_refused(location, part);
      check_refuses(ErrorCode::kMalformed, part, [&] {
        const auto source = open_location(location);
        (void)read_at(*source, 0, source->size());
      });
    };
    constexpr std::int64_t kFar = std::int64_t{1} << 62;
    refused("local header", [](FileLocation& l) { l.offset = 12; });
    refused("cut off", [](FileLocation& l) { l.offset = 1 << 20; });
    refused("cut off", [](FileLocation& l) { l.offset = kFar; });
    refused("cut off", [](FileLocation& l) { l.offset = -1; });
    refused("", [](FileLocation& l) { l.packed_bytes = kFar; });
    refused("", [](FileLocation& l) { l.packed_bytes = -1; });
    refused("", [](FileLocation& l) { l.size = -1; });
    // An entry that claims 10 GB, of which no byte is believed.
    refused(method == 0 ? "" : "claims", [](FileLocation& l) { l.size = std::int64_t{10} << 30; });
  }
  FileLocation location = Archive(content, content, 0).location;
  check_refuses(ErrorCode::kResource, "cannot be read", [&] { (void)open_location(location); });
}

TEST_CASE("an entry that is packed otherwise is not supported") {
  const Buffer content = text_like(5000);
  const Archive archive(content, content, 12);
  check_refuses(ErrorCode::kUnsupported, "method 12", [&] { (void)whole(archive.location); });
  check_refuses(ErrorCode::kUnsupported, "method 12",
                [&] { (void)read_at(*open_location(archive.location), 0, 10); });
}

TEST_CASE("deflated data that are damaged are refused in part and as a whole") {
  const Buffer content = text_like(100000);
  Buffer packed = deflated(content);
  for (std::size_t i = 20; i < 40; ++i) packed[i] ^= 0xFF;
  const Archive archive(content, packed, 8);
  check_refuses(ErrorCode::kMalformed, "", [&] { (void)whole(archive.location); });
  check_refuses(ErrorCode::kMalformed, "",
                [&] { (void)read_at(*open_location(archive.location), 0, 16384); });
}

TEST_CASE("headers are read out of files and entries, short and long; errors name the file") {
  for (const std::size_t extra : {0, 30000, 1200000}) {
    CAPTURE(extra);
    const Buffer file = slice_file(extra);
    const Folder folder;
    write_to(folder.file("f"), file);
    CHECK(scan_header({.path = folder.file("f"), .label = "f"}).modality == "MR");
    CHECK(scan_header(Archive(file, file, 0).location).modality == "MR");
    CHECK(scan_header(Archive(file, deflated(file), 8).location).modality == "MR");
  }
  const Buffer junk = text_like(1000);
  for (const int method : {0, 8}) {
    const Archive archive(junk, method == 0 ? junk : deflated(junk), method);
    check_refuses(ErrorCode::kMalformed, "'a.zip: folder/slice.dcm': no DICOM file",
                  [&] { (void)scan_header(archive.location); });
  }
  check_refuses(ErrorCode::kResource, "'gone': cannot be read",
                [&] { (void)scan_header({.path = "/nowhere/at/all", .label = "gone"}); });
}

#include "spinekit/series.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "deflated.h"
#include "dicom_bytes.h"
#include "frames.h"
#include "sources.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr Encoder kLittle{true, false};
constexpr Encoder kBig{true, true};
constexpr const char* kJ2k = "1.2.840.10008.1.2.4.90";

std::string write_to(const Folder& folder, const std::string& name, const Buffer& bytes) {
  std::ofstream(folder.file(name), std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return folder.file(name);
}

// Frame f of a native file is all of 10 * number + f.
Buffer native(int number, int frames) {
  Picture p;
  p.frames = frames;
  p.extra =
      kLittle.text({0x0028, 0x1052}, "DS", "-1024") + kLittle.text({0x0028, 0x1053}, "DS", "2");
  std::vector<std::uint16_t> pixels;
  for (int f = 0; f < frames; ++f) {
    pixels.insert(pixels.end(), 16, static_cast<std::uint16_t>(10 * number + f));
  }
  return picture_file(p, samples_of(pixels));
}

Buffer frame_bytes(int value) {
  return samples_of(std::vector<std::uint16_t>(16, static_cast<std::uint16_t>(value)));
}

const FrameFormat kFormat = format_of(64, 48, 1, 16, 12, false);

Picture coded_picture(int frames) {
  Picture p;
  p.rows = 64;
  p.columns = 48;
  p.frames = frames;
  return p;
}

Buffer coded_file(const Picture& p, const FrameFormat& format) {
  Buffer codestream = encode_j2k(test_frame(format), format, {});
  if (codestream.size() % 2 != 0) codestream.push_back(0);
  std::vector<Buffer> items(static_cast<std::size_t>(p.frames) + 1, codestream);
  items.front().clear();
  return encapsulated_file(p, kJ2k, items);
}

StoredFrame read_of(FrameSource& source, std::int64_t slice, int reduction = 0) {
  StoredFrame frame;
  source.read(slice, reduction, frame);
  return frame;
}

void check_native(FrameSource& source, std::int64_t slice, int value) {
  const StoredFrame frame = read_of(source, slice);
  CHECK(frame.bytes == frame_bytes(value));
  CHECK(frame.type == VoxelType::kUint16);
  CHECK(frame.rows == 4);
  CHECK(frame.columns == 4);
  CHECK(frame.slope == 2);
  CHECK(frame.intercept == -1024);
}

}  // namespace

// ---- DicomFrames

TEST_CASE("slices come out of single files and of multiframe ones, by several threads") {
  const Folder folder;
  const Buffer archived = native(4, 3);
  const std::string path = write_to(
      folder, "a.zip", hex("504B0304 1400 0000 0800") + Buffer(20, 0) + deflated(archived));
  const auto crc = static_cast<std::uint32_t>(crc32_z(0, archived.data(), archived.size()));
  DicomFrames frames({{.path = write_to(folder, "1", native(1, 1)), .label = "1"},
                      {.path = write_to(folder, "2", native(2, 5)), .label = "2"},
                      {.path = write_to(folder, "3", native(3, 2)), .label = "3"},
                      {.path = path,
                       .label = "4",
                       .archived = true,
                       .offset = 0,
                       .packed_bytes = static_cast<std::int64_t>(deflated(archived).size()),
                       .size = static_cast<std::int64_t>(archived.size()),
                       .method = 8,
                       .crc = crc}},
                     {{1, 4}, {0, 0}, {1, 0}, {2, 1}, {3, 2}, {3, 0}});
  Executor executor(4);
  executor.parallel_for(
      60,
      [&](std::int64_t i) {
        constexpr std::array<int, 6> kValues{24, 10, 20, 31, 42, 40};
        check_native(frames, i % 6, kValues[static_cast<std::size_t>(i % 6)]);
      },
      CancelToken());
  CHECK(frames.most_reduction(0) == 0);
  check_refuses(ErrorCode::kArgument, "J2K", [&] { (void)read_of(frames, 0, 1); });
}

TEST_CASE("slices of files that are gone, or changed, name their file") {
  const Folder folder;
  const std::string one = write_to(folder, "1", native(1, 1));
  const std::string two = write_to(folder, "2", native(2, 2));
  DicomFrames frames({{.path = one, .label = "one"}, {.path = two, .label = "two"}},
                     {{0, 0}, {1, 0}, {1, 2}, {1, -1}});
  check_refuses(ErrorCode::kMalformed, "'two': the file has fewer frames",
                [&] { (void)read_of(frames, 2); });
  check_refuses(ErrorCode::kMalformed, "'two': the file has fewer frames",
                [&] { (void)read_of(frames, 3); });
  REQUIRE(::unlink(one.c_str()) == 0);
  check_refuses(ErrorCode::kResource, "'one': cannot be read", [&] { (void)read_of(frames, 0); });
  check_native(frames, 1, 20);
  check_refuses(ErrorCode::kArgument, "file 1 of 1", [&] {
    (void)DicomFrames({{.path = one, .label = "one"}}, {{1, 0}});
  });
}

TEST_CASE("J2K slices are read at reduced size, palette colours are not") {
  const Folder folder;
  Picture palette = coded_picture(2);
  palette.photometric = "PALETTE COLOR";
  DicomFrames frames(
      {{.path = write_to(folder, "1", coded_file(coded_picture(1), kFormat)), .label = "1"},
       {.path = write_to(folder, "2", coded_file(coded_picture(2), kFormat)), .label = "2"},
       {.path = write_to(folder, "3", coded_file(palette, kFormat)), .label = "3"}},
      {{0, 0}, {1, 0}, {1, 1}, {2, 0}, {2, 1}});
  for (const std::int64_t slice : {0, 1, 2}) {
    CHECK(frames.most_reduction(slice) >= 2);
    CHECK(read_of(frames, slice).bytes == test_frame(kFormat));
    const StoredFrame coarse = read_of(frames, slice, 2);
    CHECK(coarse.rows == 16);
    CHECK(coarse.columns == 12);
    CHECK(coarse.bytes.size() == 16 * 12 * 2);
  }
  CHECK(frames.most_reduction(3) == 0);
  check_refuses(ErrorCode::kUnsupported, "palette", [&] { (void)read_of(frames, 3, 1); });
}

// ---- FetchedFrames

TEST_CASE("fetched files are decoded once, from their slice's bytes") {
  FetchedFrames frames({"a", "b", "c"});
  frames.give_file(1, 0, native(7, 1), 0);
  frames.give_file(2, 0, native(7, 2), 0);
  check_native(frames, 1, 70);
  check_refuses(ErrorCode::kArgument, "slice 1 was not given", [&] { (void)read_of(frames, 1); });
  check_refuses(ErrorCode::kArgument, "slice 0 was not given", [&] { (void)read_of(frames, 0); });
  check_refuses(ErrorCode::kUnsupported, "'c': a file of several frames",
                [&] { (void)read_of(frames, 2); });
  frames.give_file(0, 0, Buffer(100), 0);
  check_refuses(ErrorCode::kMalformed, "'a': ", [&] { (void)read_of(frames, 0); });
}

TEST_CASE("a file's first bytes give its coarse picture, too few of them an error") {
  const Buffer file = coded_file(coded_picture(1), kFormat);
  const auto size = static_cast<std::int64_t>(file.size());
  FetchedFrames frames({"a"});
  frames.give_file(0, 2, file, size);
  const StoredFrame whole = read_of(frames, 0, 2);
  CHECK(whole.rows == 16);
  CHECK(whole.columns == 12);
  // With the fragment's header the codestream begins.
  const DicomFile dicom(std::make_shared<MemorySource>(file));
  const Extent extent = dicom.frames().extent(0);
  const Bytes codestream = Bytes(file).subspan(static_cast<std::size_t>(extent.offset) + 8,
                                               static_cast<std::size_t>(extent.length) - 8);
  const std::int64_t enough = extent.offset + 8 + j2k_prefix_bytes(codestream, kFormat, 2);
  REQUIRE(enough < size / 2);
  frames.give_file(0, 2, copy_of(Bytes(file).first(static_cast<std::size_t>(enough))), size);
  CHECK(read_of(frames, 0, 2).bytes == whole.bytes);
  for (std::int64_t cut = 0; cut < extent.offset + 40; ++cut) {
    CAPTURE(cut);
    frames.give_file(0, 2, copy_of(Bytes(file).first(static_cast<std::size_t>(cut))), size);
    check_refuses(ErrorCode::kMalformed, "'a': ", [&] { (void)read_of(frames, 0, 2); });
  }
  frames.give_file(0, 1, native(1, 1), 0);
  CHECK_THROWS_AS(read_of(frames, 0, 1), Error);
}

TEST_CASE("a coarse picture that could not be in so few bytes takes no memory") {
  Picture huge;
  huge.rows = huge.columns = 65535;
  const Buffer file = encapsulated_file(huge, kJ2k, {{}, hex("FF4FFF51 0000")});
  FetchedFrames frames({"a"});
  frames.give_file(0, 1, file, static_cast<std::int64_t>(file.size()));
  check_refuses(ErrorCode::kMalformed, "claims", [&] { (void)read_of(frames, 0, 1); });
}

TEST_CASE("coarse and full colours are both RGB") {
  const FrameFormat format = format_of(64, 48, 3, 8, 8, false);
  Picture p = coded_picture(1);
  p.samples = 3;
  p.bits_allocated = p.bits_stored = 8;
  p.planar = 0;
  for (const char* photometric : {"RGB", "YBR_RCT", "YBR_FULL", "YBR_FULL_422"}) {
    CAPTURE(photometric);
    p.photometric = photometric;
    // Grey in YBR is green in RGB: all samples of one value.
    Buffer codestream = encode_j2k(Buffer(std::size_t{64} * 48 * 3, 100), format, {});
    if (codestream.size() % 2 != 0) codestream.push_back(0);
    const Buffer file = encapsulated_file(p, kJ2k, {{}, codestream});
    FetchedFrames frames({"a"});
    frames.give_file(0, 0, file, 0);
    frames.give_file(0, 1, file, static_cast<std::int64_t>(file.size()));
    const Buffer full = read_of(frames, 0).bytes;
    const Buffer coarse = read_of(frames, 0, 1).bytes;
    // Y + 1.402 * -28, Y + (0.344136 + 0.714136) * 28, Y + 1.772 * -28 (PS3.3 C.7.6.3.1.2).
    const Buffer pixel =
        std::string(photometric).starts_with("YBR_FULL") ? Buffer{61, 130, 50} : Buffer(3, 100);
    CHECK(copy_of(Bytes(full).first(3)) == pixel);
    CHECK(copy_of(Bytes(coarse).first(3)) == pixel);
    CHECK(copy_of(Bytes(coarse).last(3)) == pixel);
  }
}

TEST_CASE("extents that somebody else fetched are decoded as the file's own frames") {
  Picture odd;
  odd.rows = 3;
  odd.columns = 5;
  odd.frames = 4;
  odd.bits_allocated = odd.bits_stored = 8;
  Buffer pixels(60);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  const Buffer body =
      picture_elements(odd, kLittle) + kLittle.element({0x7FE0, 0x0010}, "OB", pixels);
  const std::vector<Buffer> files{
      native(1, 4), coded_file(coded_picture(4), kFormat),
      part10(kBigEndian,
             picture_elements(odd, kBig) + kBig.element({0x7FE0, 0x0010}, "OW", pixels)),
      part10(kDeflated, deflated(body))};
  for (std::size_t n = 0; n < files.size(); ++n) {
    CAPTURE(n);
    const auto source = std::make_shared<CopyingSource>(files[n], true);
    const auto file = std::make_shared<DicomFile>(source);
    const std::vector<std::int64_t> order{3, 1, 0, 2};
    FetchedFrames frames({"a", "b", "c", "d"}, file, order);
    for (std::int64_t slice = 0; slice < 4; ++slice) {
      const std::int64_t index = order[static_cast<std::size_t>(slice)];
      const Extent extent = file->frames().extent(index);
      Buffer bytes(static_cast<std::size_t>(extent.length));
      source->read(extent.offset, bytes);
      frames.give_extent(slice, 0, bytes);
      StoredFrame expected;
      decode_frame(*file, index, 0, read_image_header(file->data_set()).frames.at(0), expected);
      CHECK(read_of(frames, slice).bytes == expected.bytes);
      if (extent.length == 0) continue;
      bytes.pop_back();
      frames.give_extent(slice, 0, bytes);
      CHECK_THROWS_AS(read_of(frames, slice), Error);
    }
    check_refuses(ErrorCode::kArgument, "frame 4 of 4",
                  [&] { (void)FetchedFrames({"a"}, file, {4}); });
  }
}

// ---- FrameSpool

TEST_CASE("spooled frames come back as they were decoded, in any order, from several threads") {
  const Folder folder;
  const auto spool = std::make_shared<FrameSpool>(folder.file(""));
  CHECK(folder.entries() == 0);  // it goes away however the process ends
  for (int n = 0; n < 4; ++n) {
    const Buffer file = native(n, 1 + n % 2);
    const DataSet data_set(file);
    CHECK(spool->add(file, "f", read_image_header(data_set)) == n + n / 2);
  }
  SpooledFrames frames(spool, {5, 0, 2, 1, 4, 3});
  constexpr std::array<int, 6> kValues{31, 0, 11, 10, 30, 20};
  Executor executor(3);
  executor.parallel_for(
      60,
      [&](std::int64_t i) {
        check_native(frames, i % 6, kValues[static_cast<std::size_t>(i % 6)]);
      },
      CancelToken());
  CHECK(frames.most_reduction(0) == 0);
  StoredFrame frame;
  for (const std::int64_t number : {-1, 6}) {
    check_refuses(ErrorCode::kArgument, "of 6", [&] { spool->read(number, frame); });
  }
}

TEST_CASE("a file that cannot be decoded leaves the spool as it was") {
  const Folder folder;
  FrameSpool spool(folder.file(""));
  const Buffer good = native(1, 2);
  const DataSet data_set(good);
  const ImageHeader header = read_image_header(data_set);
  CHECK(spool.add(good, "good", header) == 0);
  check_refuses(ErrorCode::kMalformed, "'bad': ", [&] {
    (void)spool.add(copy_of(Bytes(good).first(good.size() - 10)), "bad", header);
  });
  CHECK(spool.add(good, "good", header) == 2);
}

TEST_CASE("a spool needs its folder") {
  const Folder folder;
  check_refuses(ErrorCode::kResource, "set TMPDIR to another folder",
                [&] { (void)FrameSpool(folder.file("absent")); });
}

TEST_CASE("where the disk ends, spooling is an error and what was spooled stays") {
  const Folder folder;
  const Buffer file = native(1, 1);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // A limit on files stands in for the disk's; its signal would end the process.
    (void)std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    int failed_at = -1;
    if (::setrlimit(RLIMIT_FSIZE, &limit) == 0) {
      FrameSpool spool(folder.file(""));
      const DataSet data_set(file);
      const ImageHeader header = read_image_header(data_set);
      for (int n = 0; n < 10 && failed_at < 0; ++n) {
        try {
          (void)spool.add(file, "f", header);
        } catch (const Error& error) {
          const bool named = error.message().find("'f': ") == 0 &&
                             error.message().find("cannot be written") != std::string::npos;
          failed_at = error.code() == ErrorCode::kResource && named ? n : 100;
        }
      }
      StoredFrame frame;
      spool.read(2, frame);
      if (frame.bytes != frame_bytes(10)) failed_at = 101;
    }
    ::_exit(failed_at);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);  // frames of 32 bytes
}

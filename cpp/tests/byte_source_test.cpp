#include "spinekit/byte_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <limits>
#include <thread>

#include "dicom_bytes.h"
#include "sources.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();

Buffer counted(std::size_t size) {
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
  return out;
}

std::string written(const Folder& folder, const Buffer& bytes) {
  std::ofstream out(folder.file("bytes"), std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  return folder.file("bytes");
}

Buffer read_of(const ByteSource& source, std::int64_t offset, std::int64_t length) {
  Buffer out(static_cast<std::size_t>(length));
  source.read(offset, out);
  return out;
}

Buffer view_of(const ByteSource& source, std::int64_t offset, std::int64_t length) {
  Buffer scratch;
  return copy_of(source.view(offset, length, scratch));
}

}  // namespace

TEST_CASE("every source gives the same bytes, read or viewed, and refuses what is not there") {
  const Folder folder;
  const Buffer bytes = counted(1000);
  const FileSource file(written(folder, bytes));
  const MemorySource memory(bytes);
  const CopyingSource copying(bytes);
  const Buffer framed = counted(7) + bytes + counted(9);
  const WindowSource window(std::make_shared<CopyingSource>(framed), 7, 1000);
  const WindowSource still(std::make_shared<MemorySource>(framed), 7, 1000);
  for (const ByteSource* source :
       std::initializer_list<const ByteSource*>{&file, &memory, &copying, &window, &still}) {
    CHECK(source->size() == 1000);
    CHECK(read_of(*source, 0, 1000) == bytes);
    CHECK(view_of(*source, 0, 1000) == bytes);
    CHECK(read_of(*source, 990, 10) == copy_of(Bytes(bytes).last(10)));
    CHECK(view_of(*source, 990, 10) == copy_of(Bytes(bytes).last(10)));
    CHECK(read_of(*source, 1000, 0).empty());
    CHECK(view_of(*source, 1000, 0).empty());
    Buffer scratch;
    const auto refused = [&](std::int64_t offset, std::int64_t length) {
      check_refuses(ErrorCode::kMalformed, "cut off",
                    [&] { (void)source->view(offset, length, scratch); });
    };
    refused(991, 10);
    refused(1001, 0);
    refused(-1, 1);
    refused(0, -1);
    refused(kFar, 1);
    refused(1, kFar);
    CHECK(scratch.capacity() <= 1000);  // no memory for what is not there
    Buffer out(10);
    check_refuses(ErrorCode::kMalformed, "10 bytes at byte 991 of 1000",
                  [&] { source->read(991, out); });
  }
}

TEST_CASE("memory is viewed where it lies, through windows too") {
  const Buffer bytes = counted(100);
  const auto memory = std::make_shared<MemorySource>(bytes);
  Buffer scratch;
  CHECK(memory->view(10, 5, scratch).data() == bytes.data() + 10);
  CHECK(WindowSource(memory, 20, 30).view(10, 5, scratch).data() == bytes.data() + 30);
  CHECK(scratch.empty());
  const MemorySource nothing{Bytes()};
  CHECK(nothing.size() == 0);
  CHECK(read_of(nothing, 0, 0).empty());
}

TEST_CASE("a window lies inside its source, and is as slow as that") {
  const auto source = std::make_shared<CopyingSource>(counted(100), true);
  CHECK(WindowSource(source, 100, 0).size() == 0);
  CHECK(WindowSource(source, 0, 100).slow());
  CHECK_FALSE(WindowSource(std::make_shared<CopyingSource>(counted(1)), 0, 1).slow());
  const auto refused = [&](std::int64_t offset, std::int64_t length) {
    check_refuses(ErrorCode::kMalformed, "cut off",
                  [&] { (void)WindowSource(source, offset, length); });
  };
  refused(101, 0);
  refused(1, 100);
  refused(-1, 1);
  refused(1, -1);
  refused(kFar, kFar);
}

TEST_CASE("only regular files are opened, and a FIFO does not keep anyone waiting") {
  const Folder folder;
  check_refuses(ErrorCode::kResource, "No such file",
                [&] { (void)FileSource(folder.file("absent")); });
  check_refuses(ErrorCode::kResource, "not a regular file",
                [&] { (void)FileSource(folder.file("")); });
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  check_refuses(ErrorCode::kResource, "not a regular file",
                [&] { (void)FileSource(folder.file("fifo")); });
}

TEST_CASE("a file that became shorter is an error, one that became longer stays as it was") {
  const Folder folder;
  const std::string path = written(folder, counted(10000));
  const FileSource file(path);
  REQUIRE(::truncate(path.c_str(), 5000) == 0);
  CHECK(read_of(file, 0, 5000) == copy_of(Bytes(counted(10000)).first(5000)));
  Buffer out(5001);
  check_refuses(ErrorCode::kResource, "shorter", [&] { file.read(0, out); });
  REQUIRE(::truncate(path.c_str(), 20000) == 0);
  CHECK(file.size() == 10000);
  check_refuses(ErrorCode::kMalformed, "cut off", [&] { file.read(9999, MutableBytes(out)); });
}

TEST_CASE("a file stays readable when its name is gone, and beyond 4 GiB") {
  const Folder folder;
  const std::string path = written(folder, {});
  const std::int64_t far = (std::int64_t{1} << 32) + 5;
  REQUIRE(::truncate(path.c_str(), far) == 0);  // a hole, which takes no space
  std::ofstream(path, std::ios::binary | std::ios::app) << "end";
  const FileSource file(path);
  REQUIRE(::unlink(path.c_str()) == 0);
  CHECK(file.size() == far + 3);
  CHECK(read_of(file, far, 3) == chars("end"));
  CHECK(read_of(file, far - 1, 2) == hex("0065"));
}

TEST_CASE("a source is read by several threads at once") {
  const Folder folder;
  const Buffer bytes = counted(std::size_t{1} << 16);
  const FileSource file(written(folder, bytes));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::int64_t i = t; i < 1000; i += 4) {
        const Buffer got = view_of(file, i * 61, 1000);
        if (!std::equal(got.begin(), got.end(), bytes.begin() + i * 61)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

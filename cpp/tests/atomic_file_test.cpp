#include "dicom/atomic_file.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "dicom_bytes.h"

using namespace spinekit;
using namespace spinekit::testing;

TEST_CASE("a file that is not committed leaves nothing behind") {
  const Folder folder;
  {
    AtomicFile file(folder.file("a"));
    file.write(chars("half"));
    CHECK(folder.entries() == 1);
    CHECK_FALSE(std::filesystem::exists(folder.file("a")));
  }
  CHECK(folder.entries() == 0);
}

TEST_CASE("a committed file is whole, alone, and what was read back") {
  const Folder folder;
  AtomicFile file(folder.file("a"));
  file.write(chars("one "));
  file.write({});
  file.write(chars("two"));
  CHECK(file.read_back() == chars("one two"));
  file.commit(false);
  CHECK(read_file(folder.file("a")) == chars("one two"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("an existing file is replaced only when asked") {
  const Folder folder;
  std::ofstream(folder.file("a")) << "old";
  {
    AtomicFile file(folder.file("a"));
    file.write(chars("new"));
    check_refuses(ErrorCode::kResource, "overwrite", [&] { file.commit(false); });
  }
  CHECK(read_file(folder.file("a")) == chars("old"));
  CHECK(folder.entries() == 1);
  {
    AtomicFile file(folder.file("a"));
    file.write(chars("new"));
    file.commit(true);
  }
  CHECK(read_file(folder.file("a")) == chars("new"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a folder that does not exist is an error that names the target") {
  check_refuses(ErrorCode::kResource, "/nowhere/at/all/a", [] { AtomicFile("/nowhere/at/all/a"); });
}

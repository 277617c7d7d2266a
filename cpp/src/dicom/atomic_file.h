// A file that appears whole or not at all: written beside its target, then renamed onto it.
#pragma once

#include <string>

#include "spinekit/codec.h"

namespace spinekit {

class AtomicFile {
 public:
  // Creates "<target>.<process>-<number>.spinekit-part"; the folder must exist.
  explicit AtomicFile(std::string target);
  // Removes the file unless it was committed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(Bytes bytes);
  // Brings everything to the disk; a lack of space may only show here.
  void flush();
  // What the file system hands back, to be compared with what was written.
  [[nodiscard]] Buffer read_back() const;
  // Renames; without `overwrite` an existing target is an error and stays as it is.
  void commit(bool overwrite);

 private:
  [[noreturn]] void fail(const char* action) const;

  std::string target_;
  std::string part_;
  int descriptor_ = -1;
  bool created_ = false;
  bool committed_ = false;
};

}  // namespace spinekit

// The one exception that leaves the engine, and the reading of sizes that come from files.
//
// Every adapter turns its library's failures into Error. A message says what was wrong, what was
// expected, where, and what helps; it never carries patient data.
#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <string>

namespace spinekit {

enum class ErrorCode {
  kArgument,      // the caller asked for something that cannot be
  kMalformed,     // the data contradicts itself or its standard
  kUnsupported,   // valid, but not handled
  kResource,      // disk, memory, permissions
  kCancelled,     // stopped by its cancel token
  kVerification,  // what was written is not what was meant
};

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

 private:
  ErrorCode code_;
  std::string message_;
};

[[noreturn]] void throw_argument(std::string message);
[[noreturn]] void throw_malformed(std::string message);
[[noreturn]] void throw_unsupported(std::string message);
[[noreturn]] void throw_resource(std::string message);

// Product of two sizes, both >= 0; a product beyond 2^62 is malformed data ("what" names it).
std::int64_t checked_product(std::int64_t a, std::int64_t b, const char* what);

// Runs `work`; its errors, and a lack of memory, come out with the file's name in front.
template <typename Work>
auto with_name(const std::string& name, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCancelled) throw;
    throw Error(error.code(), "'" + name + "': " + error.message());
  } catch (const std::bad_alloc&) {
    throw_resource("'" + name + "': not enough memory");
  }
}

}  // namespace spinekit

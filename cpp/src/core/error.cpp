#include "spinekit/error.h"

namespace spinekit {

void throw_argument(std::string message) { throw Error(ErrorCode::kArgument, std::move(message)); }
void throw_malformed(std::string message) {
  throw Error(ErrorCode::kMalformed, std::move(message));
}
void throw_unsupported(std::string message) {
  throw Error(ErrorCode::kUnsupported, std::move(message));
}
void throw_resource(std::string message) { throw Error(ErrorCode::kResource, std::move(message)); }

std::int64_t checked_product(std::int64_t a, std::int64_t b, const char* what) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 62;
  if (a < 0 || b < 0 || (b != 0 && a > kLimit / b)) {
    throw_malformed(std::string(what) + ": " + std::to_string(a) + " x " + std::to_string(b) +
                    " is no size that a file can have");
  }
  return a * b;
}

}  // namespace spinekit

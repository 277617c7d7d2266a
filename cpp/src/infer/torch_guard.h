// Where torch is entered: its failures become Error, its threads are limited, gradients are off.
#pragma once

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "spinekit/error.h"

namespace spinekit::infer {

// In a child of fork() the threads of OpenMP's pool are gone, and who waits for them waits for ever: torch is told
// once to use one thread there. Nothing happens in other processes. To be called before torch is asked for anything.
void settle_after_fork();

// OpenMP's number of threads belongs to the thread that calls, and so does MKL's: limiting them here disturbs nobody
// else, unlike at::set_num_threads().
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_ = 1;
  int mkl_before_ = 0;
};

// First line of what torch says; the rest is addresses.
inline std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

inline std::string first_line(const c10::Error& error) {
  return first_line(std::string(error.what_without_backtrace()));
}

// Last line that is not empty: of a program's failure, the one that tells it; before it is where it ran.
inline std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

// Runs `work` on torch; `what` names it in errors.
template <typename Work>
auto with_torch(const std::string& what, const Work& work) {
  try {
    settle_after_fork();
    const c10::InferenceMode inference;
    return work();
  } catch (const Error&) {
    throw;
  } catch (const c10::OutOfMemoryError&) {
    throw_resource(what +
                   ": the device has not enough memory; use fewer films at once, or device='cpu'");
  } catch (const std::bad_alloc&) {
    throw_resource(what + ": not enough memory; use fewer films at once");
  } catch (const c10::Error& error) {
    if (first_line(error).find("alloc") != std::string::npos) {
      throw_resource(what + ": not enough memory; use fewer films at once");
    }
    throw_unsupported(what + ": " + first_line(error));
  } catch (const std::exception& error) {
    throw_unsupported(what + " failed: " + last_line(error.what()));
  }
}

}  // namespace spinekit::infer

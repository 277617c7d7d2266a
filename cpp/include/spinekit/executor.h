// A bounded set of threads that callers share, and the token that stops their work.
//
// The thread that calls parallel_for takes part in its own work and counts as a worker, so N callers
// on an executor of N workers run N threads, not N x N. Work items run in no fixed order: results
// must not depend on it, and then they are the same for any number of workers. An executor made
// before fork() starts afresh in the child. All members are thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

namespace spinekit {

class CancelToken {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_relaxed);
  }
  // Throws Error(kCancelled) once cancel() was called.
  void check() const;

 private:
  std::atomic<bool> cancelled_{false};
};

class Executor {
 public:
  // workers >= 1, the calling threads included.
  explicit Executor(int workers);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  [[nodiscard]] int workers() const noexcept { return workers_; }

  // Calls body(0) ... body(count - 1), each once, and returns when all are done. After the first
  // exception, or once the token is cancelled, no further item starts; that exception is rethrown.
  void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body,
                    const CancelToken& cancel);

 private:
  struct State;
  State& state();

  int workers_;
  std::mutex state_mutex_;
  std::unique_ptr<State> state_;
};

}  // namespace spinekit

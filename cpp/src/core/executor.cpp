#include "spinekit/executor.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "spinekit/error.h"

namespace spinekit {
namespace {

// The executor whose loop this thread works on: a loop within a loop is the same thread's work and
// must not be counted as another worker's.
thread_local const void* working_for = nullptr;

struct Loop {
  Loop(std::int64_t count_in, const std::function<void(std::int64_t)>& body_in,
       const CancelToken& cancel_in)
      : count(count_in), body(body_in), cancel(cancel_in) {}

  const std::int64_t count;
  const std::function<void(std::int64_t)>& body;
  const CancelToken& cancel;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  int helpers = 0;  // guarded by the executor's mutex
  std::mutex error_mutex;
  std::exception_ptr error;

  [[nodiscard]] bool exhausted() const { return failed.load() || next.load() >= count; }

  // Ends early, with items left, when `leave` says so.
  template <typename Leave>
  void work(const Leave& leave) {
    try {
      while (!failed.load(std::memory_order_relaxed) && !leave()) {
        const std::int64_t index = next.fetch_add(1);
        if (index >= count) return;
        cancel.check();
        body(index);
      }
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
      failed.store(true);
    }
  }
};

}  // namespace

void CancelToken::check() const {
  if (cancelled()) throw Error(ErrorCode::kCancelled, "cancelled");
}

struct Executor::State {
  explicit State(int workers_in) : workers(workers_in), owner(::getpid()) {}

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  // Fewer threads than wanted do the same work more slowly: no reason to fail.
  void grow(std::int64_t wanted) {
    try {
      while (static_cast<std::int64_t>(threads.size()) < wanted) {
        threads.emplace_back([this] { help(); });
      }
    } catch (const std::system_error&) {
    }
  }

  void help() {
    working_for = this;
    std::unique_lock lock(mutex);
    while (true) {
      // A helper waits while every worker's place is filled, and gives its own up when a caller,
      // who cannot be kept waiting, comes on top.
      wake.wait(lock, [&] { return stopping || (!loops.empty() && active < workers); });
      if (stopping) return;
      Loop* loop = loops.front();
      if (loop->exhausted()) {
        loops.pop_front();
        continue;
      }
      ++active;
      ++loop->helpers;
      lock.unlock();
      loop->work([this] { return active.load(std::memory_order_relaxed) > workers; });
      lock.lock();
      --active;
      if (--loop->helpers == 0) finished.notify_all();
      wake.notify_one();
    }
  }

  const int workers;
  const pid_t owner;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable finished;
  std::deque<Loop*> loops;
  std::vector<std::thread> threads;
  std::atomic<int> active{0};  // changed under the mutex
  bool stopping = false;
};

Executor::Executor(int workers) : workers_(workers) {
  if (workers < 1 || workers > 1024) {
    throw_argument("workers: " + std::to_string(workers) + ", expected 1 to 1024");
  }
}

Executor::~Executor() {
  // In a forked child the threads do not exist; joining them would wait for ever.
  if (state_ && state_->owner != ::getpid()) (void)state_.release();
}

Executor::State& Executor::state() {
  const std::lock_guard lock(state_mutex_);
  if (state_ && state_->owner != ::getpid()) (void)state_.release();
  if (!state_) state_ = std::make_unique<State>(workers_);
  return *state_;
}

void Executor::parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body,
                            const CancelToken& cancel) {
  Loop loop(count, body, cancel);
  State& shared = state();
  const void* const outer = std::exchange(working_for, &shared);
  const int counted = outer == &shared ? 0 : 1;
  {
    const std::lock_guard lock(shared.mutex);
    shared.active += counted;
    if (count > 1 && workers_ > 1) {
      shared.grow(std::min<std::int64_t>(count, workers_) - 1);
      shared.loops.push_back(&loop);
      shared.wake.notify_all();
    }
  }
  loop.work([] { return false; });
  working_for = outer;
  {
    std::unique_lock lock(shared.mutex);
    shared.active -= counted;
    std::erase(shared.loops, &loop);
    shared.wake.notify_one();
    shared.finished.wait(lock, [&] { return loop.helpers == 0; });
  }
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace spinekit

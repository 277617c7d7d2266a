#include "spinekit/executor.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "spinekit/error.h"

namespace {

using spinekit::CancelToken;
using spinekit::Error;
using spinekit::ErrorCode;
using spinekit::Executor;

void pause_briefly() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

// Counts how many threads are inside at once. A thread that enters again counts once.
class Occupancy {
 public:
  class Visit {
   public:
    explicit Visit(Occupancy& room) : room_(room) {
      if (depth++ > 0) return;
      const int now = ++room_.inside_;
      int most = room_.most_.load();
      while (now > most && !room_.most_.compare_exchange_weak(most, now)) {
      }
    }
    ~Visit() {
      if (--depth == 0) --room_.inside_;
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    static thread_local int depth;
    Occupancy& room_;
  };

  [[nodiscard]] int most() const { return most_.load(); }
  void forget() { most_ = 0; }

 private:
  std::atomic<int> inside_{0};
  std::atomic<int> most_{0};
};

thread_local int Occupancy::Visit::depth = 0;

}  // namespace

TEST_CASE("an executor calls every index once") {
  for (const int workers : {1, 2, 3, 8}) {
    Executor executor(workers);
    for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      executor.parallel_for(
          count, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; }, CancelToken());
      for (const auto& times : calls) REQUIRE(times.load() == 1);
    }
  }
}

TEST_CASE("an executor takes 1 to 1024 workers") {
  CHECK_THROWS_AS(Executor(0), Error);
  CHECK_THROWS_AS(Executor(-1), Error);
  CHECK_THROWS_AS(Executor(1025), Error);
  CHECK(Executor(1024).workers() == 1024);
}

TEST_CASE("an exception stops further items and reaches the caller, and the executor lives on") {
  Executor executor(4);
  std::atomic<int> started{0};
  CHECK_THROWS_WITH_AS(executor.parallel_for(
                           100000,
                           [&](std::int64_t i) {
                             ++started;
                             if (i == 10) throw std::runtime_error("ten");
                           },
                           CancelToken()),
                       "ten", std::runtime_error);
  CHECK(started.load() < 100000);
  std::atomic<int> after{0};
  executor.parallel_for(
      50, [&](std::int64_t) { ++after; }, CancelToken());
  CHECK(after.load() == 50);
}

TEST_CASE("a cancelled loop throws kCancelled and starts nothing more") {
  for (const int workers : {1, 3}) {
    Executor executor(workers);
    CancelToken cancel;
    std::atomic<int> started{0};
    try {
      executor.parallel_for(
          1000,
          [&](std::int64_t) {
            ++started;
            cancel.cancel();
          },
          cancel);
      FAIL_CHECK("not cancelled");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::kCancelled);
    }
    CHECK(started.load() <= workers);
    started = 0;
    CHECK_THROWS_AS(executor.parallel_for(
                        5, [&](std::int64_t) { ++started; }, cancel),
                    Error);
    CHECK(started.load() == 0);
  }
}

TEST_CASE("one caller is given all workers and no more") {
  Executor executor(3);
  Occupancy room;
  executor.parallel_for(
      60,
      [&](std::int64_t) {
        const Occupancy::Visit visit(room);
        pause_briefly();
      },
      CancelToken());
  CHECK(room.most() == 3);
}

TEST_CASE("loops within loops stay on the workers and use them all") {
  Executor executor(3);
  Occupancy room;
  std::atomic<int> calls{0};
  executor.parallel_for(
      6,
      [&](std::int64_t) {
        const Occupancy::Visit outer(room);
        executor.parallel_for(
            10,
            [&](std::int64_t) {
              const Occupancy::Visit inner(room);
              pause_briefly();
              ++calls;
            },
            CancelToken());
      },
      CancelToken());
  CHECK(calls.load() == 60);
  CHECK(room.most() == 3);
}

TEST_CASE("the last outer item's inner loop is shared with idle workers") {
  Executor executor(2);
  Occupancy room;
  executor.parallel_for(
      1,
      [&](std::int64_t) {
        executor.parallel_for(
            40,
            [&](std::int64_t) {
              const Occupancy::Visit visit(room);
              pause_briefly();
            },
            CancelToken());
      },
      CancelToken());
  CHECK(room.most() == 2);
}

TEST_CASE("as many callers as workers run on their own threads alone") {
  constexpr int kWorkers = 3;
  Executor executor(kWorkers);
  std::atomic<int> arrived{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> calls{0};
  std::vector<std::thread> callers;
  callers.reserve(kWorkers);
  for (int c = 0; c < kWorkers; ++c) {
    callers.emplace_back([&] {
      executor.parallel_for(
          40,
          [&](std::int64_t) {
            // Once every caller is inside, helpers must have left: only callers' threads count on.
            thread_local bool counted = false;
            if (!counted) {
              counted = true;
              ++arrived;
            }
            pause_briefly();
            ++calls;
            const std::lock_guard lock(mutex);
            threads.insert(std::this_thread::get_id());
          },
          CancelToken());
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(calls.load() == 3 * 40);
  CHECK(threads.size() <= 2 * kWorkers - 1);
}

TEST_CASE("helpers give their place up to a second caller") {
  Executor executor(2);
  Occupancy room;
  std::atomic<bool> second_started{false};
  std::atomic<int> settled{0};
  const auto work = [&](std::int64_t) {
    const Occupancy::Visit visit(room);
    // The helper may finish the item that it had begun when the second caller came, however late.
    if (second_started && ++settled == 40) room.forget();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  };
  std::thread second([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    executor.parallel_for(
        60,
        [&](std::int64_t i) {
          second_started = true;
          work(i);
        },
        CancelToken());
  });
  executor.parallel_for(120, work, CancelToken());
  second.join();
  CHECK(room.most() <= 2);
}

TEST_CASE("a forked child uses an executor that its parent used") {
  Executor executor(3);
  std::atomic<int> calls{0};
  const auto use = [&] {
    executor.parallel_for(
        100, [&](std::int64_t) { ++calls; }, CancelToken());
  };
  use();
  REQUIRE(calls.load() == 100);
  const pid_t child = ::fork();
  if (child == 0) {
    use();
    ::_exit(calls.load() == 200 ? 0 : 1);
  }
  REQUIRE(child > 0);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  use();
  CHECK(calls.load() == 200);
}

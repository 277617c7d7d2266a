#include "spinekit/loader.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <stdexcept>

#include "dicom_bytes.h"
#include "numbered_slices.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;
using namespace std::chrono_literals;
using Order = std::vector<std::int64_t>;

std::int64_t threads_now() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

}  // namespace

TEST_CASE("one worker loads slices in the order that was asked for") {
  const auto volume = volume_of(7);
  const auto source = std::make_shared<NumberedSlices>();
  const Order order{3, 2, 4, 1, 5, 0, 6};
  Loader loader(volume, source, workers(1), {.order = order});
  loader.join();
  CHECK(indices(source->reads()) == order);
  check_complete(*volume);
  Order arrived;
  for (const Arrival& arrival : volume->arrivals(0, 0ns)) arrived.push_back(arrival.index);
  CHECK(arrived == order);
}

TEST_CASE("any number of workers load every slice once, and only those asked for") {
  for (const int count : {1, 2, 8}) {
    const auto volume = volume_of(100);
    const auto source = std::make_shared<NumberedSlices>();
    Loader loader(volume, source, workers(count), {.order = counted(100)});
    loader.join();
    loader.join();
    CHECK(source->reads().size() == 100);
    check_complete(*volume);
  }
  const auto volume = volume_of(5);
  Loader some(volume, std::make_shared<NumberedSlices>(), workers(2), {.order = {4, 1}});
  some.join();
  CHECK(volume->closed());
  for (std::int64_t k = 0; k < 5; ++k) CHECK(volume->loaded()[k] == (k == 4 || k == 1 ? 1 : 0));
  const auto empty = volume_of(1);
  Loader none(empty, std::make_shared<NumberedSlices>(), workers(1), {});
  none.join();
  CHECK(empty->closed());
}

TEST_CASE("orders that make no sense are refused, and no thread is left behind") {
  const std::int64_t before = threads_now();
  const auto refused = [](const LoaderOptions& options) {
    CHECK_THROWS_AS(Loader(volume_of(3), std::make_shared<NumberedSlices>(), workers(1), options),
                    Error);
  };
  refused({.order = {0, 3}});
  refused({.order = {-1}});
  refused({.order = {1, 2, 1}});
  refused({.order = {0}, .coarse_reduction = -1});
  refused({.order = {0}, .coarse_reduction = 64});
  CHECK(threads_now() <= before);
}

TEST_CASE("what was not begun goes on outwards from the slice that is looked at") {
  Gate gate;
  const auto source =
      std::make_shared<NumberedSlices>(0, [&](std::int64_t slice, int, StoredFrame&) {
        if (slice == 0) gate.pass();
      });
  const auto volume = volume_of(9);
  Loader loader(volume, source, workers(1), {.order = counted(9)});
  wait_until([&] { return !source->reads().empty(); });
  loader.prioritise(6);
  check_refuses(ErrorCode::kArgument, "slice 9 of 9", [&] { loader.prioritise(9); });
  check_refuses(ErrorCode::kArgument, "slice -1 of 9", [&] { loader.prioritise(-1); });
  gate.open();
  loader.join();
  // Middle, middle - 1, middle + 1, middle - 2 ...
  CHECK(indices(source->reads()) == Order{0, 6, 5, 7, 4, 8, 3, 2, 1});
}

TEST_CASE("every slice comes coarse before any comes full, also from the slice looked at") {
  Gate gate;
  const auto source =
      std::make_shared<NumberedSlices>(2, [&](std::int64_t slice, int, StoredFrame&) {
        if (slice == 2) gate.pass();
      });
  const auto volume = volume_of(4);
  Loader loader(volume, source, workers(1), {.order = {2, 1, 3, 0}, .coarse_reduction = 2});
  wait_until([&] { return !source->reads().empty(); });
  loader.prioritise(0);
  gate.open();
  loader.join();
  using Reads = std::vector<std::pair<std::int64_t, int>>;
  CHECK(source->reads() == Reads{{2, 2}, {0, 2}, {1, 2}, {3, 2}, {0, 0}, {1, 0}, {2, 0}, {3, 0}});
  check_complete(*volume);
  const std::vector<Arrival> arrivals = volume->arrivals(0, 0ns);
  REQUIRE(arrivals.size() == 8);
  CHECK(arrivals[3].state == SliceState::kCoarse);
  CHECK(arrivals[4].state == SliceState::kFull);
}

TEST_CASE("a source that cannot go so coarse is only read in full") {
  const auto volume = volume_of(3);
  const auto source = std::make_shared<NumberedSlices>(1);
  Loader loader(volume, source, workers(2), {.order = counted(3), .coarse_reduction = 2});
  loader.join();
  CHECK(source->reads().size() == 3);
  check_complete(*volume);
}

TEST_CASE("slices that break are named, whatever was thrown, and the others come") {
  for (const int count : {1, 3}) {
    const auto source =
        std::make_shared<NumberedSlices>(1, [](std::int64_t slice, int, StoredFrame& frame) {
          if (slice == 1) throw Error(ErrorCode::kMalformed, "damaged");
          if (slice == 3) throw std::bad_alloc();
          if (slice == 5) throw std::out_of_range("beyond");
          if (slice == 7) throw 7;
          if (slice == 9) frame.rows = 3;
          if (slice == 11) frame.slope = 0.5;
          if (slice == 2) frame.warnings.emplace_back("odd");
        });
    const auto volume = volume_of(13);
    Loader loader(volume, source, workers(count), {.order = counted(13), .coarse_reduction = 1});
    loader.join();
    CHECK(volume->closed());
    CHECK_FALSE(volume->closing_error());
    std::map<std::int64_t, Error> failures;
    for (const auto& [index, error] : volume->failures()) failures.emplace(index, error);
    REQUIRE(failures.size() == 6);
    CHECK(volume->failures().size() == 6);
    CHECK(failures.at(1).message() == "damaged");
    CHECK(failures.at(3).code() == ErrorCode::kResource);
    CHECK(failures.at(5).message() == "cannot be read: beyond");
    CHECK(failures.at(7).code() == ErrorCode::kResource);
    CHECK(failures.at(9).code() == ErrorCode::kMalformed);
    CHECK(failures.at(11).code() == ErrorCode::kUnsupported);
    for (std::int64_t k = 0; k < 13; ++k) {
      CHECK(volume->loaded()[k] == (failures.contains(k) ? 0 : 1));
      CHECK(slice_holds(*volume, k, failures.contains(k) ? -1000 : k));
    }
    REQUIRE(volume->warnings().size() == 1);  // said once, though read twice
    CHECK(volume->warnings().front().first == 2);
  }
}

TEST_CASE("cancelling ends with the slices in work") {
  Gate gate;
  const auto source =
      std::make_shared<NumberedSlices>(0, [&](std::int64_t, int, StoredFrame&) { gate.pass(); });
  const auto volume = volume_of(50);
  Loader loader(volume, source, workers(2), {.order = counted(50)});
  wait_until([&] { return !source->reads().empty(); });
  loader.cancel();
  CHECK_FALSE(volume->closed());
  gate.open();
  loader.join();
  CHECK(source->reads().size() <= 2);
  REQUIRE(volume->closing_error());
  CHECK(volume->closing_error()->code() == ErrorCode::kCancelled);
  CHECK(volume->failures().empty());
  loader.cancel();
  loader.prioritise(3);
}

TEST_CASE("cancelling when all is there changes nothing") {
  const auto volume = volume_of(3);
  const auto source = std::make_shared<NumberedSlices>();
  Loader loader(volume, source, workers(1), {.order = counted(3)});
  loader.join();
  loader.cancel();
  check_complete(*volume);
}

TEST_CASE("loaders that are destroyed while they load leave nothing behind") {
  const std::int64_t before = threads_now();
  const auto executor = workers(2);
  std::weak_ptr<Volume> last_volume;
  std::weak_ptr<FrameSource> last_source;
  for (int i = 0; i < 1000; ++i) {
    const auto volume = volume_of(20);
    const auto source = std::make_shared<NumberedSlices>(1);
    {
      Loader loader(volume, source, executor, {.order = counted(20), .coarse_reduction = i % 2});
      if (i % 3 == 0) loader.prioritise(i % 20);
      for (int spin = 0; spin < i % 50 * 20; ++spin) std::this_thread::yield();
    }
    CHECK(volume->closed());
    last_volume = volume;
    last_source = source;
  }
  CHECK(last_volume.expired());
  CHECK(last_source.expired());
  CHECK(threads_now() <= before + 1);  // the executor's other worker
}

TEST_CASE("who sees loaded[k] reads the whole slice, while others still come") {
  for (const int count : {1, 4}) {
    constexpr std::int64_t kSlices = 300;
    const auto volume = volume_of(kSlices);
    Loader loader(volume, std::make_shared<NumberedSlices>(1), workers(count),
                  {.order = counted(kSlices), .coarse_reduction = 1});
    std::atomic<int> wrong{0};
    const auto reader = [&](std::int64_t first) {
      for (std::int64_t k = first; k < kSlices; k += 2) {
        while (!is_loaded(*volume, k)) std::this_thread::yield();
        if (!slice_holds(*volume, k, k)) ++wrong;
      }
    };
    std::thread even(reader, 0);
    std::thread odd(reader, 1);
    even.join();
    odd.join();
    CHECK(wrong == 0);
    loader.join();
  }
}

TEST_CASE("a forked child destroys a loader at once, whatever its parent's threads do") {
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    const auto volume = volume_of(200);
    const bool supplied = round % 4 == 3;  // then the thread waits for slices
    const auto executor = workers(2);
    auto loader = std::make_unique<Loader>(
        volume, std::make_shared<NumberedSlices>(1), executor,
        LoaderOptions{.order = counted(200), .coarse_reduction = 1, .supplied = supplied});
    std::this_thread::sleep_for(std::chrono::microseconds(round * 50));
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::alarm(20);
      loader->cancel();
      loader->join();
      loader.reset();
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    if (supplied) loader->cancel();
    loader->join();
    if (!supplied) check_complete(*volume);
  }
}

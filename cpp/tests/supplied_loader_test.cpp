#include "dicom_bytes.h"
#include "numbered_slices.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;
using namespace std::chrono_literals;

const Error kLost(ErrorCode::kResource, "lost");

LoaderOptions supplied(std::int64_t slices, int coarse = 0) {
  return {.order = counted(slices), .coarse_reduction = coarse, .supplied = true};
}

// Supplies what is wanted, until nothing is.
std::vector<std::pair<std::int64_t, int>> supply_all(Loader& loader) {
  std::vector<std::pair<std::int64_t, int>> out;
  while (true) {
    const Loader::Wanted wanted = loader.next_wanted();
    if (wanted.index < 0) return out;
    out.emplace_back(wanted.index, wanted.reduction);
    loader.supply(wanted);
  }
}

std::vector<std::int64_t> failed(const Volume& volume) {
  std::vector<std::int64_t> out;
  for (const auto& [index, error] : volume.failures()) {
    CHECK(error.message() == "lost");
    out.push_back(index);
  }
  return out;
}

}  // namespace

TEST_CASE("supplied slices are wanted in order, coarse before full, and worked on when given") {
  const auto volume = volume_of(4);
  const auto source = std::make_shared<NumberedSlices>(2);
  Loader loader(volume, source, workers(1), supplied(4, 2));
  using Reads = std::vector<std::pair<std::int64_t, int>>;
  const Reads all{{0, 2}, {1, 2}, {2, 2}, {3, 2}, {0, 0}, {1, 0}, {2, 0}, {3, 0}};
  CHECK(supply_all(loader) == all);
  loader.end_supply(kLost);
  loader.join();
  CHECK(source->reads() == all);
  check_complete(*volume);
}

TEST_CASE("nothing is worked on before it is supplied") {
  const auto volume = volume_of(3);
  const auto source = std::make_shared<NumberedSlices>();
  Loader loader(volume, source, workers(2), supplied(3));
  std::this_thread::sleep_for(20ms);
  CHECK(source->reads().empty());
  loader.supply({2, 0});
  wait_until([&] { return is_loaded(*volume, 2); });
  CHECK(loader.next_wanted().index == 0);
  CHECK(loader.next_wanted().index == 1);
  CHECK(loader.next_wanted().index == -1);  // 2 came unasked
  loader.supply({0, 0});
  loader.supply({1, 0});
  loader.join();
  check_complete(*volume);
}

TEST_CASE("who supplies waits while work lags behind") {
  for (const int count : {1, 3}) {
    Gate gate;
    std::atomic<int> given{0};
    const auto source =
        std::make_shared<NumberedSlices>(0, [&](std::int64_t, int, StoredFrame&) { gate.pass(); });
    const auto volume = volume_of(40);
    Loader loader(volume, source, workers(count), supplied(40));
    std::thread supplier([&] {
      for (std::int64_t k = 0; k < 40; ++k) {
        loader.supply({k, 0});
        ++given;
      }
    });
    std::this_thread::sleep_for(50ms);
    // Two wait for each worker, and each has one in work.
    CHECK(given <= 3 * count);
    std::atomic<bool> asked{false};
    std::thread asking([&] {
      (void)loader.next_wanted();
      asked = true;
    });
    std::this_thread::sleep_for(20ms);
    CHECK_FALSE(asked);
    gate.open();
    supplier.join();
    asking.join();
    loader.join();
    check_complete(*volume);
  }
}

TEST_CASE("supplied slices are worked on by all workers, though they come one by one") {
  const auto source = std::make_shared<NumberedSlices>(
      0, [](std::int64_t, int, StoredFrame&) { std::this_thread::sleep_for(2ms); });
  const auto volume = volume_of(100);
  Loader loader(volume, source, workers(3), supplied(100));
  (void)supply_all(loader);
  loader.join();
  CHECK(source->most_inside() == 3);
  check_complete(*volume);
}

TEST_CASE("the end of supply fails what never came, and waits for what is in work") {
  Gate gate;
  const auto source =
      std::make_shared<NumberedSlices>(1, [&](std::int64_t slice, int, StoredFrame&) {
        if (slice < 2) gate.pass();
      });
  const auto volume = volume_of(6);
  Loader loader(volume, source, workers(2), supplied(6, 1));
  loader.supply({0, 0});
  loader.supply({1, 0});
  loader.supply({4, 1});  // only coarse: its full picture never comes
  loader.end_supply(kLost);
  loader.end_supply(kLost);
  CHECK(loader.next_wanted().index == -1);
  CHECK_FALSE(volume->closed());
  CHECK(failed(*volume) == std::vector<std::int64_t>{2, 3, 4, 5});
  loader.supply({3, 0});  // too late
  gate.open();
  loader.join();
  CHECK(volume->closed());
  CHECK_FALSE(volume->closing_error());
  for (std::int64_t k = 0; k < 6; ++k) {
    CHECK(slice_holds(*volume, k, k < 2 ? k : -1000));
    CHECK(volume->loaded()[k] == (k < 2 ? 1 : 0));
    CHECK(volume->states()[k] ==
          static_cast<std::uint8_t>(k < 2 ? SliceState::kFull : SliceState::kEmpty));
  }
  CHECK(volume->failures().size() == 4);
}

TEST_CASE("the end of supply, with nothing supplied or everything") {
  const auto nothing = volume_of(3);
  Loader without(nothing, std::make_shared<NumberedSlices>(), workers(1), supplied(3));
  without.end_supply(kLost);
  without.join();
  CHECK(nothing->closed());
  CHECK(failed(*nothing).size() == 3);
  const auto all = volume_of(3);
  Loader with(all, std::make_shared<NumberedSlices>(), workers(1), supplied(3));
  (void)supply_all(with);
  with.end_supply(kLost);
  with.join();
  check_complete(*all);
}

TEST_CASE("a slice fails once, and not when it was supplied") {
  Gate gate;
  const auto source =
      std::make_shared<NumberedSlices>(0, [&](std::int64_t, int, StoredFrame&) { gate.pass(); });
  const auto volume = volume_of(3);
  Loader loader(volume, source, workers(1), supplied(3));
  loader.fail(1, kLost);
  loader.fail(1, kLost);
  loader.supply({0, 0});
  loader.fail(0, kLost);
  loader.supply({0, 0});
  loader.supply({1, 0});
  CHECK(loader.next_wanted().index == 2);
  loader.supply({2, 0});
  gate.open();
  loader.join();
  CHECK(failed(*volume) == std::vector<std::int64_t>{1});
  CHECK(source->reads().size() == 2);
  CHECK(volume->loaded()[0] == 1);
  CHECK(volume->loaded()[1] == 0);
  for (const std::int64_t index : {-1, 3}) {
    check_refuses(ErrorCode::kArgument, "of 3", [&] { loader.fail(index, kLost); });
    check_refuses(ErrorCode::kArgument, "of 3", [&] { loader.supply({index, 0}); });
    check_refuses(ErrorCode::kArgument, "of 3", [&] { loader.supply({index, 1}); });
  }
}

TEST_CASE("slices that are not in the order are not taken") {
  const auto volume = volume_of(3);
  const auto source = std::make_shared<NumberedSlices>();
  Loader loader(volume, source, workers(1), {.order = {1}, .supplied = true});
  loader.supply({0, 0});
  loader.fail(2, kLost);
  loader.supply({1, 0});
  loader.join();
  CHECK(source->reads().size() == 1);
  CHECK(volume->failures().empty());
}

TEST_CASE("cancelling wakes who waits to supply, and who asks") {
  Gate gate;
  const auto source =
      std::make_shared<NumberedSlices>(0, [&](std::int64_t, int, StoredFrame&) { gate.pass(); });
  const auto volume = volume_of(20);
  Loader loader(volume, source, workers(1), supplied(20));
  std::thread supplier([&] {
    for (std::int64_t k = 0; k < 20; ++k) loader.supply({k, 0});
  });
  std::thread asking([&] {
    while (loader.next_wanted().index >= 0) {
    }
  });
  std::this_thread::sleep_for(10ms);
  loader.cancel();
  supplier.join();
  asking.join();
  gate.open();
  loader.join();
  CHECK(volume->closing_error()->code() == ErrorCode::kCancelled);
  loader.end_supply(kLost);
  loader.fail(19, kLost);
  CHECK(volume->failures().empty());
}

TEST_CASE("several threads supply, fail, ask and prioritise at once, and every slice ends") {
  for (int round = 0; round < 20; ++round) {
    const auto volume = volume_of(120);
    const auto executor = workers(1 + round % 4);
    Loader loader(volume, std::make_shared<NumberedSlices>(1), executor, supplied(120, round % 2));
    std::vector<std::thread> threads;
    threads.reserve(3);
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        while (true) {
          const Loader::Wanted wanted = loader.next_wanted();
          if (wanted.index < 0) return;
          if (wanted.index % 7 == 3) {
            loader.fail(wanted.index, kLost);
          } else {
            loader.supply(wanted);
          }
          if (t == 0) loader.prioritise(wanted.index);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    loader.end_supply(Error(ErrorCode::kResource, "never came"));
    loader.join();
    CHECK(volume->closed());
    CHECK_FALSE(volume->closing_error());
    CHECK(failed(*volume).size() == 17);
    for (std::int64_t k = 0; k < 120; ++k) {
      CHECK(volume->loaded()[k] == (k % 7 == 3 ? 0 : 1));
      CHECK(slice_holds(*volume, k, k % 7 == 3 ? -1000 : k));
    }
  }
}

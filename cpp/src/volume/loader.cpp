#include "spinekit/loader.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace spinekit {
namespace {

// Frames that wait for a worker, for each of them: enough to keep it busy, few enough to hold.
constexpr std::int64_t kWaitingForEach = 2;

// What went wrong, for whatever was thrown.
Error error_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kResource, "not enough memory"};
  } catch (const std::exception& error) {
    return {ErrorCode::kResource, std::string("cannot be read: ") + error.what()};
  } catch (...) {
    return {ErrorCode::kResource, "cannot be read"};
  }
}

}  // namespace

struct Loader::State {
  State(std::shared_ptr<Volume> volume_in, std::shared_ptr<FrameSource> source_in,
        std::shared_ptr<Executor> executor_in, bool supplied_in)
      : volume(std::move(volume_in)),
        source(std::move(source_in)),
        executor(std::move(executor_in)),
        supplied(supplied_in),
        slices(volume->layout().slices),
        settled(static_cast<std::size_t>(slices), true),
        given(static_cast<std::size_t>(slices)) {}

  std::shared_ptr<Volume> volume;
  std::shared_ptr<FrameSource> source;
  std::shared_ptr<Executor> executor;
  const bool supplied;
  const std::int64_t slices;
  CancelToken cancel;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<Wanted> wanted;
  std::deque<Wanted> ready;   // supplied slices
  std::vector<bool> settled;  // loaded in full, or failed; or not to be loaded
  std::vector<bool> given;    // supplied or begun in full
  std::int64_t unsettled = 0;
  bool stopped = false;

  const pid_t owner = ::getpid();
  std::mutex joining;  // guards thread
  std::thread thread;

  [[nodiscard]] std::size_t checked(std::int64_t index) const {
    if (index < 0 || index >= slices) {
      throw_argument("slice " + std::to_string(index) + " of " + std::to_string(slices));
    }
    return static_cast<std::size_t>(index);
  }

  std::deque<Wanted>& queue() { return supplied ? ready : wanted; }
  [[nodiscard]] bool lagging() const {
    return static_cast<std::int64_t>(ready.size()) >= kWaitingForEach * executor->workers();
  }

  void run();
  void work_off(std::atomic<std::int64_t>& left);
  bool take(Wanted& job);
  void do_one(const Wanted& job, StoredFrame& frame);
  void fail_settled(const std::vector<std::int64_t>& indices, const Error& error);
};

Loader::Loader(std::shared_ptr<Volume> volume, std::shared_ptr<FrameSource> source,
               std::shared_ptr<Executor> executor, const LoaderOptions& options)
    : state_(std::make_unique<State>(std::move(volume), std::move(source), std::move(executor),
                                     options.supplied)) {
  State& state = *state_;
  const std::int64_t slices = state.slices;
  if (options.coarse_reduction < 0 || options.coarse_reduction > 32) {
    throw_argument("coarse reduction " + std::to_string(options.coarse_reduction) +
                   ", expected 0 to 32");
  }
  for (const std::int64_t index : options.order) {
    if (index < 0 || index >= slices || !state.settled[static_cast<std::size_t>(index)]) {
      throw_argument("slice " + std::to_string(index) + " in the order of " +
                     std::to_string(slices) + " slices, or twice");
    }
    state.settled[static_cast<std::size_t>(index)] = false;
  }
  state.unsettled = static_cast<std::int64_t>(options.order.size());
  if (options.coarse_reduction > 0) {
    for (const std::int64_t index : options.order) {
      state.wanted.push_back({index, options.coarse_reduction});
    }
  }
  for (const std::int64_t index : options.order) state.wanted.push_back({index, 0});
  try {
    state.thread = std::thread([&state] { state.run(); });
  } catch (const std::system_error& error) {
    throw_resource(std::string("no thread to load the volume with: ") + error.what());
  }
}

Loader::~Loader() {
  if (state_->owner != ::getpid()) {
    // The threads that the child does not have may wait for the condition, whose destruction would
    // wait for them, or be amid a change of the source: these are left where they are.
    State* const left = state_.release();
    left->volume.reset();
    left->executor.reset();
    return;
  }
  cancel();
  join();
}

void Loader::cancel() {
  State& state = *state_;
  if (state.owner != ::getpid()) return;
  state.cancel.cancel();
  const std::lock_guard lock(state.mutex);
  state.stopped = true;
  state.changed.notify_all();
}

void Loader::join() {
  if (state_->owner != ::getpid()) return;
  const std::lock_guard lock(state_->joining);
  if (state_->thread.joinable()) state_->thread.join();
}

void Loader::prioritise(std::int64_t index) {
  State& state = *state_;
  (void)state.checked(index);
  const auto rank = [index](const Wanted& slice) {
    // Middle-out: one before, one behind, two before ...
    return 2 * std::abs(slice.index - index) - (slice.index < index ? 1 : 0);
  };
  const std::lock_guard lock(state.mutex);
  std::stable_sort(state.wanted.begin(), state.wanted.end(), [&](const Wanted& a, const Wanted& b) {
    const bool coarse_a = a.reduction > 0;
    const bool coarse_b = b.reduction > 0;
    return coarse_a != coarse_b ? coarse_a : rank(a) < rank(b);
  });
}

void Loader::State::run() {
  std::optional<Error> why;
  while (!why) {
    std::int64_t count = 0;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopped || unsettled == 0 || !queue().empty(); });
      if (unsettled == 0) break;
      if (stopped) {
        why = Error(ErrorCode::kCancelled, "cancelled");
        break;
      }
      count = static_cast<std::int64_t>(queue().size());
    }
    // A worker that found nothing to do is only called again by the next loop. So a loop must end
    // although more was supplied meanwhile, or one worker would do everything.
    std::atomic<std::int64_t> left{count};
    try {
      executor->parallel_for(
          std::min<std::int64_t>(count, executor->workers()), [&](std::int64_t) { work_off(left); },
          cancel);
    } catch (...) {
      const Error error = error_of(std::current_exception());
      if (error.code() != ErrorCode::kCancelled) why = error;
    }
  }
  volume->close(why);
  const std::lock_guard lock(mutex);
  stopped = true;
  changed.notify_all();
}

bool Loader::State::take(Wanted& job) {
  const std::lock_guard lock(mutex);
  if (stopped || queue().empty()) return false;
  job = queue().front();
  queue().pop_front();
  if (job.reduction == 0) given[static_cast<std::size_t>(job.index)] = true;
  changed.notify_all();
  return true;
}

void Loader::State::work_off(std::atomic<std::int64_t>& left) {
  Wanted job;
  StoredFrame frame;
  while (left.fetch_sub(1) > 0 && take(job)) do_one(job, frame);
}

void Loader::State::do_one(const Wanted& job, StoredFrame& frame) {
  const bool coarse = job.reduction > 0;
  try {
    if (coarse && source->most_reduction(job.index) < job.reduction) return;
    Buffer buffer = std::move(frame.bytes);
    frame = StoredFrame{};
    frame.bytes = std::move(buffer);
    source->read(job.index, job.reduction, frame);
    volume->place(job.index, frame, job.reduction);
    if (coarse) return;
    for (const std::string& warning : frame.warnings) volume->warn(job.index, warning);
  } catch (...) {
    // What is wrong with a coarse picture shows again in the full one.
    if (coarse) return;
    volume->fail(job.index, error_of(std::current_exception()));
  }
  const std::lock_guard lock(mutex);
  settled[static_cast<std::size_t>(job.index)] = true;
  if (--unsettled == 0) changed.notify_all();
}

// ---- supplied slices

Loader::Wanted Loader::next_wanted() {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock,
                     [&] { return state.stopped || state.wanted.empty() || !state.lagging(); });
  if (state.stopped || state.wanted.empty()) return {};
  const Wanted next = state.wanted.front();
  state.wanted.pop_front();
  return next;
}

void Loader::supply(Wanted slice) {
  State& state = *state_;
  const std::size_t at = state.checked(slice.index);
  std::unique_lock lock(state.mutex);
  const auto no_use = [&] { return state.stopped || state.settled[at] || state.given[at]; };
  state.changed.wait(lock, [&] { return no_use() || !state.lagging(); });
  if (no_use()) return;
  std::erase_if(state.wanted, [&](const Wanted& other) {
    return other.index == slice.index && other.reduction >= slice.reduction;
  });
  if (slice.reduction == 0) state.given[at] = true;
  state.ready.push_back(slice);
  state.changed.notify_all();
}

void Loader::State::fail_settled(const std::vector<std::int64_t>& indices, const Error& error) {
  for (const std::int64_t index : indices) volume->fail(index, error);
  const std::lock_guard lock(mutex);
  unsettled -= static_cast<std::int64_t>(indices.size());
  changed.notify_all();
}

void Loader::fail(std::int64_t index, const Error& error) {
  State& state = *state_;
  const std::size_t at = state.checked(index);
  {
    const std::lock_guard lock(state.mutex);
    if (state.stopped || state.settled[at] || state.given[at]) return;
    state.settled[at] = true;
    std::erase_if(state.wanted, [&](const Wanted& other) { return other.index == index; });
  }
  state.fail_settled({index}, error);
}

void Loader::end_supply(const Error& error) {
  State& state = *state_;
  std::vector<std::int64_t> missing;
  {
    const std::lock_guard lock(state.mutex);
    if (state.stopped) return;
    for (std::size_t i = 0; i < state.settled.size(); ++i) {
      if (state.settled[i] || state.given[i]) continue;
      state.settled[i] = true;
      missing.push_back(static_cast<std::int64_t>(i));
    }
    state.wanted.clear();
  }
  state.fail_settled(missing, error);
}

}  // namespace spinekit

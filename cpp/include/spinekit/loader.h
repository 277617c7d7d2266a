// Fills a volume from a source of frames, in the order that its user wants to see them.
//
// A Loader works on a thread of its own, which takes part in the executor that it was given, and
// keeps volume and source alive. Destroying it stops the work within a slice and joins the thread; in
// a child made by fork() the thread does not exist, and nothing waits for it. All members are
// thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "spinekit/executor.h"
#include "spinekit/volume.h"

namespace spinekit {

// Where slices come from. Both members are called from several threads at once.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // How often the sides of a slice's frame can be halved by decoding less of it.
  virtual int most_reduction(std::int64_t slice) = 0;
  // Decodes the frame into `frame`, whose buffer may be reused. Whatever it throws fails the slice.
  virtual void read(std::int64_t slice, int reduction, StoredFrame& frame) = 0;
};

struct LoaderOptions {
  std::vector<std::int64_t> order;  // each slice at most once
  // 1 to 32: first every slice at this reduction, as far as the source has it, then in full.
  int coarse_reduction = 0;
  // Slices are only worked on after supply() gave them free, for instance when their bytes are here.
  bool supplied = false;
};

class Loader {
 public:
  Loader(std::shared_ptr<Volume> volume, std::shared_ptr<FrameSource> source,
         std::shared_ptr<Executor> executor, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // What has not been begun goes on outwards from slice `index`.
  void prioritise(std::int64_t index);
  // Stops; what was not loaded stays as it is. Returns at once.
  void cancel();
  void join();

  // ---- for supplied slices

  struct Wanted {
    std::int64_t index = -1;  // -1: nothing any more
    int reduction = 0;
  };
  // The next slice to fetch. Waits while so much is fetched already that work lags behind.
  Wanted next_wanted();
  // The slice's bytes are with the source. Waits while work lags behind. Of no effect once the slice
  // was supplied in full, or failed.
  void supply(Wanted slice);
  // The slice cannot be had. Of no effect once it was supplied in full.
  void fail(std::int64_t index, const Error& error);
  // Nothing more is supplied; what never was fails with `error`.
  void end_supply(const Error& error);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spinekit

#include "torch_guard.h"

#include <ATen/Parallel.h>
#include <omp.h>
#include <pthread.h>

#include <atomic>

// Of the MKL inside torch, where there is one; its headers are not installed with torch.
extern "C" int MKL_Set_Num_Threads_Local(int) __attribute__((weak));

namespace spinekit::infer {
namespace {

std::atomic<bool> forked{false};
std::atomic<bool> settled{false};

// Registered when the library is loaded, before anything here could have been used in a parent.
const int kRegistered = pthread_atfork(nullptr, nullptr, [] {
  forked = true;
  settled = false;
});

int limit_mkl(int threads) {
  return MKL_Set_Num_Threads_Local != nullptr ? MKL_Set_Num_Threads_Local(threads) : 0;
}

}  // namespace

void settle_after_fork() {
  if (kRegistered == 0 && forked && !settled.exchange(true)) at::set_num_threads(1);
}

ThreadLimit::ThreadLimit(int threads) {
  before_ = at::get_num_threads();  // sets this thread up, which would undo what follows
  const int allowed = forked ? 1 : threads;
  omp_set_num_threads(allowed);
  mkl_before_ = limit_mkl(allowed);
}

ThreadLimit::~ThreadLimit() {
  omp_set_num_threads(before_);
  limit_mkl(mkl_before_);
}

}  // namespace spinekit::infer

#include "journal/rebuilder.h"

#include <pthread.h>

#include <algorithm>

namespace fairlead::journal {
namespace {

constexpr std::chrono::milliseconds kFirstPause(100);
constexpr std::chrono::milliseconds kLongestPause(10'000);

}  // namespace

Rebuilder::~Rebuilder() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Rebuilder::start(StateDirectory& directory, Work work) {
  work_ = std::move(work);
  thread_ = std::thread([this, &directory] { run(directory); });
}

void Rebuilder::run(StateDirectory& directory) {
  pthread_setname_np(pthread_self(), "journal");
  EachRow until_stopped = [this](const VisitRow& visit) {
    return work_.rows([&](const Row& row) {
      std::unique_lock lock(mutex_);
      if (stopped_) return absl::CancelledError("the data plane ends");
      lock.unlock();
      return visit(row);
    });
  };
  std::chrono::milliseconds wait = kFirstPause;
  for (;;) {
    const std::string history_from = work_.keep_history ? directory.file(kFile) : "";
    absl::Status replaced = directory.take_place();
    if (replaced.ok()) replaced = replace_file(directory, work_.state, until_stopped, history_from);
    if (replaced.ok()) return work_.done();
    if (!absl::IsCancelled(replaced)) work_.failed(replaced);
    if (!pause(wait)) return;
    wait = std::min(wait * 2, kLongestPause);
  }
}

bool Rebuilder::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stop_.wait_for(lock, time, [this] { return stopped_; });
}

}  // namespace fairlead::journal

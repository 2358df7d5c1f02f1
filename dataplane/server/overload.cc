#include "server/overload.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "config/text.h"
#include "observe/prometheus.h"
#include "server/scheduling.h"

namespace fairlead::server {
namespace {

using config::concat;
using proxy::OverloadStep;

constexpr std::chrono::milliseconds kInterval(100);
constexpr double kBegins[] = {0, 0.8, 0.9, 1.0};
constexpr double kEndsBelow = 0.05;

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages_all = 0;
  uint64_t pages_resident = 0;
  statm >> pages_all >> pages_resident;
  return pages_resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// Linux tells how many there are as the folder's size since 6.2; before that they have to be counted.
uint64_t open_descriptors() {
  struct stat folder{};
  if (::stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) return static_cast<uint64_t>(folder.st_size);
  return observe::read_process_usage().open_fds;
}

double share_of(uint64_t used, uint64_t limit) {
  return limit == 0 ? 0 : static_cast<double>(used) / static_cast<double>(limit);
}

}  // namespace

OverloadStep next_step(OverloadStep present, double share) {
  auto begins = [](int step) { return kBegins[step]; };
  int step = static_cast<int>(present);
  while (step < static_cast<int>(OverloadStep::kShed) && share >= begins(step + 1)) ++step;
  while (step > 0 && share < begins(step) - kEndsBelow) --step;
  return static_cast<OverloadStep>(step);
}

std::string_view name_of(OverloadStep step) {
  switch (step) {
    case OverloadStep::kNone:
      return "none";
    case OverloadStep::kNoKeepAlive:
      return "no_keep_alive";
    case OverloadStep::kNoConnections:
      return "no_connections";
    case OverloadStep::kShed:
      return "shed";
  }
  return "";
}

Overload::Overload(proxy::ProcessState& state, const ProcessLimits& limits, OnStep on_step)
    : state_(state), limits_(limits), on_step_(std::move(on_step)) {}

void Overload::start() {
  if (limits_.max_memory_bytes == 0 && limits_.max_descriptors == 0) return;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "overload");
    run();
  });
}

void Overload::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

void Overload::run() {
  give_way_to_workers();
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, kInterval, [this] { return stop_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void Overload::look() {
  const OverloadStep present = state_.overload.load(std::memory_order_relaxed);
  // What was freed is the process's still, until it is given back.
  if (limits_.max_memory_bytes != 0 && present != OverloadStep::kNone) malloc_trim(0);
  const uint64_t memory = limits_.max_memory_bytes == 0 ? 0 : resident_bytes();
  const uint64_t descriptors = limits_.max_descriptors == 0 ? 0 : open_descriptors();
  const double of_memory = share_of(memory, limits_.max_memory_bytes);
  const double of_descriptors = share_of(descriptors, limits_.max_descriptors);
  const OverloadStep step = next_step(present, std::max(of_memory, of_descriptors));
  if (step == present && step != OverloadStep::kShed) return;
  const std::string reason = of_memory >= of_descriptors
                                 ? concat("memory: ", memory >> 20, " of ", limits_.max_memory_bytes >> 20, " MiB")
                                 : concat("descriptors: ", descriptors, " of ", limits_.max_descriptors);
  state_.overload.store(step, std::memory_order_relaxed);
  on_step_(step, step != present, reason);
}

}  // namespace fairlead::server

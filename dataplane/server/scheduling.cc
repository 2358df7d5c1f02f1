#include "server/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace fairlead::server {
namespace {

// The shortest that the kernel grants, and one that is somewhat longer than what others have if they do not ask: who
// waits is owed up to two turns, and takes them before a worker when that wakes.
constexpr uint64_t kShortTurnNs = 100'000;
constexpr uint64_t kLongTurnNs = 3'000'000;
// Ten steps of nice are a tenth of the weight.
constexpr int kGivingWay = 10;
constexpr int kNiceMax = 19;

// struct sched_attr of sched_setattr(2), which the C library does not have.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t turn_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};

// Of the calling thread. Threads that it starts inherit it.
void schedule(int policy, int nice, uint64_t turn_ns) {
  SchedulingAttributes attributes;
  attributes.policy = static_cast<uint32_t>(policy);
  attributes.nice = nice;
  attributes.turn_ns = turn_ns;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// Above whatever is not in the class, below whatever else is.
constexpr sched_param kRealTime{.sched_priority = 1};

// Whether the process was started as most are. Who started it otherwise knows why.
bool is_ordinary() {
  static const bool was_at_first_call = sched_getscheduler(0) == SCHED_OTHER;
  return was_at_first_call;
}

// Of the calling thread.
bool is_in_real_time() {
  const int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
  return policy == SCHED_RR || policy == SCHED_FIFO;
}

}  // namespace

absl::Status may_enter(WorkerClass worker_class) {
  if (worker_class == WorkerClass::kFair || is_in_real_time()) return absl::OkStatus();
  const int before = sched_getscheduler(0);
  const sched_param no_priority{};
  if (sched_setscheduler(0, SCHED_RR, &kRealTime) != 0) {
    return absl::PermissionDeniedError(absl::StrCat("real_time_workers: the kernel does not allow it (",
                                                    strerror(errno),
                                                    "); CAP_SYS_NICE or an RLIMIT_RTPRIO of 1 is needed (under systemd "
                                                    "LimitRTPRIO=1 without RestrictRealtime), and a "
                                                    "real-time budget of the cgroup where there are such"));
  }
  if (sched_setscheduler(0, before, &no_priority) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("real_time_workers: there is no way back: ", strerror(errno)));
}

void enter(WorkerClass worker_class) {
  if (worker_class == WorkerClass::kRealTime) {
    if (is_in_real_time() || sched_setscheduler(0, SCHED_RR, &kRealTime) == 0) return;
    spdlog::error("a worker is not in the real-time class: {}", strerror(errno));
  }
  if (is_ordinary()) schedule(SCHED_OTHER, getpriority(PRIO_PROCESS, 0), kShortTurnNs);
}

void give_way_to_workers() {
  // What the process was started with, also where it is called again.
  static const int inherited = getpriority(PRIO_PROCESS, 0);
  if (is_ordinary()) schedule(SCHED_BATCH, std::min(inherited + kGivingWay, kNiceMax), kLongTurnNs);
}

}  // namespace fairlead::server

#include "server/checker_thread.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>

#include "server/scheduling.h"

namespace fairlead::server {
namespace {

// A quarter of the descriptors that this process may have: most are for traffic.
size_t under_way_max() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  return std::clamp<size_t>(limit.rlim_cur / 4, 16, 16'384);
}

uint64_t draw_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

CheckerThread::CheckerThread(health::Checker::TakeResults take_results,
                             std::function<void(config::BackendHandle)> gather)
    : loop_(driver_),
      checker_(loop_, {.seed = draw_seed(), .under_way_max = under_way_max()}, take_results),
      outliers_(loop_, {.gather = std::move(gather),
                        .tell = take_results,
                        .act = [this](config::Uid server, config::OnError action,
                                      const std::string& reason) { checker_.observe_errors(server, action, reason); }}),
      closing_(loop_) {
  checker_.on_success([this](config::Uid backend, config::Uid server, runtime::TimePoint began,
                             const std::string& reason) { outliers_.check_succeeded(backend, server, began, reason); });
}

CheckerThread::~CheckerThread() { join(); }

void CheckerThread::post(absl::AnyInvocable<void(health::Checker&)> message) {
  loop_.post_message([this, message = std::move(message)]() mutable { message(checker_); });
}

void CheckerThread::post_to_outliers(absl::AnyInvocable<void(health::Outliers&)> message) {
  loop_.post_message([this, message = std::move(message)]() mutable { message(outliers_); });
}

void CheckerThread::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "checker");
    give_way_to_workers();
    loop_.run();
  });
}

runtime::Task<void> CheckerThread::close() {
  co_await checker_.close();
  loop_.stop();
}

void CheckerThread::stop() {
  if (!thread_.joinable()) return;
  loop_.post_message([this] { closing_.spawn(close()); });
  join();
}

void CheckerThread::join() {
  if (thread_.joinable()) thread_.join();
  loop_.run_late_messages();
}

}  // namespace fairlead::server

// The thread that checks servers, and decides who is ejected: one for the process, beside the workers, and behind them
// where processors are short.
#pragma once

#include <thread>

#include "absl/functional/any_invocable.h"
#include "health/checker.h"
#include "health/outliers.h"
#include "runtime/epoll_driver.h"
#include "runtime/loop.h"

namespace fairlead::server {

class CheckerThread {
 public:
  // `gather`: as health::Outliers::Outside.
  CheckerThread(health::Checker::TakeResults take_results, std::function<void(config::BackendHandle)> gather);
  // Requires that it was not started, or stop().
  ~CheckerThread();

  // On the checker's thread, in order. Also before start(); what is posted after stop() runs in it or in join().
  void post(absl::AnyInvocable<void(health::Checker&)> message);
  void post_to_outliers(absl::AnyInvocable<void(health::Outliers&)> message);
  void start();
  // Breaks off all checks and ends the thread.
  void stop();
  // Runs what was posted too late.
  void join();

 private:
  runtime::Task<void> close();

  runtime::EpollDriver driver_;
  runtime::Loop loop_;
  health::Checker checker_;
  health::Outliers outliers_;
  runtime::Scope closing_;
  std::thread thread_;
};

}  // namespace fairlead::server

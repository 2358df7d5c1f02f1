// co_await Sleep(loop, when): the loop's turn at or after `when`.
#pragma once

#include <coroutine>

#include "runtime/loop.h"

namespace fairlead::runtime {

class [[nodiscard]] Sleep : private Timer {
 public:
  Sleep(Loop& loop, TimePoint when) : Timer(&Sleep::on_fire), loop_(loop), deadline_(when) {}
  bool await_ready() const { return deadline_ <= loop_.now(); }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle_ = waiting;
    loop_.timers().schedule(*this, deadline_);
  }
  void await_resume() const {}

 private:
  static void on_fire(Timer& timer) { static_cast<Sleep&>(timer).handle_.resume(); }

  Loop& loop_;
  TimePoint deadline_;
  std::coroutine_handle<> handle_;
};

}  // namespace fairlead::runtime

// co_await EndOfTurn(loop): when all sockets that this turn is about have been read. What is sent then goes out in a
// row, which wakes a peer once instead of again and again. In the order of asking; what asks at the end of a turn goes
// on at the end of the next.
#pragma once

#include <coroutine>

#include "runtime/loop.h"

namespace fairlead::runtime {

class [[nodiscard]] EndOfTurn : private Waiter {
 public:
  explicit EndOfTurn(Loop& loop) : Waiter(&EndOfTurn::on_wake), loop_(loop) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle_ = waiting;
    loop_.make_ready(*this, Wake::kReady);
  }
  void await_resume() const {}

 private:
  static void on_wake(Waiter& waiter, Wake) { static_cast<EndOfTurn&>(waiter).handle_.resume(); }

  Loop& loop_;
  std::coroutine_handle<> handle_;
};

}  // namespace fairlead::runtime

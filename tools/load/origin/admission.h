// At most so many at once; the others wait in the order in which they came.
#pragma once

#include <coroutine>
#include <utility>

#include "base/intrusive_list.h"
#include "runtime/loop.h"

namespace fairlead::origin {

class Admission {
 public:
  // limit 0: everybody enters.
  Admission(runtime::Loop& loop, size_t limit) : loop_(loop), limit_(limit) {}

  // Whoever has entered calls leave() once.
  auto enter() { return Enter(*this); }
  void leave() {
    if (Enter* next = waiting_.pop_front()) return loop_.make_ready(*next, runtime::Wake::kReady);
    --inside_;
  }
  size_t inside() const { return inside_; }

 private:
  struct Queue {};
  class [[nodiscard]] Enter : public runtime::Waiter, public base::ListNode<Queue> {
   public:
    explicit Enter(Admission& admission) : Waiter(&Enter::on_wake), admission_(admission) {}
    bool await_ready() { return admission_.try_enter(); }
    void await_suspend(std::coroutine_handle<> waiting) {
      handle_ = waiting;
      admission_.waiting_.push_back(*this);
    }
    void await_resume() const {}

   private:
    static void on_wake(Waiter& waiter, runtime::Wake) { static_cast<Enter&>(waiter).handle_.resume(); }
    Admission& admission_;
    std::coroutine_handle<> handle_;
  };

  bool try_enter() {
    if (limit_ != 0 && inside_ >= limit_) return false;
    ++inside_;
    return true;
  }

  runtime::Loop& loop_;
  size_t limit_;
  size_t inside_ = 0;
  base::List<Enter, Queue> waiting_;
};

}  // namespace fairlead::origin

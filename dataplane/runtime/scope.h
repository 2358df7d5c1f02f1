// Runs tasks beside the one that owns the scope, and waits for all of them: the only way to have two coroutines at
// once.
//
// A scope outlives its tasks: its owner awaits join() before the scope ends. Tasks end by themselves or because what
// they wait for is cancelled; nothing is ever abandoned. One thread.
#pragma once

#include <coroutine>
#include <cstddef>

#include "base/check.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace fairlead::runtime {

class Scope {
 public:
  explicit Scope(Loop& loop) : loop_(loop) {}
  ~Scope() { FAIRLEAD_CHECK(running_ == 0); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Runs it until it first waits, then returns.
  void spawn(Task<void> task) {
    ++running_;
    run(*this, std::move(task));
  }
  size_t running() const { return running_; }

  // Until nothing runs. One waits at a time.
  auto join() { return Join(*this); }

 private:
  // The frame that a spawned task returns to. It frees itself.
  struct Root {
    struct promise_type {
      static void* operator new(size_t size) { return allocate_frame(size); }
      static void operator delete(void* frame, size_t size) noexcept { free_frame(frame, size); }
      Root get_return_object() { return {}; }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() {}
      [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
    };
  };
  static Root run(Scope& scope, Task<void> task) {
    co_await task;
    scope.finished();
  }

  struct Join : Waiter {
    explicit Join(Scope& owner) : Waiter(&Join::on_wake), scope(owner) {}
    bool await_ready() const { return scope.running_ == 0; }
    void await_suspend(std::coroutine_handle<> waiting) {
      handle = waiting;
      FAIRLEAD_CHECK(!scope.joining_);
      scope.joining_ = this;
    }
    void await_resume() {}
    static void on_wake(Waiter& waiter, Wake) { static_cast<Join&>(waiter).handle.resume(); }
    Scope& scope;
    std::coroutine_handle<> handle;
  };

  void finished() {
    // Through the ready queue: the frame that has finished is still on its way out.
    if (--running_ == 0 && joining_) loop_.make_ready(*std::exchange(joining_, nullptr), Wake::kReady);
  }

  Loop& loop_;
  size_t running_ = 0;
  Join* joining_ = nullptr;
};

}  // namespace fairlead::runtime

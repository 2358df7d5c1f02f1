// Requests that are due, and clients that have nothing to do. The client that was busy last is taken first, so that a
// low load uses few connections.
#pragma once

#include <coroutine>
#include <deque>
#include <optional>

#include "base/intrusive_list.h"
#include "generator/target.h"
#include "runtime/loop.h"

namespace fairlead::generator {

class JobQueue {
 public:
  explicit JobQueue(runtime::Loop& loop) : loop_(loop) {}

  void push(const Job& job) {
    if (Take* idle = idle_.pop_front()) return hand_over(*idle, job);
    jobs_.push_back(job);
  }
  bool has_idle_client() const { return !idle_.empty(); }

  // From now on whoever takes gets what is left, then nothing.
  void close() {
    closed_ = true;
    while (Take* idle = idle_.pop_front()) loop_.make_ready(*idle, runtime::Wake::kReady);
  }

  // co_await take(): the next job, or nothing when there will be none.
  auto take() { return Take(*this); }

 private:
  struct Idle {};
  class [[nodiscard]] Take : public runtime::Waiter, public base::ListNode<Idle> {
   public:
    explicit Take(JobQueue& queue) : Waiter(&Take::on_wake), queue_(queue) {}
    bool await_ready() {
      if (queue_.jobs_.empty()) return queue_.closed_;
      job_ = queue_.jobs_.front();
      queue_.jobs_.pop_front();
      return true;
    }
    void await_suspend(std::coroutine_handle<> waiting) {
      handle_ = waiting;
      queue_.idle_.push_front(*this);
    }
    std::optional<Job> await_resume() const { return job_; }

   private:
    friend class JobQueue;
    static void on_wake(Waiter& waiter, runtime::Wake) { static_cast<Take&>(waiter).handle_.resume(); }
    JobQueue& queue_;
    std::coroutine_handle<> handle_;
    std::optional<Job> job_;
  };

  void hand_over(Take& taker, const Job& job) {
    taker.job_ = job;
    loop_.make_ready(taker, runtime::Wake::kReady);
  }

  runtime::Loop& loop_;
  std::deque<Job> jobs_;
  base::List<Take, Idle> idle_;
  bool closed_ = false;
};

}  // namespace fairlead::generator

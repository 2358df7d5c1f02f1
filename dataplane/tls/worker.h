// What the TLS connections of one worker share: memory for what is on its way within one call, and turns at handshakes.
// The worker owns it; one thread.
#pragma once

#include <coroutine>
#include <memory>
#include <span>

#include "runtime/loop.h"

namespace fairlead::tls {

class RecordCiphers;

class Worker {
 public:
  explicit Worker(runtime::Loop& loop);
  ~Worker();

  static constexpr size_t kInSize = 64 * 1024;
  // Of plain bytes that are sent in one go, and of what they become: a record for each 16 KiB, some bytes more, and
  // room for what a handshake says.
  static constexpr size_t kPlainMax = 64 * 1024;
  static constexpr size_t kOutSize = kPlainMax + 32 * 1024;

  // For received bytes, until the call ends.
  std::span<char> in() {
    if (!memory_) [[unlikely]]
      memory_ = std::make_unique_for_overwrite<char[]>(kInSize + kOutSize + kPlainMax);
    return {memory_.get(), kInSize};
  }
  // For bytes to be sent, until the call ends.
  std::span<char> out() { return {in().data() + kInSize, kOutSize}; }
  // For plain bytes that come in pieces.
  std::span<char> plain() { return {in().data() + kInSize + kOutSize, kPlainMax}; }

  RecordCiphers& ciphers() { return *ciphers_; }

  // co_await turn(): when this turn of the loop has time for a step of a handshake. A signature costs as much as
  // hundreds of requests: those that come at once are spread over turns, so that requests are served in between. Who
  // waits goes first in the next turn, in the order of waiting.
  auto turn() { return Turn(*this); }
  // How long the step took that began at `began`.
  void spend(std::chrono::steady_clock::time_point began);

 private:
  static constexpr runtime::Duration kForHandshakes = std::chrono::milliseconds(2);

  struct Turn {
    explicit Turn(Worker& owner) : worker(owner) {}
    bool await_ready() const { return worker.has_time(); }
    void await_suspend(std::coroutine_handle<> waiting) {
      handle = waiting;
      worker.loop_.post_message([this] { resume(); });
    }
    void await_resume() const {}
    void resume() {
      if (!worker.has_time()) return worker.loop_.post_message([this] { resume(); });
      handle.resume();
    }
    Worker& worker;
    std::coroutine_handle<> handle;
  };
  bool has_time();

  runtime::Loop& loop_;
  std::unique_ptr<char[]> memory_;
  std::unique_ptr<RecordCiphers> ciphers_;
  runtime::TimePoint turn_{};
  runtime::Duration spent_{};
};

}  // namespace fairlead::tls

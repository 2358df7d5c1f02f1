// A connected byte stream: reading and writing as awaits.
//
// co_await stream.read_some(room, deadline)     at least one byte, or 0 at the end of the stream
// co_await stream.write_all(parts, deadline)    all of it; the deadline counts from the last progress
//
// The awaits are plain structs in the awaiting frame: they try the system call first and allocate nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <coroutine>
#include <expected>
#include <span>
#include <string_view>

#include "runtime/channel.h"

namespace fairlead::net {

using runtime::IoError;
using runtime::IoResult;
using runtime::TimePoint;

inline IoError error_of(runtime::Wake wake) {
  return wake == runtime::Wake::kTimedOut ? IoError::kTimedOut : IoError::kCancelled;
}

// Until the socket is readable (so is a stream that has ended), or writable (so is a connect that has an outcome).
class [[nodiscard]] WaitReady : public runtime::Waiter {
 public:
  enum class For : bool { kReading, kWriting };

  WaitReady(runtime::Channel& channel, For direction, TimePoint deadline)
      : Waiter(&WaitReady::on_wake), channel_(channel), direction_(direction), deadline_(deadline) {}
  bool await_ready() const {
    bool ready = direction_ == For::kReading ? channel_.is_readable() : channel_.is_writable();
    return ready && !channel_.is_cancelled() && !channel_.burst_is_over();
  }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle_ = waiting;
    if (direction_ == For::kReading) {
      channel_.wait_readable(*this, deadline_);
    } else {
      channel_.wait_writable(*this, deadline_);
    }
  }
  IoResult<void> await_resume() const {
    if (wake_ == runtime::Wake::kReady) return {};
    return std::unexpected(error_of(wake_));
  }

 private:
  static void on_wake(Waiter& waiter, runtime::Wake wake) {
    auto& self = static_cast<WaitReady&>(waiter);
    self.channel_.begin_burst();
    self.wake_ = self.channel_.is_cancelled() ? runtime::Wake::kCancelled : wake;
    self.handle_.resume();
  }
  runtime::Channel& channel_;
  const For direction_;
  const TimePoint deadline_;
  std::coroutine_handle<> handle_;
  runtime::Wake wake_ = runtime::Wake::kReady;
};

class [[nodiscard]] ReadSome : public runtime::Waiter {
 public:
  ReadSome(runtime::Channel& channel, std::span<char> into, TimePoint deadline)
      : Waiter(&ReadSome::on_wake), channel_(channel), into_(into), deadline_(deadline) {}
  bool await_ready() {
    if (!channel_.is_readable() || channel_.is_cancelled() || channel_.burst_is_over()) return false;
    return attempt();
  }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle_ = waiting;
    channel_.wait_readable(*this, deadline_);
  }
  IoResult<size_t> await_resume() const {
    if (wake_ != runtime::Wake::kReady) return std::unexpected(error_of(wake_));
    if (count_ < 0) return std::unexpected(runtime::io_error_of(static_cast<int>(-count_)));
    return static_cast<size_t>(count_);
  }

 private:
  bool attempt() {
    count_ = channel_.try_read(into_);
    return count_ != -EAGAIN;
  }
  static void on_wake(Waiter& waiter, runtime::Wake wake) {
    auto& self = static_cast<ReadSome&>(waiter);
    self.channel_.begin_burst();
    self.wake_ = self.channel_.is_cancelled() ? runtime::Wake::kCancelled : wake;
    // An event may tell of bytes that an earlier read has taken along.
    if (self.wake_ == runtime::Wake::kReady && !self.attempt())
      return self.channel_.wait_readable(self, self.deadline_);
    self.handle_.resume();
  }
  runtime::Channel& channel_;
  std::span<char> into_;
  TimePoint deadline_;
  std::coroutine_handle<> handle_;
  ssize_t count_ = 0;
  runtime::Wake wake_ = runtime::Wake::kReady;
};

class [[nodiscard]] WriteAll : public runtime::Waiter {
 public:
  static constexpr int kPartsMax = 4;

  // `patience`: how long to wait without any progress. `by`: until when in all.
  WriteAll(runtime::Channel& channel, std::initializer_list<std::string_view> parts, runtime::Duration patience,
           TimePoint by = runtime::kNever)
      : Waiter(&WriteAll::on_wake), channel_(channel), patience_(patience), by_(by) {
    for (std::string_view part : parts) {
      if (!part.empty()) parts_[count_++] = iovec{const_cast<char*>(part.data()), part.size()};
    }
  }
  bool await_ready() {
    if (!channel_.is_writable() || channel_.is_cancelled()) return count_ == 0;
    if (channel_.burst_is_over()) return false;
    return attempt();
  }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle_ = waiting;
    wait();
  }
  IoResult<void> await_resume() const {
    if (wake_ != runtime::Wake::kReady) return std::unexpected(error_of(wake_));
    if (error_ != 0) return std::unexpected(runtime::io_error_of(error_));
    return {};
  }

 private:
  void wait() { channel_.wait_writable(*this, std::min(channel_.loop().now() + patience_, by_)); }
  // True when there is nothing more to wait for.
  bool attempt() {
    while (first_ < count_) {
      ssize_t written = count_ - first_ == 1
                            ? channel_.try_write(std::span<const char>(
                                  static_cast<const char*>(parts_[first_].iov_base), parts_[first_].iov_len))
                            : channel_.try_write(std::span<const iovec>(parts_.data() + first_, count_ - first_));
      if (written == -EAGAIN) return false;
      if (written < 0) {
        error_ = static_cast<int>(-written);
        return true;
      }
      skip(static_cast<size_t>(written));
      if (first_ < count_ && !channel_.is_writable()) return false;
    }
    return true;
  }
  void skip(size_t written) {
    while (first_ < count_ && written >= parts_[first_].iov_len) written -= parts_[first_++].iov_len;
    if (written == 0) return;
    parts_[first_].iov_base = static_cast<char*>(parts_[first_].iov_base) + written;
    parts_[first_].iov_len -= written;
  }
  static void on_wake(Waiter& waiter, runtime::Wake wake) {
    auto& self = static_cast<WriteAll&>(waiter);
    self.channel_.begin_burst();
    self.wake_ = self.channel_.is_cancelled() ? runtime::Wake::kCancelled : wake;
    if (self.wake_ == runtime::Wake::kReady && !self.attempt()) return self.wait();
    self.handle_.resume();
  }
  runtime::Channel& channel_;
  runtime::Duration patience_;
  TimePoint by_;
  std::array<iovec, kPartsMax> parts_;
  int first_ = 0;
  int count_ = 0;
  int error_ = 0;
  std::coroutine_handle<> handle_;
  runtime::Wake wake_ = runtime::Wake::kReady;
};

class Stream {
 public:
  Stream(runtime::Loop& loop, int fd, runtime::Channel::Order order = runtime::Channel::Order::kUsual)
      : channel_(loop, fd, order) {}

  runtime::Channel& channel() { return channel_; }
  const runtime::Channel& channel() const { return channel_; }
  runtime::Loop& loop() const { return channel_.loop(); }
  WaitReady readable(TimePoint deadline) { return WaitReady(channel_, WaitReady::For::kReading, deadline); }
  WaitReady writable(TimePoint deadline) { return WaitReady(channel_, WaitReady::For::kWriting, deadline); }
  ReadSome read_some(std::span<char> into, TimePoint deadline) { return ReadSome(channel_, into, deadline); }
  WriteAll write_all(std::string_view data, runtime::Duration patience, TimePoint by = runtime::kNever) {
    return WriteAll(channel_, {data}, patience, by);
  }
  // At most WriteAll::kPartsMax parts.
  WriteAll write_all(std::initializer_list<std::string_view> parts, runtime::Duration patience,
                     TimePoint by = runtime::kNever) {
    return WriteAll(channel_, parts, patience, by);
  }
  // The peer reads the end of the stream; reading goes on.
  void shutdown_write() { channel_.shutdown_write(); }
  // When this stream is closed, the peer sees an error instead of an end.
  void reset_on_close() { channel_.reset_on_close(); }
  void cancel() { channel_.cancel(); }
  void close() { channel_.close(); }

 private:
  runtime::Channel channel_;
};

}  // namespace fairlead::net

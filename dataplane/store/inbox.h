// The store's mailbox: what any thread asks of the writer, in order.
//
// Shared by the store and the callbacks that it handed out, which may come after it has ended; then nobody listens.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace fairlead::store {

class Inbox {
 public:
  // So many need not wait for others.
  static constexpr size_t kMany = 256;

  using Task = absl::AnyInvocable<void()>;

  explicit Inbox(size_t capacity) : capacity_(capacity) {}

  enum class Posted { kYes, kFull, kClosed };
  // A request of a client: refused when too many wait.
  Posted post(Task& task);
  // A fact from the workers: of those there are never more than we asked for, and none may be lost.
  void post_fact(Task task);

  // Waits until there is something or the inbox is closed.
  std::vector<Task> take();
  // Waits until there is a fact, or there are kMany, or the inbox is closed; no longer than until `deadline`.
  std::vector<Task> take_later(std::chrono::steady_clock::time_point deadline);
  // After close(): waits for facts until `deadline`; at once where something waits.
  std::vector<Task> take_until(std::chrono::steady_clock::time_point deadline);
  // From now on requests are refused; facts still come.
  void close();
  bool closed() const;

 private:
  // With the lock held.
  void add(Task task, bool is_fact);
  bool has_something() const { return !tasks_.empty() && (!is_patient_ || has_fact_ || tasks_.size() >= kMany); }
  std::vector<Task> take_all();

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Task> tasks_;  // guarded by mutex_
  bool has_fact_ = false;    // guarded by mutex_: among these
  bool is_patient_ = false;  // guarded by mutex_: the writer is in take_later()
  bool closed_ = false;      // guarded by mutex_
};

}  // namespace fairlead::store

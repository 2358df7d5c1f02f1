// The single writer: one thread owns the model and is the only one that changes it.
//
// Whoever wants something posts it, from any thread; nothing here waits for a worker or for a client.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "store/inbox.h"
#include "store/limits.h"
#include "store/reader.h"
#include "store/reading_half.h"
#include "store/transaction.h"
#include "store/writer.h"

namespace fairlead::store {

class Store {
 public:
  // `reading_half` outlives the store. Publishes an empty snapshot and begins to work.
  explicit Store(ReadingHalf& reading_half, Limits limits = {});
  // Ends as by stop().
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // `done` is called once: on the store's thread, or at once by the caller where the store takes nothing more. It must
  // not block, nor call stop(). Answers to ACTIVE transactions come in the order in which they were posted.
  void apply(Transaction transaction, ApplyOptions options, std::function<void(Result)> done);

  enum class Posted { kYes, kBusy, kShuttingDown };
  // `reading` runs on the store's thread, between two transactions: it sees what was published, and the effects of that
  // (drains) are ordered. It must not block. Unless kYes it never runs.
  Posted read(std::function<void(Reader&)> reading);

  // Writes what was taken, and takes no changes any more: they are refused with SHUTTING_DOWN. `done` on the store's
  // thread.
  void hand_over_journal(std::function<void()> done);
  // After it, where the other process did not go on. An error, and nothing is taken, where it cannot be.
  void take_back_journal(std::function<void(absl::Status)> done);

  // Takes nothing new and answers what it has: as soon as the workers have confirmed it, or after `patience` as refused
  // with SHUTTING_DOWN. Call it while the workers still turn. Idempotent; by one thread.
  void stop(absl::Duration patience = absl::Seconds(1));

  uint64_t epoch() const { return epoch_; }
  const Limits& limits() const { return limits_; }
  // Of the newest transaction that was applied.
  config::Version version() const { return version_.load(std::memory_order_acquire); }

 private:
  void run();
  void run_tasks(std::vector<Inbox::Task> tasks);

  const uint64_t epoch_;
  const Limits limits_;
  std::shared_ptr<Inbox> inbox_;
  Writer writer_;
  std::atomic<config::Version> version_ = 0;
  // Of the store's thread.
  bool handed_over_ = false;
  std::atomic<int64_t> patience_ns_ = 0;
  std::thread thread_;
};

}  // namespace fairlead::store

// The single writer: one thread owns the model and is the only one that changes it.
//
// Whoever wants something posts it, from any thread; nothing here waits for a worker or for a client.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "journal/journal.h"
#include "store/group_pace.h"
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
  // What the journal holds is served when it returns. `zone`: where this data plane stands, as servers' zones are
  // named. `seal`: for private keys in the journal. Errors are the journal's, or name a listener and the address that
  // cannot be opened.
  static absl::StatusOr<std::unique_ptr<Store>> open(ReadingHalf& reading_half, Limits limits,
                                                     std::unique_ptr<journal::Journal> journal, std::string zone = {},
                                                     std::shared_ptr<const tls::Seal> seal = nullptr);
  // Ends as by stop().
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // `done` is called once: on the store's thread, or at once by the caller where the store takes nothing more. It must
  // not block, nor call stop(). Answers to ACTIVE transactions come in the order in which they were posted.
  void apply(Transaction transaction, ApplyOptions options, std::function<void(Result)> done);

  // As apply().
  void begin_resync(BeginResync request, ApplyOptions options, std::function<void(Result)> done);
  void end_resync(EndResync request, ApplyOptions options, std::function<void(Result)> done);

  enum class Posted { kYes, kBusy, kShuttingDown };
  // `reading` runs on the store's thread, between two transactions: it sees what was published, and the effects of that
  // (drains) are ordered. It must not block. Unless kYes it never runs.
  Posted read(std::function<void(Reader&)> reading);

  // A session begins; with an id it takes part in the election from now on, and `reading` runs when that is durable.
  // Numbers of sessions begin at 1.
  Posted open_session(uint64_t session, std::optional<ElectionId> id, std::function<void(Reader&)> reading);
  // It ends: what it had begun and not ended is forgotten.
  void close_session(uint64_t session);

  // Takes nothing new and answers what it has: as soon as the workers have confirmed it, or after `patience` as refused
  // with SHUTTING_DOWN. Call it while the workers still turn. Idempotent; by one thread.
  void stop(absl::Duration patience = absl::Seconds(1));

  // An event, which is no change of the configuration. By any thread.
  void note(ProcessStep step);

  uint64_t epoch() const { return epoch_; }
  // Null where there is none. Its info() and path() may be asked on any thread.
  const journal::Journal* journal() const { return writer_.durability().journal(); }
  // Of the journal; empty where there is none.
  std::string journal_path() const { return journal() ? journal()->path() : ""; }
  // From the journal, at the start.
  struct Loaded {
    bool from_new_journal = false;
    uint64_t resources = 0;
    absl::Duration time;
  };
  const Loaded& loaded() const { return loaded_; }

  // Writes what was taken, lets go of the journal, and takes no changes any more: they are refused with SHUTTING_DOWN.
  // An error, and nothing is let go of, where the journal has failed. `done` on the store's thread.
  void hand_over_journal(std::function<void(absl::Status)> done);
  // After it, whether it succeeded or not, where the other process did not go on. An error, and nothing is taken, where
  // that holds the journal, or has changed it and its changes `count`; those that do not are undone: writes are refused
  // until everything stands in a new file.
  void take_back_journal(bool changes_count, std::function<void(absl::Status)> done);
  const Limits& limits() const { return limits_; }
  // Of the newest transaction that is on disk and published.
  config::Version version() const { return version_.load(std::memory_order_acquire); }
  // Of the newest that all workers use.
  config::Version visible_version() const { return writer_.visible_version(); }
  // From any thread, at once.
  const Facts& facts() const { return writer_.facts(); }

 private:
  // `work` leads to `done`. `named_in`: the session whose resync it may name something for; 0 for none.
  void post(uint64_t id, uint64_t named_in, Inbox::Task work, std::function<void(Result)> done);
  static Posted to_posted(Inbox::Posted posted);
  Store(ReadingHalf& reading_half, Limits limits, std::unique_ptr<journal::Journal> journal, std::string zone,
        std::shared_ptr<const tls::Seal> seal);
  absl::Status load();
  void start();
  void commit();
  // Now, or when the group that has begun should be. `came`: so much has come just now.
  void commit_in_time(size_t came);
  void run();
  void run_tasks(std::vector<Inbox::Task> tasks);

  uint64_t epoch_;
  const Limits limits_;
  std::shared_ptr<Inbox> inbox_;
  Writer writer_;
  GroupPace pace_;
  // Of a group that has begun and waits for others.
  std::optional<GroupPace::Clock::time_point> due_;
  Loaded loaded_;
  std::atomic<config::Version> version_ = 0;
  std::atomic<int64_t> patience_ns_ = 0;
  std::thread thread_;
};

}  // namespace fairlead::store

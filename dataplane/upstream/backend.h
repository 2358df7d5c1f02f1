// A backend as one worker sees it: its balancer's place, its servers, its counters.
//
// Made when the worker first uses the backend; kept while the backend is in the snapshot or anybody uses it. One
// thread.
#pragma once

#include <memory>
#include <vector>

#include "balancing/balancer.h"
#include "base/random.h"
#include "base/sparse_table.h"
#include "config/snapshot.h"
#include "observe/statistics.h"
#include "upstream/server.h"
#include "upstream/shared.h"

namespace fairlead::upstream {

class Backend {
 public:
  Backend(runtime::Loop& loop, base::Random& random, Shared& shared, base::Ref<const config::Backend> settings);
  ~Backend();

  config::Uid uid() const { return settings_->metadata.uid; }
  const config::Backend& settings() const { return *settings_; }
  observe::Counters& counters() { return counters_; }
  Shared& shared() { return shared_; }
  // Takes the settings that the snapshot has now.
  void refresh(const base::Ref<const config::Backend>& settings) {
    if (!(settings == settings_)) [[unlikely]]
      take_settings(settings);
  }
  // Requires that the settings have one.
  StickTable& stick_table() {
    if (!stick_table_) [[unlikely]]
      stick_table_ = shared_.table_of(uid());
    return *stick_table_;
  }

  // To a server that may take an exchange; to one of those that were not tried yet, if there is one. `key`: for HASH.
  // `preferred`: a server of the snapshot that persistence leads to, which takes it unless it is full; null for none.
  Admission admit(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key = {},
                  const config::Server* preferred = nullptr);
  // The snapshot says so since now: what is in flight is counted over all workers, and the total where it says that
  // too.
  void begin_counting(bool of_all);

  // `request.done` is called at once where the worker has nothing in flight on that server.
  void drain(config::Slot slot, config::Uid server, DrainRequest request);
  void cancel_drain(config::Slot slot, config::Uid server);
  // A server that has left: the end of it.
  void forget(Server& server);

  // Exchanges that go on hold a Use, and the backend with it.
  class Use {
   public:
    explicit Use(Backend& backend) : backend_(backend) {
      ++backend_.uses_;
      ++backend_.counters_.started;
    }
    ~Use() { --backend_.uses_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Backend& backend_;
  };
  // So does a further try of an exchange hold a Retry, from the second try until the exchange ends.
  class Retry {
   public:
    explicit Retry(Backend& backend) : backend_(backend) {
      ++backend_.retries_;
      ++backend_.counters_.retried;
    }
    ~Retry() { --backend_.retries_; }
    Retry(const Retry&) = delete;
    Retry& operator=(const Retry&) = delete;

   private:
    Backend& backend_;
  };
  // Whether the policy's budget leaves room for one more.
  bool may_begin_retry() const;
  uint32_t in_flight() const { return uses_; }
  // On one of its servers.
  uint32_t in_flight(config::Slot slot, config::Uid server);
  bool is_unused() const;

  observe::BackendStatistics statistics(bool servers);

 private:
  struct OwnLoads;
  struct SharedLoads;
  void take_settings(const base::Ref<const config::Backend>& settings);
  // To this one, unless it is full.
  Admission admit_to(const config::Server& record, const config::BackendSnapshot& snapshot);
  Admission admit_counted(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key);
  Server& server_of(const config::Server& record);
  // The one that was picked, which is measured from now on where the algorithm wants that.
  Server& begin_on(const config::Server& record, const config::BackendSnapshot& snapshot);
  Server* find(config::Slot slot, config::Uid server);
  SharedTotal& total();

  runtime::Loop& loop_;
  base::Random& random_;
  Shared& shared_;
  base::Ref<const config::Backend> settings_;
  balancing::Balancer balancer_;
  // Where the backend has been STICKY.
  std::shared_ptr<SharedHolder> holder_;
  // Where its load has been bounded.
  std::shared_ptr<SharedTotal> total_;
  // Where it is persistent by a table.
  std::shared_ptr<StickTable> stick_table_;
  uint32_t uses_ = 0;
  uint32_t retries_ = 0;
  observe::Counters counters_;
  // By slot: the present holder, where this worker has used it.
  base::SparseTable<Server> servers_;
  // Former holders of slots, with something in flight.
  std::vector<std::unique_ptr<Server>> leaving_;
};

}  // namespace fairlead::upstream

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
#include "upstream/waiting.h"

namespace fairlead::upstream {

class Backend {
 public:
  // `busy`: the worker's lines in which somebody waits.
  Backend(runtime::Loop& loop, base::Random& random, Shared& shared, base::List<Line>& busy, tls::Worker& tls,
          base::Ref<const config::Backend> settings);
  ~Backend();

  config::Uid uid() const { return settings_->metadata.uid; }
  const config::Backend& settings() const { return *settings_; }
  observe::Counters& counters() { return counters_; }
  Shared& shared() { return shared_; }
  tls::Worker& tls() const { return tls_; }
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

  // Connections to servers, idle ones as well, where these are limited over all workers.
  bool limits_connections() const { return settings_->circuit.effective_max_connections() > 0; }
  // One more, in the place of an idle one where there are as many as may be; false: none is idle here. Who has begun
  // one ends it.
  bool begin_connection();
  // One that no request has asked for yet: nothing makes way for it.
  bool begin_spare_connection();
  void end_connection();
  // It has idle connections since now.
  void note_idle(Server& server) { with_idle_.push_back(server); }

  // To a server that may take an exchange; to one of those that were not tried yet, if there is one. `key`: for HASH.
  // `preferred`: a server of the snapshot that persistence leads to, which takes it unless it is full; null for none.
  // Where that is full and the queue policy lets somebody wait for it, it is refused with kFull.
  Admission admit(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key = {},
                  const config::Server* preferred = nullptr);
  // After admit(), when the request is on its way: what the next one will go by, where the algorithm looks beforehand.
  void look_around(const config::BackendSnapshot& snapshot) {
    if (snapshot.settings->effective_algorithm() == config::Algorithm::kPrequal) [[unlikely]]
      look_at_some(snapshot);
  }
  // Whom admit() would pick now; null for nobody. Nothing is entered, counted or elected.
  const config::Server* peek(const config::BackendSnapshot& snapshot, balancing::Key key);
  // What a server may have in flight now; 0: no limit.
  uint32_t limit_of(const config::Server& record, const config::BackendSnapshot& snapshot);
  // What is in flight there, as far as the backend's algorithm and limits look.
  uint32_t load_of(const config::BackendSnapshot& snapshot, const config::Server& server);
  // Where those stand who find all servers full, and what they do when they have been woken: nothing but the first one
  // of all workers is granted a place. Of one that was granted or refused for another reason than kFull the waiting is
  // over. `preferred`: as for admit(), of this moment.
  Line& line();
  // Whether the policy lets one more wait for a place on that server alone.
  bool may_wait_for(const config::Server& record, const config::BackendSnapshot& snapshot);
  bool enter(Waiting& waiting, const config::BackendSnapshot& snapshot, const config::Server* preferred);
  Admission admit_waiting(Waiting& waiting, const config::BackendSnapshot& snapshot, balancing::Tried tried,
                          balancing::Key key, const config::Server* preferred);
  // Somebody has let go of a counted place there.
  void note_free(const Server& server) {
    if (queue_->waiting() > 0) [[unlikely]]
      pass_on(server);
  }
  // The snapshot says so since now: what is in flight is counted over all workers, and the total where it says that
  // too.
  void begin_counting(bool of_all);

  // `request.done` is called at once where the worker has nothing in flight on that server.
  void drain(config::Slot slot, config::Uid server, DrainRequest request);
  void cancel_drain(config::Slot slot, config::Uid server);
  // What is in flight on it is cut off, and nothing stays idle.
  void close_connections(config::Slot slot, config::Uid server);
  // Only the latter.
  void close_idle_connections(config::Slot slot, config::Uid server);
  // Null where it takes no requests, by this snapshot.
  Server* taking_requests(const config::BackendSnapshot& snapshot, config::Slot slot, config::Uid server);
  // What came of the exchanges with its servers, where that is counted, since this was last asked.
  void take_outcomes(std::vector<OutcomeCounts>& out);
  // A server that has left: the end of it.
  void forget(Server& server);

  // Exchanges that go on hold a Use, and the backend with it.
  class Use {
   public:
    explicit Use(Backend& backend) : backend_(backend) {
      ++backend_.uses_;
      ++backend_.counters_.started;
      if (uint32_t limit = backend_.settings_->circuit.effective_max_requests()) [[unlikely]]
        count_in_circuit(limit);
    }
    ~Use() {
      --backend_.uses_;
      if (counted_) [[unlikely]]
        backend_.circuit().requests.leave();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    // False: the backend has all that its circuit limits allow, and this one is to be refused.
    bool is_within_limits() const { return !refused_; }

   private:
    void count_in_circuit(uint32_t limit);

    Backend& backend_;
    bool counted_ = false;
    bool refused_ = false;
  };
  // Whether a Use would be within them now.
  bool has_room_for_a_request();
  // So does a further try of an exchange hold a Retry, from the second try until the exchange ends.
  class Retry {
   public:
    explicit Retry(Backend& backend) : backend_(backend) {
      ++backend_.retries_;
      ++backend_.counters_.retried;
      counted_ = backend_.settings_->circuit.effective_max_retries() > 0;
      if (counted_) backend_.circuit().retries.enter();
    }
    ~Retry() {
      --backend_.retries_;
      if (counted_) backend_.circuit().retries.leave();
    }
    Retry(const Retry&) = delete;
    Retry& operator=(const Retry&) = delete;

   private:
    Backend& backend_;
    bool counted_ = false;
  };
  // Whether the policy's budget and the circuit limits leave room for one more.
  bool may_begin_retry();
  // Without those that wait.
  uint32_t in_flight() const { return uses_ - waiting(); }
  uint32_t waiting() const { return line_ ? line_->waiting() : 0; }
  observe::Traffic traffic() const { return {in_flight(), waiting()}; }
  // On one of its servers, and for a place there alone.
  observe::Traffic traffic(config::Slot slot, config::Uid server);
  bool is_unused() const;

  observe::BackendStatistics statistics(bool servers);

 private:
  struct OwnLoads;
  struct SharedLoads;
  void take_settings(const base::Ref<const config::Backend>& settings);
  // To this one, unless it is full.
  void look_at_some(const config::BackendSnapshot& snapshot);
  Admission admit_to(const config::Server& record, const config::BackendSnapshot& snapshot);
  template <typename Loads>
  struct Peeking;
  Admission admit_counted(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key);
  Admission take_place(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key);
  Admission take_place_on(const SharedQueue::Turn& turn, const config::BackendSnapshot& snapshot,
                          balancing::Tried tried, balancing::Key key);
  void pass_on(const Server& server);
  bool is_waited_for(const config::Server& record, const config::BackendSnapshot& snapshot);
  Admission admit_to_wanted(Waiting& waiting, const config::BackendSnapshot& snapshot, const config::Server& wanted);
  Server& server_of(const config::Server& record);
  // The one that was picked, which is measured from now on where the algorithm wants that.
  Server& begin_on(const config::Server& record, const config::BackendSnapshot& snapshot);
  Server* find(config::Slot slot, config::Uid server);
  SharedTotal& total();
  SharedCircuit& circuit();

  runtime::Loop& loop_;
  base::Random& random_;
  Shared& shared_;
  base::List<Line>& busy_;
  tls::Worker& tls_;
  base::Ref<const config::Backend> settings_;
  balancing::Balancer balancer_;
  // Where the backend has been STICKY.
  std::shared_ptr<SharedHolder> holder_;
  // Where its load has been bounded.
  std::shared_ptr<SharedTotal> total_;
  // Where it is persistent by a table.
  std::shared_ptr<StickTable> stick_table_;
  const std::shared_ptr<SharedQueue> queue_;
  // Where somebody of this worker has waited.
  std::unique_ptr<Line> line_;
  // Where it has had circuit limits.
  std::shared_ptr<SharedCircuit> circuit_;
  // Of the connections that circuit limits count, this worker's.
  uint32_t own_connections_ = 0;
  base::List<Server, WithIdleTag> with_idle_;
  uint32_t uses_ = 0;
  uint32_t retries_ = 0;
  observe::Counters counters_;
  // By slot: the present holder, where this worker has used it.
  base::SparseTable<Server> servers_;
  // Former holders of slots, with something in flight.
  std::vector<std::unique_ptr<Server>> leaving_;
};

}  // namespace fairlead::upstream

// The work of the store's thread: applies what comes, publishes, and answers when the workers have followed.
//
// Life of a transaction: apply() -> Applier changes the model -> commit(): durability, publication, effects -> all
// workers see it -> answers, then events, in the order of transactions. Several transactions between two commits share
// one publication.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "store/answers.h"
#include "store/checks.h"
#include "store/discovery.h"
#include "store/drains.h"
#include "store/durability.h"
#include "store/effects.h"
#include "store/election.h"
#include "store/event_hub.h"
#include "store/facts.h"
#include "store/inbox.h"
#include "store/model.h"
#include "store/names.h"
#include "store/observations.h"
#include "store/reader.h"
#include "store/reading_half.h"
#include "store/resync.h"
#include "store/transaction.h"

namespace fairlead::store {

class Applier;

enum class AcknowledgementLevel { kAccepted, kActive };

struct ApplyOptions {
  AcknowledgementLevel level = AcknowledgementLevel::kActive;
  // For a transaction that deletes one server: answered when it is gone, and with it all that were deleted under its
  // name before.
  bool wait_until_removed = false;
};

class Writer {
 public:
  using Done = std::function<void(Result)>;

  // `journal`: null where nothing is kept; else load() comes first. `zone`: where this data plane stands.
  Writer(ReadingHalf& reading_half, const Limits& limits, std::shared_ptr<Inbox> inbox,
         std::unique_ptr<journal::Journal> journal, std::string zone, std::shared_ptr<const tls::Seal> seal);

  // Fills the model from the journal, opens its listeners, and publishes. Where the journal is new, it gets `epoch`.
  // Returns how many resources there are. Before anything else, on any thread.
  absl::StatusOr<uint64_t> load(uint64_t epoch);
  Durability& durability() { return durability_; }
  const Durability& durability() const { return durability_; }
  absl::Status take_back_journal(bool changes_count);
  void apply(Transaction transaction, const ApplyOptions& options, Done done);
  // What was not heard, for want of room: answered in its turn. A resync of its session ends there, without removing
  // anything: what the transaction named is not known.
  void refuse(uint64_t id, api::Failure failure, uint64_t session, Done done);
  // Answered in turn with transactions, as those are.
  void begin_resync(const BeginResync& request, const ApplyOptions& options, Done done);
  void end_resync(const EndResync& request, const ApplyOptions& options, Done done);
  // `session` takes part in the election from now on.
  void announce(uint64_t session, ElectionId id) { election_.announce(session, id); }
  // What it had begun and not ended is forgotten.
  void forget_session(uint64_t session);
  Reader& reader() { return reader_; }
  // A fact: its event goes out with the next commit().
  void note(ProcessStep step) { process_steps_.push_back(std::move(step)); }
  // Makes what was applied since the last one durable and visible.
  void commit();
  // So much was applied that it should be published before more is.
  bool is_batch_full() const { return effects_.changes >= kBatchMax; }
  // Something of the configuration would change.
  bool has_changes() const { return model_.mark() > 0; }
  // Some session has sent more than one transaction of the batch, and did not wait for an answer in between.
  bool is_pipelined() const { return is_pipelined_; }
  // By some transaction of the batch a server gets no more requests.
  bool takes_somebody_out() const { return takes_somebody_out_; }
  // Of the newest publication that all workers use; from any thread.
  config::Version visible_version() const { return visible_version_.load(std::memory_order_acquire); }
  const Facts& facts() const { return facts_; }
  // Answers, and tells of, what all workers follow by now.
  void release_pending();
  bool has_pending() const { return !pending_.empty(); }
  // What is unanswered never will be: says so to each.
  void give_up();

 private:
  static constexpr size_t kBatchMax = 20'000;
  static constexpr std::chrono::seconds kNamesAtStart{2};

  using TimePoint = std::chrono::steady_clock::time_point;

  struct Answer {
    Result result;
    Done done;
    // It was made when the batch had changed something, so it holds only if that gets on disk.
    bool follows_change = false;
  };
  // Waits until so many departing servers are gone.
  struct AwaitedRemoval {
    Answer answer;
    size_t servers;
  };
  // Waits until its publication is visible to all workers.
  struct Pending {
    uint64_t publication;
    std::vector<Answer> answers;
    std::vector<Event> events;
    std::vector<TimePoint> received;
  };

  // `title`: of what is to be refused.
  std::optional<api::Failure> check_fence(const Fence& fence, const Origin& origin, std::string title);
  Result run(Applier& applier, Transaction& transaction);
  void answer(Result result, const ApplyOptions& options, Done done);
  bool has_resync(const Origin& origin) const { return resync_ && resync_->session() == origin.session; }
  Result begin_resync(const BeginResync& request);
  Result end_resync(const EndResync& request);
  Result remove_left_over(const EndResync& request);

  // The batch is not on disk: takes it back, and says so in the answers that follow from it.
  void refuse_batch(const api::Failure& failure);
  void end_drain(const Drains::Ended& ended);
  void publish();
  void perform_effects();
  void perform(const AcceptListener& effect);
  void perform(const StopListener& effect);
  void perform(const CloseAddresses& effect);
  void perform(const DrainDeparting& effect);
  void perform(const FollowAdminState& effect);
  void perform(const FollowCheck& effect);
  void perform(const FollowChecks& effect);
  void perform(const CloseConnections& effect);
  void perform(const ForgetEjections& effect);
  // What checks have found changes whom the workers may pick; at the next publication.
  void take_check_results();
  void take(const CheckResult& result);
  void take_ejection(const CheckResult& result);
  // Those whose health is another server's are as that one is now.
  void follow_targets();
  // `what`: why, for an event, which there is where clients see another health or it `is_news` in another way.
  void change_health(BackendState& backend, config::Slot slot, base::Ref<const Health> after, std::string what,
                     bool is_news);
  void perform(const FollowName& effect);
  // Done before the publication.
  void perform(const FollowDiscovery&) {}
  void perform(const FollowPool& effect) { reading_half_.follow_pool(effect.backend); }
  // So does what is known of names.
  void take_name_facts();
  // To its members in one backend.
  void apply_fact(const NameFact& fact, BackendState& backend);
  void apply_known_names();
  // Servers that DNS names: of backends whose settings have changed, and where there is an answer.
  void follow_discoveries();
  void apply_services(BackendState& backend);
  // Of which somebody may have to go now that others take requests.
  void release_last_groups();
  struct GroupChange {
    // That came or went.
    size_t moved = 0;
    // For whom this data plane has no room.
    size_t left_out = 0;
    // Of the last group, as nobody of this one takes requests yet.
    size_t kept = 0;
  };
  GroupChange take_group(BackendState& backend, std::vector<Discovered> group);
  // `place`: among those that come and go with it.
  void add_discovered(BackendState& backend, const Discovered& found, size_t place);
  void change_discovered(BackendState& backend, const base::Ref<const config::Server>& before, const Discovered& found);
  void remove_discovered(BackendState& backend, const base::Ref<const config::Server>& server, size_t place);
  void tell_discovered(const BackendState& backend, const config::Server& server, v1::Lifecycle lifecycle);
  // `moves`: servers came or went.
  void note_discovery(BackendState& backend, std::string reason, bool moves);
  void await_names();
  void resolve(BackendState& backend, const config::Server& server, const NameFact& fact,
               const std::optional<config::Endpoint>& address);
  void on_drain_ended(const Drains::Ended& ended);
  void on_visible(uint64_t publication, config::Version version);
  void deliver(Pending& pending);
  void add_event(decltype(Event::what) what, const std::shared_ptr<const Origin>& origin);
  void add_step(ServerStep step, const std::shared_ptr<const Origin>& origin) { add_event(std::move(step), origin); }
  void note_certificates();
  void tell_uses();
  // Where they are not needed any more, and settings say so.
  void close_backups();
  void fill_status(Touched& touched) const;

  ReadingHalf& reading_half_;
  const Limits& limits_;
  std::shared_ptr<Inbox> inbox_;
  Durability durability_;
  Model model_;
  Drains drains_;
  Checks checks_;
  Observations observations_;
  Names names_;
  Election election_;
  EventHub events_;
  Facts facts_;
  Reader reader_;
  // The primary's; a new primary's takes the place of the last one's.
  std::optional<Resync> resync_;

  Answers answers_to_repetitions_;

  // Of the batch that is not committed yet.
  Effects effects_;
  // A line of the log for each transaction that changed something.
  std::vector<std::string> audit_;
  // When each of those was received.
  std::vector<TimePoint> received_;
  absl::flat_hash_set<uint64_t> sessions_;
  bool is_pipelined_ = false;
  bool takes_somebody_out_ = false;
  // The one that it ended: open again where the batch does not get on disk.
  std::optional<Resync> ended_resync_;
  std::vector<Answer> accepted_;
  std::vector<Answer> active_;
  std::vector<std::pair<config::Uid, std::shared_ptr<AwaitedRemoval>>> awaited_;
  // Facts that came while the batch could still be rolled back.
  std::vector<Drains::Ended> ended_;
  std::vector<ProcessStep> process_steps_;
  std::vector<CheckResult> check_results_;
  std::vector<NameFact> name_facts_;
  // Names that are known already, which members of these backends have since the last publication; each once.
  std::vector<std::pair<config::BackendHandle, std::string>> followed_names_;

  // Backends with servers of the last group beside those of the present one.
  std::vector<config::BackendHandle> keeping_last_group_;

  // Who is found now may have been in service before the last process ended.
  bool is_starting_ = false;
  config::Version published_version_ = 0;
  uint64_t publications_ = 0;
  uint64_t visible_ = 0;
  std::atomic<config::Version> visible_version_ = 0;
  std::deque<Pending> pending_;
  absl::flat_hash_set<config::Uid> accepting_;
  // By departing server: the answers that wait for its end. Shared by all servers that an answer waits for.
  absl::flat_hash_map<config::Uid, std::vector<std::shared_ptr<AwaitedRemoval>>> waiting_for_removal_;
};

}  // namespace fairlead::store

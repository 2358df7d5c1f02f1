#include "upstream/backend.h"

#include <algorithm>

namespace fairlead::upstream {
namespace {

// None was granted: all are full, unless there is nobody who could be.
Admission refuse_full(const config::BackendSnapshot& snapshot) {
  return Admission(balancing::has_weight(snapshot) ? Admission::Refusal::kFull : Admission::Refusal::kNoServer);
}

// Further tries at a time that no budget forbids: what is little in flight would have none else.
constexpr uint32_t kRetriesAlways = 3;

}  // namespace

Backend::Backend(runtime::Loop& loop, base::Random& random, Shared& shared, base::List<Line>& busy, tls::Worker& tls,
                 base::Ref<const config::Backend> settings)
    : loop_(loop),
      random_(random),
      shared_(shared),
      busy_(busy),
      tls_(tls),
      settings_(std::move(settings)),
      queue_(shared.queue_of(uid())) {}

Backend::~Backend() { FAIRLEAD_CHECK(uses_ == 0); }

// What a pick asks: of what this worker has,
struct Backend::OwnLoads {
  struct Holder {
    SharedHolder& shared;
    config::Revision revision;
    config::Uid uid() const { return shared.uid(); }
    config::Uid elect(config::Uid gone, config::Uid next) { return shared.elect(gone, next, revision); }
  };

  uint32_t operator()(const config::Server& record) const { return at(record.slot, record); }
  uint32_t at(config::Slot slot, const config::Server& record) const {
    Server* server = find(slot, record);
    return server ? server->in_flight() : 0;
  }
  void prefetch(config::Slot slot) const { backend.servers_.prefetch(slot); }
  config::Duration now() const { return backend.loop_.now().time_since_epoch(); }
  balancing::Log2 ewma_cost(config::Slot slot, const config::Server& record) const {
    Server* server = find(slot, record);
    if (!server || !server->measurements()) return {balancing::PeakEwma::kNothing};
    return server->measurements()->ewma_cost(server->in_flight(), backend.loop_.now(), *snapshot.settings);
  }
  balancing::Probe probe(config::Slot slot, const config::Server& record) const {
    Server* server = find(slot, record);
    if (!server || !server->measurements()) return {};
    return server->measurements()->probe(server->in_flight(), backend.loop_.now());
  }
  Holder sticky_holder() const {
    if (!backend.holder_) [[unlikely]]
      backend.holder_ = backend.shared_.holder_of(backend.uid());
    return {*backend.holder_, snapshot.revision};
  }
  // Null where this worker has had nothing to do with it, which its record is not read for.
  Server* find(config::Slot slot, const config::Server& record) const {
    Server* server = backend.servers_.find(slot);
    return server && server->uid() == record.metadata.uid ? server : nullptr;
  }

  Backend& backend;
  const config::BackendSnapshot& snapshot;
};

// or of what all workers have.
struct Backend::SharedLoads : OwnLoads {
  uint32_t operator()(const config::Server& record) const { return backend.server_of(record).load().in_flight(); }
  uint32_t at(config::Slot, const config::Server& record) const { return (*this)(record); }
  bool is_full(const config::Server& record) const {
    uint32_t limit = backend.limit_of(record, snapshot);
    if (limit == 0) return false;
    const SharedLoad& load = backend.server_of(record).load();
    return load.in_flight() >= limit || load.waiting() > 0;
  }
  uint64_t total_in_flight() const { return backend.total().in_flight(); }
};

Admission Backend::admit(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key,
                         const config::Server* preferred) {
  if (preferred && !is_waited_for(*preferred, snapshot)) [[unlikely]] {
    if (Admission admission = admit_to(*preferred, snapshot)) return admission;
  }
  if (preferred && may_wait_for(*preferred, snapshot)) [[unlikely]]
    return Admission(Admission::Refusal::kFull);
  if (snapshot.counts_in_flight) return admit_counted(snapshot, tried, key);
  const config::Server* record = balancer_.pick(snapshot, random_, OwnLoads{*this, snapshot}, tried, key);
  if (!record) return Admission(Admission::Refusal::kNoServer);
  return admit_to(*record, snapshot);
}

void Backend::look_at_some(const config::BackendSnapshot& snapshot) {
  if (!snapshot.counts_in_flight) return balancer_.look_around(snapshot, random_, OwnLoads{*this, snapshot});
  balancer_.look_around(snapshot, random_, SharedLoads{{*this, snapshot}});
}

// Whether somebody waits who would take a place there.
bool Backend::is_waited_for(const config::Server& record, const config::BackendSnapshot& snapshot) {
  if (!snapshot.counts_in_flight || queue_->waiting() == 0) return false;
  if (server_of(record).load().waiting() > 0) return true;
  if (queue_->waiting_for_any() == 0) return false;
  const base::Ref<const config::Server>* eligible = snapshot.find_eligible(record.slot);
  return eligible && (*eligible)->metadata.uid == record.metadata.uid &&
         record.weight.value_or(snapshot.settings->effective_default_weight()) > 0;
}

bool Backend::may_wait_for(const config::Server& record, const config::BackendSnapshot& snapshot) {
  const uint32_t limit = snapshot.settings->queue.effective_max_waiting_per_server();
  return snapshot.counts_in_flight && limit > 0 && server_of(record).load().waiting() < limit &&
         queue_->waiting() < snapshot.settings->queue.effective_max_waiting();
}

Admission Backend::admit_to(const config::Server& record, const config::BackendSnapshot& snapshot) {
  Server& server = begin_on(record, snapshot);
  if (!snapshot.counts_in_flight) return Admission(server, Place());
  if (!server.load().try_enter(limit_of(record, snapshot))) {
    return Admission(Admission::Refusal::kFull);
  }
  Place place(server.load());
  if (snapshot.counts_total) place.enter(total());
  return Admission(server, std::move(place));
}

Admission Backend::admit_counted(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key) {
  // What is free, or will be, is theirs who came before.
  if (queue_->waiting_for_any() > 0) [[unlikely]]
    return refuse_full(snapshot);
  return take_place(snapshot, tried, key);
}

Admission Backend::take_place(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key) {
  while (const config::Server* record = balancer_.pick(snapshot, random_, SharedLoads{{*this, snapshot}}, tried, key)) {
    // Another worker may have taken the last place since.
    if (Admission admission = admit_to(*record, snapshot)) return admission;
  }
  return refuse_full(snapshot);
}

// All others are full: where the one that has let go of a place may be picked, it is picked.
Admission Backend::take_place_on(const SharedQueue::Turn& turn, const config::BackendSnapshot& snapshot,
                                 balancing::Tried tried, balancing::Key key) {
  if (!snapshot.counts_in_flight) return admit(snapshot, tried, key);
  const base::Ref<const config::Server>* record =
      turn.look == SharedQueue::Turn::Look::kServer ? snapshot.find_eligible(turn.target.slot) : nullptr;
  bool is_it = record && (*record)->metadata.uid == turn.target.server &&
               std::ranges::find(tried, turn.target.server) == tried.end() &&
               (*record)->weight.value_or(snapshot.settings->effective_default_weight()) > 0;
  // A server that has gone may have come back under another uid, with the same places.
  return is_it ? admit_to(**record, snapshot) : take_place(snapshot, tried, key);
}

Line& Backend::line() {
  if (!line_) line_ = std::make_unique<Line>(loop_, queue_, config::BackendHandle{settings_->slot, uid()}, busy_);
  return *line_;
}

bool Backend::enter(Waiting& waiting, const config::BackendSnapshot& snapshot, const config::Server* preferred) {
  return waiting.enter(snapshot, preferred && may_wait_for(*preferred, snapshot) ? &server_of(*preferred) : nullptr);
}

Admission Backend::admit_to_wanted(Waiting& waiting, const config::BackendSnapshot& snapshot,
                                   const config::Server& wanted) {
  using Look = SharedQueue::Turn::Look;
  // Its address may be another one by now.
  waiting.count_at(server_of(wanted));
  while (true) {
    SharedQueue::Turn turn = waiting.next_turn();
    if (turn.look == Look::kNothing) return Admission(Admission::Refusal::kFull);
    Admission admission = admit_to(wanted, snapshot);
    if (!admission) continue;
    waiting.leave(turn.look == Look::kAll || limits_move(snapshot));
    return admission;
  }
}

Admission Backend::admit_waiting(Waiting& waiting, const config::BackendSnapshot& snapshot, balancing::Tried tried,
                                 balancing::Key key, const config::Server* preferred) {
  using Look = SharedQueue::Turn::Look;
  if (waiting.wanted() != 0) [[unlikely]] {
    if (preferred && preferred->metadata.uid == waiting.wanted()) return admit_to_wanted(waiting, snapshot, *preferred);
    waiting.want_any();
  }
  Admission refused = refuse_full(snapshot);
  while (refused.refusal() == Admission::Refusal::kFull) {
    SharedQueue::Turn turn = waiting.next_turn();
    if (turn.look == Look::kNothing) return refused;
    Admission admission = take_place_on(turn, snapshot, tried, key);
    if (!admission) continue;
    waiting.leave(turn.look == Look::kAll || limits_move(snapshot));
    return admission;
  }
  waiting.leave(false);
  return refused;
}

void Backend::pass_on(const Server& server) {
  const QueueSeat* own = line_ ? &line_->seat() : nullptr;
  // Where limits depend on the load, there may be room for several, or for none.
  if (settings_->may_ramp()) return queue_->note_change(own);
  queue_->note_free({server.record().slot, server.uid()}, own);
}

void Backend::take_settings(const base::Ref<const config::Backend>& settings) {
  bool same_pools = settings->pool == settings_->pool;
  settings_ = settings;
  if (!same_pools) servers_.for_each([](Server& server) { server.follow_pool_settings(); });
  // The table ends with the last worker that lets go of it.
  if (!settings_->persistence || !settings_->persistence->table) stick_table_ = nullptr;
}

// As it is, without electing anybody.
template <typename Loads>
struct Backend::Peeking : Loads {
  struct Holder {
    config::Uid now;
    config::Uid uid() const { return now; }
    static config::Uid elect(config::Uid, config::Uid next) { return next; }
  };
  Holder sticky_holder() const { return {Loads::sticky_holder().uid()}; }
};

const config::Server* Backend::peek(const config::BackendSnapshot& snapshot, balancing::Key key) {
  balancing::Balancer balancer(balancer_);
  base::Random random(random_);
  if (!snapshot.counts_in_flight) return balancer.pick(snapshot, random, Peeking<OwnLoads>{{*this, snapshot}}, {}, key);
  return balancer.pick(snapshot, random, Peeking<SharedLoads>{{{*this, snapshot}}}, {}, key);
}

uint32_t Backend::load_of(const config::BackendSnapshot& snapshot, const config::Server& server) {
  return snapshot.counts_in_flight ? SharedLoads{{*this, snapshot}}(server) : OwnLoads{*this, snapshot}(server);
}

Server& Backend::begin_on(const config::Server& record, const config::BackendSnapshot& snapshot) {
  Server& server = server_of(record);
  if (config::goes_by_latency(snapshot.settings->effective_algorithm())) server.measure();
  if (snapshot.settings->outlier_detection) [[unlikely]]
    server.begin_observing();
  return server;
}

void Backend::begin_counting(bool of_all) {
  SharedTotal* shared_total = of_all ? &total() : nullptr;
  servers_.for_each([shared_total](Server& server) { server.count_leases(shared_total); });
  for (auto& leaving : leaving_) leaving->count_leases(shared_total);
}

SharedTotal& Backend::total() {
  if (!total_) [[unlikely]]
    total_ = shared_.total_of(uid());
  return *total_;
}

Server* Backend::find(config::Slot slot, config::Uid server) {
  Server* holder = servers_.find(slot);
  if (holder && holder->uid() == server) return holder;
  for (auto& leaving : leaving_) {
    if (leaving->uid() == server) return leaving.get();
  }
  return nullptr;
}

Server& Backend::server_of(const config::Server& record) {
  Server* holder = servers_.find(record.slot);
  if (holder && holder->uid() == record.metadata.uid) [[likely]] {
    holder->refresh(&record);
    return *holder;
  }
  // The slot's former holder has left the configuration; its drain ends it.
  if (holder) leaving_.push_back(servers_.take(record.slot));
  return servers_.put(record.slot, std::make_unique<Server>(*this, loop_, base::Ref<const config::Server>(&record)));
}

// Of a server that starts slowly it grows.
uint32_t Backend::limit_of(const config::Server& record, const config::BackendSnapshot& snapshot) {
  uint32_t most = snapshot.settings->max_connections_of(record);
  if (most > 0 && !snapshot.starting.empty()) [[unlikely]]
    most = balancing::limit_of(balancing::part_of(snapshot, record, loop_.now().time_since_epoch()), most);
  if (!snapshot.settings->may_ramp()) [[likely]]
    return most;
  uint32_t least = snapshot.settings->min_connections_of(record);
  if (least == 0) return most;
  // With the one that asks, which waits already, or is not counted yet.
  return snapshot.settings->ramped(least, most, total().in_flight() + std::max(queue_->waiting(), 1u));
}

Server* Backend::taking_requests(const config::BackendSnapshot& snapshot, config::Slot slot, config::Uid server) {
  const base::Ref<const config::Server>* record = snapshot.find_eligible(slot);
  if (!record || (*record)->metadata.uid != server) return nullptr;
  bool weighs = (*record)->weight.value_or(snapshot.settings->effective_default_weight()) > 0;
  return weighs ? &server_of(**record) : nullptr;
}

SharedCircuit& Backend::circuit() {
  if (!circuit_) circuit_ = shared_.circuit_of(uid());
  return *circuit_;
}

void Backend::Use::count_in_circuit(uint32_t limit) {
  counted_ = backend_.circuit().requests.try_enter(limit);
  refused_ = !counted_;
  if (refused_) ++backend_.counters_.circuit_refused;
}

bool Backend::has_room_for_a_request() {
  const uint32_t limit = settings_->circuit.effective_max_requests();
  return limit == 0 || circuit().requests.now() < limit;
}

bool Backend::begin_connection() {
  SharedCircuit::Count& all = circuit().connections;
  const uint32_t limit = settings_->circuit.effective_max_connections();
  // Those that others keep idle are not to be had: whoever has none may always have one.
  if (own_connections_ == 0) {
    all.enter();
  } else {
    while (!all.try_enter(limit)) {
      Server* server = with_idle_.front();
      if (!server) {
        ++counters_.circuit_refused;
        return false;
      }
      server->close_oldest_idle();
    }
  }
  ++own_connections_;
  return true;
}

bool Backend::begin_spare_connection() {
  if (!circuit().connections.try_enter(settings_->circuit.effective_max_connections())) return false;
  ++own_connections_;
  return true;
}

void Backend::end_connection() {
  --own_connections_;
  circuit().connections.leave();
}

bool Backend::may_begin_retry() {
  uint32_t limit = settings_->circuit.effective_max_retries();
  if (limit > 0 && circuit().retries.now() >= limit) return false;
  std::optional<uint32_t> percent = settings_->retry.budget_percent;
  return !percent || retries_ < kRetriesAlways || uint64_t{retries_} * 100 < uint64_t{in_flight()} * *percent;
}

void Backend::drain(config::Slot slot, config::Uid uid, DrainRequest request) {
  Server* server = find(slot, uid);
  if (!server) return request.done(0);
  server->drain(std::move(request));
}

void Backend::cancel_drain(config::Slot slot, config::Uid uid) {
  if (Server* server = find(slot, uid)) server->cancel_drain();
}

void Backend::close_connections(config::Slot slot, config::Uid uid) {
  if (Server* server = find(slot, uid)) server->close_connections();
}

void Backend::close_idle_connections(config::Slot slot, config::Uid uid) {
  if (Server* server = find(slot, uid)) server->close_idle_connections();
}

void Backend::take_outcomes(std::vector<OutcomeCounts>& out) {
  servers_.for_each([&](Server& server) {
    if (std::optional<OutcomeCounts> counts = server.take_outcomes()) out.push_back(*counts);
  });
}

void Backend::forget(Server& server) {
  config::Slot slot = server.record().slot;
  if (servers_.find(slot) == &server) {
    servers_.take(slot);
    return;
  }
  std::erase_if(leaving_, [&](auto& leaving) { return leaving.get() == &server; });
}

bool Backend::is_unused() const {
  if (uses_ > 0) return false;
  bool busy = false;
  auto note = [&](const Server& server) { busy = busy || server.in_flight() > 0; };
  servers_.for_each(note);
  for (const auto& leaving : leaving_) note(*leaving);
  return !busy;
}

observe::Traffic Backend::traffic(config::Slot slot, config::Uid uid) {
  Server* server = find(slot, uid);
  observe::Traffic traffic{server ? server->in_flight() : 0u, 0};
  if (line_) line_->for_each_wanted([&](config::Uid wanted) { traffic.queued += wanted == uid ? 1 : 0; });
  return traffic;
}

observe::BackendStatistics Backend::statistics(bool servers) {
  observe::BackendStatistics result{.uid = uid(), .name = settings_->name, .counters = counters_, .servers = {}};
  result.counters.in_flight = in_flight();
  result.counters.queued = waiting();
  if (!servers) return result;
  // Pointers are sorted: statistics have kilobytes each.
  std::vector<Server*> present;
  servers_.for_each([&](Server& server) { present.push_back(&server); });
  for (auto& leaving : leaving_) present.push_back(leaving.get());
  std::ranges::sort(present, {}, &Server::uid);
  result.servers.reserve(present.size());
  for (Server* server : present) {
    result.servers.push_back({server->uid(), server->record().name, server->counters()});
    result.servers.back().counters.in_flight = server->in_flight();
    result.servers.back().counters.idle = server->idle();
  }
  if (!line_) return result;
  line_->for_each_wanted([&result](config::Uid uid) {
    auto at = std::ranges::lower_bound(result.servers, uid, {}, &observe::ServerStatistics::uid);
    if (at != result.servers.end() && at->uid == uid) ++at->counters.queued;
  });
  return result;
}

}  // namespace fairlead::upstream

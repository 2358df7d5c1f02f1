#include "upstream/backend.h"

#include <algorithm>

namespace fairlead::upstream {
namespace {

// Further tries at a time that no budget forbids: what is little in flight would have none else.
constexpr uint32_t kRetriesAlways = 3;

}  // namespace

Backend::Backend(runtime::Loop& loop, base::Random& random, Shared& shared, base::Ref<const config::Backend> settings)
    : loop_(loop), random_(random), shared_(shared), settings_(std::move(settings)) {}

Backend::~Backend() { FAIRLEAD_CHECK(uses_ == 0); }

// What a pick asks: of what this worker has,
struct Backend::OwnLoads {
  struct Holder {
    SharedHolder& shared;
    config::Revision revision;
    config::Uid uid() const { return shared.uid(); }
    config::Uid elect(config::Uid gone, config::Uid next) { return shared.elect(gone, next, revision); }
  };

  uint32_t operator()(const config::Server& record) const {
    Server* server = backend.find(record.slot, record.metadata.uid);
    return server ? server->in_flight() : 0;
  }
  config::Duration now() const { return backend.loop_.now().time_since_epoch(); }
  double ewma_cost(const config::Server& record) const {
    Server* server = backend.find(record.slot, record.metadata.uid);
    if (!server || !server->measurements()) return 0;
    return server->measurements()->ewma_cost(server->in_flight(), backend.loop_.now(), *snapshot.settings);
  }
  balancing::Probe probe(const config::Server& record) const {
    Server* server = backend.find(record.slot, record.metadata.uid);
    if (!server || !server->measurements()) return {};
    return server->measurements()->probe(server->in_flight(), backend.loop_.now());
  }
  Holder sticky_holder() const {
    if (!backend.holder_) [[unlikely]]
      backend.holder_ = backend.shared_.holder_of(backend.uid());
    return {*backend.holder_, snapshot.revision};
  }

  Backend& backend;
  const config::BackendSnapshot& snapshot;
};

// or of what all workers have.
struct Backend::SharedLoads : OwnLoads {
  uint32_t operator()(const config::Server& record) const { return backend.server_of(record).load().in_flight(); }
  bool is_full(const config::Server& record) const {
    uint32_t limit = snapshot.settings->max_connections_of(record);
    return limit > 0 && (*this)(record) >= limit;
  }
  uint64_t total_in_flight() const { return backend.total().in_flight(); }
};

Admission Backend::admit(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key,
                         const config::Server* preferred) {
  if (preferred) [[unlikely]] {
    if (Admission admission = admit_to(*preferred, snapshot)) return admission;
  }
  if (snapshot.counts_in_flight) return admit_counted(snapshot, tried, key);
  const config::Server* record = balancer_.pick(snapshot, random_, OwnLoads{*this, snapshot}, tried, key);
  if (!record) return Admission(Admission::Refusal::kNoServer);
  return admit_to(*record, snapshot);
}

Admission Backend::admit_to(const config::Server& record, const config::BackendSnapshot& snapshot) {
  Server& server = begin_on(record, snapshot);
  if (!snapshot.counts_in_flight) return Admission(server, Place());
  if (!server.load().try_enter(snapshot.settings->max_connections_of(record))) {
    return Admission(Admission::Refusal::kFull);
  }
  Place place(server.load());
  if (snapshot.counts_total) place.enter(total());
  return Admission(server, std::move(place));
}

Admission Backend::admit_counted(const config::BackendSnapshot& snapshot, balancing::Tried tried, balancing::Key key) {
  while (const config::Server* record = balancer_.pick(snapshot, random_, SharedLoads{{*this, snapshot}}, tried, key)) {
    // Another worker may have taken the last place since.
    if (Admission admission = admit_to(*record, snapshot)) return admission;
  }
  bool any = balancing::has_weight(snapshot.eligible, snapshot.settings->effective_default_weight());
  return Admission(any ? Admission::Refusal::kFull : Admission::Refusal::kNoServer);
}

void Backend::take_settings(const base::Ref<const config::Backend>& settings) {
  settings_ = settings;
  // The table ends with the last worker that lets go of it.
  if (!settings_->persistence || !settings_->persistence->table) stick_table_ = nullptr;
}

Server& Backend::begin_on(const config::Server& record, const config::BackendSnapshot& snapshot) {
  Server& server = server_of(record);
  if (config::goes_by_latency(snapshot.settings->effective_algorithm())) server.measure();
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

bool Backend::may_begin_retry() const {
  std::optional<uint32_t> percent = settings_->retry.budget_percent;
  return !percent || retries_ < kRetriesAlways || uint64_t{retries_} * 100 < uint64_t{uses_} * *percent;
}

void Backend::drain(config::Slot slot, config::Uid uid, DrainRequest request) {
  Server* server = find(slot, uid);
  if (!server) return request.done(0);
  server->drain(std::move(request));
}

void Backend::cancel_drain(config::Slot slot, config::Uid uid) {
  if (Server* server = find(slot, uid)) server->cancel_drain();
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

uint32_t Backend::in_flight(config::Slot slot, config::Uid uid) {
  Server* server = find(slot, uid);
  return server ? server->in_flight() : 0;
}

observe::BackendStatistics Backend::statistics(bool servers) {
  observe::BackendStatistics result{.uid = uid(), .name = settings_->name, .counters = counters_, .servers = {}};
  result.counters.in_flight = uses_;
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
  }
  return result;
}

}  // namespace fairlead::upstream

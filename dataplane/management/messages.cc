#include "management/messages.h"

#include <algorithm>

#include "api/encode.h"

namespace fairlead::management {
namespace {

void encode_discovery(const store::DiscoveryView& view, v1::DiscoveryStatus& out) {
  out.set_servers(static_cast<uint32_t>(view.servers));
  out.set_resolution(view.reason);
  if (view.time != config::WallTime()) api::encode(view.time, *out.mutable_time());
}

struct EventEncoder {
  v1::WatchEventsResponse& out;

  void operator()(const store::ServerChange& change) const {
    out.mutable_resource()->set_change(change.change);
    encode(change.server, *out.mutable_resource()->mutable_resource()->mutable_server());
  }
  void operator()(const store::BackendChange& change) const {
    out.mutable_resource()->set_change(change.change);
    v1::Backend& backend = *out.mutable_resource()->mutable_resource()->mutable_backend();
    api::encode(*change.backend.record, backend);
  }
  void operator()(const store::ListenerChange& change) const {
    out.mutable_resource()->set_change(change.change);
    encode(change.listener, *out.mutable_resource()->mutable_resource()->mutable_listener());
  }
  void operator()(const store::CertificateChange& change) const {
    out.mutable_resource()->set_change(change.change);
    encode(change.certificate, *out.mutable_resource()->mutable_resource()->mutable_certificate());
  }
  void operator()(const store::ServerStep& step) const { encode(step, *out.mutable_server()); }
  void operator()(const store::BackendStep& step) const {
    out.mutable_backend()->set_backend(step.backend);
    out.mutable_backend()->set_panic(step.use.panic);
    out.mutable_backend()->set_on_backups(step.use.on_backups);
    if (step.discovery) encode_discovery(*step.discovery, *out.mutable_backend()->mutable_discovery());
  }
  void operator()(const store::ProcessStep& step) const {
    out.mutable_process()->set_overload(step.overload);
    out.mutable_process()->set_reason(step.reason);
  }
};

void encode(const store::Agent& agent, v1::AgentStatus& out) {
  const config::AgentState& state = agent.state;
  out.set_said(state.said);
  out.set_problem(state.problem);
  if (state.weight_percent) out.set_weight_percent(*state.weight_percent);
  if (state.max_connections) out.set_max_connections(*state.max_connections);
  switch (state.wish) {
    case config::AgentState::Wish::kReady:
      out.set_wish(v1::ADMIN_STATE_READY);
      break;
    case config::AgentState::Wish::kDrain:
      out.set_wish(v1::ADMIN_STATE_DRAIN);
      break;
    case config::AgentState::Wish::kMaintenance:
      out.set_wish(v1::ADMIN_STATE_MAINTENANCE);
      break;
  }
  out.set_down(state.is_down);
  api::encode(agent.time, *out.mutable_time());
}

// `until`: else it has ended.
void encode(const store::Ejection& ejection, bool until, v1::Ejection& out) {
  out.set_reason(ejection.reason);
  api::encode(ejection.time, *out.mutable_time());
  if (until) api::encode(ejection.until, *out.mutable_until());
  out.set_number(ejection.number);
}

}  // namespace

void encode(const store::ServerView& view, v1::Server& out) {
  api::encode(*view.record, view.backend, out);
  v1::ServerStatus& status = *out.mutable_status();
  status.set_lifecycle(view.lifecycle);
  status.set_health(store::health_of(view.health.get()));
  if (status.health() != v1::HEALTH_UNKNOWN) {
    status.set_health_reason(store::reason_of(*view.health));
    api::encode(view.health->time, *status.mutable_health_time());
  }
  if (view.health && view.health->agent) encode(*view.health->agent, *status.mutable_agent());
  status.set_ejected(view.ejection != nullptr);
  if (view.ejection) encode(*view.ejection, /*until=*/true, *status.mutable_ejection());
  if (view.resolution) {
    if (view.resolution->address) status.set_resolved_address(view.resolution->address->to_string());
    status.set_resolution(view.resolution->reason);
    api::encode(view.resolution->time, *status.mutable_resolution_time());
  }
  status.set_discovered_by(view.discovered_by);
  status.set_effective_weight(view.effective_weight);
  if (view.drain_deadline) api::encode(*view.drain_deadline, *status.mutable_drain_deadline());
}

void encode(const store::BackendView& view, v1::Backend& out) {
  api::encode(*view.record, out);
  out.mutable_status()->set_servers(view.servers);
  out.mutable_status()->set_eligible(view.eligible);
  out.mutable_status()->set_draining(view.draining);
  out.mutable_status()->set_pending(view.pending);
  out.mutable_status()->set_down(view.down);
  out.mutable_status()->set_panic(view.use.panic);
  out.mutable_status()->set_on_backups(view.use.on_backups);
  for (const store::Tiers::Status& tier : view.tiers) {
    v1::TierStatus& encoded = *out.mutable_status()->add_tiers();
    encoded.set_backup(tier.rank == config::kBackupRank);
    if (!encoded.backup()) encoded.set_priority(tier.rank / 2);
    encoded.set_far(!encoded.backup() && tier.rank % 2 == 1);
    encoded.set_eligible(tier.eligible);
    encoded.set_share_percent(100.0 * tier.share / config::TierShares::kWhole);
  }
  out.mutable_status()->set_ejected(view.ejected);
  if (view.discovery) encode_discovery(*view.discovery, *out.mutable_status()->mutable_discovery());
}

void encode(const store::ListenerView& view, v1::Listener& out) { api::encode(*view.record, out); }

void encode(const store::CertificateView& view, v1::Certificate& out) {
  api::encode(*view.record, out);
  for (const std::string& listener : view.listeners) out.mutable_status()->add_listeners(listener);
}

void encode(const store::Event& event, v1::WatchEventsResponse& out) {
  std::visit(EventEncoder{out}, event.what);
  api::encode(event.time, *out.mutable_time());
  out.set_version(event.version);
  out.set_sequence(event.number);
  out.set_actor(event.origin ? event.origin->actor : "data-plane");
  if (out.has_server()) out.mutable_server()->set_version(event.version);
}

void encode(const store::ServerStep& step, v1::ServerEvent& out) {
  out.mutable_server()->set_backend(step.backend);
  out.mutable_server()->set_name(step.name);
  out.set_uid(step.uid);
  out.set_lifecycle(step.lifecycle);
  out.set_cut_off(step.cut_off);
  out.set_health(step.health);
  out.set_health_reason(step.reason);
  if (step.ejection) encode(*step.ejection, step.is_ejected, *out.mutable_ejection());
  out.set_resolved_address(step.resolved_address);
  out.set_resolution(step.resolution);
  out.set_discovered_by(step.discovered_by);
}

void encode(const store::ElectionId& id, v1::ElectionId& out) {
  out.set_high(id.high);
  out.set_low(id.low);
}

store::ElectionId decode(const v1::ElectionId& id) { return {id.high(), id.low()}; }

store::Fence decode_fence(const v1::Fence& fence) {
  store::Fence result{.kind = store::Fence::Kind::kCall, .override_primary = fence.override()};
  if (fence.has_election_id()) result.election_id = decode(fence.election_id());
  return result;
}

void encode_journal(const store::Store& store, v1::Journal& out) {
  out.set_state(v1::JOURNAL_STATE_NONE);
  if (!store.journal()) return;
  journal::Info info = store.journal()->info();
  switch (info.condition) {
    case journal::Condition::kWriting:
      out.set_state(v1::JOURNAL_STATE_WRITING);
      break;
    case journal::Condition::kFull:
      out.set_state(v1::JOURNAL_STATE_FULL);
      break;
    case journal::Condition::kFailed:
      out.set_state(v1::JOURNAL_STATE_FAILED);
      break;
    case journal::Condition::kHandedOver:
      out.set_state(v1::JOURNAL_STATE_HANDED_OVER);
      break;
    case journal::Condition::kStalled:
      out.set_state(v1::JOURNAL_STATE_STALLED);
      break;
  }
  out.set_path(info.path);
  out.set_problem(info.problem);
  if (info.condition != journal::Condition::kWriting) api::encode(info.since, *out.mutable_since());
  out.set_bytes(info.bytes);
  out.set_loaded_resources(store.loaded().resources);
  api::encode(absl::ToChronoNanoseconds(store.loaded().time), *out.mutable_load_time());
}

uint64_t share_of_window(const v1::Transaction& transaction) {
  // One without operations is one of work all the same.
  const uint64_t operations = std::max(transaction.operations_size(), 1);
  // Of so many the KiB are not more: that is the largest message.
  if (operations >= kMessageBytesMax / 1024) return operations;
  return std::max<uint64_t>(operations, transaction.ByteSizeLong() / 1024);
}

v1::Limits limits_of(const Context& context) {
  const store::Limits& limits = context.store.limits();
  v1::Limits out;
  out.set_operations_per_transaction(limits.operations_per_transaction);
  out.set_unanswered_operations(kUnansweredOperationsMax);
  out.set_message_bytes(kMessageBytesMax);
  out.set_sessions(context.sessions_max);
  out.set_servers(limits.servers);
  out.set_backends(limits.backends);
  out.set_listeners(limits.listeners);
  api::encode(context.silence, *out.mutable_silence());
  return out;
}

observe::Carrier carrier_of(const store::ServerView& view) {
  return observe::ServerHandle{view.handle, view.record->slot, view.record->metadata.uid};
}

observe::Carrier carrier_of(const store::BackendView& view) {
  return config::BackendHandle{view.record->slot, view.record->metadata.uid};
}

observe::Carrier carrier_of(const store::ListenerView& view) {
  return observe::ListenerHandle{view.record->metadata.uid};
}

void set_traffic(v1::Server& server, const observe::Traffic& traffic) {
  server.mutable_status()->set_in_flight(traffic.in_flight);
  server.mutable_status()->set_queued(traffic.queued);
}

void set_traffic(v1::Backend& backend, const observe::Traffic& traffic) {
  backend.mutable_status()->set_in_flight(traffic.in_flight);
  backend.mutable_status()->set_queued(traffic.queued);
}

void set_traffic(v1::Listener& listener, const observe::Traffic& traffic) {
  listener.mutable_status()->set_connections(traffic.in_flight);
}

}  // namespace fairlead::management

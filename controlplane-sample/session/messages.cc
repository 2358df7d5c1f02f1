#include "session/messages.h"

namespace fairlead::session {
namespace {

namespace api = fairlead::v1;

Presence to_presence(api::Lifecycle lifecycle) {
  switch (lifecycle) {
    case api::LIFECYCLE_PENDING:  // It waits for its check by itself; nothing is left to be asked for.
    case api::LIFECYCLE_READY:
      return Presence::kReady;
    case api::LIFECYCLE_DRAINING:
      return Presence::kDraining;
    case api::LIFECYCLE_DRAINED:
    case api::LIFECYCLE_MAINTENANCE:
      return Presence::kDrained;
    case api::LIFECYCLE_REMOVED:
      return Presence::kAbsent;
    default:
      return Presence::kUnknown;
  }
}

void put(const Change& change, const std::string& backend, api::Server& server) {
  server.set_backend(backend);
  server.set_name(change.server);
  server.set_address(change.address);
  server.set_admin_state(api::ADMIN_STATE_READY);
  server.mutable_labels()->insert(change.labels.begin(), change.labels.end());
}

void drain(const Change& change, const std::string& backend, api::Patch& patch) {
  api::Server& server = *patch.mutable_resource()->mutable_server();
  server.set_backend(backend);
  server.set_name(change.server);
  server.set_admin_state(api::ADMIN_STATE_DRAIN);
  patch.mutable_update_mask()->add_paths("admin_state");
}

void remove(const Change& change, const std::string& backend, api::Delete& deletion) {
  deletion.mutable_server()->set_backend(backend);
  deletion.mutable_server()->set_name(change.server);
  // Zero, spelled out: unset would mean the backend's. Whoever deletes has waited for the drain.
  deletion.mutable_drain()->mutable_timeout()->set_seconds(0);
}

}  // namespace

api::Transaction to_transaction(const Change& change, const std::string& backend) {
  api::Transaction transaction;
  transaction.set_id(change.id);
  api::Operation& operation = *transaction.add_operations();
  switch (change.kind) {
    case ChangeKind::kPut:
      put(change, backend, *operation.mutable_upsert()->mutable_server());
      break;
    case ChangeKind::kDrain:
      drain(change, backend, *operation.mutable_patch());
      break;
    case ChangeKind::kDelete:
      remove(change, backend, *operation.mutable_delete_());
      break;
  }
  return transaction;
}

Event to_event(const api::TransactionResult& result) {
  const bool holds = result.outcome() == api::OUTCOME_APPLIED || result.outcome() == api::OUTCOME_UNCHANGED;
  if (holds) {
    return Done{
        .id = result.id(), .version = result.version(), .unchanged = result.outcome() == api::OUTCOME_UNCHANGED};
  }
  if (result.failures().empty()) return Refused{.id = result.id(), .why = "refused without a reason"};
  const api::OperationFailure& failure = result.failures(0);
  return Refused{.id = result.id(),
                 .not_found = failure.reason() == api::REASON_NOT_FOUND,
                 .not_primary = failure.reason() == api::REASON_NOT_PRIMARY,
                 .why = failure.message()};
}

Moved to_moved(const api::ServerEvent& event) {
  return {.server = event.server().name(),
          .presence = to_presence(event.lifecycle()),
          .version = event.version(),
          .cut_off = event.cut_off()};
}

ListedServer to_listed(const api::Server& server) {
  Presence presence = to_presence(server.status().lifecycle());
  if (presence == Presence::kUnknown) presence = Presence::kReady;
  // Only a deleted server has one.
  if (server.status().has_drain_deadline()) presence = Presence::kRemoving;
  return {.name = server.name(),
          .address = server.address(),
          .labels = {server.labels().begin(), server.labels().end()},
          .presence = presence};
}

ElectionId to_election_id(const api::ElectionId& id) { return {.high = id.high(), .low = id.low()}; }

}  // namespace fairlead::session

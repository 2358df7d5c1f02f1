// What the fleet learns from the provider and from the data planes.
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/fleet.h"

namespace fairlead::control {

using session::ChangeKind;
using session::Presence;

void Fleet::recovered(absl::Time now, const providers::Instance& instance) {
  report(now, "server_adopted", insert(instance, Phase::kServing));
}

void Fleet::heard(absl::Time now, const providers::Event& event) {
  std::visit([&](const auto& known) { on(now, known); }, event);
}

void Fleet::on(absl::Time now, const providers::Started& event) {
  Server* server = find(event.instance.name);
  if (server == nullptr || server->phase != Phase::kStarting) return;
  server->instance = event.instance;
  server->phase = Phase::kServing;
  report(now, "server_started", *server);
}

void Fleet::on(absl::Time now, const providers::StartFailed& event) {
  Server* server = find(event.name);
  if (server == nullptr || server->phase != Phase::kStarting) return;
  report(now, "server_failed", *server, event.why);
  servers_.erase(event.name);
}

void Fleet::on(absl::Time now, const providers::Adopted& event) {
  Server* server = find(event.instance.name);
  if (server == nullptr || server->phase != Phase::kAdopting) return;
  server->instance = event.instance;
  server->running = true;
  server->phase = Phase::kServing;
  report(now, "server_adopted", *server);
}

void Fleet::on(absl::Time, const providers::NotAdopted& event) {
  Server* server = find(event.name);
  if (server == nullptr || server->phase != Phase::kAdopting) return;
  server->phase = Phase::kDeleting;
}

void Fleet::on(absl::Time now, const providers::Exited& event) {
  Server* server = find(event.name);
  if (server == nullptr) return;
  server->running = false;
  // The answer of `stop` is still to come and ends it.
  if (server->phase == Phase::kStopping) return;
  server->phase = Phase::kDeleting;
  server->added = false;
  report(now, "server_exited", *server, event.why);
}

void Fleet::on(absl::Time now, const providers::Stopped& event) {
  Server* server = find(event.name);
  if (server == nullptr || server->phase != Phase::kStopping) return;
  server->running = false;
  report(now, "server_stopped", *server);
}

void Fleet::heard(absl::Time now, std::size_t dataplane, const session::Event& event) {
  std::visit([&](const auto& known) { on(now, dataplane, known); }, event);
}

namespace {
std::string primary_is(const std::string& election_id) {
  return absl::StrCat("the election id of its primary is ", election_id);
}
}  // namespace

void Fleet::on(absl::Time now, std::size_t dataplane, const session::Connected& event) {
  Dataplane& there = dataplanes_[dataplane];
  const bool lost_state = there.epoch != 0 && there.epoch != event.epoch;
  there.connected = true;
  there.epoch = event.epoch;
  there.unanswered.clear();
  for (auto& [name, server] : servers_) server.memberships[dataplane] = {};
  learn(dataplane, event.listing);
  report(now, "session_connected", there, lost_state ? "the data plane has a new epoch: its state was lost" : "");
  if (!event.superseded_by.empty()) {
    superseded(now, there, primary_is(event.superseded_by));
  } else if (std::exchange(there.superseded, false)) {
    report(now, "primary", there);
  }
}

void Fleet::superseded(absl::Time now, Dataplane& by, std::string why) {
  if (std::exchange(by.superseded, true)) return;
  report(now, "standby", by, std::move(why));
  for (auto& [name, server] : servers_) {
    if (server.phase != Phase::kStarting) continue;
    server.phase = Phase::kStopping;
    commands_.push_back(StopServer{name});
  }
}

void Fleet::on(absl::Time now, std::size_t dataplane, const session::Listed& event) {
  Dataplane& there = dataplanes_[dataplane];
  if (!there.connected) return;
  if (!event.superseded_by.empty()) superseded(now, there, primary_is(event.superseded_by));
  learn(dataplane, event.listing);
}

void Fleet::on(absl::Time now, std::size_t dataplane, const session::Lost& event) {
  Dataplane& there = dataplanes_[dataplane];
  if (there.connected) there.lost_since = now;
  there.connected = false;
  there.unanswered.clear();
  for (auto& [name, server] : servers_) server.memberships[dataplane] = {};
  report(now, "session_lost", there, event.why);
}

namespace {

// A drain that ends does not make a new version: of two with the same version the one that is further along is later.
bool is_earlier(Presence listed, Presence known) {
  return (listed == Presence::kDraining && known == Presence::kDrained) ||
         (listed == Presence::kRemoving && known == Presence::kAbsent);
}

}  // namespace

void Fleet::learn(std::size_t dataplane, const session::Listing& listing) {
  std::map<std::string, const session::ListedServer*> listed;
  for (const session::ListedServer& server : listing.servers) listed[server.name] = &server;
  for (auto& [name, server] : servers_) {
    Membership& membership = server.memberships[dataplane];
    const auto found = listed.find(name);
    // A listing from before the last change of this server says nothing new.
    const Presence presence = found == listed.end() ? Presence::kAbsent : found->second->presence;
    const bool earlier = listing.version < membership.version ||
                         (listing.version == membership.version && is_earlier(presence, membership.presence));
    if (!membership.unanswered && !earlier) {
      membership.presence = presence;
      membership.version = listing.version;
      const bool elsewhere = found != listed.end() && !server.instance.address.empty() &&
                             found->second->address != server.instance.address;
      // Somebody gave it another address: not the server that we mean, and putting it corrects that.
      if (elsewhere && membership.presence == Presence::kReady) membership.presence = Presence::kDrained;
    }
    listed.erase(name);
  }
  for (const auto& [name, stranger] : listed) {
    Server& server = insert({name, stranger->address, stranger->labels}, Phase::kAdopting);
    server.memberships[dataplane] = {.presence = stranger->presence, .version = listing.version};
    commands_.push_back(AdoptServer{server.instance});
  }
}

void Fleet::on(absl::Time, std::size_t dataplane, const session::Done& event) {
  auto& unanswered = dataplanes_[dataplane].unanswered;
  // One result stands for all before it.
  while (!unanswered.empty() && unanswered.begin()->first <= event.id) {
    const auto first = unanswered.extract(unanswered.begin());
    const bool own = first.key() == event.id;
    // Those before had earlier versions, and their events may still come with these.
    done(dataplane, first.mapped(), own ? event.version : 0, own && event.unchanged);
  }
}

void Fleet::done(std::size_t dataplane, const Unanswered& change, std::uint64_t version, bool unchanged) {
  Server* server = find(change.server);
  if (server == nullptr) return;
  Membership& membership = server->memberships[dataplane];
  membership.unanswered = false;
  membership.version = std::max(membership.version, version);
  switch (change.kind) {
    case ChangeKind::kPut:
      membership.presence = Presence::kReady;
      return;
    case ChangeKind::kDrain:
      // The event that it is drained may have come first.
      if (membership.presence == Presence::kReady) membership.presence = Presence::kDraining;
      return;
    case ChangeKind::kDelete:
      if (unchanged) membership.presence = Presence::kAbsent;
      if (membership.presence != Presence::kAbsent) membership.presence = Presence::kRemoving;
      return;
  }
}

void Fleet::on(absl::Time now, std::size_t dataplane, const session::Refused& event) {
  auto& unanswered = dataplanes_[dataplane].unanswered;
  const auto found = unanswered.extract(event.id);
  if (event.not_primary) superseded(now, dataplanes_[dataplane], event.why);
  if (found.empty()) return;
  Server* server = find(found.mapped().server);
  if (server == nullptr) return;
  Membership& membership = server->memberships[dataplane];
  membership.unanswered = false;
  if (event.not_primary) return;
  if (event.not_found && found.mapped().kind != ChangeKind::kPut) {
    membership.presence = Presence::kAbsent;
    return;
  }
  membership.retry_at = now + options_.refused_wait;
  report(now, "change_refused", *server, absl::StrCat(dataplanes_[dataplane].address, ": ", event.why));
}

void Fleet::on(absl::Time, std::size_t dataplane, const session::Moved& event) {
  Server* server = find(event.server);
  if (server == nullptr || !dataplanes_[dataplane].connected) return;
  server->cut_off += event.cut_off;
  Membership& membership = server->memberships[dataplane];
  // Overtaken by something later.
  if (event.version < membership.version) return;
  membership.presence = event.presence;
  membership.version = event.version;
}

}  // namespace fairlead::control

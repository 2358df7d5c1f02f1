#include "control/fleet.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace fairlead::control {

using session::ChangeKind;
using session::Presence;

int number_of(absl::string_view name) {
  int number = 0;
  if (!absl::ConsumePrefix(&name, "s") || !absl::SimpleAtoi(name, &number) || number < 0) return 0;
  return number;
}

Fleet::Fleet(FleetOptions options, std::vector<std::string> dataplanes, absl::Time now) : options_(options) {
  for (std::string& address : dataplanes) {
    dataplanes_.push_back({.address = std::move(address), .lost_since = now, .unanswered = {}});
  }
}

void Fleet::start(absl::Time, const std::string& name) {
  insert({.name = name, .address = "", .labels = {}}, Phase::kStarting);
  commands_.push_back(StartServer{name});
}

int Fleet::resume(absl::Time now, int count) {
  int resumed = 0;
  for (auto& [name, server] : servers_) {
    if (resumed == count) break;
    if (server.phase != Phase::kDraining) continue;
    server.phase = Phase::kServing;
    server.added = false;
    ++resumed;
    report(now, "server_resumed", server);
  }
  return resumed;
}

int Fleet::retire(absl::Time now, int count, const std::function<std::uint64_t(const std::string&)>& load) {
  struct Candidate {
    std::uint64_t load;
    int number;
    Server* server;
  };
  std::vector<Candidate> candidates;
  for (auto& [name, server] : servers_) {
    if (server.phase == Phase::kServing) candidates.push_back({load(name), server.number, &server});
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.load != b.load ? a.load < b.load : a.number > b.number;
  });
  const int retired = std::min<int>(count, static_cast<int>(candidates.size()));
  for (int i = 0; i < retired; ++i) {
    Server& server = *candidates[i].server;
    server.phase = Phase::kDraining;
    server.added = false;
    server.drain_deadline = now + options_.drain_timeout;
    report(now, "server_draining", server);
  }
  return retired;
}

void Fleet::abandon_all() {
  for (auto& [name, server] : servers_) {
    const bool starting = server.phase == Phase::kStarting || server.phase == Phase::kAdopting;
    if (starting) {
      server.phase = Phase::kStopping;
      commands_.push_back(StopServer{name});
    } else if (server.phase != Phase::kStopping) {
      server.phase = Phase::kDeleting;
    }
    server.added = false;
  }
}

void Fleet::settle(absl::Time now) {
  for (auto next = servers_.begin(); next != servers_.end();) {
    Server& server = next->second;
    if (!standing_by()) advance(now, server);
    if (server.phase == Phase::kStopping && !server.running) {
      next = servers_.erase(next);
      continue;
    }
    for (std::size_t i = 0; i < dataplanes_.size() && !standing_by(); ++i) {
      submit_missing(now, server, i, server.memberships[i]);
    }
    ++next;
  }
}

void Fleet::advance(absl::Time now, Server& server) {
  if (server.phase == Phase::kServing && !server.added && where_connected(server, Presence::kReady)) {
    server.added = true;
    report(now, "server_added", server);
  }
  if (server.phase == Phase::kDraining) {
    const bool drained = everywhere(now, server, {Presence::kDrained, Presence::kAbsent, Presence::kRemoving});
    if (drained) report(now, "server_drained", server);
    if (drained || now >= server.drain_deadline) server.phase = Phase::kDeleting;
  }
  if (server.phase == Phase::kDeleting && everywhere(now, server, {Presence::kAbsent})) {
    report(now, "server_deleted", server);
    server.phase = Phase::kStopping;
    if (server.running) commands_.push_back(StopServer{server.instance.name});
  }
}

namespace {

// What is to be sent for a server that should take requests.
bool needs_put(Presence presence) {
  // While an earlier deletion is under way the name is taken: wait until it is gone.
  return presence == Presence::kAbsent || presence == Presence::kDraining || presence == Presence::kDrained;
}

bool needs_delete(Presence presence) {
  return presence != Presence::kAbsent && presence != Presence::kUnknown && presence != Presence::kRemoving;
}

}  // namespace

void Fleet::submit_missing(absl::Time now, const Server& server, std::size_t dataplane, Membership& membership) {
  if (membership.unanswered || now < membership.retry_at) return;
  session::Change change{.server = server.instance.name, .address = "", .labels = {}};
  if (server.phase == Phase::kServing && needs_put(membership.presence)) {
    change.kind = ChangeKind::kPut;
    change.address = server.instance.address;
    change.labels = server.instance.labels;
  } else if (server.phase == Phase::kDraining && membership.presence == Presence::kReady) {
    change.kind = ChangeKind::kDrain;
  } else if (server.phase == Phase::kDeleting && needs_delete(membership.presence)) {
    change.kind = ChangeKind::kDelete;
  } else {
    return;
  }
  change.id = ++last_change_;
  membership.unanswered = true;
  dataplanes_[dataplane].unanswered[change.id] = {change.server, change.kind};
  commands_.push_back(SubmitChange{dataplane, std::move(change)});
}

bool Fleet::everywhere(absl::Time now, const Server& server, std::initializer_list<Presence> presences) const {
  for (std::size_t i = 0; i < dataplanes_.size(); ++i) {
    if (!dataplanes_[i].connected) {
      if (now < dataplanes_[i].lost_since + options_.lost_grace) return false;
      continue;
    }
    const Membership& membership = server.memberships[i];
    if (membership.unanswered || std::ranges::find(presences, membership.presence) == presences.end()) return false;
  }
  return true;
}

bool Fleet::where_connected(const Server& server, Presence presence) const {
  if (!any_connected()) return false;
  for (std::size_t i = 0; i < dataplanes_.size(); ++i) {
    if (dataplanes_[i].connected && server.memberships[i].presence != presence) return false;
  }
  return true;
}

Commands Fleet::take_commands() { return std::exchange(commands_, {}); }

int Fleet::wanted() const {
  return static_cast<int>(std::ranges::count_if(servers_, [](const auto& entry) {
    return entry.second.phase == Phase::kStarting || entry.second.phase == Phase::kServing;
  }));
}

int Fleet::added() const {
  return static_cast<int>(std::ranges::count_if(servers_, [](const auto& entry) { return entry.second.added; }));
}

bool Fleet::adopting() const {
  return std::ranges::any_of(servers_, [](const auto& entry) { return entry.second.phase == Phase::kAdopting; });
}

bool Fleet::any_connected() const { return std::ranges::any_of(dataplanes_, &Dataplane::connected); }

bool Fleet::standing_by() const { return std::ranges::any_of(dataplanes_, &Dataplane::superseded); }

Fleet::Server& Fleet::insert(providers::Instance instance, Phase phase) {
  const std::string name = instance.name;
  Server& server = servers_[name];
  server.instance = std::move(instance);
  server.number = number_of(name);
  server.phase = phase;
  server.running = phase != Phase::kAdopting;
  server.memberships.resize(dataplanes_.size());
  // Whoever is connected would have listed it.
  for (std::size_t i = 0; i < dataplanes_.size(); ++i) {
    if (dataplanes_[i].connected) server.memberships[i].presence = Presence::kAbsent;
  }
  highest_number_ = std::max(highest_number_, server.number);
  return server;
}

Fleet::Server* Fleet::find(const std::string& name) {
  const auto found = servers_.find(name);
  return found == servers_.end() ? nullptr : &found->second;
}

void Fleet::report(absl::Time now, absl::string_view event, const Server& server, std::string why) {
  commands_.push_back(Report{.time = now,
                             .event = std::string(event),
                             .server = server.instance.name,
                             .address = server.instance.address,
                             .dataplane = "",
                             .why = std::move(why),
                             .cut_off = server.cut_off,
                             .servers = added()});
}

void Fleet::report(absl::Time now, absl::string_view event, const Dataplane& dataplane, std::string why) {
  commands_.push_back(Report{.time = now,
                             .event = std::string(event),
                             .server = "",
                             .address = "",
                             .dataplane = dataplane.address,
                             .why = std::move(why),
                             .servers = added()});
}

}  // namespace fairlead::control

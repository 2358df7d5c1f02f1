#include "simulated_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace fairlead::control {

using session::ChangeKind;
using session::Presence;

namespace {

providers::Instance instance_of(const std::string& name) {
  return {.name = name, .address = absl::StrCat("10.0.0.1:", 1000 + number_of(name)), .labels = {{"pid", name}}};
}

std::vector<std::string> addresses(int dataplanes) {
  std::vector<std::string> names;
  for (int i = 0; i < dataplanes; ++i) names.push_back(absl::StrCat("dataplane-", i));
  return names;
}

}  // namespace

World::World(WorldOptions options) : options_(options), random_(options.seed), dataplanes_(options.dataplanes) {
  restart_controller();
  after(absl::ZeroDuration(), [this] { tick(); });
}

void World::run_for(absl::Duration duration) {
  const absl::Time end = now_ + duration;
  while (!events_.empty() && events_.top().time <= end) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.time;
    event.happen();
    perform_all();
  }
  now_ = end;
}

void World::restart_controller(bool forget) {
  ++life_;
  controller_ = std::make_unique<Controller>(options_.controller, addresses(options_.dataplanes), now_);
  providers::Recovery recovery;
  std::erase_if(processes_, [](const auto& process) { return !process.second; });
  // What neither the memory nor any data plane knows is lost; no controller could find it.
  const bool findable = std::ranges::all_of(processes_, [this](const auto& process) {
    return std::ranges::any_of(dataplanes_,
                               [&](const Dataplane& there) { return there.servers.contains(process.first); });
  });
  if (!forget || !findable) {
    recovery.highest_number = highest_number_;
    for (const auto& [name, serves] : processes_) recovery.instances.push_back(instance_of(name));
  }
  controller_->recovered(now_, recovery);
  for (int i = 0; i < options_.dataplanes; ++i) {
    dataplanes_[i].connected = false;
    after(between(absl::Milliseconds(1), absl::Milliseconds(50)), [this, i, life = life_] {
      if (life == life_) connect_session(i);
    });
  }
  perform_all();
}

void World::lose_session(int dataplane) {
  dataplanes_[dataplane].connected = false;
  ++dataplanes_[dataplane].session;
  controller_->heard(now_, dataplane, session::Lost{"it was cut"});
  perform_all();
}

void World::supersede(int dataplane, bool superseded) { dataplanes_[dataplane].superseded = superseded; }

void World::connect_session(int dataplane, bool empty) {
  Dataplane& there = dataplanes_[dataplane];
  if (empty) {
    there.servers.clear();
    ++there.epoch;
    there.version = 1;
  }
  there.connected = true;
  ++there.session;
  there.under_way.clear();
  controller_->heard(now_, dataplane, session::Connected{there.epoch, list(dataplane), there.superseded ? "99" : ""});
  perform_all();
}

void World::kill_process(std::string name) {
  processes_.erase(name);
  controller_->heard(now_, providers::Exited{name, "signal 9"});
  perform_all();
}

double World::seconds() const { return absl::ToDoubleSeconds(now_ - start_); }

int World::ready_on(int dataplane) const {
  const auto& servers = dataplanes_[dataplane].servers;
  return static_cast<int>(
      std::ranges::count_if(servers, [](const auto& entry) { return entry.second.presence == Presence::kReady; }));
}

int World::count(const std::string& event) const {
  return static_cast<int>(std::ranges::count(reports_, event, &Report::event));
}

std::vector<std::string> World::servers_of(const std::string& event) const {
  std::vector<std::string> names;
  for (const Report& report : reports_) {
    if (report.event == event) names.push_back(report.server);
  }
  return names;
}

void World::after(absl::Duration delay, std::function<void()> happen) {
  events_.push({now_ + delay, ++order_, std::move(happen)});
}

absl::Duration World::between(absl::Duration least, absl::Duration most) {
  return least + (most - least) * std::uniform_real_distribution(0.0, 1.0)(random_);
}

void World::tick() {
  for (int i = 0; i < options_.dataplanes; ++i) {
    if (!dataplanes_[i].connected) continue;
    controller_->heard(now_, i, sample(i));
    controller_->heard(now_, i, session::Listed{list(i), dataplanes_[i].superseded ? "99" : ""});
  }
  controller_->tick(now_);
  perform_all();
  each_tick();
  after(options_.interval, [this] { tick(); });
}

void World::tell(int dataplane, session::Event event) {
  const Dataplane& there = dataplanes_[dataplane];
  if (!there.connected) return;
  after(absl::Milliseconds(1), [this, dataplane, event = std::move(event), session = there.session, life = life_] {
    if (life == life_ && session == dataplanes_[dataplane].session) controller_->heard(now_, dataplane, event);
  });
}

void World::tell(providers::Event event) {
  after(absl::Milliseconds(1), [this, event = std::move(event), life = life_] {
    if (life == life_) controller_->heard(now_, event);
  });
}

void World::perform_all() {
  for (const Command& command : controller_->take_commands()) {
    std::visit([this](const auto& known) { perform(known); }, command);
  }
}

void World::perform(const StartServer& command) {
  ASSERT_FALSE(processes_.contains(command.name)) << command.name << " is started twice";
  highest_number_ = std::max(highest_number_, number_of(command.name));
  if (starts_fail) return tell(providers::StartFailed{command.name, "no such program"});
  processes_[command.name] = false;
  after(between(absl::Milliseconds(10), options_.start_delay_most), [this, name = command.name, life = life_] {
    if (life != life_ || !processes_.contains(name)) return;
    processes_[name] = true;
    tell(providers::Started{instance_of(name)});
    if (lifetime == absl::InfiniteDuration()) return;
    after(lifetime, [this, name] {
      if (processes_.contains(name)) kill_process(name);
    });
  });
}

void World::perform(const AdoptServer& command) {
  const std::string& name = command.instance.name;
  if (processes_.contains(name)) return tell(providers::Adopted{instance_of(name)});
  tell(providers::NotAdopted{name});
}

void World::perform(const StopServer& command) {
  for (const Dataplane& dataplane : dataplanes_) {
    EXPECT_FALSE(dataplane.connected && dataplane.servers.contains(command.name))
        << command.name << " is stopped while a data plane still has it";
  }
  after(between(absl::Milliseconds(10), absl::Milliseconds(500)), [this, name = command.name, life = life_] {
    processes_.erase(name);
    if (life == life_) return tell(providers::Stopped{name});
    // A later life did not ask for it.
    tell(providers::Exited{name, "signal 15"});
  });
}

void World::perform(const SubmitChange& command) {
  const int dataplane = static_cast<int>(command.dataplane);
  Dataplane& there = dataplanes_[dataplane];
  ASSERT_TRUE(there.connected) << "a change is sent where nobody is";
  ASSERT_EQ(there.under_way[command.change.server]++, 0) << command.change.server;
  there.last_applied = std::max(there.last_applied, now_ + between(absl::Milliseconds(1), absl::Milliseconds(20)));
  after(there.last_applied - now_, [this, dataplane, change = command.change, session = there.session, life = life_] {
    if (life == life_ && session == dataplanes_[dataplane].session) apply(dataplane, change);
  });
}

void World::apply(int dataplane, const session::Change& change) {
  Dataplane& there = dataplanes_[dataplane];
  --there.under_way[change.server];
  if (there.superseded) return tell(dataplane, session::Refused{.id = change.id, .not_primary = true, .why = "99"});
  ++there.applied;
  const auto found = there.servers.find(change.server);
  const bool missing = found == there.servers.end();
  if (change.kind == ChangeKind::kPut) {
    there.servers[change.server] = {change.address, change.labels, Presence::kReady};
    return tell(dataplane, session::Done{change.id, ++there.version});
  }
  if (change.kind == ChangeKind::kDrain) {
    if (missing) return tell(dataplane, session::Refused{.id = change.id, .not_found = true, .why = "no such server"});
    found->second.presence = Presence::kDraining;
    const absl::Duration delay = between(absl::ZeroDuration(), options_.drain_delay_most);
    if (drains_end) after(delay, [this, dataplane, name = change.server] { drained(dataplane, name); });
    return tell(dataplane, session::Done{change.id, ++there.version});
  }
  if (missing) return tell(dataplane, session::Done{change.id, there.version, true});
  const bool cut = found->second.presence != Presence::kDrained && processes_.contains(change.server);
  EXPECT_FALSE(cut && drains_end) << change.server << " is deleted before it is drained";
  there.servers.erase(found);
  tell(dataplane, session::Done{change.id, ++there.version});
  tell(dataplane, session::Moved{change.server, Presence::kAbsent, ++there.version, cut ? 1u : 0u});
}

void World::drained(int dataplane, const std::string& name) {
  Dataplane& there = dataplanes_[dataplane];
  const auto found = there.servers.find(name);
  if (found == there.servers.end() || found->second.presence != Presence::kDraining) return;
  found->second.presence = Presence::kDrained;
  tell(dataplane, session::Moved{name, Presence::kDrained, ++there.version});
}

session::Listing World::list(int dataplane) const {
  const Dataplane& there = dataplanes_[dataplane];
  session::Listing listing{.version = there.version, .servers = {}};
  for (const auto& [name, server] : there.servers) {
    listing.servers.push_back({name, server.address, server.labels, server.presence});
  }
  return listing;
}

sources::LoadSample World::sample(int dataplane) const {
  sources::LoadSample sample;
  sample.in_flight = static_cast<std::uint64_t>(std::max(0.0, load(seconds())) / options_.dataplanes);
  const int ready = std::max(1, ready_on(dataplane));
  for (const auto& [name, server] : dataplanes_[dataplane].servers) {
    const auto extra = extra_in_flight.find(name);
    sample.servers.push_back({name, sample.in_flight / ready + (extra == extra_in_flight.end() ? 0 : extra->second)});
  }
  return sample;
}

}  // namespace fairlead::control

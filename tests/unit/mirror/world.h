// A mirror's surroundings in virtual time: a data plane that does what the API says, and what lies between them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "desired/yaml.h"
#include "mirror/mirror.h"

namespace fairlead::mirror {

namespace api = fairlead::v1;
using desired::Configuration;
using desired::Key;
using desired::Kind;

inline std::shared_ptr<const Configuration> parse(const std::string& text) {
  auto parsed = desired::parse_configuration(text, "test.yaml");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : std::make_shared<Configuration>();
}

inline std::string servers(int from, int to, const std::string& rest = "") {
  std::string text = "backends:\n- name: app\n  servers:\n";
  for (int i = from; i < to; ++i) absl::StrAppend(&text, "  - {name: s", i, ", address: '10.0.0.1:80'}\n");
  return text + rest;
}

inline Key key_of(const api::Resource& resource) {
  if (resource.has_listener()) return {Kind::kListener, "", resource.listener().name()};
  if (resource.has_backend()) return {Kind::kBackend, "", resource.backend().name()};
  return {Kind::kServer, resource.server().backend(), resource.server().name()};
}

class Dataplane {
 public:
  std::map<Key, api::Resource> resources;
  std::uint64_t version = 1;
  session::ElectionId highest;
  bool primary = true;
  // A server of this name is refused.
  std::string refused;
  // How often something was written that made a difference, by name.
  std::map<std::string, int> touched;

  api::Opened open(const session::ElectionId& id) {
    primary = id >= highest;
    highest = std::max(highest, id);
    resync_ = false;
    // (The link lets each session's ids go on after the last one's.)
    last_id_ = 0;
    api::Opened opened;
    opened.set_version(version);
    opened.set_digest(digest());
    opened.set_primary(primary);
    opened.mutable_highest_election_id()->set_high(highest.high);
    opened.mutable_highest_election_id()->set_low(highest.low);
    opened.mutable_limits()->set_operations_per_transaction(10);
    return opened;
  }

  api::TransactionResult apply(const api::StreamUpdatesRequest& request) {
    api::TransactionResult result;
    const std::uint64_t before = version;
    if (request.has_transaction()) {
      result.set_id(request.transaction().id());
      EXPECT_LE(request.transaction().operations_size(), 10);
    } else {
      result.set_id(request.has_begin_resync() ? request.begin_resync().id() : request.end_resync().id());
    }
    EXPECT_GT(result.id(), last_id_);
    last_id_ = result.id();
    if (!primary) {
      fail(result, api::REASON_NOT_PRIMARY, "", "another one");
    } else if (request.has_begin_resync()) {
      EXPECT_FALSE(resync_);
      resync_ = true;
      named_.clear();
    } else if (request.has_end_resync()) {
      end_resync(request.end_resync(), result);
    } else {
      for (const api::Operation& operation : request.transaction().operations()) change(operation, result);
    }
    result.set_version(version);
    if (!result.failures().empty()) {
      result.set_outcome(api::OUTCOME_REFUSED);
    } else {
      result.set_outcome(version == before ? api::OUTCOME_UNCHANGED : api::OUTCOME_APPLIED);
    }
    return result;
  }

  std::string digest() const {
    desired::Digest digest;
    for (const auto& [key, resource] : resources) digest.add(desired::Digest::hash(resource));
    return digest.bytes();
  }

  Observed observe(bool with_export) const {
    Observed observed{.version = version, .digest = digest(), .highest_election_id = highest, .found = nullptr};
    if (!with_export) return observed;
    api::Resources all;
    for (const auto& [key, resource] : resources) {
      if (resource.has_listener()) *all.add_listeners() = resource.listener();
      if (resource.has_backend()) *all.add_backends() = resource.backend();
      if (resource.has_server()) *all.add_servers() = resource.server();
    }
    observed.found = *Configuration::make(std::move(all));
    return observed;
  }

  void put(const api::Resource& resource) {
    resources[key_of(resource)] = resource;
    ++version;
  }
  void erase(const Key& key) {
    std::erase_if(resources, [&](const auto& entry) {
      return entry.first == key || (key.kind == Kind::kBackend && entry.first.backend == key.name);
    });
    ++version;
  }

 private:
  static void fail(api::TransactionResult& result, api::Reason reason, const std::string& resource,
                   const std::string& message) {
    api::OperationFailure& failure = *result.add_failures();
    failure.set_reason(reason);
    failure.set_resource(resource);
    failure.set_message(message);
    result.set_failures_total(result.failures_total() + 1);
  }

  void change(const api::Operation& operation, api::TransactionResult& result) {
    if (operation.has_upsert()) {
      const api::Resource& resource = operation.upsert();
      const Key key = key_of(resource);
      if (key.name == refused)
        return fail(result, api::REASON_INVALID, to_string(key), absl::StrCat(to_string(key), ": not today"));
      if (resource.has_listener()) {
        for (const auto& [other, there] : resources) {
          if (other == key || !there.has_listener() || there.listener().bind(0) != resource.listener().bind(0))
            continue;
          return fail(result, api::REASON_BIND_FAILED, to_string(key), "is in use");
        }
      }
      named_.insert(key);
      const auto found = resources.find(key);
      if (found != resources.end() && desired::Digest::hash(found->second) == desired::Digest::hash(resource)) return;
      ++touched[to_string(key)];
      return put(resource);
    }
    const api::Delete& deletion = operation.delete_();
    const Key key = deletion.has_server() ? Key{Kind::kServer, deletion.server().backend(), deletion.server().name()}
                    : !deletion.listener().empty() ? Key{Kind::kListener, "", deletion.listener()}
                                                   : Key{Kind::kBackend, "", deletion.backend()};
    if (!resources.contains(key)) return;
    ++touched[to_string(key)];
    erase(key);
  }

  void end_resync(const api::EndResync& end, api::TransactionResult& result) {
    if (!resync_) return fail(result, api::REASON_NO_RESYNC, "", "none");
    std::size_t there = 0;
    std::vector<Key> going;
    for (const auto& [key, resource] : resources) {
      if (key.kind != Kind::kServer) continue;
      ++there;
      if (!named_.contains(key)) going.push_back(key);
    }
    if (!end.cancel() && going.size() * 100 > there * end.max_removal_percent() && there > 1) {
      return fail(result, api::REASON_MASS_REMOVAL, "", "too much would go");
    }
    resync_ = false;
    if (end.cancel()) return;
    for (const auto& [key, resource] : std::map(resources)) {
      if (named_.contains(key)) continue;
      ++touched[to_string(key)];
      erase(key);
    }
  }

  bool resync_ = false;
  std::set<Key> named_;
  std::uint64_t last_id_ = 0;
};

class World {
 public:
  explicit World(std::shared_ptr<const Configuration> want, session::ElectionId id = {.high = 0, .low = 5},
                 unsigned max_removal_percent = 50)
      : id(id), mirror({.election_id = id, .max_removal_percent = max_removal_percent}, std::move(want)) {}

  const session::ElectionId id;
  Mirror mirror;
  absl::Time now = absl::UnixEpoch();
  std::vector<std::string> events;
  std::string last_why;
  int requests = 0;

  void connect(Dataplane& to) {
    open(to);
    settle();
  }
  void open(Dataplane& to) {
    there_ = &to;
    mirror.opened(now, to.open(id));
  }
  // What was on its way is lost.
  void cut() {
    there_ = nullptr;
    take_commands();
    outbox_.clear();
    mirror.lost("cut");
  }
  // One message goes out and its answer comes back; false where nothing is left to be said.
  bool step() {
    take_commands();
    if (outbox_.empty() || there_ == nullptr) return false;
    const Command command = std::move(outbox_.front());
    outbox_.pop_front();
    if (const auto* send = std::get_if<Send>(&command)) {
      ++requests;
      mirror.heard(now, there_->apply(send->request));
    } else if (const auto* ask = std::get_if<Ask>(&command)) {
      mirror.heard(now, there_->observe(ask->with_export));
    }
    return true;
  }
  void settle() {
    int steps = 0;
    while (step()) ASSERT_LT(++steps, 10000);
  }
  void refresh() {
    if (there_ != nullptr) mirror.heard(now, there_->observe(false));
    settle();
  }
  // Until the next try is due, and what follows.
  void wait() {
    now = std::min(mirror.retry_at(), now + absl::Minutes(1));
    mirror.tick(now);
    refresh();
  }
  void want(const std::string& text) {
    mirror.want(now, parse(text));
    settle();
  }

 private:
  void take_commands() {
    for (Command& command : mirror.take_commands()) {
      if (const auto* told = std::get_if<Told>(&command)) {
        events.push_back(told->event);
        last_why = told->why;
      } else {
        outbox_.push_back(std::move(command));
      }
    }
  }

  Dataplane* there_ = nullptr;
  std::deque<Command> outbox_;
};

}  // namespace fairlead::mirror

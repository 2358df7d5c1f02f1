// A world in which servers are ejected by how they serve, and may be checked beside: what is decided becomes what the
// workers may pick, as the store does it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "health/checker.h"
#include "health/outliers.h"
#include "sim_world/proxy_world.h"

namespace fairlead::sim {

class OutlierWorld {
 public:
  explicit OutlierWorld(uint64_t seed, int workers = 2) : world(seed, workers) {
    checker.on_success([this](config::Uid backend, config::Uid server, TimePoint began, const std::string& reason) {
      outliers.check_succeeded(backend, server, began, reason);
    });
    world.shared().on_errors([this](const upstream::ErrorsInARow& errors) {
      outliers.take(health::ErrorReport{errors.backend, errors.slot, errors.server, errors.errors, errors.gateway});
    });
  }
  ~OutlierWorld() { close(); }
  OutlierWorld(const OutlierWorld&) = delete;
  OutlierWorld& operator=(const OutlierWorld&) = delete;

  void set(const std::optional<config::OutlierDetection>& detection,
           const std::optional<config::HealthCheck>& check = std::nullopt) {
    config::Backend settings;
    settings.outlier_detection = detection;
    settings.health_check = check;
    settings.retry.attempts = 0;
    set(settings);
  }
  void set(const config::Backend& settings) {
    world.configuration().set_backend("app", settings);
    record_ = world.configuration().backend_record("app");
    if (settings.health_check) checker.change(record_);
    if (!settings.outlier_detection) {
      outliers.stop(record_->metadata.uid);
      ejected_.clear();
    }
    publish();
  }
  void add(const std::string& name, const config::Endpoint& address) {
    world.configuration().add_server("app", name, address);
    auto server = world.configuration().server("app", name);
    names_[server->metadata.uid] = name;
    publish();
    if (record_->health_check) {
      checker.check({.backend = record_, .server = server, .check = server->metadata.uid, .in_service = true});
    }
  }
  void remove(const std::string& name) {
    config::Uid uid = world.configuration().server("app", name)->metadata.uid;
    names_.erase(uid);
    ejected_.erase(uid);
    down_.erase(uid);
    world.delete_server("app", name, std::chrono::seconds(10), [](uint64_t) {});
    checker.stop(uid);
    outliers.forget(record_->metadata.uid, uid);
    publish();
  }
  void close() {
    if (std::exchange(closed_, true)) return;
    runtime::Scope scope(host.loop);
    scope.spawn(checker.close());
    EXPECT_TRUE(world.run_until([&] { return scope.running() == 0; }));
  }
  void run_for(Duration time) { world.network().run_for(time); }

  bool is_ejected(const std::string& name) const {
    auto known = std::ranges::find(names_, name, [](auto& entry) { return entry.second; });
    return known != names_.end() && ejected_.contains(known->first);
  }
  size_t ejected() const { return ejected_.size(); }
  // That would take requests if nobody were ejected.
  uint64_t servers() const { return names_.size() - down_.size(); }
  bool is_down(const std::string& name) const {
    return down_.contains(world.configuration().server("app", name)->metadata.uid);
  }

  struct Told {
    TimePoint at;
    std::string name;
    bool is_ejected;
    std::string reason;
    uint32_t number;
    Duration time;
  };
  std::vector<Told> told;
  // "down: status: 503", of checks.
  std::vector<std::string> checks;
  // Called when what was decided is published.
  std::function<void()> on_told = [] {};

  // Mutable: its configuration is asked for names.
  mutable ProxyWorld world;
  SimHost host{world.network(), "checker", "10.0.0.2"};
  health::Checker checker{host.loop, {}, [this](auto results) { take(results); }};
  health::Outliers outliers{
      host.loop,
      {.gather = [this](config::BackendHandle backend) { gather(backend); },
       .tell = [this](auto results) { take(results); },
       .act = [this](config::Uid server, config::OnError action,
                     const std::string& reason) { checker.observe_errors(server, action, reason); }}};

 private:
  void gather(config::BackendHandle backend) {
    std::map<config::Uid, health::Outcomes> sums;
    for (auto& worker : world.workers()) {
      for (const upstream::OutcomeCounts& counts : worker->context.upstreams.take_outcomes(backend)) {
        health::Outcomes& sum = sums[counts.server];
        sum.slot = counts.slot;
        sum.server = counts.server;
        sum.requests += counts.requests;
        sum.failures += counts.failures;
      }
    }
    std::vector<health::Outcomes> all;
    for (const auto& [uid, sum] : sums) all.push_back(sum);
    outliers.take(backend, all);
  }
  void take(const std::vector<health::Result>& results) {
    for (const health::Result& result : results) {
      auto known = names_.find(result.server);
      if (known == names_.end()) continue;
      if (!result.ejection) {
        checks.push_back((result.is_up ? "up: " : "down: ") + result.reason);
        result.is_up ? (void)down_.erase(result.server) : (void)down_.insert(result.server);
        continue;
      }
      if (result.ejection->is_ejected == ejected_.contains(result.server)) continue;
      bool is_ejected = result.ejection->is_ejected;
      is_ejected ? (void)ejected_.insert(result.server) : (void)ejected_.erase(result.server);
      told.push_back({world.network().now(), known->second, is_ejected, result.reason, result.ejection->number,
                      result.ejection->time});
    }
    publish();
    on_told();
  }
  void publish() {
    for (const auto& [uid, name] : names_) {
      world.configuration().set_fit("app", name, !ejected_.contains(uid) && !down_.contains(uid));
    }
    world.publish();
    if (!record_->outlier_detection || std::exchange(observing_, true)) return;
    outliers.observe(record_, servers());
    observing_ = false;
  }

  base::Ref<const config::Backend> record_;
  std::map<config::Uid, std::string> names_;
  std::set<config::Uid> ejected_;
  std::set<config::Uid> down_;
  bool observing_ = false;
  bool closed_ = false;
};

}  // namespace fairlead::sim

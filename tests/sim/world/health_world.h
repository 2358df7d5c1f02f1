// A world with a checker: what it finds becomes what the workers may pick, as the store does it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "health/checker.h"
#include "sim_world/proxy_world.h"

namespace fairlead::sim {

class HealthWorld {
 public:
  explicit HealthWorld(uint64_t seed, int workers = 1, const health::CheckerOptions& options = {})
      : world(seed, workers), checker(host.loop, options, [this](auto results) { take(results); }) {}
  ~HealthWorld() { close(); }
  HealthWorld(const HealthWorld&) = delete;
  HealthWorld& operator=(const HealthWorld&) = delete;

  void set_check(const config::HealthCheck& check) {
    config::Backend settings;
    settings.health_check = check;
    settings.retry.attempts = 0;
    world.configuration().set_backend("app", settings);
    world.publish();
    settings_ = world.configuration().backend_record("app");
    checker.change(settings_);
  }
  // Waits for its first check, or takes requests until then.
  void add(const std::string& name, const config::Endpoint& address, bool in_service = false) {
    world.configuration().add_server("app", name, address);
    if (!in_service) world.configuration().set_fit("app", name, false);
    world.publish();
    check(name, in_service);
  }
  // Anew where it is checked already.
  void check(const std::string& name, bool in_service = false) {
    auto record = world.configuration().server("app", name);
    checks[record->metadata.uid] = ++last_check_;
    checker.check({.backend = settings_, .server = record, .check = last_check_, .in_service = in_service});
  }
  void remove(const std::string& name) {
    config::Uid uid = world.configuration().server("app", name)->metadata.uid;
    checks.erase(uid);
    world.delete_server("app", name, std::chrono::seconds(10), [](uint64_t) {});
    checker.stop(uid);
  }
  void close() {
    if (std::exchange(closed_, true)) return;
    runtime::Scope scope(host.loop);
    scope.spawn(checker.close());
    EXPECT_TRUE(world.run_until([&] { return scope.running() == 0; }));
  }
  void run_for(Duration time) { world.network().run_for(time); }

  // The last that was told, by name: "up: status 200".
  std::map<std::string, std::string> told;
  // What their agents say.
  std::map<std::string, config::AgentState> agents;
  // Everything that was, with its time.
  struct Told {
    TimePoint at;
    std::string name;
    bool is_up;
    std::string reason;
  };
  std::vector<Told> all;
  // Called when what was found is published.
  std::function<void()> on_told = [] {};
  // The present check of each server.
  std::map<config::Uid, uint64_t> checks;

  ProxyWorld world;
  SimHost host{world.network(), "checker", "10.0.0.2"};
  health::Checker checker;

 private:
  void take(const std::vector<health::Result>& results) {
    for (const health::Result& result : results) {
      auto known = checks.find(result.server);
      if (known == checks.end() || known->second != result.check) continue;
      std::string name = world.configuration().name_of("app", result.server);
      if (result.agent) {
        agents[name] = *result.agent;
        continue;
      }
      told[name] = (result.is_up ? "up: " : "down: ") + result.reason;
      all.push_back({world.network().now(), name, result.is_up, result.reason});
      world.configuration().set_fit("app", name, result.is_up);
    }
    world.publish();
    on_told();
  }

  base::Ref<const config::Backend> settings_;
  uint64_t last_check_ = 0;
  bool closed_ = false;
};

}  // namespace fairlead::sim
